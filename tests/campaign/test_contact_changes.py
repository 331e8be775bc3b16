"""Contacts put right while a campaign runs: who has left is written to no more, who is named is told at once."""

from datetime import timedelta

import pytest

from adapters.messaging.base import ErrorKind
from db.repositories import contact_book
from db.repositories.cases import By
from db.repositories.contact_book import Changed, NewContact, Standing, UnknownContact
from models.master import ContactStatus
from tests.campaign.conftest import Hand
from tests.campaign.locks import CHAIN, beside
from tests.campaign.merged import acknowledge, bounced, refused
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = pytest.mark.db
SOON = T0 + timedelta(minutes=5)
LATER = T0 + 5 * DAY
QUINN = By("Quinn", "qa", SOON)


async def heard(hand: Hand, consignee: int, address: str, status: ContactStatus) -> Changed:
    contact = hand.world.one("SELECT id FROM contact WHERE email = %s OR phone = %s", address, address)
    async with hand.sessions.begin() as session:
        new = Standing(NUMBER, consignee, contact, status, "as the ward says")
        return await contact_book.set_status(session, new, QUINN)


async def named(hand: Hand, consignee: int, email: str, phone: str | None = None) -> Changed:
    channels = ["email", "sms"] if phone else ["email"]
    async with hand.sessions.begin() as session:
        new = NewContact(NUMBER, consignee, "Bob", "stores", email, phone, channels, None)
        return await contact_book.add(session, new, QUINN)


async def walked(hand: Hand) -> None:
    """Every step of the ladder taken, the call among them, and nobody has answered."""
    for day in (0, 1.01, 2.02, 3.03, 4.04):
        await hand.advance(T0 + day * DAY)
        await hand.send(now=T0 + day * DAY)
    assert hand.world.one("SELECT reason FROM consignee_case") == "silence"


def sent_to(world: World, consignee: int) -> list[tuple[str, str, str]]:
    return [(row["kind"], row["address"], row["state"]) for row in world.deliveries(consignee)]


