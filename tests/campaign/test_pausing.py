"""People pause, resume and abort a campaign: nothing more is sent, clocks go on, nobody is forgotten."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from adapters.messaging.base import ErrorKind, SendError
from db.repositories import campaign_pauses
from db.repositories.deliveries_sql import IN_ORDER
from models.messages import Actor, BatchResult
from models.messages_pausing import (
    AbortCampaign,
    CampaignReceipt,
    PauseCampaign,
    RecordCampaignDecision,
    ResumeCampaign,
)
from tests.campaign.campaign_run import CampaignRun, campaign
from tests.campaign.conftest import LIMITS, Hand
from tests.campaign.world import DAY, NUMBER, T0, Person, World
from workflows import search_attributes as sa
from workflows.campaign import CampaignWorkflow

pytestmark = [pytest.mark.db, pytest.mark.workflow]
QUINN = Actor(principal="Quinn", roles=("qa",))
ADA = Actor(principal="Ada", roles=("approver",))
WANDA = Actor(principal="Wanda", roles=("warehouse",))

WORKFLOW_TASKS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    }
)


async def _pause(run: CampaignRun, actor: Actor = QUINN, reason: str = "a wrong lot") -> CampaignReceipt:
    return await run.handle.execute_update(CampaignWorkflow.pause_campaign, PauseCampaign(actor=actor, reason=reason))


async def _resume(run: CampaignRun, actor: Actor = QUINN) -> CampaignReceipt:
    decision = ResumeCampaign(actor=actor, reason="checked")
    return await run.handle.execute_update(CampaignWorkflow.resume_campaign, decision)


async def _abort(run: CampaignRun, actor: Actor = ADA) -> CampaignReceipt:
    decision = AbortCampaign(actor=actor, reason="the wrong product")
    return await run.handle.execute_update(CampaignWorkflow.abort_campaign, decision)


def written(events: list[HistoryEvent]) -> list["EventType.ValueType"]:
    """What a history says but for its workflow tasks: a busy server writes down one that a refusal has not changed."""
    return [event.event_type for event in events if event.event_type not in WORKFLOW_TASKS]


async def _refused(deciding: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await deciding
    assert isinstance(caught.value.cause, ApplicationError)
    return str(caught.value.cause.type)


async def test_a_paused_campaign_sends_nothing_until_it_is_resumed_while_its_steps_become_due(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        receipt = await _pause(run)
        assert receipt.state == "paused"
        assert "deadlines keep running" in receipt.detail
        late = world.consignee("Late", Person("late@x.example"))
        await world.write("UPDATE consignee SET campaign_sequence = 1 WHERE id = %s", late)
        await run.handle.signal("nudge")
        await run.until(lambda progress: progress.pending == {"email": 1})
        await run.forward(DAY + timedelta(minutes=1))
        await run.until(lambda progress: progress.pending == {"email": 2})
        assert [message.to for message in hand.mail.accepted] == ["a@x.example"]
        described = await run.handle.describe()
        assert described.typed_search_attributes[sa.WAITING_FOR] == "paused by Quinn, to be resumed or aborted"
        shown = str(await run.handle.query("__temporal_workflow_metadata"))
        assert "paused by Quinn" in shown
        assert (await _resume(run)).state == "running"
        await run.until(lambda progress: not progress.pending and progress.not_notified == 0)
        assert sorted(message.to for message in hand.mail.accepted) == ["a@x.example", "a@x.example", "late@x.example"]
        assert [row["kind"] for row in world.deliveries(one)] == ["initial", "reminder"]
        assert {"campaign.paused_by_hand", "campaign.resumed_by_hand"} <= set(world.actions())
        await run.assert_within_budget()
        await run.assert_replays()


async def test_a_batch_under_way_ends_at_its_next_claim_when_the_record_says_paused(hand: Hand, world: World) -> None:
    world.many(40)
    await hand.advance()
    world.run("UPDATE campaign SET paused_at = now(), paused_by = 'Quinn', pause_reason = 'a wrong lot'")
    assert (await hand.send()).claimed == 0
    world.run("UPDATE delivery SET state = 'submitting', attempt = 1, lease_until = created_at")
    assert (await hand.send()).claimed == 0, "what is in doubt would be sent when it is not found"
    world.run("UPDATE campaign SET paused_at = NULL")
    assert (await hand.send()).submitted == 30


def _every_message(change: str) -> str:
    """A change of what a sender holds, which prolongs its leases at the same time: in everybody's order."""
    every = f"SELECT d.id FROM delivery d WHERE d.channel = 'email' {IN_ORDER}"  # noqa: S608
    return f"WITH every AS ({every}) UPDATE delivery d SET {change} FROM every WHERE d.id = every.id"  # noqa: S608


