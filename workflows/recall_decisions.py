"""The decisions people take on a recall: one update each, refused by its validator before anything is written."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.phases import Phase
    from models.messages import (
        ApproveAssessment,
        ApproveNotice,
        ApproveStrategy,
        DecisionFigures,
        DecisionReceipt,
        EndRecall,
        HoldFigures,
        OverrideClass,
        PassGate,
        Proposal,
        RecallRef,
        RecordEvaluation,
        RejectRecall,
        WaiveGate,
    )
    from workflows import recall_rules as rules
    from workflows.recall_core import RecallCore


SIGNATURES = 2
"""Quality and regulatory affairs."""


class RecallDecisions(RecallCore):
    """Update handlers; each checks again under the lock, records through an activity, then moves the state."""

    @workflow.update
    async def record_evaluation(self, decision: RecordEvaluation) -> DecisionReceipt:
        """A signed hazard evaluation; when every product line has one, the class is proposed."""
        async with self._lock:
            rules.check_evaluation(self._state, decision)
            await self._record("record_evaluation", "record_evaluation", decision, None)
            self._state.assessors[decision.product_line] = decision.actor.principal
            if self._state.missing_lines():
                return self._receipt(f"evaluation of {decision.product_line} recorded")
            ref = RecallRef(number=self._start.number, now=workflow.now())
            self._state.proposal = await self._do("propose_classes", ref, Proposal, "Decision table: propose classes")
            classes = ", ".join(
                f"{each.product_line} {each.jurisdiction} {each.local_term}" for each in self._state.proposal.classes
            )
            return self._receipt(f"proposal {self._state.proposal.proposal_id}: {classes}")

    @record_evaluation.validator
    def _validate_evaluation(self, decision: RecordEvaluation) -> None:
        rules.check_evaluation(self._state, decision)

    @workflow.update
    async def approve_assessment(self, decision: ApproveAssessment) -> DecisionReceipt:
        """Approve the proposed classes."""
        async with self._lock:
            rules.check_approval(self._state, self._start.started_by, decision)
            self._state.decided = await self._record(
                "record_class_decision", "approve_assessment", decision, DecisionFigures
            )
            await self._left(Phase.ASSESSMENT)
            return self._receipt(f"class {self._decided().recall_class} approved")

    @approve_assessment.validator
    def _validate_approval(self, decision: ApproveAssessment) -> None:
        rules.check_approval(self._state, self._start.started_by, decision)

    @workflow.update
    async def override_class(self, decision: OverrideClass) -> DecisionReceipt:
        """Approve with another class, with a reason."""
        async with self._lock:
            rules.check_override(self._state, self._start.started_by, decision)
            self._state.decided = await self._record(
                "record_class_decision", "override_class", decision, DecisionFigures
            )
            await self._left(Phase.ASSESSMENT)
            return self._receipt(f"class {self._decided().recall_class} decided against the proposal")

    @override_class.validator
    def _validate_override(self, decision: OverrideClass) -> None:
        rules.check_override(self._state, self._start.started_by, decision)

    @workflow.update
    async def reject(self, decision: RejectRecall) -> DecisionReceipt:
        """No recall: claims on stock become nonconformity holds, the workflow ends."""
        async with self._lock:
            rules.check_rejection(self._state, self._start.started_by, decision)
            end = EndRecall(
                number=self._start.number, now=workflow.now(), actor=decision.actor, reason=decision.reason or ""
            )
            self._state.holds = await self._do("record_rejection", end, HoldFigures, "Reject: nonconformity holds")
            self._state.phase = Phase.REJECTED
            self._state.ended_reason = decision.reason
            self._state.waiting_for = None
            return self._receipt("rejected; every hold became a nonconformity hold")

    @reject.validator
    def _validate_rejection(self, decision: RejectRecall) -> None:
        rules.check_rejection(self._state, self._start.started_by, decision)

    @workflow.update
    async def approve_strategy(self, decision: ApproveStrategy) -> DecisionReceipt:
        """One of the two signatures under the strategy."""
        async with self._lock:
            rules.check_strategy(self._state, decision)
            await self._record("record_strategy", "approve_strategy", decision, None)
            self._state.strategy = decision.strategy
            self._state.strategy_signers[decision.capacity] = decision.actor.principal
            if len(self._state.strategy_signers) == SIGNATURES:
                await self._left(Phase.STRATEGY)
            return self._receipt(f"strategy signed for {decision.capacity}")

    @approve_strategy.validator
    def _validate_strategy(self, decision: ApproveStrategy) -> None:
        rules.check_strategy(self._state, decision)

    @workflow.update
    async def pass_gate(self, decision: PassGate) -> DecisionReceipt:
        """An authority step is done."""
        async with self._lock:
            rules.check_gate_pass(self._state, decision)
            await self._record("record_gate", "pass_gate", decision, None)
            self._state.gates_done[decision.gate] = "passed"
            await self._gate_settled()
            return self._receipt(f"gate {decision.gate} passed")

    @pass_gate.validator
    def _validate_gate_pass(self, decision: PassGate) -> None:
        rules.check_gate_pass(self._state, decision)

    @workflow.update
    async def waive_gate(self, decision: WaiveGate) -> DecisionReceipt:
        """An authority step is waived for urgency."""
        async with self._lock:
            rules.check_gate_waiver(self._state, decision)
            await self._record("record_gate", "waive_gate", decision, None)
            self._state.gates_done[decision.gate] = "waived"
            await self._gate_settled()
            return self._receipt(f"gate {decision.gate} waived")

    @waive_gate.validator
    def _validate_gate_waiver(self, decision: WaiveGate) -> None:
        rules.check_gate_waiver(self._state, decision)

    @workflow.update
    async def approve_notice(self, decision: ApproveNotice) -> DecisionReceipt:
        """Release exactly the rendered bodies behind the hash."""
        async with self._lock:
            rules.check_notice(self._state, self._start.started_by, decision)
            await self._record("record_notice_approval", "approve_notice", decision, None)
            self._state.notice_approved = True
            return self._receipt(f"notice {decision.notice_id} approved")

    @approve_notice.validator
    def _validate_notice(self, decision: ApproveNotice) -> None:
        rules.check_notice(self._state, self._start.started_by, decision)

    # ------------------------------------------------------------------ helpers

    async def _left(self, phase: Phase) -> None:
        """Answer only when the recall has moved on, so that the next decision can follow at once."""
        await workflow.wait_condition(lambda: self._state.phase != phase)

    async def _gate_settled(self) -> None:
        if not self._state.open_gates():
            await self._left(Phase.GATES)
