"""A contact leaves while its message is under way: what comes later does not make it told, and the next one is."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from adapters.messaging.base import ErrorKind
from db.repositories import contact_book, deliveries
from db.repositories.contact_book import Changed, Standing
from db.repositories.deliveries import Claimed, Outcome, Result
from db.repositories.provider_events import ProviderEvent, record_provider_event
from models.master import ContactStatus
from tests.campaign.conftest import Hand
from tests.campaign.merged import refused
from tests.campaign.test_contact_changes import QUINN
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = pytest.mark.db
PHONE = "+254700000001"
SID = f"SM{1:032d}"
SOON = T0 + timedelta(minutes=5)
LATER = T0 + timedelta(hours=2)


async def left(hand: Hand, consignee: int) -> Changed:
    """The first contact of a consignee has left it."""
    contact = hand.world.one(
        "SELECT k.id FROM contact k JOIN consignee c USING (partner_id) WHERE c.id = %s AND k.position = 1", consignee
    )
    async with hand.sessions.begin() as session:
        standing = Standing(NUMBER, consignee, contact, ContactStatus.left, "as the ward says")
        return await contact_book.set_status(session, standing, QUINN)


async def told(hand: Hand, status: str, delivery: Any, sid: str = SID) -> ProviderEvent:
    async with hand.sessions.begin() as session:
        return await record_provider_event(
            session,
            provider="twilio",
            provider_id=sid,
            delivery_id=delivery,
            status=status,
            error_code=None,
            at=LATER,
        )


async def claimed(hand: Hand, channel: str = "email", now: datetime = T0) -> list[Claimed]:
    async with hand.sessions.begin() as session:
        return await deliveries.claim(
            session,
            campaign_id=hand.world.campaign_id,
            channel=channel,
            now=now,
            lease_until=now + timedelta(minutes=1),
            limit=10,
        )


async def recorded(hand: Hand, row: Claimed, result: Result, channel: str = "email") -> None:
    sid = SID if result == "submitted" else None
    outcome = Outcome(row.id, row.attempt, result, SOON, provider_id=sid)
    async with hand.sessions.begin() as session:
        await deliveries.record(
            session, [outcome], number=NUMBER, campaign_id=hand.world.campaign_id, channel=channel, now=SOON
        )


def two_sites(world: World, *, phone: bool = False) -> None:
    shared = Person(phone=PHONE) if phone else Person("ann@x.example")
    for name in ("One", "Two"):
        world.consignee(name, shared, Person("bob@x.example"))


def led(world: World) -> tuple[int, int]:
    """The consignee whose message leads, and the other."""
    (lead,) = world.rows("SELECT consignee_id FROM delivery WHERE leads")
    (other,) = world.rows("SELECT consignee_id FROM delivery WHERE carried_by IS NOT NULL")
    return lead["consignee_id"], other["consignee_id"]


def of(world: World, consignee: int) -> tuple[str, str | None]:
    row = world.deliveries(consignee)[0]
    return row["state"], row["error_code"]


# ---------------------------------------------------------------------- what arrives later


async def test_an_arrival_where_its_reader_had_left_tells_nobody(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person(phone=PHONE), Person("bob@x.example"))
    await hand.advance()
    await hand.send("sms")
    await left(hand, one)
    assert (await told(hand, "delivered", world.deliveries(one)[0]["id"])).state == "failed"
    assert of(world, one) == ("failed", "sms:left")
    assert world.one("SELECT count(*) FROM delivery_event") == 1
    assert (await hand.advance(LATER)).written == {"initial": 1}


@pytest.mark.parametrize("leading", [True, False])
async def test_an_arrival_counts_for_the_sites_that_its_reader_has_not_left(
    hand: Hand, world: World, leading: bool
) -> None:
    two_sites(world, phone=True)
    await hand.advance()
    await hand.send("sms")
    gone, stays = led(world) if leading else reversed(led(world))
    await left(hand, gone)
    await told(hand, "delivered", world.one("SELECT id FROM delivery WHERE leads"))
    assert of(world, gone) == ("failed", "sms:left")
    assert of(world, stays) == ("delivered", None)
    assert (await told(hand, "failed", world.one("SELECT id FROM delivery WHERE leads"))).nudge_due is False
    assert of(world, stays) == ("delivered", None), "it arrived"


async def test_an_outcome_behind_its_arrival_undoes_nothing(hand: Hand, world: World) -> None:
    two_sites(world, phone=True)
    await hand.advance()
    (row,) = await claimed(hand, "sms")
    await told(hand, "delivered", row.id)
    gone, stays = led(world)
    await left(hand, gone)
    await recorded(hand, row, "submitted", "sms")
    assert of(world, gone) == ("failed", "sms:left")
    assert of(world, stays) == ("delivered", None)


# ---------------------------------------------------------------------- what a sender holds


async def test_what_went_out_to_somebody_who_had_left_is_told_to_the_next_one_at_once(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    (row,) = await claimed(hand)
    assert (await left(hand, one)).nudges == ()
    assert of(world, one) == ("submitting", None)
    await recorded(hand, row, "submitted")
    assert of(world, one) == ("failed", "email:left")
    assert world.one("SELECT first_notified_at FROM consignee") == SOON, "it went out"
    assert "clock.first_communication" in world.actions()
    data = world.one("SELECT data FROM audit_event WHERE action = 'deliveries.recorded'")
    assert data["submitted"] == data["left"] == [str(row.id)]
    assert (await hand.advance(SOON)).written == {"initial": 1}
    await hand.send(now=SOON)
    assert [mail.to for mail in hand.mail.accepted] == ["bob@x.example"]


async def test_what_was_not_taken_is_not_tried_again_at_somebody_who_has_left(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    (row,) = await claimed(hand)
    await left(hand, one)
    await recorded(hand, row, "retry")
    assert of(world, one) == ("failed", "email:left")
    await hand.advance(SOON)
    await hand.send(now=SOON)
    assert [mail.to for mail in hand.mail.accepted] == ["bob@x.example"]


async def test_what_may_have_been_sent_is_not_sent_again_to_somebody_who_has_left(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()

    def lose(_: object) -> None:
        raise refused(ErrorKind.TRANSIENT, maybe_sent=True)

    hand.mail.after_accept = lose
    assert (await hand.send()).deferred == 1
    await left(hand, one)
    assert of(world, one)[0] == "submitting", "it is looked for first"
    hand.mail.after_accept = lambda _: None
    assert (await hand.send(now=SOON)).resent == 0
    assert of(world, one) == ("failed", "email:left")
    await hand.advance(SOON)
    await hand.send(now=SOON)
    assert [mail.to for mail in hand.mail.accepted] == ["ann@x.example", "bob@x.example"]


async def test_a_sender_that_still_waits_hears_of_it(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"))
    await hand.advance()
    (row,) = await claimed(hand)

    async def wanted() -> bool:
        async with hand.sessions.begin() as session:
            found = await deliveries.renew(session, [(row.id, row.attempt)], now=T0, lease_until=SOON)
            return found[row.id].wanted

    assert await wanted()
    await left(hand, one)
    assert not await wanted()


@pytest.mark.parametrize("leading", [True, False])
async def test_a_held_message_for_several_sites_still_goes_for_those_its_reader_has_not_left(
    hand: Hand, world: World, leading: bool
) -> None:
    two_sites(world)
    await hand.advance()
    (row,) = await claimed(hand)
    gone, stays = led(world) if leading else reversed(led(world))
    await left(hand, gone)
    assert (await hand.advance(SOON)).written == {}, "held"
    async with hand.sessions.begin() as session:
        assert (await deliveries.renew(session, [(row.id, row.attempt)], now=T0, lease_until=SOON))[row.id].wanted
    await recorded(hand, row, "submitted")
    assert of(world, gone) == ("failed", "email:left")
    assert of(world, stays) == ("submitted", None)
    assert (await hand.advance(SOON)).written == {"initial": 1}
    assert (await claimed(hand, now=SOON))[0].consignee_id == gone


async def test_what_a_message_carried_is_planned_anew_where_it_is_not_tried_again(hand: Hand, world: World) -> None:
    two_sites(world)
    await hand.advance()
    (row,) = await claimed(hand)
    gone, stays = led(world)
    await left(hand, gone)
    await recorded(hand, row, "retry")
    assert (of(world, gone), of(world, stays)) == (("failed", "email:left"), ("pending", None))
    await hand.advance(SOON)
    assert {(each.consignee_id, each.address) for each in await claimed(hand, now=SOON)} == {
        (gone, "bob@x.example"),
        (stays, "ann@x.example"),
    }


async def test_an_arrival_heard_of_before_our_own_record_of_the_sending_tells_nobody_who_has_left(
    hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person(phone=PHONE), Person("bob@x.example"))
    await hand.advance()
    (row,) = await claimed(hand, "sms")
    await left(hand, one)
    event = await told(hand, "delivered", row.id)
    assert (event.state, event.nudge_due) == ("failed", True)
    assert of(world, one) == ("failed", "sms:left")
    assert world.one("SELECT first_notified_at FROM consignee") == LATER
    await recorded(hand, row, "submitted", "sms")
    assert of(world, one) == ("failed", "sms:left")
    assert (await hand.advance(LATER)).written == {"initial": 1}


async def test_what_was_planned_while_its_reader_left_is_not_sent(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    world.run("UPDATE contact SET status = 'left' WHERE position = 1")
    assert (await hand.send()).deferred == 1
    assert of(world, one) == ("failed", "email:left")
    await hand.advance(SOON)
    await hand.send(now=SOON)
    assert [mail.to for mail in hand.mail.accepted] == ["bob@x.example"]


async def test_what_goes_to_one_address_only_still_goes_there(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    world.run("UPDATE delivery SET step = -1, kind = 'retraction'")
    await left(hand, one)
    assert (await hand.send()).submitted == 1
    assert of(world, one) == ("submitted", None)


# ---------------------------------------------------------------------- at the same moment


async def _behind(world: World, change: str, act: Coroutine[Any, Any, object]) -> None:
    """`act` waits for rows that another transaction changes."""
    with psycopg.connect(world.url) as other:
        other.execute(change)
        acting = asyncio.ensure_future(act)
        async with asyncio.timeout(10):
            waits = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
            while not world.one(waits, other.info.backend_pid):
                assert not acting.done(), "it needs the row"
                await asyncio.sleep(0.01)
        other.commit()
    await acting


async def test_who_leaves_while_the_outcome_is_written_is_not_told(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    await claimed(hand)
    await _behind(world, "UPDATE delivery SET state = 'submitted', submitted_at = created_at", left(hand, one))
    assert of(world, one) == ("failed", "email:left")
    assert (await hand.advance(T0 + DAY / 2)).written == {"initial": 1}


async def test_who_leaves_while_its_message_is_claimed_is_told_of_by_its_outcome(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("ann@x.example"), Person("bob@x.example"))
    await hand.advance()
    await _behind(world, "UPDATE delivery SET state = 'submitting', attempt = 1", left(hand, one))
    assert of(world, one) == ("submitting", None)
