"""Voice beside the other channels: a queue of its own, its rank among the reports, and what it counts as."""

from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from db.engine import SessionFactory
from db.repositories import attempts
from db.repositories.provider_events import record_provider_event
from domain.channels import Channel, notify_queue
from domain.delivery_states import failure_kind, rises, state_of_report
from domain.voice import ENDED, HEARD, MACHINE, is_machine, report_of
from tests.campaign.campaign_run import campaign
from tests.campaign.conftest import Hand
from tests.campaign.world import T0, Person, Provider, World

PHONE = "+254700000001"


@pytest.mark.db
@pytest.mark.workflow
async def test_the_campaign_calls_by_a_queue_of_its_own(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person(phone=PHONE, channels=("voice",)))
    voice = Provider(Channel.VOICE)
    notify = hand.activities(voice=voice)
    async with (
        Worker(temporal.client, task_queue=notify_queue("voice", urgent=True), activities=[notify.send_batch]),
        campaign(temporal, hand, channels=("email", "sms", "voice")) as run,
    ):
        await run.until(lambda progress: progress.not_notified == 0)
    (row,) = world.deliveries(one)
    assert (row["channel"], row["state"]) == ("voice", "submitted")
    (placed,) = voice.accepted
    assert placed.to == PHONE
    assert placed.call_script is not None
    assert placed.status_callback is not None
    assert "/v1/webhooks/twilio/call?n=" in placed.call_script
    assert "/v1/webhooks/twilio/call-status?n=" in placed.status_callback
    assert (placed.subject, placed.html, placed.message_id) == (None, None, None)


@pytest.mark.db
async def test_a_mailbox_is_no_attempt_and_a_call_that_was_heard_is_no_live_one(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One", Person(phone=PHONE, channels=("voice",)))
    await hand.advance(channels=("voice",))
    await hand.send("voice", voice=Provider(Channel.VOICE))
    (row,) = world.deliveries(one)
    made = []
    for status in (MACHINE, HEARD):
        async with db.begin() as session:
            await record_provider_event(
                session,
                provider="twilio",
                provider_id=row["provider_id"],
                delivery_id=row["id"],
                status=status,
                error_code=None,
                at=T0 + timedelta(minutes=1),
            )
            made.append(await attempts.made(session, one))
    assert [(each.attempts, each.live) for each in made] == [(0, 0), (1, 0)]
    assert made[1].channels == ("voice",)


@pytest.mark.db
async def test_a_line_that_was_busy_is_called_again_at_the_next_step_only(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example", PHONE, channels=("voice", "email")))
    await hand.advance(channels=("voice", "email"))
    await hand.send("voice", voice=Provider(Channel.VOICE))
    (row,) = world.deliveries(one)
    async with db.begin() as session:
        event = await record_provider_event(
            session,
            provider="twilio",
            provider_id=row["provider_id"],
            delivery_id=row["id"],
            status="busy",
            error_code=None,
            at=T0,
        )
    assert event.nudge_due
    await hand.advance(T0 + timedelta(minutes=1), channels=("voice", "email"))
    assert [(each["channel"], each["state"]) for each in world.deliveries(one)] == [
        ("voice", "failed"),
        ("email", "pending"),
    ]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("status", "answered_by", "known", "report"),
    [
        ("queued", "", False, "queued"),
        ("ringing", "machine_start", False, "ringing"),
        ("in-progress", "human", False, "in-progress"),
        ("in-progress", "machine_end_silence", False, MACHINE),
        ("completed", "", False, "completed"),
        ("completed", "unknown", False, "completed"),
        ("completed", "human", True, ENDED),
        ("completed", "fax", False, MACHINE),
        ("no-answer", "", True, "no-answer"),
    ],
)
def test_a_calls_status_is_read_with_who_answered(status: str, answered_by: str, known: bool, report: str) -> None:
    assert report_of(status, answered_by, machine_known=known) == report


@pytest.mark.unit
def test_no_order_of_reports_turns_a_mailbox_into_a_person_or_a_person_into_a_mailbox() -> None:
    assert state_of_report(ENDED) is None
    assert [state_of_report(one) for one in ("completed", HEARD)] == ["delivered", "delivered"]
    assert [state_of_report(one) for one in (MACHINE, "busy", "no-answer", "failed", "canceled")] == ["failed"] * 5
    assert rises("failed", "delivered")
    assert not rises("delivered", "failed")
    assert [failure_kind(one) for one in (MACHINE, "busy", "no-answer")] == ["transient"] * 3
    assert [failure_kind(one) for one in ("failed", "canceled", "undelivered")] == ["undelivered"] * 3
    assert [is_machine(one) for one in ("human", "unknown", "", "Machine_start", "fax")] == [False] * 3 + [True] * 2
