"""A campaign workflow run on real workers against the test's database and providers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.campaign import CampaignActivities
from activities.cases import CaseActivities
from activities.delivery_outcomes import SendingLimits
from activities.tasks import TaskActivities
from domain.channels import notify_queue
from domain.ladder import Ladder
from domain.workflow_ids import campaign_id, case_id, recall_id
from models.messages import (
    RECALL_QUEUE,
    CampaignInput,
    CampaignProgress,
    CampaignReport,
)
from plugin import recall_plugin, workflow_runner
from tests.campaign.conftest import LIMITS, Hand
from tests.campaign.recall_listener import RecallListener
from tests.campaign.world import LADDER, NUMBER, T0
from tests.support.clock import fast_forward, real_time
from workflows.campaign import CampaignWorkflow
from workflows.consignee_case import ConsigneeCaseWorkflow

_OF_THE_CLOCK = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
    }
)
"""What the test's own fast-forwarding writes into a history."""


class CampaignRun:
    """One running campaign."""

    def __init__(self, env: WorkflowEnvironment, handle: WorkflowHandle[Any, CampaignReport]) -> None:
        self.env = env
        self.handle = handle

    async def until(self, seen: Callable[[CampaignProgress], bool]) -> CampaignProgress:
        """Query until the counters show what the test waits for (the test's own timeout bounds it)."""
        async with asyncio.timeout(60):
            while True:
                progress = await self.handle.query(CampaignWorkflow.progress)
                if progress is not None and seen(progress):
                    return progress
                # Without a cache every query is a replay; an unbroken row of them starves the workflow's own tasks.
                await asyncio.sleep(0.02)

    async def quiet(self) -> CampaignProgress:
        """The counters once nothing is left to send and the workflow waits for a timer."""
        await self.until(lambda progress: not progress.pending and progress.not_notified == 0)
        return await self.until(lambda progress: not progress.pending)

    async def until_round(self, number: int) -> None:
        """Until round `number` is the next one due."""
        await self.until(lambda progress: progress.next_round == number)

    async def until_answered(self, count: int) -> None:
        """Until `count` consignees have been heard of."""
        await self.until(lambda progress: progress.answered == count)

    async def forward(self, by: timedelta) -> None:
        await fast_forward(self.env, self.handle, by)

    async def reports(self) -> list[CampaignReport]:
        recall = self.env.client.get_workflow_handle(recall_id(NUMBER))
        found: list[CampaignReport] = await recall.query("reports", result_type=list[CampaignReport])
        return found

    async def until_reported(self, seen: Callable[[CampaignReport], bool]) -> list[CampaignReport]:
        """All reports, once the latest is the one the test waits for (counters are shown before they are reported)."""
        async with asyncio.timeout(60):
            while True:
                found = await self.reports()
                if found and seen(found[-1]):
                    return found
                await asyncio.sleep(0.02)

    async def events(self) -> list[HistoryEvent]:
        return [event async for event in self.handle.fetch_history_events()]

    async def into_a_new_run(self) -> None:
        """Nudge until the history is full (60 events), then let the run end: it cannot while signals keep coming."""
        first = await self.handle.describe()
        async with asyncio.timeout(60):
            while (now := await self.handle.describe()).run_id == first.run_id:
                if now.history_length < 90:
                    await self.handle.signal("nudge")
                await asyncio.sleep(0.02)

    async def until_event(self, seen: Callable[[list[HistoryEvent]], bool]) -> None:
        """Until the history shows what the test waits for."""
        async with asyncio.timeout(60):
            while not seen(await self.events()):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)

    async def batches(self) -> int:
        wanted = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        return sum(
            event.event_type == wanted
            and event.activity_task_scheduled_event_attributes.activity_type.name == "send_batch"
            for event in await self.events()
        )

    async def timer_names(self) -> list[str]:
        converter = DataConverter.default.payload_converter
        return [
            str(converter.from_payload(event.user_metadata.summary))
            for event in await self.events()
            if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED and event.HasField("user_metadata")
        ]

    async def assert_within_budget(self) -> None:
        events = sum(event.event_type not in _OF_THE_CLOCK for event in await self.events())
        batches = await self.batches()
        assert events <= 5 * batches + 250, f"{events} events for {batches} batches"

    async def assert_replays(self) -> None:
        history = await self.handle.fetch_history()
        await Replayer(
            workflows=[CampaignWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner()
        ).replay_workflow(history)


@asynccontextmanager
async def campaign_workers(
    env: WorkflowEnvironment, hand: Hand, limits: SendingLimits = LIMITS, cached_workflows: int = 1000
) -> AsyncIterator[None]:
    """Workers of the three queues, with the real activities."""
    records, notify = CampaignActivities(hand.sessions), hand.activities(limits)
    looking, tasks = CaseActivities(hand.sessions, env.client), TaskActivities(hand.sessions)
    activities: dict[str, list[Callable[..., Any]]] = {
        RECALL_QUEUE: [
            records.advance_campaign,
            records.end_campaign,
            records.note_campaign_stop,
            records.record_campaign_decision,
            looking.start_cases,
            looking.look_at_case,
            looking.stop_cases,
            tasks.task_clock,
            tasks.turn_tasks,
        ],
        **{
            notify_queue(channel, urgent=urgent): [notify.send_batch]
            for channel in ("email", "sms")
            for urgent in (False, True)
        },
    }
    workflows: list[type] = [CampaignWorkflow, ConsigneeCaseWorkflow, RecallListener]
    async with AsyncExitStack() as stack:
        for queue, offered in activities.items():
            await stack.enter_async_context(
                Worker(
                    env.client,
                    task_queue=queue,
                    workflows=workflows if queue == RECALL_QUEUE else [],
                    activities=offered,
                    workflow_runner=workflow_runner(),
                    max_cached_workflows=cached_workflows if queue == RECALL_QUEUE else 0,
                )
            )
        yield


@asynccontextmanager
async def campaign(
    env: WorkflowEnvironment,
    hand: Hand,
    *,
    ladder: Ladder = LADDER,
    limits: SendingLimits = LIMITS,
    cached_workflows: int = 1000,
    listener: bool = True,
    **changes: Any,
) -> AsyncIterator[CampaignRun]:
    """A running campaign in real time until it is fast-forwarded; terminated at the end."""
    start = CampaignInput(
        number=NUMBER,
        sequence=1,
        campaign_id=hand.world.campaign_id,
        notice_id=hand.world.notice_id,
        ladder=ladder,
        priority=1,
        notify_due_at=T0,
    ).model_copy(update=changes)
    # Cases are started while the campaign runs: they keep real time as well until a test moves them.
    with real_time(env):
        async with campaign_workers(env, hand, limits, cached_workflows):
            handles: list[WorkflowHandle[Any, Any]] = []
            if listener:
                handles.append(
                    await env.client.start_workflow(RecallListener.run, id=recall_id(NUMBER), task_queue=RECALL_QUEUE)
                )
            handle = await env.client.start_workflow(
                CampaignWorkflow.run, start, id=campaign_id(NUMBER, 1), task_queue=RECALL_QUEUE
            )
            handles.append(handle)
            try:
                yield CampaignRun(env, handle)
            finally:
                for each in [handle.id for handle in handles] + _cases(hand):
                    await _terminate(env, each)


def _cases(hand: Hand) -> list[str]:
    rows = hand.world.rows("SELECT DISTINCT consignee_id FROM consignee_case")
    return [case_id(NUMBER, str(row["consignee_id"])) for row in rows]


async def _terminate(env: WorkflowEnvironment, workflow_id: str) -> None:

    try:
        await env.client.get_workflow_handle(workflow_id).terminate("test over")
    except RPCError:
        return  # closed already
