"""A run whose history is full while batches are under way goes on in a new one, though some of them never end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from tests.campaign.test_send_window import Record, count, sending
from tests.support.clock import start_environment
from workflows.campaign import WINDOW, CampaignWorkflow
from workflows.search_attributes import ALL

pytestmark = pytest.mark.workflow


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A server that suggests continue-as-new after 60 events."""
    env = await start_environment(ALL, limit__historyCount__suggestContinueAsNew="60")
    yield env
    await env.shutdown()


async def test_a_channel_that_no_worker_serves_keeps_nobody_from_being_chased_when_the_run_is_full(
    temporal: WorkflowEnvironment,
) -> None:
    record = Record()
    record.left["sms"] = 0
    # A fast pace, so that looks come after a second and not after five minutes.
    async with sending(temporal, record, served=("sms",), pace=100_000.0) as handle:
        newest = temporal.client.get_workflow_handle(handle.id)
        async with asyncio.timeout(50):
            first = (await newest.describe()).run_id
            while (now := await newest.describe()).run_id == first:
                if now.history_length < 90:  # full; and no run ends while signals keep coming
                    await newest.signal(CampaignWorkflow.nudge)
            record.left["sms"] += 1  # its ladder step comes
            await newest.signal(CampaignWorkflow.nudge)
            await record.texts_gone.wait()
            while await count(newest, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) < WINDOW:
                pass
        await newest.terminate("the test is over")
