"""The activities of consignees' cases: starting their workflows, one look each, and stopping them with the recall.

A case workflow is no child of anybody: it outlives the campaign that opened it and is started by signal-with-start, so
that starting it twice finds the one that runs, and starting it after it ended begins a new round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError

from activities.nudging import has_ended
from db.engine import SessionFactory
from db.repositories import case_turn, cases, recalls
from db.repositories.cases import By
from domain.workflow_ids import case_id
from models.messages import RECALL_QUEUE, CaseInput, CaseLook, CaseTurn, RecallRef
from models.recall import Recall

WORKFLOW: Final = "ConsigneeCaseWorkflow"
NUDGE: Final = "nudge"
T = TypeVar("T")
_PAGE: Final = 200
_AT_ONCE: Final = 20
"""Starts under way together; one connection carries them all."""


class CaseActivities:
    """Reads and moves cases in the record, and starts the workflows that look after them."""

    def __init__(self, sessions: SessionFactory, client: Client) -> None:
        self._sessions = sessions
        self._client = client

    @activity.defn
    async def start_cases(self, ref: RecallRef) -> int:
        """Start or tell the workflow of every consignee with a case it does not know of; returns how many.

        A crash between the start and its note repeats the start, which then is one more nudge.
        """
        async with self._sessions() as session:
            recall = await recalls.get(session, ref.number)
        after = started = 0
        while True:
            async with self._sessions() as session:
                page = await cases.unstarted(session, ref.number, after, _PAGE)
            if not page:
                return started
            await self._all(self._start, recall, [each.consignee_id for each in page])
            async with self._sessions.begin() as session:
                await cases.mark_started(session, [case for each in page for case in each.cases], ref.now)
            after, started = page[-1].consignee_id, started + len(page)
            activity.heartbeat(after)

    async def _all(self, what: Callable[[T, int], Awaitable[None]], of: T, consignees: Sequence[int]) -> None:
        window = asyncio.Semaphore(_AT_ONCE)

        async def one(consignee_id: int) -> None:
            async with window:
                await what(of, consignee_id)

        await asyncio.gather(*(one(each) for each in consignees))

    async def _start(self, recall: Recall, consignee_id: int) -> None:
        await self._client.start_workflow(
            WORKFLOW,
            CaseInput(
                number=recall.number,
                consignee_id=consignee_id,
                pace=recall.pace,
                drill=recall.drill,
                created_at=recall.created_at,
            ),
            id=case_id(recall.number, str(consignee_id)),
            task_queue=RECALL_QUEUE,
            start_signal=NUDGE,
            # A consignee that fell silent again is looked after by a new run under the same id.
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"Case of consignee {consignee_id} under {recall.number}",
        )

    @activity.defn
    async def look_at_case(self, turn: CaseTurn) -> CaseLook:
        """Bring a consignee's cases up to date and say what is open; a repeat changes nothing."""
        async with self._sessions.begin() as session:
            return await case_turn.look(session, turn)

    @activity.defn
    async def stop_cases(self, ref: RecallRef) -> int:
        """The recall has ended: stop the workflows and close every open case with its tasks; returns how many cases.

        A workflow is told before its cases are closed, so that a repeat after a crash finds whom it has still to tell.
        """
        by = By("system", "system", ref.now)
        closed = 0
        while True:
            async with self._sessions() as session:
                page = await cases.consignees_with_open_cases(session, ref.number, _PAGE)
            if not page:
                return closed
            await self._all(self._stop, ref.number, page)
            for consignee_id in page:
                async with self._sessions.begin() as session:
                    closed += await cases.abandon(session, ref.number, consignee_id, by)
                activity.heartbeat(consignee_id)

    async def _stop(self, number: str, consignee_id: int) -> None:
        handle = self._client.get_workflow_handle(case_id(number, str(consignee_id)))
        try:
            await handle.signal("stop")
        except RPCError as error:
            if not has_ended(error):
                raise  # away: the activity is tried again


__all__ = ["CaseActivities"]
