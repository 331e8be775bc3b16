"""The campaign's workflow with its real activities: rounds by the clock, nudges, stops, and its history budget."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.testing import WorkflowEnvironment

from adapters.messaging.base import ErrorKind, SendError
from domain.workflow_ids import case_id
from tests.campaign.campaign_run import campaign
from tests.campaign.conftest import Hand
from tests.campaign.world import DAY, NUMBER, Person, World
from workflows import search_attributes as sa

pytestmark = [pytest.mark.db, pytest.mark.workflow]


async def test_silence_is_chased_round_by_round_and_an_answer_ends_it(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    silent = world.consignee("Silent", Person("a@x.example", "+254700000001"), Person("b@x.example"))
    talker = world.consignee("Talker", Person("c@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        await world.write("UPDATE consignee SET state = 'acknowledged' WHERE id = %s", talker)
        for following in (3, 4, 5):
            await run.forward(DAY)
            await run.until_round(following)
        await run.forward(DAY)
        await run.until(lambda progress: progress.next_due_at is None)
        assert [(row["kind"], row["address"]) for row in world.deliveries(silent)] == [
            ("initial", "a@x.example"),
            ("reminder", "a@x.example"),
            ("escalation", "b@x.example"),
            ("escalation", "+254700000001"),
        ]
        assert [row["kind"] for row in world.deliveries(talker)] == ["initial"]
        assert world.one("SELECT key FROM task") == f"call:{silent}"
        names = await run.timer_names()
        assert any(name.startswith("Round 2: reminder to 2 silent consignees, due 20") for name in names)
        assert any(name.startswith("Round 5: telephone call to 1 silent consignees") for name in names)
        await world.write("UPDATE consignee SET state = 'documented' WHERE id = %s", silent)
        await run.handle.signal("nudge")
        reports = await run.until_reported(lambda report: report.finished)
        assert (reports[0].outstanding, reports[-1].outstanding) == (2, 0)
        await run.handle.signal("stop")
        result = await run.handle.result()
        assert (result.outstanding, result.finished, result.stated) == (0, True, 1)
        assert world.one("SELECT ended_at IS NOT NULL FROM campaign")
        await run.assert_within_budget()
        await run.assert_replays()


async def test_the_web_ui_shows_where_the_campaign_stands(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    for number in range(4):
        world.consignee(f"C{number}", Person(f"c{number}@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        described = await run.handle.describe()
        attributes = described.typed_search_attributes
        assert attributes[sa.RECALL_NUMBER] == NUMBER
        assert (attributes[sa.OUTSTANDING], attributes[sa.RESPONSE_PERCENT]) == (4, 0)
        metadata = await run.handle.query("__temporal_workflow_metadata")
        shown = str(metadata)
        assert "| Outstanding | 4, not notified yet 0 |" in shown.replace("\\n", "\n")


async def test_reports_go_to_the_recall_by_tenths_and_not_by_reply(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    ids = [world.consignee(f"C{number}", Person(f"c{number}@x.example")) for number in range(40)]
    async with campaign(temporal, hand) as run:
        await run.quiet()
        before = await run.until_reported(lambda report: report.not_notified == 0)
        for count, consignee in enumerate(ids[:8], 1):
            await world.write("UPDATE consignee SET state = 'answered' WHERE id = %s", consignee)
            await run.handle.signal("nudge")
            await run.until_answered(count)
        after = await run.until_reported(lambda report: report.outstanding == 32)
        assert [report.outstanding for report in after[len(before) :]] == [36, 32]


async def test_two_thousand_consignees_fit_the_history_budget(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    world.many(2000)
    async with campaign(temporal, hand) as run:
        await run.quiet()
        assert len(hand.mail.accepted) + len(hand.sms.accepted) == 2000
        assert set((hand.mail.per_delivery() | hand.sms.per_delivery()).values()) == {1}
        await world.write("UPDATE consignee SET state = 'answered' WHERE id %% 5 > 0 AND %s", True)
        for _ in range(3):
            await run.forward(DAY)
        await run.quiet()
        await run.assert_within_budget()
        await run.assert_replays()


async def test_a_bounce_leads_to_the_next_contact_without_waiting_for_the_next_round(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("gone@x.example"), Person("b@x.example"))
    hand.mail.refusals["gone@x.example"] = SendError(ErrorKind.PERMANENT_CONTACT, "smtp:550/5.1.1", "unknown")
    async with campaign(temporal, hand) as run:
        await run.quiet()
        assert [(row["state"], row["address"]) for row in world.deliveries(one)] == [
            ("failed", "gone@x.example"),
            ("submitted", "b@x.example"),
        ]


async def test_a_consignee_named_after_everybody_answered_still_gets_its_notice(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    first = world.consignee("First", Person("a@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        await world.write("UPDATE consignee SET state = 'answered' WHERE id = %s", first)
        await run.handle.signal("nudge")
        await run.until_reported(lambda report: report.finished)
        late = await asyncio.to_thread(world.consignee, "Late", Person("late@x.example"))
        await run.handle.signal("nudge")
        await run.until(lambda progress: progress.outstanding == 1 and progress.not_notified == 0)
        assert world.deliveries(late)[0]["state"] == "submitted"
        await run.until_reported(lambda report: not report.finished)


async def test_a_campaign_that_is_not_to_stay_open_ends_with_the_last_answer(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    world.consignee("First", Person("a@x.example"))
    async with campaign(temporal, hand, stay_open=False, listener=False) as run:
        await run.quiet()
        await world.write("UPDATE consignee SET state = 'answered'")
        await run.handle.signal("nudge")
        assert (await run.handle.result()).finished


async def test_a_lost_nudge_costs_nothing(temporal: WorkflowEnvironment, hand: Hand, world: World) -> None:
    first = world.consignee("First", Person("a@x.example"))
    async with campaign(temporal, hand) as run:
        await run.quiet()
        await world.write("UPDATE consignee SET state = 'answered' WHERE id = %s", first)
        await asyncio.to_thread(world.consignee, "Late", Person("late@x.example"))
        await run.forward(DAY + timedelta(minutes=1))
        await run.until(lambda progress: progress.consignees == 2 and progress.not_notified == 0)


async def test_an_account_level_error_stops_the_channel_calls_a_person_and_heals_after_repair(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    for number in range(30):
        world.consignee(f"C{number}", Person(f"c{number}@x.example"))
        hand.mail.refusals[f"c{number}@x.example"] = SendError(ErrorKind.PERMANENT_CAMPAIGN, "smtp:535", "login")
    texted = world.consignee("Texted", Person(phone="+254700000001"))
    async with campaign(temporal, hand) as run:
        await run.until(lambda progress: progress.not_notified == 30)
        assert world.deliveries(texted)[0]["state"] == "submitted", "the other channel goes on"
        await run.until_reported(lambda report: report.stopped == "smtp:535: login")
        assert world.one("SELECT what FROM task") == "Notices by email are stopped: smtp:535: login"
        hand.mail.refusals.clear()
        await run.handle.signal("resume")
        progress = await run.until(lambda seen: seen.not_notified <= 1)
        # The delivery that stopped the channel stands back for a while.
        assert progress.next_kind == "retry"
        assert world.one("SELECT state FROM task") == "done"
        await run.forward(timedelta(minutes=16))
        await run.quiet()
        assert set(hand.mail.per_delivery().values()) == {1}
        await run.until_reported(lambda report: report.stopped is None)


async def test_cancelling_stops_the_batches_and_cancels_what_is_not_sent(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    for number in range(10):
        world.consignee(f"C{number}", Person(f"c{number}@x.example"))
        hand.mail.refusals[f"c{number}@x.example"] = SendError(ErrorKind.TRANSIENT, "smtp:451", "later")
    async with campaign(temporal, hand) as run:
        await run.until(lambda progress: progress.next_kind == "retry")
        await run.handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.handle.result()
        assert (await run.handle.describe()).status == WorkflowExecutionStatus.CANCELED
        assert {row["state"] for row in world.deliveries()} == {"cancelled"}
        assert world.actions()[-1] == "campaign.ended"


async def test_every_task_replays_from_history_when_nothing_is_cached(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example"))
    async with campaign(temporal, hand, cached_workflows=0) as run:
        await run.quiet()
        await run.forward(DAY + timedelta(minutes=1))
        await run.until(lambda progress: progress.next_round == 3)
        assert [row["kind"] for row in world.deliveries(one)] == ["initial", "reminder"]
        await run.handle.signal("stop")
        await run.handle.result()


async def test_a_case_gets_its_workflow_from_the_look_that_opened_it(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    nobody = world.consignee("Nobody")
    async with campaign(temporal, hand) as run:
        await run.until(lambda progress: progress.cases_to_start == 1)
        await run.handle.signal("nudge")
        await run.until(lambda progress: progress.cases_to_start == 0)
        described = await temporal.client.get_workflow_handle(case_id(NUMBER, str(nobody))).describe()
        assert described.status == WorkflowExecutionStatus.RUNNING
        assert described.parent_id is None, "a case outlives its campaign"
        assert world.one("SELECT workflow_started_at IS NOT NULL FROM consignee_case")
        await run.assert_replays()
