"""A recall that changes while it runs: scope that grows or shrinks, a class that rises or falls.

Only the difference moves. Stock of new lots is claimed in the same transaction that makes the new scope version, before
anything else; what the change means for people outside becomes the next notice in the queue. A change of a completed
recall reopens it.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.levels import RecallClass, strictness
    from domain.phases import Phase
    from models.messages import (
        AmendScope,
        ClassName,
        Decision,
        DecisionFigures,
        DecisionReceipt,
        ExpandScope,
        Reclassify,
        ReduceScope,
        ScopeChange,
    )
    from workflows import recall_rules_amendments as rules
    from workflows.activity_options import TRACE
    from workflows.recall_decisions import RecallDecisions, reclassify_key
    from workflows.recall_signers import assessment_subject
    from workflows.recall_state import NoticeJob, NoticeStage
    from workflows.rules import refuse

_AS_IT_WAS: Final = "notice-as-the-change-met-it"
"""Patch: before it, the next notice was looked at only after all else that follows from a change."""


class RecallAmendments(RecallDecisions):
    """Updates that change the scope or the class of a running recall."""

    @workflow.update
    async def expand_scope(self, decision: ExpandScope) -> DecisionReceipt:
        """Further suspect criteria: traced and claimed at once."""
        async with self._lock:
            rules.check_expansion(self._state, decision)
            change = await self._amend("expand_scope", decision)
            return self._receipt(
                f"scope version {change.scope_version}: {change.lots_added} lots and {change.consignees_added} "
                f"consignees added, {change.consignees_changed} consignees have more lots than before"
            )

    @expand_scope.validator
    def _validate_expansion(self, decision: ExpandScope) -> None:
        rules.check_expansion(self._state, decision)

    @workflow.update
    async def reduce_scope(self, decision: ReduceScope) -> DecisionReceipt:
        """Lots taken out: their claims become nonconformity holds, nothing is released by it."""
        async with self._lock:
            rules.check_reduction(self._state, self._start.started_by, decision)
            change = await self._amend("reduce_scope", decision)
            return self._receipt(
                f"scope version {change.scope_version}: {change.lots_removed} lots taken out, "
                f"{change.consignees_withdrawn} consignees are left without any, "
                f"{change.holds_to_nonconformity} holds became nonconformity holds"
            )

    @reduce_scope.validator
    def _validate_reduction(self, decision: ReduceScope) -> None:
        rules.check_reduction(self._state, self._start.started_by, decision)

    @workflow.update
    async def reclassify(self, decision: Reclassify) -> DecisionReceipt:
        """A new class: the newest proposal confirmed or changed, or the authority's own."""
        async with self._lock:
            rules.check_reclassification(self._state, self._start.started_by, self._start.jurisdictions, decision)
            before = self._decided().recall_class
            key = role = None
            if decision.proposal_id is not None:
                subject, base = assessment_subject(self._state), reclassify_key(decision.proposal_id)
                key = self._sign_key(base, len(self._state.signed.get(subject, [])))
                role = await self._class_signed("reclassify", decision, base)
                if role is None:
                    return self._receipt(self._next_signature(subject))
            figures = await self._record(
                "record_reclassification", "reclassify", decision, DecisionFigures, task_key=key, role=role
            )
            if key is not None:
                self._state.signed.pop(subject, None)
                self._settled(key)
            await self._reclassified(before, figures, decision.proposal_id)
            return self._receipt(f"class {figures.recall_class}, before {before}")

    @reclassify.validator
    def _validate_reclassification(self, decision: Reclassify) -> None:
        rules.check_reclassification(self._state, self._start.started_by, self._start.jurisdictions, decision)

    # ------------------------------------------------------------------ scope

    async def _amend(self, operation: str, decision: ExpandScope | ReduceScope) -> ScopeChange:
        state = self._state
        grows = isinstance(decision, ExpandScope)
        request = AmendScope(
            number=self._start.number,
            now=workflow.now(),
            scope_version=state.scope_version + 1,
            change="expand" if grows else "reduce",
            added=decision.added if isinstance(decision, ExpandScope) else None,
            lot_ids=() if isinstance(decision, ExpandScope) else decision.lot_ids,
            actor=decision.actor,
            reason=decision.reason or "",
        )
        try:
            summary = "Trace and hold what is added" if grows else "Take lots out; their holds stay as nonconformity"
            change: ScopeChange = await self._do("amend_scope", request, ScopeChange, summary, TRACE)
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == "InvalidInput":
                refuse("InvalidInput", error.cause.message)
            raise
        before, met = state.lines(), state.next_notice()
        state.scope, state.scope_version = change.figures, change.scope_version
        gone = [line for line in before if line not in state.lines()]
        await self._end_tasks_of(gone)
        self._forget_lines(gone)
        self._stock_appeared = self._scope_moved = True
        await self._turn_branches()
        await self._void_signatures(operation, decision)
        await self._after_scope(change, met)
        await self._project()
        return change

    def _forget_lines(self, gone: Sequence[str]) -> None:
        """A product line that left the scope is evaluated anew if it ever comes back."""
        state, lines = self._state, self._state.lines()
        for line in dict.fromkeys([*gone, *(line for line in state.assessors if line not in lines)]):
            state.assessors.pop(line, None)
            self._timers.drop(self._evaluation_key(line))
            state.evaluations[line] = state.evaluations.get(line, 1) + 1
        state.classified = [line for line in state.classified if line in lines]
        state.reopened = [line for line in state.reopened if line in lines]

    async def _after_scope(self, change: ScopeChange, met: NoticeStage | None) -> None:
        state = self._state
        await self._open_evaluations()
        if state.decided is None and state.proposal is not None and not state.missing_lines():
            await self._propose()  # without the lines that left the scope
        if change.notice_needed or self._out_of_date(met in ("drafted", "released")):
            self._queue_notice(None)

    # ------------------------------------------------------------------ class

    async def _reclassified(self, before: ClassName, figures: DecisionFigures, proposal_id: int | None) -> None:
        state = self._state
        left, met = self._gates_left(figures), state.next_notice()
        state.decided = figures
        if proposal_id is not None:
            state.decided_proposal = proposal_id
            state.classified = list(state.lines())
        await self._ask_for_records(figures)
        for gate in left:
            await self._close_task(f"gate:{gate}", "not asked for at this level", "The gate is not asked for any more")
        if left:
            await self._write_deadlines("Reports that a gate would have settled")
        await self._turn_branches()
        if state.phase in (Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION):
            await self._open_gate_tasks()
        rises = strictness(RecallClass(figures.recall_class)) > strictness(RecallClass(before))
        if rises and (state.campaign_started or (met == "released" and workflow.patched(_AS_IT_WAS))):
            self._queue_notice((before, figures.recall_class))
        elif self._out_of_date(met == "drafted"):
            self._queue_notice(None)
        await self._project()

    def _gates_left(self, figures: DecisionFigures) -> list[str]:
        """Open gates that the new class does not ask for: nobody can pass them any more, so their tasks end."""
        asked_for = {gate.key for gate in figures.gates}
        return [key for key in self._state.open_gates() if key not in asked_for]

    # ------------------------------------------------------------------ what follows for the notices

    def _out_of_date(self, says_the_old: bool) -> bool:
        """Whether the next notice has to follow the change; `says_the_old`: what it was when the change was recorded.

        What follows from a change takes a while, and a draft may begin or end meanwhile: one that was being written
        then may speak of what held before, one that began since speaks of the change already.
        """
        now = self._state.notice_open()
        return says_the_old if says_the_old != now and workflow.patched(_AS_IT_WAS) else now

    def _queue_notice(self, class_change: tuple[ClassName, ClassName] | None) -> None:
        """A draft that nobody has released is taken back; otherwise, or for more than it says, another one follows."""
        state = self._state
        head = state.notices[0] if state.notices else None
        if head is not None and head.stage != "released":
            head.stage = "waiting"
            head.class_change = _both(head.class_change, class_change)
        elif state.campaign_started or head is not None:
            job = NoticeJob(kind="amendment", scope_version=state.scope_version, class_change=class_change)
            state.notices.append(job)
        else:
            return  # the first notice is still to come, and will speak of what holds then
        if state.phase == Phase.RESOLUTION:
            state.phase = Phase.NOTIFICATION

    @abstractmethod
    async def _void_signatures(self, operation: str, decision: Decision) -> None:
        """Whatever was signed or answered was about another recall than the one that goes on now."""


def _both(
    first: tuple[ClassName, ClassName] | None, then: tuple[ClassName, ClassName] | None
) -> tuple[ClassName, ClassName] | None:
    """Two changes of class as one."""
    if first is None or then is None:
        return first or then
    return (first[0], then[1])


__all__ = ["RecallAmendments"]
