"""How a recall ends: two signatures on a true checklist, the authorities' answers, or a cancellation with retraction.

Completed means signed by quality and by regulatory affairs while nothing of design §7 is open; the final reports run
from there. Each jurisdiction stays open until its authority has answered. An order of more, a reopening or a change of
scope takes the recall back, and everything signed so far is void. A cancelled recall ends once whoever was told of it
has been told that it was wrong.
"""

import asyncio
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain import workflow_ids
    from domain.phases import Phase
    from domain.roles import Role
    from models.messages import (
        CancelFigures,
        CancelRecall,
        ChecklistFigures,
        ClosingFigures,
        Complete,
        CompletionRecord,
        Decision,
        DecisionReceipt,
        EndRecall,
        ExtendDeadline,
        HoldFigures,
        RecordAuthorityAnswer,
        Reopen,
        TaskExtended,
    )
    from workflows import recall_rules_closing as rules
    from workflows.activity_options import INVENTORY, TRACE
    from workflows.recall_last_word import QUESTION, RecallLastWord

CAPACITIES: Final = (("quality", Role.QA), ("regulatory", Role.REGULATORY))
"""Who signs a strategy and a completion."""


class RecallClosing(RecallLastWord):
    """Updates and phases of the way to the end."""

    @workflow.update
    async def complete(self, decision: Complete) -> DecisionReceipt:
        """One of the two signatures; refused with the open items while anything is open."""
        async with self._lock:
            state = self._state
            rules.check_completion(state, decision)
            key = self._closing_key(f"completion:{decision.capacity}")
            record: CompletionRecord = await self._record(
                "record_completion", "complete", decision, CompletionRecord, task_key=key
            )
            rules.refuse_incomplete(record.open)
            self._settled(key)
            state.completion_signers[decision.capacity] = decision.actor.principal
            if len(state.completion_signers) == len(CAPACITIES):
                await self._left(Phase.RESOLUTION)
            else:
                await self._project()
            return self._receipt(f"completion signed for {decision.capacity}")

    @complete.validator
    def _validate_completion(self, decision: Complete) -> None:
        rules.check_completion(self._state, decision)

    @workflow.update
    async def record_authority_answer(self, decision: RecordAuthorityAnswer) -> DecisionReceipt:
        """An authority's word; an order of more takes the recall back to work."""
        async with self._lock:
            state, place = self._state, decision.jurisdiction
            rules.check_answer(state, self._start.jurisdictions, decision)
            key = self._closing_key(f"authority:{place}")
            await self._record("record_authority_answer", "record_authority_answer", decision, None, task_key=key)
            self._settled(key)
            if decision.answer == "more_ordered":
                await self._reopened()
                return self._receipt(f"{place} orders more: the recall is reopened")
            state.answers[place] = decision.answer
            if self._open_jurisdictions():
                await self._project()
            else:
                await self._left(Phase.AWAITING_AUTHORITY)
            return self._receipt(f"answer of {place} recorded: {decision.answer.replace('_', ' ')}")

    @record_authority_answer.validator
    def _validate_answer(self, decision: RecordAuthorityAnswer) -> None:
        rules.check_answer(self._state, self._start.jurisdictions, decision)

    @workflow.update
    async def reopen(self, decision: Reopen) -> DecisionReceipt:
        """A closed question is open again."""
        async with self._lock:
            rules.check_reopening(self._state, decision)
            await self._void_signatures("reopen", decision)
            await self._project()
            return self._receipt("reopened; signatures under the completion are void")

    @reopen.validator
    def _validate_reopening(self, decision: Reopen) -> None:
        rules.check_reopening(self._state, decision)

    @workflow.update
    async def cancel(self, decision: CancelRecall) -> DecisionReceipt:
        """The recall was wrong: claims become nonconformity holds; whoever was told gets a retraction."""
        async with self._lock:
            state = self._state
            rules.check_cancellation(state, self._start.started_by, decision)
            end = EndRecall(
                number=self._start.number, now=workflow.now(), actor=decision.actor, reason=decision.reason or ""
            )
            figures: CancelFigures = await self._do(
                "record_cancellation", end, CancelFigures, "Cancel: nonconformity holds, tasks and cases end"
            )
            state.told, state.ended_reason, state.notices = figures.told, decision.reason, []
            state.phase = Phase.CANCELLED
            self._settled(*[clock.key for clock in self._timers.carried()], *self._opening)
            await self._project()
            after = (
                f"a retraction for {figures.told} consignees is drafted" if figures.told else "nobody was told of it"
            )
            return self._receipt(f"cancelled; every hold became a nonconformity hold; {after}")

    @cancel.validator
    def _validate_cancellation(self, decision: CancelRecall) -> None:
        rules.check_cancellation(self._state, self._start.started_by, decision)

    @workflow.update
    async def extend_deadline(self, decision: ExtendDeadline) -> DecisionReceipt:
        """More time for a task, wherever its timers run."""
        async with self._lock:
            rules.check_extension(self._state, workflow.now(), self._start.pace, decision)
            found: TaskExtended = await self._record("extend_task", "extend_deadline", decision, TaskExtended)
            rules.check_extended(decision, found)
            if found.owner == workflow.info().workflow_id:
                self._timers.moved(decision.key)
            elif found.owner:
                await self._tell(found.owner, "task_moved", decision.key)
            return self._receipt(f"{decision.key} is due at {decision.due_at.isoformat()}")

    @extend_deadline.validator
    def _validate_extension(self, decision: ExtendDeadline) -> None:
        rules.check_extension(self._state, workflow.now(), self._start.pace, decision)

    # ------------------------------------------------------------------ phases

    async def _resolution(self) -> None:
        """CAPA, disposition and obligations run beside the recall; it waits until their result can be signed."""
        state = self._state
        state.checklist = None
        await self._open_evaluations()  # harm reported while the recall was completed
        self._note("checklist")
        await self._wait(lambda: len(state.completion_signers) == len(CAPACITIES))
        self._move(Phase.RESOLUTION, Phase.COMPLETED)

    async def _completed(self) -> None:
        """Final reports are due from the completion on; the authorities are asked once all are submitted."""
        state = self._state
        await self._write_deadlines("Deadlines that run from the completion")
        while True:
            self._obligations_moved = False
            figures: ClosingFigures = await self._do("read_closing", self._ref(), ClosingFigures, "Reports still owed")
            state.reports_open = figures.obligations_open
            if not figures.obligations_open:
                break
            await self._wait(lambda: self._obligations_moved, figures.next_due_at)
        self._move(Phase.COMPLETED, Phase.AWAITING_AUTHORITY)

    async def _awaiting_authority(self) -> None:
        for place in self._open_jurisdictions():
            key = self._closing_key(f"authority:{place}")
            what = f"Record the answer of {place}: terminated, more ordered, or no authority"
            await self._open_task(key, "authority_answer", what, Role.REGULATORY)
        await self._ask_about_the_end()
        await self._wait(lambda: not self._open_jurisdictions())
        await self._nobody_asked()
        self._move(Phase.AWAITING_AUTHORITY, Phase.TERMINATED)

    def _open_jurisdictions(self) -> tuple[str, ...]:
        return tuple(each for each in self._start.jurisdictions if each not in self._state.answers)

    async def _read_checklist(self) -> None:
        """Once nothing is open any more, the two signatures are asked for."""
        state = self._state
        figures: ChecklistFigures = await self._do(
            "read_checklist", self._ref(), ChecklistFigures, "Read the checklist"
        )
        state.checklist = {item.key: item.total for item in figures.open}
        if figures.open or state.phase is not Phase.RESOLUTION:
            return
        unsigned = [(capacity, role) for capacity, role in CAPACITIES if capacity not in state.completion_signers]
        await asyncio.gather(
            *(
                self._open_task(
                    self._closing_key(f"completion:{capacity}"),
                    "completion",
                    f"Sign the completed recall ({capacity})",
                    role,
                )
                for capacity, role in unsigned
            )
        )

    # ------------------------------------------------------------------ the way back and the end

    async def _void_signatures(self, operation: str, decision: Decision) -> None:
        state = self._state
        if state.phase in (Phase.COMPLETED, Phase.AWAITING_AUTHORITY) or state.completion_signers:
            await self._record("record_reopening", operation, decision, None)
            await self._reopened()

    async def _reopened(self) -> None:
        state = self._state
        closing = ("completion:", "authority:", QUESTION)
        self._settled(*(clock.key for clock in self._timers.carried() if clock.key.startswith(closing)))
        state.completion += 1
        state.completion_signers, state.answers, state.reports_open = {}, {}, None
        state.closure_said = state.closure_wanted
        if state.phase is not Phase.RESOLUTION:
            state.phase = Phase.RESOLUTION
            await self._write_deadlines("Deadlines of a reopened recall")
        self._note("checklist")

    async def _wind_up(self) -> None:
        """Nothing that belongs to the recall runs on, except its CAPAs and what is still owed to authorities."""
        state, number = self._state, self._start.number
        why = f"the recall is {state.phase.value}"
        for sequence in range(1, state.campaigns_started + 1):
            if not (state.retracting or state.announcing) or sequence < state.campaigns_started:
                await self._tell(workflow_ids.campaign_id(number, sequence), "stop", why)
        # What was claimed stays claimed: a hold asked for and not yet placed is still to be placed (promise 6).
        await self._do("end_claims", self._ref(), int, "Claims that are left become nonconformity holds")
        await self._do(
            "execute_holds", self._scope_ref(claim=False), HoldFigures, "Place the nonconformity holds", INVENTORY
        )
        if state.campaigns_started:
            await self._do("stop_cases", self._ref(), int, "Close the cases of consignees", TRACE)
        if "disposition" in state.children:
            await self._tell(workflow_ids.disposition_id(number), "stop", why)
        if "obligations" in state.children:
            await self._tell(workflow_ids.obligations_id(number), "stop", why)
        await self._last_word()
        await self._project()
        await self._timers.all_sent()


__all__ = ["CAPACITIES", "RecallClosing"]
