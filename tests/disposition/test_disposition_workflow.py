"""The disposition workflow over the real record: tasks climb without any nudge, and it ends by `stop` only."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.disposition import DispositionActivities
from activities.policies import PolicyStore
from activities.tasks import TaskActivities
from db.repositories import recalls
from domain.disposition import DispositionKind as K
from domain.workflow_ids import disposition_id, recall_id
from models.messages import RECALL_QUEUE, DispositionInput, DispositionReport, DispositionTurn
from plugin import recall_plugin, workflow_runner
from tests.disposition.conftest import NOW, D, Disposals
from tests.support.clock import fast_forward, real_time
from workflows.disposition import DispositionWorkflow

pytestmark = [pytest.mark.db, pytest.mark.workflow]
POLICIES = Path(__file__).resolve().parents[2] / "policies"
DAY = timedelta(days=1)
_numbers = count(500)


@workflow.defn(name="RecallWorkflow", sandboxed=False)
class Listener:
    """Stands where the recall does and keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[DispositionReport] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def disposition_progress(self, report: DispositionReport) -> None:
        self.heard.append(report)

    @workflow.query
    def told(self) -> list[DispositionReport]:
        return self.heard


@dataclass
class Run:
    """The workflow of one recall, on a worker with the real activities."""

    env: WorkflowEnvironment
    disposals: Disposals
    number: str
    recall: WorkflowHandle[Any, Any] | None = None
    started: list[str] = field(default_factory=list)

    @property
    def handle(self) -> WorkflowHandle[Any, DispositionReport]:
        found: WorkflowHandle[Any, DispositionReport] = self.env.client.get_workflow_handle(
            disposition_id(self.number), result_type=DispositionReport
        )
        return found

    async def start(self) -> None:
        await self.env.client.start_workflow(
            "DispositionWorkflow",
            DispositionInput(number=self.number, created_at=NOW),
            id=disposition_id(self.number),
            task_queue=RECALL_QUEUE,
        )

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while True:
                if seen():
                    return
                await asyncio.sleep(0.02)

    async def until_told(self, seen: Callable[[DispositionReport], bool]) -> list[DispositionReport]:
        """What the recall was told, once the last of it shows what the test waits for."""
        assert self.recall is not None
        async with asyncio.timeout(60):
            while True:
                told = [DispositionReport.model_validate(each) for each in await self.recall.query("told")]
                if told and seen(told[-1]):
                    return told
                await asyncio.sleep(0.02)

    def tasks(self) -> dict[str, tuple[str, str, int]]:
        """Those of this workflow: the recall's requests to carriers are its own."""
        mine = "SELECT key, state, role, stage FROM task WHERE key NOT LIKE 'logistics:%' ORDER BY id"
        rows = self.disposals.yard.rows(mine)
        return {key: (state, role, stage) for key, state, role, stage in rows}

    async def until_task(self, key: str, state: str = "offered") -> None:
        await self.until(lambda: self.tasks().get(key, ("",))[0] == state)


@pytest.fixture
async def run(temporal: WorkflowEnvironment, disposals: Disposals) -> AsyncIterator[Run]:
    """A recall with pinned policies; its workflow is in real time until a test moves it."""
    number = f"RC-2026-{next(_numbers):06d}"
    disposals.yard.run("UPDATE recall SET phase = 'cancelled'")
    await disposals.held(number)
    policy = PolicyStore.load(POLICIES).shipped("us-fda", NOW.date())
    assert policy is not None
    async with disposals.yard.sessions.begin() as session:
        await recalls.pin(session, number, [policy], NOW)
    looking, tasks = DispositionActivities(disposals.yard.sessions), TaskActivities(disposals.yard.sessions)
    with real_time(temporal):
        async with Worker(
            temporal.client,
            task_queue=RECALL_QUEUE,
            workflows=[DispositionWorkflow, Listener],
            activities=[looking.look_at_disposition, tasks.task_clock, tasks.turn_tasks],
            workflow_runner=workflow_runner(),
            max_cached_workflows=0,
        ):
            found = Run(temporal, disposals, number)
            found.recall = await temporal.client.start_workflow(
                "RecallWorkflow", id=recall_id(number), task_queue=RECALL_QUEUE
            )
            yield found
            for each in (found.handle, found.recall):
                try:
                    await each.terminate("test over")
                except RPCError:
                    continue  # ended, as it should


async def test_an_unplanned_position_becomes_a_task_that_climbs_without_any_nudge(run: Run) -> None:
    await run.start()
    await run.until_task("disposition:1")
    assert run.tasks()["disposition:1"] == ("offered", "qa", 0)
    await fast_forward(run.env, run.handle, 4 * DAY)
    await run.until(lambda: run.tasks()["disposition:1"][2] == 1)
    await fast_forward(run.env, run.handle, 2 * DAY)
    await run.until(lambda: run.tasks()["disposition:1"][1:] == ("supplier_quality", 2))
    history = await run.handle.fetch_history()
    assert len(history.events) < 200
    await Replayer(
        workflows=[DispositionWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner()
    ).replay_workflow(history)


async def test_what_happens_in_the_record_is_found_by_the_slow_look_and_told_to_the_recall(run: Run) -> None:
    await run.start()
    await run.until_task("disposition:1")
    found = await run.disposals.propose(K.destroy, None, number=run.number)
    await run.disposals.propose(K.destroy, None, number=run.number, place=run.disposals.yard.carrier)
    await fast_forward(run.env, run.handle, DAY + timedelta(hours=1))
    await run.until_task(f"disposition_approval:{found.sequence}")
    assert run.tasks()["disposition:1"][0] == "done"
    await run.disposals.approve(found, number=run.number)
    await run.handle.signal("nudge")
    await run.until_task(f"execution:{found.sequence}")
    await run.disposals.carry_out(found, 100, number=run.number)
    await run.handle.signal("nudge")
    await run.until_task(f"execution:{found.sequence}", "done")
    told = await run.until_told(lambda last: (last.proposed, last.approved) == (1, 0))
    assert (told[0].open_positions, told[0].proposed) == (3, 0)


async def test_it_ends_by_stop_only_and_leaves_no_open_task(run: Run) -> None:
    await run.start()
    await run.until_task("disposition:1")
    assert (await run.handle.describe()).status is WorkflowExecutionStatus.RUNNING
    assert run.recall is not None
    await run.recall.terminate("gone")  # a recall that is gone is no error
    await run.disposals.propose(K.destroy, 10, number=run.number)
    await run.handle.signal("nudge")
    await run.until_task("disposition_approval:1")
    await run.handle.signal("stop", "terminated")
    report = await asyncio.wait_for(run.handle.result(), 30)
    assert report.open_positions == 3
    assert {state for state, _, _ in run.tasks().values()} == {"cancelled"}
    assert run.disposals.yard.stock() == (D(100), D(0), D(100)), "what is held stays held"


async def test_looking_twice_changes_nothing(run: Run) -> None:
    looking = DispositionActivities(run.disposals.yard.sessions)
    turn = DispositionTurn(number=run.number, now=datetime(2026, 11, 22, tzinfo=UTC))
    first = await ActivityEnvironment().run(looking.look_at_disposition, turn)
    events = run.disposals.yard.rows("SELECT count(*) FROM audit_event")
    assert await ActivityEnvironment().run(looking.look_at_disposition, turn) == first
    assert run.disposals.yard.rows("SELECT count(*) FROM audit_event") == events
