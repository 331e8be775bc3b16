"""A CAPA goes on when its recall completes, is cancelled or continues as new, and reports to whoever is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from db.engine import SessionFactory
from domain.workflow_ids import capa_id, recall_id
from models.messages import EMAIL_QUEUE, RECALL_QUEUE, SMS_QUEUE, CapaInput, CapaReport
from tests.capa.capa_run import CapaRun
from tests.capa.conftest import capa_worker, next_number, no_mail_server, until_open, write_recall
from tests.capa.parent import Parent
from tests.support.clock import real_time, start_environment
from workflows.search_attributes import ALL

pytestmark = pytest.mark.workflow


@pytest_asyncio.fixture
async def family(
    temporal: WorkflowEnvironment, db: SessionFactory
) -> AsyncIterator[tuple[WorkflowHandle[Parent, str], CapaRun]]:
    """A parent under the recall's id with its CAPA."""
    number = next_number()
    await write_recall(db, number)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(capa_worker(temporal, db, Parent))
        for queue in (EMAIL_QUEUE, SMS_QUEUE):
            await stack.enter_async_context(Worker(temporal.client, task_queue=queue, activities=[no_mail_server]))
        with real_time(temporal):
            parent = await temporal.client.start_workflow(
                Parent.run, args=[number, True], id=recall_id(number), task_queue=RECALL_QUEUE
            )
        run = CapaRun(db, temporal.client.get_workflow_handle(capa_id(number, 1)), number)
        while True:
            with suppress(RPCError):
                await until_open(run)
                break
            await asyncio.sleep(0.05)
        yield parent, run
        for handle in (temporal.client.get_workflow_handle(parent.id), run.handle):
            with suppress(RPCError):
                await handle.terminate("test over")


async def heard(parent: WorkflowHandle[Parent, str], state: str) -> CapaReport:
    """The parent's report of a state (the test's own timeout bounds it)."""
    while True:
        for report in await parent.query(Parent.reports):
            if report.state == state:
                return report
        await asyncio.sleep(0.05)


async def goes_on(run: CapaRun) -> None:
    """Two further steps, decided after the parent's end."""
    assert (await run.handle.describe()).status == WorkflowExecutionStatus.RUNNING
    await run.find_cause()
    assert (await run.plan()).state == "planning"
    assert await run.open_tasks() == {"capa:1:plan_approval"}


async def test_it_reports_to_its_recall(family: tuple[WorkflowHandle[Parent, str], CapaRun]) -> None:
    parent, run = family
    assert not (await heard(parent, "investigation")).cause_recorded
    await run.investigate()
    await run.find_cause()
    assert (await heard(parent, "planning")).cause_recorded


async def test_it_survives_the_completion_of_its_recall(family: tuple[WorkflowHandle[Parent, str], CapaRun]) -> None:
    parent, run = family
    await run.investigate()
    await parent.signal("tell", "complete")
    await parent.result()
    await goes_on(run)


async def test_it_survives_the_cancellation_of_its_recall(family: tuple[WorkflowHandle[Parent, str], CapaRun]) -> None:
    parent, run = family
    await run.investigate()
    await parent.cancel()
    with pytest.raises(Exception, match="execution failed"):
        await parent.result()
    await goes_on(run)


async def test_it_survives_that_its_recall_continues_as_new_and_reports_to_the_new_run(
    family: tuple[WorkflowHandle[Parent, str], CapaRun], temporal: WorkflowEnvironment
) -> None:
    parent, run = family
    await run.investigate()
    before = (await parent.describe()).run_id
    newest: WorkflowHandle[Parent, str] = temporal.client.get_workflow_handle(parent.id, result_type=str)
    await newest.signal("tell", "continue")
    while (await newest.describe()).run_id == before:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await goes_on(run)
    assert (await heard(newest, "planning")).cause_recorded


async def test_its_own_continue_as_new_forgets_nothing(db: SessionFactory) -> None:
    env = await start_environment(ALL, limit__historyCount__suggestContinueAsNew="60")
    try:
        number = next_number()
        await write_recall(db, number)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(capa_worker(env, db, max_cached_workflows=0))
            for queue in (EMAIL_QUEUE, SMS_QUEUE):
                await stack.enter_async_context(Worker(env.client, task_queue=queue, activities=[no_mail_server]))
            given = CapaInput(number=number, sequence=1, title="Cracks", created_at=datetime.now(UTC))
            with real_time(env):
                first = await env.client.start_workflow(
                    "CapaWorkflow", given, id=capa_id(number, 1), task_queue=RECALL_QUEUE
                )
            run = CapaRun(db, env.client.get_workflow_handle(capa_id(number, 1)), number)
            await until_open(run)
            await run.investigate()
            await run.find_cause()
            for version in (1, 2, 3):
                assert (await run.plan()).detail == f"plan {version} waits for its approval"
            assert (await run.handle.describe()).run_id != first.first_execution_run_id
            await run.approve(version=3)
            assert await run.open_tasks() == {"capa:1:action:3"}
            assert (await run.act(action=3)).state == "verification"
            await run.handle.terminate("test over")
    finally:
        await env.shutdown()