async def _sending_while(hand: Hand, world: World, change: str) -> BatchResult:
    """A batch of 150 whose provider holds 20 calls while the record changes; it looks every 50 ms."""
    world.many(200)
    await hand.advance()
    hand.mail.gate = asyncio.Event()
    work = asyncio.ensure_future(hand.send(limits=replace(LIMITS, renew_every=timedelta(milliseconds=50))))
    await hand.mail.waiting.wait()
    await world.write(change)
    seen = len(hand.beats)
    # Each beat ends a look at the record; the first one may have begun before the change.
    while len(hand.beats) < seen + 3 and not work.done():  # noqa: ASYNC110 - the product tells nobody
        await asyncio.sleep(0)
    hand.mail.gate.set()
    return await work


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("UPDATE campaign SET paused_at = now(), paused_by = 'Quinn'", "pending"),
        ("UPDATE campaign SET ended_at = now()", "pending"),
        (_every_message("state = 'cancelled'"), "cancelled"),
        ("UPDATE consignee SET state = 'answered'", "pending"),
        (_every_message("window_ends = created_at - interval '1 second'"), "pending"),
    ],
    ids=["paused", "ended", "cancelled", "answered", "quiet-hours"],
)
async def test_what_a_batch_has_claimed_and_not_handed_over_hears_of_it(
    hand: Hand, world: World, change: str, left: str
) -> None:
    result = await _sending_while(hand, world, change)
    assert len(hand.mail.accepted) == 20, "what the provider was being handed still went"
    states = Counter(row["state"] for row in world.deliveries() if row["channel"] == "email")
    assert states == {"submitted": 20, left: 130}
    assert result.submitted == 20


