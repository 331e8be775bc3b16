"""The obligations workflow carries submissions: dropped at the nudge, met when the receipt was read, then at an end."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.submissions import SubmissionActivities
from activities.tasks import TaskActivities
from models.messages import EMAIL_QUEUE, RECALL_QUEUE, SMS_QUEUE
from models.submission import Submission
from plugin import workflow_runner
from tests.capa.conftest import no_mail_server
from tests.obligations.conftest import Owing
from tests.obligations.test_obligations_workflow import begin, now_owing, until
from tests.obligations.test_submissions import Way
from workflows.obligations import ObligationsWorkflow

pytestmark = pytest.mark.workflow
__all__ = ["now_owing"]


async def handed_over(way: Way, row: Submission) -> None:
    """Until the transport has it (the test's own timeout bounds it)."""
    while True:
        if await way.steps(row) == ["handed_over"]:
            return
        await asyncio.sleep(0.05)


async def test_a_submission_is_dropped_at_the_nudge_and_met_by_its_receipt(
    temporal: WorkflowEnvironment, now_owing: Owing, tmp_path: Path
) -> None:
    way = Way(now_owing, tmp_path)
    carrying = SubmissionActivities(now_owing.sessions, way.store, way.transports)
    tasks = TaskActivities(now_owing.sessions)
    activities: list[Any] = [
        now_owing.activities.obligations_turn,
        tasks.task_clock,
        tasks.turn_tasks,
        carrying.carry_submissions,
    ]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            Worker(
                temporal.client,
                task_queue=RECALL_QUEUE,
                workflows=[ObligationsWorkflow],
                activities=activities,
                workflow_runner=workflow_runner(),
            )
        )
        for queue in (EMAIL_QUEUE, SMS_QUEUE):
            await stack.enter_async_context(Worker(temporal.client, task_queue=queue, activities=[no_mail_server]))
        handle = await begin(temporal, now_owing)
        await until(handle, 2)
        row = await way.freeze(now_owing.created_at)
        await handle.signal("nudge")
        await handed_over(way, row)
        way.answer(row)
        await handle.signal("nudge")
        await until(handle, 1)
        assert (await now_owing.deadlines())["us-fda:regulator_report"].reference == "RES 7"
        assert await way.steps(row) == ["handed_over", "acknowledged"]
        with suppress(RPCError):
            await handle.terminate("test over")
