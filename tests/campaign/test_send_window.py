"""The window of batches under way at once: its own for each channel, never more than its size, and beside the looks."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.channels import notify_queue
from domain.workflow_ids import campaign_id
from models.messages import (
    RECALL_QUEUE,
    AdvanceCampaign,
    BatchResult,
    CampaignInput,
    CampaignProgress,
    EndCampaign,
    SendBatch,
)
from models.messages_pausing import CampaignDecided, RecordCampaignDecision
from plugin import workflow_runner
from tests.campaign.world import LADDER, NUMBER, T0
from tests.support.clock import real_time
from workflows.campaign import BATCH, WINDOW, CampaignWorkflow

pytestmark = pytest.mark.workflow
MAILS, TEXTS = WINDOW + 5, 3


class Record:
    """Stands for the record and the sender: much mail is due, a few texts; mail does not get through until told."""

    def __init__(self) -> None:
        self.left = Counter(email=MAILS, sms=TEXTS)
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.running_at_the_end: int | None = None
        self.all_answered = self.paused = False
        self.next_due_in: timedelta | None = None
        self.mail_may_go, self.texts_gone, self.full = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @activity.defn(name="advance_campaign")
    async def look(self, request: AdvanceCampaign) -> CampaignProgress:
        due = {channel: BATCH * count for channel, count in self.left.items() if count}
        open_ = bool(due) and not self.all_answered
        return CampaignProgress(
            consignees=1, answered=0 if open_ else 1, outstanding=1 if open_ else 0, not_notified=0, pending=due,
            unsent=sum(due.values()), next_due_at=request.now + self.next_due_in if self.next_due_in else None,
        )  # fmt: skip

    @activity.defn(name="send_batch")
    async def send(self, request: SendBatch) -> BatchResult:
        channel = request.channel
        self.running[channel] += 1
        self.most[channel] = max(self.most[channel], self.running[channel])
        if channel == "email":
            if self.running[channel] == WINDOW:
                self.full.set()
            await self.mail_may_go.wait()
        self.running[channel] -= 1
        if self.paused:
            return BatchResult(claimed=0, submitted=0, failed=0, deferred=0, ambiguous=0)
        self.left[channel] -= 1
        if channel == "sms" and not self.left["sms"]:
            self.texts_gone.set()
        return BatchResult(claimed=request.limit, submitted=request.limit, failed=0, deferred=0, ambiguous=0)

    @activity.defn(name="record_campaign_decision")
    async def decide(self, decision: RecordCampaignDecision) -> CampaignDecided:
        self.paused = decision.operation == "pause_campaign"
        return CampaignDecided()

    @activity.defn(name="end_campaign")
    async def end(self, request: EndCampaign) -> int:
        self.running_at_the_end = self.running.total()
        return 0


@asynccontextmanager
async def sending(
    temporal: WorkflowEnvironment, record: Record, *, served: Sequence[str] = ("email", "sms"), **changes: Any
) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """A campaign that sends through the record's own activities; `served`: the channels that have a worker."""
    start = CampaignInput(
        number=NUMBER, sequence=9, campaign_id=1, notice_id=1, ladder=LADDER, priority=3, notify_due_at=T0,
        stay_open=False,
    ).model_copy(update=changes)  # fmt: skip
    queues: dict[str, list[Any]] = {notify_queue(each): [record.send] for each in served}
    queues[RECALL_QUEUE] = [record.look, record.end, record.decide]
    async with AsyncExitStack() as stack:
        stack.enter_context(real_time(temporal))
        for queue, activities in queues.items():
            worker = Worker(
                temporal.client,
                task_queue=queue,
                workflows=[CampaignWorkflow] if queue == RECALL_QUEUE else [],
                activities=activities,
                workflow_runner=workflow_runner(),
            )
            await stack.enter_async_context(worker)
        yield await temporal.client.start_workflow(
            CampaignWorkflow.run, start, id=campaign_id(NUMBER, 9), task_queue=RECALL_QUEUE
        )


async def test_each_channel_has_a_window_of_its_own_and_a_slow_one_holds_up_no_other(
    temporal: WorkflowEnvironment,
) -> None:
    record = Record()
    async with sending(temporal, record) as handle:
        async with asyncio.timeout(30):
            await record.texts_gone.wait()
            await record.full.wait()
        # Without a window every batch would be scheduled in the one task that scheduled the texts.
        scheduled: Counter[str] = Counter()
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled[event.activity_task_scheduled_event_attributes.task_queue.name] += 1
        assert scheduled[notify_queue("email")] == WINDOW
        assert scheduled[notify_queue("sms")] == TEXTS
        assert not record.mail_may_go.is_set(), "the texts have gone while all mail was stuck"
        record.mail_may_go.set()
        report = await asyncio.wait_for(handle.result(), 30)
    assert record.most["email"] == WINDOW
    assert record.left == Counter(email=0, sms=0)
    assert report.outstanding == 0


