"""A recall with a sent notice and a consignee, its case workflow on real workers, and people who act on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from activities.cases import CaseActivities
from activities.tasks import TaskActivities
from db.engine import SessionFactory
from db.repositories import replies
from domain.workflow_ids import case_id
from models.messages import RECALL_QUEUE, CaseLook, RecallRef
from models.replies import PageReply, RecordedReply
from plugin import recall_plugin, workflow_runner
from tests.campaign.conftest import hand, world
from tests.campaign.world import NUMBER, World
from tests.support.clock import fast_forward, real_time
from workflows.consignee_case import ConsigneeCaseWorkflow

__all__ = ["hand", "world"]
DAY = timedelta(days=1)
_forms = count(1)


@dataclass
class CaseRun:
    """One consignee's case workflow and shortcuts to what happens around it."""

    env: WorkflowEnvironment
    sessions: SessionFactory
    world: World
    consignee: int

    @property
    def handle(self) -> WorkflowHandle[Any, CaseLook]:
        found: WorkflowHandle[Any, CaseLook] = self.env.client.get_workflow_handle(
            case_id(NUMBER, str(self.consignee)), result_type=CaseLook
        )
        return found

    @property
    def activities(self) -> CaseActivities:
        return CaseActivities(self.sessions, self.env.client)

    async def start(self) -> int:
        """What the campaign's look does when the record asks for case workflows."""
        started: int = await ActivityEnvironment().run(self.activities.start_cases, self.ref())
        return started

    async def stop(self) -> int:
        closed: int = await ActivityEnvironment().run(self.activities.stop_cases, self.ref())
        return closed

    def ref(self) -> RecallRef:
        return RecallRef(number=NUMBER, now=datetime.now(UTC))

    async def until(self, seen: Callable[[CaseLook], bool]) -> CaseLook:
        """Query until the last look shows what the test waits for."""
        async with asyncio.timeout(60):
            while True:
                look = await self.handle.query(ConsigneeCaseWorkflow.look)
                if look is not None and seen(look):
                    return look
                await asyncio.sleep(0.02)

    async def until_task(self, key: str) -> CaseLook:
        return await self.until(lambda look: key in look.keys)

    async def forward(self, by: timedelta) -> bool:
        return await fast_forward(self.env, self.handle, by)

    async def answer(self, **changes: Any) -> RecordedReply:
        """The consignee answers on its page; nobody is nudged."""
        given = {
            "recall_number": NUMBER,
            "consignee_id": self.consignee,
            "at": datetime.now(UTC),
            "affected": True,
            "responder_name": "Ann Other",
            "form_id": f"case-form-{next(_forms):06d}",
        } | changes
        async with self.sessions.begin() as session:
            return await replies.record_page_reply(session, PageReply.model_validate(given))

    def open_case(self, reason: str = "silence", subject: str | None = None) -> None:
        self.world.run(
            "INSERT INTO consignee_case (recall_number, consignee_id, reason, subject, state, opened_at)"
            " VALUES (%s, %s, %s, %s, 'open', now())",
            NUMBER, self.consignee, reason, subject,
        )  # fmt: skip

    def tasks(self) -> list[tuple[str, str]]:
        rows = self.world.rows("SELECT key, state FROM task ORDER BY id")
        return [(row["key"], row["state"]) for row in rows]

    async def events(self) -> int:
        return len([event async for event in self.handle.fetch_history_events()])

    async def assert_replays(self) -> None:
        history = await self.handle.fetch_history()
        await Replayer(
            workflows=[ConsigneeCaseWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner()
        ).replay_workflow(history)


@asynccontextmanager
async def case_worker(env: WorkflowEnvironment, sessions: SessionFactory, cached: int) -> AsyncIterator[None]:
    """A worker with the real workflow and the real activities."""
    looking, tasks = CaseActivities(sessions, env.client), TaskActivities(sessions)
    async with Worker(
        env.client,
        task_queue=RECALL_QUEUE,
        workflows=[ConsigneeCaseWorkflow],
        activities=[looking.start_cases, looking.look_at_case, looking.stop_cases, tasks.task_clock, tasks.turn_tasks],
        workflow_runner=workflow_runner(),
        max_cached_workflows=cached,
    ):
        yield


@pytest.fixture
async def run(
    request: pytest.FixtureRequest, temporal: WorkflowEnvironment, db: SessionFactory, world: World
) -> AsyncIterator[CaseRun]:
    """A notified consignee without a case yet, in real time until a test moves its workflow.

    An indirect parameter is how many workflows the worker caches.
    """
    consignee = world.consignee("Mercy Hospital")
    world.run("UPDATE consignee SET step = 5, first_notified_at = now() - interval '5 days' WHERE id = %s", consignee)
    case = CaseRun(temporal, db, world, consignee)
    with real_time(temporal):
        async with case_worker(temporal, db, getattr(request, "param", 1000)):
            yield case
            try:
                await case.handle.terminate("test over")
            except RPCError:
                return  # ended, as it should
