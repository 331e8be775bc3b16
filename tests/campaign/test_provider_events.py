"""Delivery reports: kept, applied by rank, and healing a delivery whose acceptance we never saw."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.engine import SessionFactory
from db.repositories import deliveries
from db.repositories.provider_events import ProviderEvent, record_provider_event
from domain.delivery_states import RANK, rises, state_of_report
from tests.campaign.conftest import Hand
from tests.campaign.test_sending import after_lease, killed_after_accept
from tests.campaign.world import NUMBER, T0, Person, World

SID = "SM" + "1".rjust(32, "0")
MINUTE = timedelta(minutes=1)


async def report(
    db: SessionFactory, delivery: UUID | None, status: str, sid: str = SID, code: str | None = None
) -> ProviderEvent:
    async with db.begin() as session:
        return await record_provider_event(
            session,
            provider="twilio",
            provider_id=sid,
            delivery_id=delivery,
            status=status,
            error_code=code,
            at=T0 + MINUTE,
        )


@pytest.fixture
async def texted(hand: Hand, world: World) -> UUID:
    """One SMS handed over."""
    one = world.consignee("One", Person("a@x.example", "+254700000001", channels=("sms", "email")))
    await hand.advance()
    await hand.send("sms")
    delivery: UUID = world.deliveries(one)[0]["id"]
    return delivery


def state(world: World, delivery: UUID) -> str:
    found: str = world.one("SELECT state FROM delivery WHERE id = %s", delivery)
    return found


@pytest.mark.unit
@given(st.lists(st.sampled_from(["queued", "sending", "sent", "delivered", "undelivered", "failed", "read", "odd"])))
def test_in_any_order_the_highest_report_wins(reports: list[str]) -> None:
    current = "submitted"
    for status in reports:
        reported = state_of_report(status)
        if reported is not None and rises(current, reported):
            current = reported
    expected = max(["submitted", *(s for r in reports if (s := state_of_report(r)))], key=lambda each: RANK[each])
    assert current == expected


@pytest.mark.db
async def test_late_and_repeated_reports_are_kept_and_change_nothing(
    db: SessionFactory, world: World, texted: UUID
) -> None:
    assert (await report(db, texted, "delivered")).state == "delivered"
    assert (await report(db, texted, "sent")).state == "delivered"
    assert (await report(db, texted, "failed", code="30008")).state == "delivered"
    again = await report(db, texted, "delivered")
    assert (again.repeated, again.nudge_due) == (True, False)
    assert world.one("SELECT count(*) FROM delivery_event") == 3
    assert world.one("SELECT error_code FROM delivery WHERE id = %s", texted) is None


@pytest.mark.db
async def test_a_message_that_did_not_arrive_is_brought_by_another_channel(
    db: SessionFactory, hand: Hand, world: World, texted: UUID
) -> None:
    event = await report(db, texted, "undelivered", code="30005")
    assert (event.state, event.nudge_due, event.recall_number, event.campaign_sequence) == ("failed", True, NUMBER, 1)
    assert (await hand.advance(T0 + MINUTE)).written == {"initial": 1}
    assert [row["channel"] for row in world.deliveries()] == ["sms", "email"]
    assert "delivery.reported" in world.actions()


@pytest.mark.db
async def test_a_report_heals_a_delivery_whose_acceptance_was_lost(
    db: SessionFactory, hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    await killed_after_accept(hand, "sms")
    delivery = world.deliveries(one)[0]["id"]
    assert (await report(db, delivery, "sent")).state == "submitted"
    assert (await hand.send("sms", after_lease())).claimed == 0, "it is known to have been sent"
    row = world.deliveries(one)[0]
    assert (row["provider_id"], len(hand.sms.accepted)) == (SID, 1)
    assert world.one("SELECT first_notified_at IS NOT NULL FROM consignee")
    assert world.one("SELECT name FROM clock_start") == "first_communication"


@pytest.mark.db
async def test_a_report_faster_than_our_own_commit_does_not_lose_the_notice(
    db: SessionFactory, hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    await killed_after_accept(hand, "sms")
    delivery = world.deliveries(one)[0]["id"]
    await report(db, delivery, "delivered")
    # The sender was not dead after all: its own result comes now.
    late = deliveries.Outcome(id=delivery, attempt=1, result="submitted", at=T0, provider_id=SID)
    async with db.begin() as session:
        await deliveries.record(
            session, [late], number=NUMBER, campaign_id=world.campaign_id, channel="sms", now=T0 + MINUTE
        )
    assert state(world, delivery) == "delivered"


@pytest.mark.db
async def test_of_two_messages_of_one_delivery_the_failure_of_the_first_does_not_undo_the_second(
    db: SessionFactory, world: World, texted: UUID
) -> None:
    event = await report(db, texted, "failed", sid="SM" + "f" * 32, code="30003")
    assert (event.nudge_due, state(world, texted)) == (False, "submitted")
    await report(db, texted, "delivered", sid="SM" + "f" * 32)
    assert state(world, texted) == "delivered"


@pytest.mark.db
async def test_reports_about_nothing_of_ours_change_nothing(db: SessionFactory, world: World, texted: UUID) -> None:
    assert not (await report(db, uuid4(), "delivered")).known
    assert world.one("SELECT count(*) FROM delivery_event") == 0
    assert not (await report(db, None, "delivered", sid="SM" + "e" * 32)).known
    await report(db, texted, "queued")
    assert (await report(db, None, "delivered")).state == "delivered", "matched by an earlier report"


@pytest.mark.db
async def test_a_status_nobody_knows_is_kept_and_ignored(db: SessionFactory, world: World, texted: UUID) -> None:
    event = await report(db, texted, "teleported")
    assert (event.state, state(world, texted)) == ("submitted", "submitted")
    assert world.one("SELECT status FROM delivery_event") == "teleported"
