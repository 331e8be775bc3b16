"""What a reply changes: state, tasks, cascade, audit and nudge, all in one transaction."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from db.engine import SessionFactory
from db.repositories import replies
from db.repositories.consignee_lots import lots_of
from db.repositories.notices import affected_products
from db.repositories.onward import PassedOnToItself
from db.repositories.statements import UnknownLot, earlier_statements
from models.replies import PassedOnLot, PassedOnTo
from tests.campaign.answers import answer, stated
from tests.campaign.conftest import Hand
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = pytest.mark.db


def to(name: str, lot: int, quantity: int, **changes: Any) -> PassedOnTo:
    lots = (PassedOnLot(lot_id=lot, quantity=Decimal(quantity)),)
    return PassedOnTo.model_validate({"name": name, "kind": "hospital", "lots": lots} | changes)


def state(world: World, consignee: int) -> str:
    found: str = world.one("SELECT state FROM consignee WHERE id = %s", consignee)
    return found


async def test_a_complete_statement_answers_and_ends_the_chase(hand: Hand, db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    world.consignee("Two", Person("b@x.example"))
    await hand.advance()
    done = await answer(db, one, stated(world.lot_ids[0], on_hand=4, used=6))
    assert (done.consignee_state, done.findings, done.campaign_sequence) == ("answered", (), 1)
    assert [row["state"] for row in world.deliveries(one)] == ["cancelled"]
    assert world.one("SELECT affected FROM reply")
    event = world.rows("SELECT actor, data FROM audit_event WHERE action = 'reply.recorded'")[0]
    assert event["actor"] == f"consignee:{one}"
    assert "Ann" not in str(event["data"]), "names stay in the reply"


async def test_an_acknowledgement_ends_the_chase_but_owes_quantities(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example"))
    assert (await answer(db, one)).consignee_state == "acknowledged"
    progress = await hand.progress()
    assert (progress.outstanding, progress.stated) == (0, 0)


async def test_the_same_form_twice_is_one_reply(db: SessionFactory, world: World) -> None:
    one, two = world.consignee("One", Person("a@x.example")), world.consignee("Two", Person("b@x.example"))
    first = await answer(db, one, form_id="the-same-form")
    again = await answer(db, one, form_id="the-same-form")
    assert (again.repeated, again.reply_id, again.nudge_due) == (True, first.reply_id, False)
    with pytest.raises(replies.FormReused):
        await answer(db, two, form_id="the-same-form")
    assert state(world, two) == "open"
    assert world.one("SELECT count(*) FROM reply") == 1


async def test_two_submissions_of_one_form_at_once_are_one_reply(db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    lot = stated(world.lot_ids[0], on_hand=10)
    both = await asyncio.gather(*(answer(db, one, lot, form_id="double-click") for _ in range(5)))
    assert sorted(each.repeated for each in both) == [False, True, True, True, True]
    assert world.one("SELECT count(*) FROM reply_line") == 1


async def test_an_impossible_statement_is_kept_and_opens_a_query(db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"), lots=("10",))
    done = await answer(db, one, stated(world.lot_ids[0], on_hand=11))
    assert done.consignee_state == "acknowledged"
    assert [finding.kind for finding in done.findings] == ["more_than_shipped"]
    task = world.one("SELECT key, what, consignee_id, due_at FROM task")
    assert (task["key"], task["consignee_id"]) == (f"query:{done.reply_id}", one)
    assert "more_than_shipped" in task["what"]
    settled = await answer(db, one, stated(world.lot_ids[0], on_hand=10))
    assert settled.consignee_state == "answered"
    assert world.one("SELECT state FROM task") == "done"
    assert world.one("SELECT count(*) FROM reply") == 2, "the earlier statement stays"


async def test_a_statement_that_leaves_out_a_lot_is_no_answer_yet(db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"), lots=("10", "5"))
    done = await answer(db, one, stated(world.lot_ids[0], on_hand=10))
    assert (done.consignee_state, [f.kind for f in done.findings]) == ("acknowledged", ["not_answered"])


async def test_a_lot_of_somebody_else_is_refused(db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"), lots=("10",))
    with pytest.raises(UnknownLot):
        await answer(db, one, stated(world.lot_ids[1], on_hand=1))
    with pytest.raises(UnknownLot):
        await answer(db, one, passed_on=(to("Other", world.lot_ids[1], 1),))
    with pytest.raises(replies.UnknownConsignee):
        await answer(db, one, recall_number="RC-2026-000099")
    assert world.one("SELECT count(*) FROM reply") == 0


async def test_whoever_got_product_from_a_consignee_is_told_in_the_next_walk(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    lot = world.lot_ids[0]
    one = world.consignee("Distributor", Person("a@x.example"), kind="distributor", language="zh-CN")
    done = await answer(
        db, one, stated(lot, passed_on=10), passed_on=(to("Clinic", lot, 10, email="clinic@c.example"),)
    )
    (clinic,) = done.new_consignees
    assert done.nudge_due
    row = world.one(
        "SELECT c.tier, c.parent_id, c.state, p.name, p.kind, p.language, p.onward_of_id, cl.shipped, cl.stated"
        " FROM consignee c JOIN partner p ON p.id = c.partner_id JOIN consignee_lot cl ON cl.consignee_id = c.id"
        " WHERE c.id = %s",
        clinic,
    )
    assert (row["tier"], row["parent_id"], row["state"], row["name"], row["kind"]) == (
        2,
        one,
        "open",
        "Clinic",
        "hospital",
    )
    assert (row["language"], row["shipped"], row["stated"]) == ("zh-CN", 10, True)
    assert world.one("SELECT custody FROM location WHERE name = 'Clinic'") == "customer"
    await hand.advance(T0 + DAY / 2)
    await hand.send("email", T0 + DAY / 2)
    assert [message.to for message in hand.mail.accepted] == ["clinic@c.example"]
    assert "A1" in hand.mail.accepted[0].text


async def test_naming_the_same_site_again_replaces_the_quantity(db: SessionFactory, world: World) -> None:
    lot = world.lot_ids[0]
    one, two = world.consignee("One", Person("a@x.example")), world.consignee("Two", Person("b@x.example"))
    first = await answer(db, one, stated(lot, passed_on=4), passed_on=(to("Clinic", lot, 4, email="c@c.example"),))
    again = await answer(db, one, stated(lot, passed_on=6), passed_on=(to("Clinic", lot, 6, email="c@c.example"),))
    other = await answer(db, two, stated(lot, passed_on=3), passed_on=(to("The clinic", lot, 3, email="C@c.example"),))
    assert (len(first.new_consignees), again.new_consignees, other.new_consignees) == (1, (), ())
    assert world.one("SELECT shipped FROM consignee_lot WHERE stated") == 9
    retracted = await answer(db, one, stated(lot, on_hand=10))
    assert retracted.consignee_state == "answered"
    assert world.one("SELECT shipped FROM consignee_lot WHERE stated") == 3


async def test_a_known_consignee_that_got_another_lot_has_to_answer_again(db: SessionFactory, world: World) -> None:
    first, second = world.lot_ids
    one = world.consignee("One", Person("a@x.example"), lots=("10", "10"))
    two = world.consignee("Two", Person("b@x.example"), lots=("10",))
    await answer(db, two, stated(first, on_hand=10))
    assert state(world, two) == "answered"
    done = await answer(
        db,
        one,
        stated(first, on_hand=10),
        stated(second, passed_on=10),
        passed_on=(to("2", second, 10, email="b@x.example"),),
    )
    assert (done.new_consignees, state(world, two)) == ((two,), "open")
    assert world.one("SELECT step FROM consignee WHERE id = %s", two) == 0


@pytest.mark.parametrize(("named", "received"), [(10, "10"), (13, "13"), (4, "10")])
async def test_what_is_on_record_between_two_consignees_is_not_counted_again_from_the_senders_words(
    db: SessionFactory, world: World, named: int, received: str
) -> None:
    lot = world.lot_ids[0]
    one = world.consignee("One", Person("a@x.example"), kind="distributor", lots=("20",))
    two = world.consignee("Two", Person("b@x.example"))
    three = world.consignee("Three", Person("c@x.example"))
    world.run(
        "UPDATE movement m SET from_location_id = s.id FROM location s, location t"
        " WHERE s.code = 'L-One' AND t.code = 'L-Two' AND m.to_location_id = t.id"
    )
    world.run(
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,"
        " occurred_at, source_system, source_id) SELECT 'receipt', product_id, lot_id, from_location_id,"
        " to_location_id, quantity, true, occurred_at, 'test', 'again' FROM movement WHERE from_location_id IS NOT NULL"
    )
    receivers = (to("2", lot, named, email="b@x.example"), to("3", lot, 5, email="c@x.example"))
    await answer(db, one, stated(lot, on_hand=0, passed_on=named + 5), passed_on=receivers)
    async with db() as session:
        lots = await lots_of(session, [two, three])
        ((alone,),) = (await lots_of(session, [two])).values()
    assert [lots[two][0].received, alone.received] == [Decimal(received)] * 2
    assert lots[three][0].received == Decimal(15), "there nothing is on record from the sender: it got both"


async def test_two_consignees_naming_each_other_at_once_both_get_through(db: SessionFactory, world: World) -> None:
    first, second = world.lot_ids
    one = world.consignee("One", Person("a@x.example"), lots=("10", "10"))
    two = world.consignee("Two", Person("b@x.example"), lots=("10", "10"))
    for _ in range(5):
        await asyncio.gather(
            answer(db, one, passed_on=(to("2", first, 1, email="b@x.example"),)),
            answer(db, two, passed_on=(to("1", second, 1, email="a@x.example"),)),
        )
    assert world.one("SELECT count(*) FROM reply") == 10


async def test_a_consignee_cannot_pass_on_to_itself(db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    with pytest.raises(PassedOnToItself):
        await answer(db, one, passed_on=(to("Me", world.lot_ids[0], 1, email="A@x.example"),))
    assert world.one("SELECT count(*) FROM reply") == 0


def test_what_is_passed_on_is_more_than_nothing_and_addresses_have_their_form() -> None:
    for changes in ({"email": "no address"}, {"phone": "0700 1"}, {"kind": "zoo"}, {"lots": ()}):
        with pytest.raises(ValidationError):
            to("Clinic", 1, 1, **changes)
    for name, quantity in (("Clinic", 0), (" ", 1)):
        with pytest.raises(ValidationError):
            to(name, 1, quantity)


async def test_a_site_without_an_address_becomes_a_call(hand: Hand, db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    done = await answer(
        db, one, stated(world.lot_ids[0], passed_on=10), passed_on=(to("Clinic", world.lot_ids[0], 10),)
    )
    await hand.advance(T0 + DAY)
    assert world.one("SELECT key FROM task") == f"call:{done.new_consignees[0]}"


async def test_a_nudge_is_due_by_tenths_and_with_the_last_answer_however_they_race(
    db: SessionFactory, world: World
) -> None:
    ids = [world.consignee(f"C{n}", Person(f"c{n}@x.example")) for n in range(30)]
    done = await asyncio.gather(*(answer(db, consignee) for consignee in ids))
    assert sum(each.nudge_due for each in done) == 10
    assert not (await answer(db, ids[0])).nudge_due, "nothing changed"


async def test_a_large_campaign_is_not_counted_for_each_answer_but_looks_at_the_last_and_about_each_tenth(
    db: SessionFactory, world: World
) -> None:
    world.many(700)
    ids = [row["id"] for row in world.rows("SELECT id FROM consignee ORDER BY id")]
    world.run("UPDATE consignee SET state = 'acknowledged' WHERE id = ANY (%s)", ids[200:])
    done = [await answer(db, each) for each in ids[:200]]
    assert done[-1].nudge_due, "nobody is left"
    # Two tenths are passed (560 and 630 of 700): each is noticed within 64 events, once for each count of that time.
    assert 2 <= sum(each.nudge_due for each in done[:-1]) <= 2 * 4 + 4
    assert not any(each.nudge_due for each in done[-3:-1])


async def test_the_latest_statement_is_what_the_next_form_starts_from(db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person("a@x.example"))
    async with db() as session:
        assert await earlier_statements(session, one) == []
    await answer(db, one, stated(world.lot_ids[0], on_hand=3, used=7))
    await answer(db, one, stated(world.lot_ids[0], on_hand=2, used=8))
    await answer(db, one)
    async with db() as session:
        latest, *_ = await earlier_statements(session, one)
    assert latest is not None
    assert [(int(line.on_hand), int(line.used)) for line in latest.lots] == [(2, 8)]


async def test_one_number_at_two_sites_is_two_lots_that_are_stated_one_by_one(db: SessionFactory, world: World) -> None:
    site = "INSERT INTO location (partner_id, code, name, custody) SELECT id, %s, %s, 'own' FROM partner LIMIT 1"
    consignee = world.consignee("Mercy", Person(email="a@x.example"), lots=("10", "4"))
    world.run(site, "SITE-1", "Cork plant")
    world.run(site, "SITE-2", "Suzhou plant")
    for lot, code in zip(world.lot_ids, ("SITE-1", "SITE-2"), strict=True):
        world.run("UPDATE lot SET number='L7', site_id=(SELECT id FROM location WHERE code=%s) WHERE id=%s", code, lot)
    first, second = world.lot_ids
    recorded = await answer(db, consignee, stated(first, on_hand=10), stated(second, on_hand=4))
    assert [finding.kind for finding in recorded.findings] == []
    assert state(world, consignee) == "answered"
    async with db() as session:
        lots = (await lots_of(session, [consignee]))[consignee]
        listed = await affected_products(session, NUMBER)
    assert [(lot.printed, lot.key) for lot in lots] == [
        ("L7 (Cork plant)", "UNI-20 L7 (Cork plant)"),
        ("L7 (Suzhou plant)", "UNI-20 L7 (Suzhou plant)"),
    ]
    assert [(maker, numbers) for _, maker, numbers in listed] == [("Mercy", ["L7 (Cork plant)", "L7 (Suzhou plant)"])]


async def test_sites_of_one_name_are_told_apart_by_their_code(db: SessionFactory, world: World) -> None:
    site = "INSERT INTO location (partner_id, code, name, custody) SELECT id, %s, 'Plant', 'own' FROM partner LIMIT 1"
    consignee = world.consignee("Mercy", Person(email="a@x.example"), lots=("10", "4"))
    for lot, code in zip(world.lot_ids, ("SITE-1", "SITE-2"), strict=True):
        world.run(site, code)
        world.run("UPDATE lot SET number='L7', site_id=(SELECT id FROM location WHERE code=%s) WHERE id=%s", code, lot)
    async with db() as session:
        lots = (await lots_of(session, [consignee]))[consignee]
    assert [lot.printed for lot in lots] == ["L7 (SITE-1)", "L7 (SITE-2)"]


async def test_a_product_of_two_manufacturers_names_both(db: SessionFactory, world: World) -> None:
    world.consignee("Mercy", Person(email="a@x.example"), lots=("10", "4"))
    for lot, name in zip(world.lot_ids, ("Firm A", "Firm B"), strict=True):
        world.run(
            "WITH firm AS (INSERT INTO partner (code, name, kind, language, time_zone)"
            " VALUES (%s,%s,'manufacturer','en','UTC') RETURNING id), site AS (INSERT INTO location"
            " (partner_id, code, name, custody) SELECT id, %s, %s, 'own' FROM firm RETURNING id)"
            " SELECT id FROM site",
            name, name, name, name,
        )  # fmt: skip
        world.run("UPDATE lot SET site_id = (SELECT id FROM location WHERE code = %s) WHERE id = %s", name, lot)
    async with db() as session:
        listed = await affected_products(session, NUMBER)
    assert [(maker, numbers) for _, maker, numbers in listed] == [("Firm A; Firm B", ["A1", "B2"])]