async def test_the_campaign_looks_again_while_a_channel_takes_hours_and_what_it_finds_is_sent(
    temporal: WorkflowEnvironment,
) -> None:
    record = Record()
    # A fast pace, so that looks come after a second and not after five minutes.
    async with sending(temporal, record, pace=100_000.0) as handle:
        async with asyncio.timeout(30):
            await record.texts_gone.wait()
            await record.full.wait()
            # A mail comes back: the look opens the next way, which is a text.
            record.left["sms"] += 1
            record.texts_gone.clear()
            await handle.signal(CampaignWorkflow.nudge)
            await record.texts_gone.wait()
        assert not record.mail_may_go.is_set(), "it has gone while all mail was stuck"
        assert record.most["email"] == WINDOW, "what is under way is not begun a second time"
        record.mail_may_go.set()
        assert (await asyncio.wait_for(handle.result(), 30)).outstanding == 0
    assert record.left == Counter(email=0, sms=0)


async def test_what_is_due_by_itself_is_looked_at_though_a_channel_never_ends_and_nobody_nudges(
    temporal: WorkflowEnvironment,
) -> None:
    record = Record()
    record.left["sms"] = 0
    record.next_due_in = timedelta(seconds=2)
    async with sending(temporal, record, pace=100_000.0) as handle:
        async with asyncio.timeout(30):
            await record.full.wait()
            record.left["sms"] += 1  # its ladder step comes
            await record.texts_gone.wait()
        assert not record.mail_may_go.is_set()
        record.mail_may_go.set()
        await asyncio.wait_for(handle.result(), 30)
    assert record.left == Counter(email=0, sms=0)


async def test_a_campaign_cancelled_while_it_sends_is_ended_when_its_batches_have(
    temporal: WorkflowEnvironment,
) -> None:
    record = Record()
    async with sending(temporal, record) as handle:
        async with asyncio.timeout(30):
            await record.full.wait()
            await handle.cancel()
            while await count(handle, EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED) < WINDOW:
                pass
            record.mail_may_go.set()
            with pytest.raises(WorkflowFailureError):
                await handle.result()
    assert record.running_at_the_end == 0, "whoever ends it knows that nothing is being sent any more"
    assert record.left["email"] == MAILS - WINDOW, "no further batch is begun"


async def test_a_campaign_told_to_stop_while_it_sends_stops_its_batches_and_then_ends(
    temporal: WorkflowEnvironment,
) -> None:
    record = Record()
    async with sending(temporal, record) as handle:
        async with asyncio.timeout(30):
            await record.full.wait()
            await handle.signal(CampaignWorkflow.stop, "the recall was cancelled")
            while await count(handle, EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED) < WINDOW:
                pass
            record.mail_may_go.set()
            await handle.result()
    assert record.running_at_the_end == 0
    assert record.left["email"] == MAILS - WINDOW, "no further batch is begun"


async def test_a_stop_reaches_batches_whose_end_the_campaign_only_waits_for(temporal: WorkflowEnvironment) -> None:
    record = Record()
    # A fast pace, so that the next look comes after a second.
    async with sending(temporal, record, pace=100_000.0) as handle:
        async with asyncio.timeout(30):
            await record.full.wait()
            record.all_answered = True
            await handle.signal(CampaignWorkflow.nudge)
            while await outstanding(handle):
                pass
            await handle.signal(CampaignWorkflow.stop, "the recall was cancelled")
            while await count(handle, EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED) < WINDOW:
                pass
            record.mail_may_go.set()
            await handle.result()
    assert record.running_at_the_end == 0
    assert record.left["email"] == MAILS - WINDOW, "no further batch is begun"


async def count(handle: WorkflowHandle[Any, Any], kind: "EventType.ValueType") -> int:
    return sum([event.event_type == kind async for event in handle.fetch_history_events()])


async def outstanding(handle: WorkflowHandle[Any, Any]) -> int:
    progress = await handle.query(CampaignWorkflow.progress)
    assert progress is not None, "it has looked"
    return progress.outstanding
