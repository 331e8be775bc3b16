"""One recall from alarm to termination: `recall:{number}` (design §§2a, 5).

It owns order, decisions and time. People decide through updates whose validators refuse before anything is
written; records are written by activities; long waits are absolute deadlines with names the Web UI shows. Beside the
phase it is in, a recall watches stock and reports of harm, brings out one notice after another, and follows what its
campaigns and companions report.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pydantic
from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.phases import Phase
    from models.messages import (
        BeginIntake,
        PolicyFigures,
        RecallInput,
        ScopeFigures,
        Snapshot,
    )
    from workflows.activity_options import TRACE
    from workflows.recall_closing import CAPACITIES, RecallClosing
    from workflows.recall_decisions import SIGNATURES
    from workflows.recall_signers import assessment_subject
    from workflows.recall_snapshot import snapshot_of
    from workflows.recall_state import NoticeJob


@workflow.defn(name="RecallWorkflow", failure_exception_types=[pydantic.ValidationError])
class RecallWorkflow(RecallClosing):
    """The whole life of one recall."""

    @workflow.init
    def __init__(self, start: RecallInput) -> None:
        """State exists before the first message handler can run."""
        self._set_up(start)

    @workflow.run
    async def run(self, _start: RecallInput) -> str:
        """Walk the phases until one that is final; returns that phase."""
        self._timers.start()
        beside = [
            asyncio.create_task(each) for each in (self._watch_holds(), self._bring_out_notices(), self._look_after())
        ]
        while not self._state.ended:
            await self._one_phase()
        for each in beside:
            each.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self._wind_up()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._state.phase.value

    async def _one_phase(self) -> None:
        """Until the phase is over, or a decision has taken the recall out of it."""
        state = self._state
        await self._open_extra_tasks()
        if state.ended:
            return
        phase = state.phase
        current = asyncio.ensure_future(self._phases()[phase]())
        await workflow.wait_condition(lambda: current.done() or state.phase is not phase)
        if not current.done():
            current.cancel()
        try:
            await current
        except (asyncio.CancelledError, FailureError) as error:
            if state.phase is phase or not is_cancelled_exception(error):
                raise

    def _phases(self) -> dict[Phase, Callable[[], Awaitable[None]]]:
        return {
            Phase.INTAKE: self._intake,
            Phase.ASSESSMENT: self._assessment,
            Phase.STRATEGY: self._strategy,
            Phase.GATES: self._gates,
            Phase.NOTIFICATION: self._notification,
            Phase.RESOLUTION: self._resolution,
            Phase.COMPLETED: self._completed,
            Phase.AWAITING_AUTHORITY: self._awaiting_authority,
        }

    async def _intake(self) -> None:
        state = self._state
        self._show()
        begin = BeginIntake(number=self._start.number, now=workflow.now(), pace=self._start.pace)
        state.figures = await self._do("begin_intake", begin, PolicyFigures, "Pin policies, start the awareness clock")
        found = await self._do("resolve_scope", self._scope_ref(), ScopeFigures, "Trace the suspect lots", TRACE)
        state.scope = found
        await self._request_holds("Request provisional holds on the suspect lots")
        if found.branches_move:
            await self._turn_branches()
        self._move(Phase.INTAKE, Phase.ASSESSMENT)

    async def _assessment(self) -> None:
        state = self._state
        while state.decided is None:
            await self._open_evaluations()
            await self._wait(lambda: state.proposal is not None and not state.missing_lines())
            if not state.signed.get(assessment_subject(state)):
                await self._ask_for_class()
            # Records that arrive meanwhile may show a further product line; it is evaluated first.
            await self._wait(lambda: state.decided is not None or bool(state.missing_lines()))
        self._move(Phase.ASSESSMENT, Phase.STRATEGY)

    async def _strategy(self) -> None:
        state = self._state
        await self._start_obligations()
        unsigned = [(capacity, role) for capacity, role in CAPACITIES if capacity not in state.strategy_signers]
        await asyncio.gather(
            *(
                self._open_task(f"strategy:{capacity}", "strategy", f"Sign the strategy ({capacity})", role)
                for capacity, role in unsigned
            )
        )
        await self._wait(lambda: len(state.strategy_signers) == SIGNATURES)
        self._move(Phase.STRATEGY, Phase.GATES)

    async def _gates(self) -> None:
        await self._open_gate_tasks()
        await self._wait(lambda: not self._state.open_gates())
        self._move(Phase.GATES, Phase.NOTIFICATION)

    async def _notification(self) -> None:
        state = self._state
        if not state.campaign_started and not state.notices:
            state.notices.append(NoticeJob(kind="initial", scope_version=state.scope_version))
        self._note("notification")
        await self._wait(lambda: state.everybody_heard() and state.effective())
        self._move(Phase.NOTIFICATION, Phase.RESOLUTION)

    @workflow.query
    def snapshot(self) -> Snapshot:
        """The recall as its workflow sees it now."""
        return snapshot_of(self._start, self._state)