async def test_whoever_is_being_told_when_a_campaign_is_aborted_counts_as_told(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example"))
    hand.mail.gate = asyncio.Event()
    async with campaign(temporal, hand) as run:
        await hand.mail.waiting.wait()
        await _pause(run)
        deciding = asyncio.create_task(_abort(run))
        accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
        await run.until_event(lambda events: sum(event.event_type == accepted for event in events) == 2)
        recorded = [
            event.activity_task_scheduled_event_attributes.activity_type.name for event in await run.events()
        ].count("record_campaign_decision")
        assert recorded == 1, "the pause; the abort waits for the call under way"
        hand.mail.gate.set()
        assert (await deciding).detail == "aborted: 0 consignees were never told, 1 owe an answer"
        await run.handle.result()
        assert world.one("SELECT told FROM campaign_remainder WHERE consignee_id = %s", one)
        await run.assert_replays()


async def test_whoever_has_repaired_an_account_has_the_stopped_channel_probed_at_once(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    for name in ("a", "b", "c"):
        world.consignee(name, Person(f"{name}@x.example"))
        hand.mail.refusals[f"{name}@x.example"] = SendError(ErrorKind.PERMANENT_CAMPAIGN, "smtp:535", "login")
    async with campaign(temporal, hand) as run:
        await run.until_reported(lambda report: report.stopped == "smtp:535: login")
        hand.mail.refusals.clear()
        assert await _refused(_resume(run, WANDA)) == "NotPermitted"
        assert (await _resume(run)).detail == "probed now: email"
        noted = world.rows("SELECT actor, role, reason FROM audit_event WHERE action = 'campaign.probed_by_hand'")
        assert noted == [{"actor": "Quinn", "role": "qa", "reason": "checked"}]
        await run.until(lambda progress: progress.not_notified <= 1)
        await run.until_reported(lambda report: report.stopped is None)
        assert world.one("SELECT state FROM task") == "done"
        assert await _refused(_resume(run)) == "WrongState"
        await run.assert_replays()


async def test_what_has_ended_sends_nothing_and_is_not_resumed_whoever_asks(hand: Hand, world: World) -> None:
    world.many(40)
    await hand.advance()
    world.run("UPDATE campaign SET paused_at = now(), paused_by = 'Quinn', ended_at = now()")
    decision = RecordCampaignDecision.model_validate(
        {
            "number": NUMBER,
            "sequence": 1,
            "campaign_id": world.campaign_id,
            "operation": "resume_campaign",
            "actor": QUINN,
            "reason": "checked",
            "now": T0,
        }
    )
    async with hand.sessions.begin() as session:
        await campaign_pauses.record(session, decision)
    assert world.one("SELECT paused_at IS NOT NULL FROM campaign")
    assert "campaign.resumed_by_hand" not in world.actions()
    world.run("UPDATE campaign SET paused_at = NULL")
    assert (await hand.send()).claimed == 0
    world.run("UPDATE delivery SET state = 'submitting', attempt = 1, lease_until = created_at")
    assert (await hand.send()).claimed == 0, "nor is what is in doubt looked for, because it would be sent"


async def test_an_attempt_that_comes_late_takes_no_later_decision_back(hand: Hand, world: World) -> None:
    """Its machine was suspended; another attempt had recorded its decision long ago, and people have decided since."""

    async def record(operation: str, minutes: int) -> bool:
        decision = RecordCampaignDecision.model_validate(
            {
                "number": NUMBER,
                "sequence": 1,
                "campaign_id": world.campaign_id,
                "operation": f"{operation}_campaign",
                "actor": QUINN,
                "reason": "a wrong lot",
                "now": T0 + timedelta(minutes=minutes),
            }
        )
        async with hand.sessions.begin() as session:
            await campaign_pauses.record(session, decision)
        return bool(world.one("SELECT paused_at IS NOT NULL FROM campaign"))

    assert [await record("pause", 1), await record("resume", 2)] == [True, False]
    assert not await record("pause", 1), "it goes on, as was decided last"
    assert await record("pause", 3)
    assert await record("resume", 2), "it stays paused, as was decided last"
    assert not await record("resume", 4)
    decided = [action for action in world.actions() if action.endswith("by_hand")]
    assert decided == ["campaign.paused_by_hand", "campaign.resumed_by_hand"] * 2


async def test_a_probe_asked_for_is_recorded_once_however_often_it_is_tried(hand: Hand, world: World) -> None:
    decision = RecordCampaignDecision(
        number=NUMBER, sequence=1, campaign_id=world.campaign_id, operation="probe_channels", actor=QUINN,
        reason="the account is paid", now=T0,
    )  # fmt: skip
    for each in (decision, decision, decision.model_copy(update={"now": T0 + timedelta(minutes=1)})):
        async with hand.sessions.begin() as session:
            await campaign_pauses.record(session, each)
    assert world.actions().count("campaign.probed_by_hand") == 2


async def test_decisions_that_do_not_fit_are_refused_by_type_and_write_nothing(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    world.consignee("One", Person("a@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        # What it told the recall is answered, and it waits for the next step.
        await run.until_event(lambda events: events[-1].event_type == EventType.EVENT_TYPE_TIMER_STARTED)
        before = written(await run.events())
        assert await _refused(_pause(run, WANDA)) == "NotPermitted"
        assert await _refused(_pause(run, reason="  ")) == "ReasonRequired"
        assert await _refused(_resume(run)) == "WrongState"
        assert await _refused(_abort(run)) == "WrongState"
        assert written(await run.events()) == before
        await _pause(run, ADA)
        assert await _refused(_pause(run)) == "AlreadyDecided"
        assert await _refused(_abort(run, QUINN)) == "NotPermitted"
        assert await _refused(_abort(run, ADA)) == "FourEyes"
        assert world.one("SELECT aborted_at IS NULL FROM campaign")


async def test_an_aborted_campaign_names_who_remains_and_calls_a_person(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    told = world.consignee("Told", Person("a@x.example"))
    done = world.consignee("Done", Person("b@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        await world.write("UPDATE consignee SET state = 'answered' WHERE id = %s", done)
        await _pause(run)
        untold = world.consignee("Untold", Person("late@x.example"))
        await world.write("UPDATE consignee SET campaign_sequence = 1 WHERE id = %s", untold)
        await run.handle.signal("nudge")
        await run.until(lambda progress: progress.pending == {"email": 1})
        receipt = await _abort(run)
        assert receipt.detail == "aborted: 1 consignees were never told, 1 owe an answer"
        await run.handle.result()
        assert len(hand.mail.accepted) == 2
        left = {row["consignee_id"]: row["told"] for row in world.rows("SELECT * FROM campaign_remainder")}
        assert left == {told: True, untold: False}
        row = world.one("SELECT aborted_by, abort_reason, ended_at IS NOT NULL AS ended FROM campaign")
        assert row == {"aborted_by": "Ada", "abort_reason": "the wrong product", "ended": True}
        assert {row["state"] for row in world.deliveries(untold)} == {"cancelled"}
        task = world.one("SELECT what, role, state FROM task WHERE key LIKE 'campaign-abort:%'")
        assert task["role"] == "qa"
        assert "reach 1 consignees that were never told and 1 that owe an answer" in task["what"]
        event = world.one(
            "SELECT actor, role, reason, data FROM audit_event WHERE action = 'campaign.aborted' AND stream = %s",
            NUMBER,
        )
        assert (event["actor"], event["role"], event["reason"]) == ("Ada", "approver", "the wrong product")
        assert (event["data"]["untold"], event["data"]["unanswered"]) == (1, 1)
        await run.assert_replays()
