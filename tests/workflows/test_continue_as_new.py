"""A recall whose history grows too long goes on in a new run and forgets nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from domain.phases import Phase
from tests.support.clock import start_environment
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import QUINN, REGI, RecallRun
from workflows.search_attributes import ALL

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """A server that suggests continue-as-new after 60 events."""
    env = await start_environment(ALL, limit__historyCount__suggestContinueAsNew="60")
    yield env
    await env.shutdown()


async def test_state_decisions_and_due_times_survive(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_strategy()
    await run.sign("quality", QUINN)
    before = await run.until(lambda state: state.phase == Phase.STRATEGY and state.next_deadline_at is not None)
    first_run = (await run.handle.describe()).run_id
    newest = temporal.client.get_workflow_handle(run.handle.id)
    while (now := await newest.describe()).run_id == first_run:
        if now.history_length < 90:  # full; and no run ends while signals keep coming
            await newest.signal("stock_appeared")
        await newest.query("snapshot")
    run.handle = newest
    after = await run.until(lambda state: state.phase == Phase.STRATEGY and state.next_deadline_at is not None)
    assert after.next_deadline_at == before.next_deadline_at
    assert after.strategy_signed_as == ("quality",)
    assert after.recall_class == "I"
    assert fakes.names().count("begin_intake") == 1
    await run.sign("regulatory", REGI)
    await run.until(lambda state: state.phase == Phase.GATES)
