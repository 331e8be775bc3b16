"""What becomes of a message for several sites becomes of each; who pays gets a copy; each site is chased by itself."""

from datetime import timedelta

import pytest

from adapters.messaging.base import ErrorKind
from db.repositories.opt_outs import record_opt_out
from db.repositories.provider_events import record_provider_event
from tests.campaign.conftest import Hand
from tests.campaign.merged import acknowledge, bounced, pays, refused, twenty
from tests.campaign.world import DAY, T0, Person, World

pytestmark = pytest.mark.db


# ---------------------------------------------------------------------- what comes back


async def test_a_bounce_counts_for_every_site_and_each_goes_its_own_way_then(hand: Hand, world: World) -> None:
    shared = Person("safety@group.example")
    one = world.consignee("One", shared, Person("deputy@one.example"))
    two = world.consignee("Two", shared, Person("deputy@two.example"))
    await hand.advance()
    await hand.send()
    assert (await bounced(hand.sessions, hand.mail.accepted[0])).nudge_due
    assert {row["state"] for row in world.deliveries()} == {"failed"}
    await hand.advance(T0 + timedelta(minutes=1))
    await hand.send(now=T0 + timedelta(minutes=1))
    assert {mail.to for mail in hand.mail.accepted[1:]} == {"deputy@one.example", "deputy@two.example"}
    assert {row["consignee_id"] for row in world.deliveries() if row["state"] == "submitted"} == {one, two}


async def test_an_arrival_counts_for_every_site_even_where_our_own_record_of_the_sending_was_lost(
    hand: Hand, world: World
) -> None:
    twenty(world, Person(phone="+254700000001"))
    await hand.advance()

    def lose(_: object) -> None:
        raise refused(ErrorKind.TRANSIENT, maybe_sent=True)

    hand.sms.after_accept = lose
    await hand.send("sms")
    async with hand.sessions.begin() as session:
        await record_provider_event(
            session,
            provider="twilio",
            provider_id="SM1",
            delivery_id=hand.sms.accepted[0].delivery_id,
            status="delivered",
            error_code=None,
            at=T0,
        )
    assert {row["state"] for row in world.deliveries()} == {"delivered"}
    assert world.one("SELECT count(*) FROM consignee WHERE first_notified_at IS NOT NULL") == 20


async def test_a_refused_address_is_dead_at_every_site(hand: Hand, world: World) -> None:
    twenty(world, Person("gone@group.example"))
    await hand.advance()
    hand.mail.refusals["gone@group.example"] = refused(ErrorKind.PERMANENT_CONTACT)
    await hand.send()
    assert {row["state"] for row in world.deliveries()} == {"failed"}
    assert world.one("SELECT count(*) FROM contact WHERE status = 'bounced'") == 20


async def test_an_opt_out_ends_the_waiting_text_for_every_site(hand: Hand, world: World) -> None:
    twenty(world, Person("safety@group.example", "+254700000001", channels=("sms", "email")))
    await hand.advance()
    async with hand.sessions.begin() as session:
        await record_opt_out(session, "+254700000001", at=T0)
    assert {row["state"] for row in world.deliveries()} == {"failed"}
    await hand.advance(T0 + timedelta(minutes=1))
    await hand.send(now=T0 + timedelta(minutes=1))
    assert len(hand.mail.accepted) == 1
    assert "This notice is for 20 sites" in hand.mail.accepted[0].text


async def test_only_the_silent_sites_are_reminded_and_again_by_one_message(hand: Hand, world: World) -> None:
    sites = twenty(world, Person("safety@group.example"))
    await hand.advance()
    await hand.send()
    for site in sites[:8]:
        await acknowledge(hand, site)
    await hand.advance(T0 + DAY)
    await hand.send(now=T0 + DAY)
    assert len(hand.mail.accepted) == 2
    assert "This notice is for 12 sites" in hand.mail.accepted[1].text
    reminded = {row["consignee_id"] for row in world.deliveries() if row["kind"] == "reminder"}
    assert reminded == set(sites[8:])


