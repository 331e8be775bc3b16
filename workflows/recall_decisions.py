"""The decisions people take on a recall: one update each, refused by its validator before anything is written."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.phases import Phase
    from domain.roles import Role
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
        RecordEvaluation,
        RejectRecall,
        WaiveGate,
        market_key,
    )
    from workflows import recall_rules as rules
    from workflows.recall_market import RecallMarket
    from workflows.recall_signers import (
        ClassSignature,
        assessment_content,
        assessment_signers,
        assessment_subject,
        notice_signers,
        notice_subject,
    )

SIGNATURES = 2
"""Quality and regulatory affairs."""


def reclassify_key(proposal_id: int) -> str:
    """Task to decide on the class again."""
    return f"reclassify:{proposal_id}"


class RecallDecisions(RecallMarket):
    """Update handlers; each checks again under the lock, records through an activity, then moves the state."""

    @workflow.update
    async def record_evaluation(self, decision: RecordEvaluation) -> DecisionReceipt:
        """A signed hazard evaluation; when every product line has one, the class is proposed."""
        async with self._lock:
            state, line = self._state, decision.product_line
            rules.check_evaluation(state, self._start.jurisdictions, decision)
            key = self._evaluation_key(line)
            await self._record("record_evaluation", "record_evaluation", decision, None, task_key=key)
            self._settled(key)
            for jurisdiction, action in decision.market_actions.items():
                state.market_actions[market_key(line, jurisdiction)] = action
            state.assessors[line] = decision.actor.principal
            state.reopened = [each for each in state.reopened if each != line]
            if state.missing_lines():
                return self._receipt(f"evaluation of {line} recorded")
            proposal = await self._propose()
            classes = ", ".join(
                f"{each.product_line} {each.jurisdiction} {each.local_term}" for each in proposal.classes
            )
            return self._receipt(f"proposal {proposal.proposal_id}: {classes}")

    @record_evaluation.validator
    def _validate_evaluation(self, decision: RecordEvaluation) -> None:
        rules.check_evaluation(self._state, self._start.jurisdictions, decision)

    @workflow.update
    async def approve_assessment(self, decision: ApproveAssessment) -> DecisionReceipt:
        """Approve the proposed classes."""
        async with self._lock:
            rules.check_approval(self._state, self._start.started_by, decision)
            role = await self._class_signed("approve_assessment", decision, self._state.assessment_task)
            if role is None:
                return self._receipt(self._next_signature(assessment_subject(self._state)))
            await self._decide_class("approve_assessment", decision, role)
            return self._receipt(f"class {self._decided().recall_class} approved")

    @approve_assessment.validator
    def _validate_approval(self, decision: ApproveAssessment) -> None:
        rules.check_approval(self._state, self._start.started_by, decision)

    @workflow.update
    async def override_class(self, decision: OverrideClass) -> DecisionReceipt:
        """Approve with another class, with a reason."""
        async with self._lock:
            rules.check_override(self._state, self._start.started_by, decision)
            role = await self._class_signed("override_class", decision, self._state.assessment_task)
            if role is None:
                return self._receipt(self._next_signature(assessment_subject(self._state)))
            await self._decide_class("override_class", decision, role)
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
            self._settled(f"strategy:{decision.capacity}")
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
            await self._gate_settled(decision.gate, "passed")
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
            await self._gate_settled(decision.gate, "waived")
            return self._receipt(f"gate {decision.gate} waived")

    @waive_gate.validator
    def _validate_gate_waiver(self, decision: WaiveGate) -> None:
        rules.check_gate_waiver(self._state, decision)

    @workflow.update
    async def approve_notice(self, decision: ApproveNotice) -> DecisionReceipt:
        """Release exactly the rendered bodies behind the hash."""
        async with self._lock:
            rules.check_notice(self._state, self._start.started_by, decision)
            subject, base = notice_subject(self._state), self._notice_key()
            key = self._sign_key(base, len(self._state.signed.get(subject, [])))
            needed, content = notice_signers(self._state), decision.sha256
            role = await self._signed_by_all(
                subject, needed, decision, "approve_notice", content, base, "Approve the notice"
            )
            if role is None:
                return self._receipt(self._next_signature(subject))
            await self._record("record_notice_approval", "approve_notice", decision, None, key, role)
            self._settled(key)
            self._state.signed.pop(subject, None)
            self._state.notices[0].stage = "released"
            return self._receipt(f"notice {decision.notice_id} approved")

    @approve_notice.validator
    def _validate_notice(self, decision: ApproveNotice) -> None:
        rules.check_notice(self._state, self._start.started_by, decision)

    # ------------------------------------------------------------------ helpers

    async def _class_signed(self, operation: str, decision: ClassSignature, base: str) -> str | None:
        """Take the signature; the function it counts for when nobody else has to sign the class."""
        state = self._state
        needed, content = assessment_signers(state, decision), assessment_content(decision)
        subject = assessment_subject(state)
        return await self._signed_by_all(subject, needed, decision, operation, content, base, "Decide the class")

    def _next_signature(self, subject: str) -> str:
        given = self._state.signed[subject]
        return f"signed for {given[-1].role}, {len(given)} so far; the next signature is asked for"

    async def _decide_class(self, operation: str, decision: ApproveAssessment | OverrideClass, role: str) -> None:
        state, subject = self._state, assessment_subject(self._state)
        key = self._sign_key(state.assessment_task, len(state.signed.get(subject, [])))
        state.decided = await self._record("record_class_decision", operation, decision, DecisionFigures, key, role)
        state.signed.pop(subject, None)
        self._settled(key)
        state.decided_proposal = decision.proposal_id
        state.classified = list(state.lines())
        self._settled(state.assessment_task)
        await self._ask_for_records(state.decided)
        if state.decided.branches_move:
            await self._turn_branches()
        await self._left(Phase.ASSESSMENT)

    async def _propose(self) -> Proposal:
        """Propose classes for the lines in scope; whoever has to sign first has a task for it."""
        state, before = self._state, self._state.proposal
        again = before if state.decided is not None else None
        base = state.assessment_task if again is None else reclassify_key(again.proposal_id)
        proposal: Proposal = await self._do("propose_classes", self._ref(), Proposal, "Decision table: propose classes")
        state.proposal = proposal
        why = f"proposal {proposal.proposal_id} takes its place"
        voided = await self._void_approvals("assessment", base, why, keep=assessment_subject(state))
        if again is not None and again.proposal_id != proposal.proposal_id and self._timers.watches(base):
            await self._close_task(base, why, "Another proposal takes its place")
        if voided and state.decided is None:
            # The first signer's task ended with the signature that is void now.
            state.assessment_task = f"assessment:{proposal.proposal_id}"
            await self._ask_for_class()
        if state.proposal_open():
            what = f"Decide on the class again: proposal {proposal.proposal_id}"
            first = Role(assessment_signers(state)[0])
            await self._open_task(reclassify_key(proposal.proposal_id), "approval", what, first)
            await self._project()
        return proposal

    async def _ask_for_class(self) -> None:
        """A task for whoever signs the proposal first."""
        first = Role(assessment_signers(self._state)[0])
        await self._open_task(self._state.assessment_task, "approval", "Approve, override or reject the class", first)

    async def _gate_settled(self, gate: str, outcome: str) -> None:
        self._state.gates_done[gate] = outcome
        self._settled(f"gate:{gate}")
        if self._state.phase is Phase.GATES and not self._state.open_gates():
            await self._left(Phase.GATES)
