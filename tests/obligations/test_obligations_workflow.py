"""The obligations workflow: it watches what is owed, tells its recall, and ends when told to and nothing is open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.tasks import TaskActivities
from db.engine import SessionFactory
from db.repositories import obligations
from domain.roles import Role
from domain.workflow_ids import obligations_id
from models.messages import EMAIL_QUEUE, RECALL_QUEUE, SMS_QUEUE, ObligationsInput, ObligationsReport
from plugin import recall_plugin, workflow_runner
from tests.capa.conftest import next_number, no_mail_server, write_recall
from tests.obligations.conftest import Owing
from tests.obligations.test_deadlines import submit
from tests.support.clock import fast_forward, real_time, start_environment
from workflows.obligations import ObligationsWorkflow
from workflows.search_attributes import ALL

pytestmark = pytest.mark.workflow


def workers(env: WorkflowEnvironment, owing: Owing, **options: Any) -> list[Worker]:
    """The queues of an obligations workflow."""
    tasks = TaskActivities(owing.sessions)
    activities: list[Any] = [owing.activities.obligations_turn, tasks.task_clock, tasks.turn_tasks]
    return [
        Worker(
            env.client,
            task_queue=RECALL_QUEUE,
            workflows=[ObligationsWorkflow],
            activities=activities,
            workflow_runner=workflow_runner(),
            **options,
        ),
        *(Worker(env.client, task_queue=queue, activities=[no_mail_server]) for queue in (EMAIL_QUEUE, SMS_QUEUE)),
    ]


@pytest_asyncio.fixture
async def now_owing(db: SessionFactory) -> Owing:
    """A class I recall decided now in the United States, first communicated now."""
    number = next_number()
    now = datetime.now(UTC)
    await write_recall(db, number, created_at=now)
    found = Owing(db, number, now)
    await found.decide("us-fda", "I", "I")
    await found.start("decision", now)
    await found.start("first_communication", now)
    return found


@pytest_asyncio.fixture
async def watch(temporal: WorkflowEnvironment, now_owing: Owing) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """Its obligations workflow, in real time."""
    async with AsyncExitStack() as stack:
        for worker in workers(temporal, now_owing):
            await stack.enter_async_context(worker)
        handle = await begin(temporal, now_owing)
        await until(handle, 2)
        yield handle
        with suppress(RPCError):
            await handle.terminate("test over")


async def begin(env: WorkflowEnvironment, owing: Owing) -> WorkflowHandle[Any, Any]:
    given = ObligationsInput(number=owing.number, created_at=owing.created_at)
    with real_time(env):
        return await env.client.start_workflow(
            "ObligationsWorkflow",
            given,
            id=obligations_id(owing.number),
            task_queue=RECALL_QUEUE,
            result_type=ObligationsReport,
        )


async def until(handle: WorkflowHandle[Any, Any], count: int) -> ObligationsReport:
    """Until the workflow reports this many open obligations (the test's own timeout bounds it)."""
    while True:
        report: ObligationsReport | None = await handle.query("report", result_type=ObligationsReport)
        if report is not None and report.open == count:
            return report
        await asyncio.sleep(0.05)


async def test_a_submission_is_seen_at_the_nudge(watch: WorkflowHandle[Any, Any], now_owing: Owing) -> None:
    await submit(now_owing, "us-fda:regulator_first_contact", datetime.now(UTC))
    await watch.signal("nudge")
    assert (await until(watch, 1)).overdue == 0


async def test_a_clock_that_starts_later_is_taken_up_at_the_nudge(
    watch: WorkflowHandle[Any, Any], now_owing: Owing
) -> None:
    await now_owing.complain(1, "serious", datetime.now(UTC))
    await watch.signal("nudge")
    assert (await until(watch, 4)).open == 4
    assert "obligation:mdr_5_day:1:us-fda" in await now_owing.tasks()


async def test_a_late_report_is_handed_over_and_a_recurring_one_goes_on(
    watch: WorkflowHandle[Any, Any], now_owing: Owing, temporal: WorkflowEnvironment
) -> None:
    assert await fast_forward(temporal, watch, timedelta(days=16), 60)
    task = (await now_owing.tasks())["obligation:status_report:us-fda"]
    assert (task.stage, task.role) == (3, "head_of_regulatory")
    assert "us-fda:status_report#2" in await now_owing.deadlines()
    assert (await watch.describe()).history_length < 600


async def test_it_ends_when_told_to_and_nothing_is_open(watch: WorkflowHandle[Any, Any], now_owing: Owing) -> None:
    await watch.signal("stop")
    await submit(now_owing, "us-fda:regulator_first_contact", datetime.now(UTC))
    await watch.signal("nudge")
    await until(watch, 1)
    assert (await watch.describe()).status == WorkflowExecutionStatus.RUNNING
    row = (await now_owing.deadlines())["us-fda:regulator_report"]
    async with now_owing.sessions.begin() as session:
        await obligations.stop(
            session,
            now_owing.number,
            row.id or 0,
            reason="reported under part 803 (21 CFR 806.10(f))",
            by="rafael",
            role=Role.REGULATORY,
            now=datetime.now(UTC),
        )
    await watch.signal("nudge")
    assert (await watch.result()).open == 0
    replayer = Replayer(workflows=[ObligationsWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner())
    assert (await replayer.replay_workflow(await watch.fetch_history())).replay_failure is None


async def test_it_goes_on_in_a_new_run_and_ends_as_told_before(now_owing: Owing) -> None:
    env = await start_environment(ALL, limit__historyCount__suggestContinueAsNew="60")
    try:
        async with AsyncExitStack() as stack:
            for worker in workers(env, now_owing):
                await stack.enter_async_context(worker)
            handle = await begin(env, now_owing)
            await until(handle, 2)
            await handle.signal("stop")
            newest = env.client.get_workflow_handle(handle.id, result_type=ObligationsReport)
            while (await newest.describe()).run_id == handle.first_execution_run_id:
                await newest.signal("nudge")
                await asyncio.sleep(0.05)
            for name in ("regulator_first_contact", "regulator_report"):
                await submit(now_owing, f"us-fda:{name}", datetime.now(UTC))
            await newest.signal("nudge")
            assert (await newest.result()).open == 0
    finally:
        await env.shutdown()