# ---------------------------------------------------------------------- who pays


async def test_where_the_goods_went_and_who_pays_are_both_told(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("stores@one.example"))
    pays(world, one, Person("accounts@group.example"))
    await hand.advance()
    await hand.send()
    assert {mail.to for mail in hand.mail.accepted} == {"stores@one.example", "accounts@group.example"}
    await hand.advance(T0 + timedelta(minutes=1))
    assert len(world.deliveries(one)) == 2, "once"


async def test_who_pays_for_many_sites_gets_one_copy_that_names_them(hand: Hand, world: World) -> None:
    for number in range(5):
        site = world.consignee(f"Site {number}", Person(f"stores{number}@one.example"))
        pays(world, site, Person("accounts@group.example"))
    await hand.advance()
    await hand.send()
    (copy,) = [mail for mail in hand.mail.accepted if mail.to == "accounts@group.example"]
    assert "This notice is for 5 sites" in copy.text
    assert len(hand.mail.accepted) == 6


async def test_a_person_who_both_receives_and_pays_gets_one_notice(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("both@one.example"))
    pays(world, one, Person("Both@One.example"))
    two = world.consignee("Two", Person("stores@two.example"))
    pays(world, two, Person("both@one.example"))
    await hand.advance()
    await hand.send()
    assert sorted(mail.to for mail in hand.mail.accepted) == ["both@one.example", "stores@two.example"]
    assert len(world.deliveries(one)) == 1
    (mail,) = [mail for mail in hand.mail.accepted if mail.to == "both@one.example"]
    assert "This notice is for 2 sites" in mail.text


async def test_a_copy_neither_moves_nor_holds_up_the_chase_of_the_place_itself(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("stores@one.example"), Person("deputy@one.example"))
    pays(world, one, Person("accounts@group.example"))
    await hand.advance()
    hand.mail.refusals["stores@one.example"] = refused(ErrorKind.PERMANENT_CONTACT)
    hand.mail.refusals["accounts@group.example"] = refused(ErrorKind.TRANSIENT)
    await hand.send()
    assert world.one("SELECT first_notified_at FROM consignee") is None
    later = T0 + timedelta(minutes=1)
    await hand.advance(later)
    await hand.send(now=later)
    assert [mail.to for mail in hand.mail.accepted] == ["deputy@one.example"]
    hand.mail.refusals.clear()
    await hand.advance(later + DAY)
    await hand.send(now=later + DAY)
    kinds = {(row["address"], row["kind"]) for row in world.deliveries() if row["state"] == "submitted"}
    assert kinds == {
        ("deputy@one.example", "initial"),
        ("deputy@one.example", "reminder"),
        ("accounts@group.example", "initial"),
    }


async def test_an_answer_of_the_place_does_not_keep_the_notice_from_who_pays(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("stores@one.example"))
    pays(world, one, Person("accounts@group.example"))
    await hand.advance()
    await acknowledge(hand, one)
    await hand.send()
    assert [mail.to for mail in hand.mail.accepted] == ["accounts@group.example"]


async def test_who_pays_is_asked_where_nobody_at_the_place_can_be_reached(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("gone@one.example", status="bounced"))
    pays(world, one, Person("accounts@group.example"))
    await hand.advance()
    await hand.send()
    (row,) = world.deliveries(one)
    assert (row["address"], row["step"], row["state"]) == ("accounts@group.example", 0, "submitted")


async def test_a_dead_address_of_who_pays_is_followed_by_its_next_one(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("stores@one.example"))
    pays(world, one, Person("old@group.example"))
    pays(world, one, Person("new@group.example"), 10)
    await hand.advance()
    hand.mail.refusals["old@group.example"] = refused(ErrorKind.PERMANENT_CONTACT)
    await hand.send()
    await hand.advance(T0 + timedelta(minutes=1))
    await hand.send(now=T0 + timedelta(minutes=1))
    assert {mail.to for mail in hand.mail.accepted} == {"stores@one.example", "new@group.example"}
