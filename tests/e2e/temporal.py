"""A recall's workflows as Temporal and its Web UI show them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHistory
from temporalio.service import RPCError

from domain import workflow_ids
from plugin import recall_plugin
from tests.e2e.office import RecallCase
from tests.e2e.running import World

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """One workflow from outside."""

    description: WorkflowExecutionDescription
    history: WorkflowHistory
    current_details: str

    @property
    def events(self) -> list[HistoryEvent]:
        """Its history."""
        return list(self.history.events)

    def activities(self, name: str) -> int:
        """How often one was asked for, retries not counted."""
        scheduled = [each.activity_task_scheduled_event_attributes for each in self.events]
        return sum(each.activity_type.name == name for each in scheduled)

    def signals(self, name: str) -> int:
        """How often one came in."""
        return sum(each.workflow_execution_signaled_event_attributes.signal_name == name for each in self.events)

    def summaries(self, kind: "EventType.ValueType") -> list[str]:
        """Names that timers or activities carry in the Web UI."""
        return [each.user_metadata.summary.data.decode() for each in self.events if each.event_type == kind]


def with_client(world: World, ask: Callable[[Client], Awaitable[T]]) -> T:
    """Ask the stack's own Temporal server."""

    async def run() -> T:
        addresses = world.stack.addresses()
        plugins = [recall_plugin()]
        return await ask(await Client.connect(addresses["temporal"], plugins=plugins))

    return asyncio.run(run())


def end_everything(world: World) -> int:
    """Terminate running workflows, as whoever is done with a server does; returns how many were found.

    A scenario leaves hundreds of silent consignees behind whose reminders run at the test's pace: without this they
    would be the load under which the next scenario is judged. It is housekeeping: a server that is slow or just
    coming back after a kill gets half a minute, and whatever is left then stays.
    """

    async def end(client: Client) -> int:
        # What collects returned mail belongs to the installation, not to a scenario.
        standing = (workflow_ids.RETURNS_ID, workflow_ids.KEEPER_FEEDS_ID)
        others = " AND ".join(f"WorkflowId != '{each}'" for each in standing)
        query = f"ExecutionStatus = 'Running' AND {others}"
        running: list[str] = []
        at_once = asyncio.Semaphore(16)

        async def end_one(workflow: str) -> None:
            async with at_once:
                with contextlib.suppress(RPCError):  # it ended by itself in between
                    await client.get_workflow_handle(workflow).terminate("the scenario is over")

        with contextlib.suppress(TimeoutError, RPCError):
            async with asyncio.timeout(30):
                running += [each.id async for each in client.list_workflows(query)]
                await asyncio.gather(*map(end_one, running))
        return len(running)

    try:
        return with_client(world, end)
    except RuntimeError:  # nobody answers
        return 0


def see_recall(world: World, case: RecallCase) -> Seen:
    """The recall's own workflow."""
    return _see(world, workflow_ids.recall_id(case.number))


def see_campaign(world: World, case: RecallCase) -> Seen:
    """Its first campaign."""
    return _see(world, workflow_ids.campaign_id(case.number, 1))


def _see(world: World, workflow_id: str) -> Seen:
    async def ask(client: Client) -> Seen:
        handle = client.get_workflow_handle(workflow_id)
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return Seen(await handle.describe(), await handle.fetch_history(), metadata.current_details)

    return with_client(world, ask)