async def test_when_a_contact_has_left_the_next_one_gets_the_same_message_at_once_and_the_reminder(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    await hand.send()
    assert (await hand.advance(SOON)).written == {}
    assert (await heard(hand, one, "ann@x.example", ContactStatus.left)).nudges == ((NUMBER, 1),)
    assert (await hand.advance(SOON)).written == {"initial": 1}
    await hand.send(now=SOON)
    assert (await hand.advance(SOON)).written == {}, "told once"
    assert sent_to(world, one) == [("initial", "ann@x.example", "failed"), ("initial", "bob@x.example", "submitted")]
    await hand.advance(SOON + 1.01 * DAY)
    assert sent_to(world, one)[-1] == ("reminder", "bob@x.example", "pending")
    assert "contact.left" in world.actions()


async def test_what_waits_for_somebody_who_has_left_is_not_sent(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    await heard(hand, one, "ann@x.example", ContactStatus.left)
    await hand.send()
    assert hand.mail.accepted == []
    await hand.advance(SOON)
    await hand.send(now=SOON)
    assert [mail.to for mail in hand.mail.accepted] == ["bob@x.example"]


async def test_who_has_left_one_house_is_asked_for_another_one_as_before(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"))
    other = world.consignee("Other", Person("ann@y.example"))
    await hand.advance()
    with pytest.raises(UnknownContact):
        await heard(hand, other, "ann@x.example", ContactStatus.left)
    await heard(hand, one, "ann@x.example", ContactStatus.left)
    await hand.send()
    assert [mail.to for mail in hand.mail.accepted] == ["ann@y.example"]


async def test_an_answer_that_was_given_stays_though_its_giver_has_left(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"))
    await hand.advance()
    await hand.send()
    await acknowledge(hand, one)
    await heard(hand, one, "ann@x.example", ContactStatus.left)
    assert world.one("SELECT state FROM consignee") == "acknowledged"
    again = await heard(hand, one, "ann@x.example", ContactStatus.left)
    assert (again.contact.status, again.nudges, world.actions().count("contact.left")) == ("left", (), 1)
    back = await heard(hand, one, "ann@x.example", ContactStatus.verified)
    assert (back.contact.status, world.actions().count("contact.verified")) == ("verified", 1)


async def test_somebody_named_after_every_address_was_dead_is_told_once(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("dead@x.example"))
    hand.mail.refusals["dead@x.example"] = refused(ErrorKind.PERMANENT_CONTACT)
    await hand.advance()
    await hand.send()
    await hand.advance(SOON)
    assert world.one("SELECT reason FROM consignee_case") == "bounce"
    await named(hand, one, "bob@x.example")
    assert (await hand.advance(SOON)).written == {}
    await hand.send(now=SOON)
    assert (await hand.advance(SOON)).written == {}
    assert sent_to(world, one) == [("initial", "dead@x.example", "failed"), ("initial", "bob@x.example", "submitted")]
    assert (await hand.progress(SOON)).not_notified == 0
    known = await named(hand, one, "BOB@x.example")
    assert (known.contact.email, world.one("SELECT count(*) FROM contact")) == ("bob@x.example", 2)


async def test_somebody_named_when_the_ladder_is_over_is_told_and_a_bounce_there_leads_on(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("ann@x.example"))
    await walked(hand)
    await named(hand, one, "bob@x.example", "+254700000009")
    await hand.send(now=LATER)
    assert sent_to(world, one)[-1] == ("initial", "bob@x.example", "submitted")
    assert (await hand.advance(LATER)).written == {}
    assert (await bounced(hand.sessions, hand.mail.accepted[-1], LATER)).nudge_due
    assert (await hand.advance(LATER)).written == {"initial": 1}
    await hand.send("sms", LATER)
    assert hand.sms.accepted[-1].to == "+254700000009"
    assert (await hand.advance(LATER)).written == {}, "told once"


async def test_where_nobody_is_left_after_the_call_whom_to_tell_the_call_stays_and_nobody_is_asked_again(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("ann@x.example"))
    await walked(hand)
    await named(hand, one, "bob@x.example")
    await hand.send(now=LATER)
    await bounced(hand.sessions, hand.mail.accepted[-1], LATER)
    again = await hand.advance(LATER)
    assert (again.written, again.called, again.cases) == ({}, 0, 0), "Ann has had every message there is"
    assert world.rows("SELECT k.state AS held, t.state FROM consignee_case k, task t") == [
        {"held": "open", "state": "offered"}
    ]
    await named(hand, one, "carl@x.example")
    await hand.send(now=LATER)
    assert hand.mail.accepted[-1].to == "carl@x.example"


async def test_who_was_told_after_the_call_and_has_left_is_followed_by_whoever_was_not_told(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("ann@x.example"))
    await walked(hand)
    await named(hand, one, "bob@x.example")
    await hand.send(now=LATER)
    world.run(
        "INSERT INTO contact (partner_id, position, name, role, email, channels, status)"
        " SELECT partner_id, 3, 'Carl', 'stores', 'carl@x.example', '{email}', 'unverified' FROM consignee"
    )
    assert (await heard(hand, one, "bob@x.example", ContactStatus.left)).nudges == ((NUMBER, 1),)
    assert (await hand.advance(LATER)).written == {"initial": 1}
    assert sent_to(world, one)[-1] == ("initial", "carl@x.example", "pending")


async def test_who_is_named_before_anybody_was_told_or_after_the_answer_gets_no_message_of_its_own(
    hand: Hand, world: World
) -> None:
    early = world.consignee("Early", Person("a@x.example"))
    await named(hand, early, "bob@x.example")
    assert world.deliveries() == []
    await hand.advance()
    await hand.send()
    await acknowledge(hand, early)
    await named(hand, early, "carl@x.example")
    assert sent_to(world, early) == [("initial", "a@x.example", "submitted")]


async def test_an_opt_out_of_the_number_holds_for_whoever_is_entered_with_it(hand: Hand, world: World) -> None:
    world.consignee("One", Person(phone="+254700000001", opted_out=True))
    two = world.consignee("Two", Person("a@x.example"))
    async with hand.sessions.begin() as session:
        new = NewContact(NUMBER, two, "Bob", "stores", None, "+254700000001", ["sms", "voice"], None)
        contact = (await contact_book.add(session, new, QUINN)).contact
    assert (contact.sms_opted_out_at, contact.voice_opted_out_at, contact.position) == (T0, None, 2)


async def test_a_contact_that_leaves_takes_its_messages_before_the_chain(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    held = "SELECT FROM delivery FOR UPDATE"
    await beside(world, held, CHAIN, heard(hand, one, "ann@x.example", ContactStatus.left))
    assert [row["state"] for row in world.deliveries(one)] == ["failed"]


async def test_a_bounce_of_the_message_for_several_sites_counts_though_its_reader_has_left_the_first(
    hand: Hand, world: World
) -> None:
    shared = Person("ann@group.example")
    for name in ("one", "two"):
        world.consignee(name, shared, Person(f"deputy@{name}.example"))
    await hand.advance()
    await hand.send()
    (mail,) = hand.mail.accepted
    (first,) = world.rows("SELECT consignee_id, contact_id FROM delivery WHERE leads")
    async with hand.sessions.begin() as session:
        left = Standing(NUMBER, first["consignee_id"], first["contact_id"], ContactStatus.left, "as the ward says")
        await contact_book.set_status(session, left, QUINN)
    assert (await bounced(hand.sessions, mail, SOON)).nudge_due
    assert (await hand.advance(SOON)).written == {"initial": 2}
    await hand.send(now=SOON)
    assert {each.to for each in hand.mail.accepted[1:]} == {"deputy@one.example", "deputy@two.example"}
