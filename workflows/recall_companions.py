"""What runs beside a recall: campaigns, obligations, CAPA, disposition; how they are started and what they report.

Each is a workflow of its own, abandoned and never cancelled by its parent's end, that reports by signal. A signal only
sets a flag: one look at the record follows, however many signals came. A lost one costs nothing, because the watch's
turn looks as well.
"""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from domain import workflow_ids
    from domain.phases import Phase
    from models.messages import (
        RECALL_QUEUE,
        CampaignReport,
        CapaInput,
        CapaReport,
        DispositionInput,
        DispositionReport,
        EffectivenessFigures,
        EffectivenessTurn,
        ObligationsInput,
        ObligationsReport,
    )
    from workflows.deadline import cut
    from workflows.recall_core import NOTICE_LIMIT, RecallCore
    from workflows.recall_state import Child

ON_THE_WAY: Final = (Phase.NOTIFICATION, Phase.RESOLUTION)
"""Phases in which notices go out."""
_SETTLE: Final = timedelta(seconds=1)
_MANY: Final = frozenset({"effectiveness", "checklist", "disposition"})
"""Reports that can come by the hundred."""


class RecallCompanions(RecallCore, ABC):
    """Starting workflows beside the recall, and following what they and the record say."""

    async def _start_child(self, name: str, argument: Any, workflow_id: str, summary: str) -> None:
        try:
            await workflow.start_child_workflow(
                name,
                argument,
                id=workflow_id,
                task_queue=RECALL_QUEUE,
                # The default would end the child when this recall ends or continues as new.
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=cut(summary),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s runs already: the run before this one started it", workflow_id)

    async def _nudge_campaign(self, sequence: int) -> None:
        await self._tell(workflow_ids.campaign_id(self._start.number, sequence), "nudge")

    async def _nudge_campaigns(self) -> None:
        for sequence in range(1, self._state.campaigns_started + 1):
            await self._nudge_campaign(sequence)

    # ------------------------------------------------------------------ reports

    async def _look_after(self) -> None:
        """Follow what campaigns, children and the record report, for the life of the recall."""
        # A cancellation that meets an activity's answer is swallowed, so the end is asked for as well (sdk #620).
        while not self._state.ended:
            await workflow.wait_condition(lambda: bool(self._moved) or self._state.ended)
            if _MANY & set(self._moved):
                # Answers to many checks are one look at the record.
                await workflow.sleep(_SETTLE, summary="Collect what changed")
            self._moved = {}
            try:
                await self._follow()
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                # The next report, or the next turn of the watch, looks again.
                workflow.logger.error("what campaigns and checks report was not followed; looked at again later")

    async def _follow(self) -> None:
        state = self._state
        # A report submitted between two looks of the obligations changes no count, and so brings no report of theirs.
        self._obligations_moved = True
        if self._facts_moved:
            await self._turn_branches()
        await self._note_communication()
        if state.phase in ON_THE_WAY and state.everybody_heard() and not state.effective():
            await self._check_effectiveness()
        if state.phase is Phase.RESOLUTION:
            await self._read_checklist()
            if state.effective() and "effectiveness" in (state.checklist or {}) and state.everybody_heard():
                # Met once, but consignees have joined or answered anew since: they are checked as well.
                await self._check_effectiveness()
        await self._project()

    async def _check_effectiveness(self) -> None:
        state, before = self._state, self._state.effectiveness
        turn = EffectivenessTurn(number=self._start.number, now=workflow.now())
        figures: EffectivenessFigures = await self._do(
            "effectiveness_turn", turn, EffectivenessFigures, "Effectiveness checks: draw, judge or widen"
        )
        state.effectiveness = figures
        if before is None or (before.sequence, before.pending) != (figures.sequence, figures.pending):
            self._timers.moved()  # its checks are tasks of this recall
        if figures.reopened:
            await self._nudge_campaigns()

    @abstractmethod
    async def _turn_branches(self) -> None:
        """Look at the facts; take up what the policies ask for now."""

    @abstractmethod
    async def _read_checklist(self) -> None:
        """Look at what is still missing before the recall may be completed."""

    async def _note_communication(self) -> None:
        """The first communication starts clocks of its own (21 CFR 806.10(b)); the last first notice ends one."""
        state = self._state
        told = [sequence for sequence, report in sorted(state.campaigns.items()) if report.first_sent_at is not None]
        if told != state.communicated:
            state.communicated = told
            await self._write_deadlines("Deadlines that run from the first communication")
        if told and not state.notice_limit_met and state.campaigns[told[0]].not_notified == 0:
            state.notice_limit_met = True
            state.overdue = [key for key in state.overdue if key != NOTICE_LIMIT]
            await self._do("meet_notice_limit", self._ref(), None, "Every first notice is with a provider")

    async def _write_deadlines(self, summary: str) -> None:
        """Record the deadlines of clocks that began, and let the obligations take them up."""
        await self._do("write_deadlines", self._ref(), None, summary)
        if "obligations" in self._state.children:
            await self._tell(workflow_ids.obligations_id(self._start.number), "nudge")

    # ------------------------------------------------------------------ companions

    async def _start_obligations(self) -> None:
        """Regulatory clocks run from the decision on, in a workflow of their own that may outlive the recall."""
        await self._start_companion("obligations", "ObligationsWorkflow", ObligationsInput, "Obligations")

    async def _start_companions(self) -> None:
        """CAPA and disposition begin with the first notice."""
        await self._start_companion("capa", "CapaWorkflow", CapaInput, "CAPA 1")
        await self._start_companion("disposition", "DispositionWorkflow", DispositionInput, "Disposition")

    async def _start_companion(self, child: Child, name: str, contract: type[Any], what: str) -> None:
        state, start = self._state, self._start
        if child in state.children:
            return
        given: dict[str, Any] = {"number": start.number, "pace": start.pace, "drill": start.drill}
        given |= {"created_at": start.created_at}
        if child == "capa":
            given |= {"sequence": 1, "title": f"Cause of recall {start.number}"}
        ids = {
            "capa": workflow_ids.capa_id(start.number, 1),
            "disposition": workflow_ids.disposition_id(start.number),
            "obligations": workflow_ids.obligations_id(start.number),
        }
        # Noted first: a recall cancelled in between then tells it to stop, whether it has begun or not.
        state.children.append(child)
        await self._start_child(name, contract(**given), ids[child], f"{what} of {start.number}")

    # ------------------------------------------------------------------ messages

    @workflow.signal
    def campaign_progress(self, report: CampaignReport) -> None:
        """A campaign reports its counters."""
        before = self._state.campaigns.get(report.sequence)
        if (before.stopped if before else None) != report.stopped:
            self._timers.moved()  # a stopped channel is a task of this recall
        self._state.campaigns[report.sequence] = report
        self._note("campaign")

    @workflow.signal
    def capa_progress(self, report: CapaReport) -> None:
        """A CAPA reports; it lives on whatever becomes of the recall."""
        self._state.capas[report.sequence] = report
        self._note("capa")

    @workflow.signal
    def disposition_progress(self, report: DispositionReport) -> None:
        """The disposition of held and returned units reports."""
        self._state.disposition = report
        self._note("disposition")

    @workflow.signal
    def obligations_progress(self, report: ObligationsReport) -> None:
        """What is owed to authorities reports."""
        self._state.obligations = report
        self._obligations_moved = True
        self._note("obligations")


__all__ = ["ON_THE_WAY", "RecallCompanions"]
