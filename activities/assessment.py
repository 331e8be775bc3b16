"""Assessment: signed hazard evaluations, proposed classes with their reasons, the approver's decision."""

from collections.abc import Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.class_rows import DECIDED, decided_row, figures_in_force, flags_of, proposed_row, short_row
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import (
    assessment,
    audit,
    branch_facts,
    holds,
    market_actions,
    proposals,
    recalls,
    suggestions,
    tasks,
)
from db.rows import uuid_of
from domain.branch_state import needed_signers
from domain.class_suggestion import Model
from domain.firm import Firm
from domain.hazard import HazardEvaluation
from domain.levels import MarketAction, RecallClass, strictest
from domain.policy import Policy
from domain.policy_approvals import ApprovalStep
from domain.roles import Permission, Role, acting_role
from models.messages import (
    ApproveAssessment,
    DecisionFigures,
    EndRecall,
    HoldFigures,
    OverrideClass,
    Proposal,
    ProposedClass,
    RecallRef,
    RecordDecision,
    RecordEvaluation,
)
from models.recall import ClassDecision, HazardEvaluationRecord, Recall

SYSTEM = "system"


class AssessmentActivities:
    """Records of the assessment; each may run again after a crash and then changes nothing."""

    def __init__(
        self, sessions: SessionFactory, policies: PolicyStore, firm: Firm, advice: Model | None = None
    ) -> None:
        self._sessions = sessions
        self._policies = policies
        self._firm = firm
        self._advice = advice
        """Suggests classes from text, for the record only; None: nothing is suggested."""

    @activity.defn
    async def record_evaluation(self, record: RecordDecision) -> None:
        """Store a signed evaluation; a later one supersedes it, none is changed (21 CFR 7.41)."""
        decision = RecordEvaluation.model_validate(record.decision)
        evaluation = HazardEvaluation.model_validate(decision.evaluation)
        row = HazardEvaluationRecord(
            recall_number=record.number,
            product_line=decision.product_line,
            body={
                "evaluation": evaluation.model_dump(mode="json"),
                "market_actions": {key: MarketAction(value).value for key, value in decision.market_actions.items()},
            },
            assessor=decision.actor.principal,
            signature_id=uuid_of(decision.actor.signature),
            recorded_at=record.now,
        )
        async with self._sessions.begin() as session:
            if not await assessment.add_evaluation(session, row):
                return
            await self._actions_signed_with(session, decision, record)
            key = record.task_key or f"evaluation:{decision.product_line}"
            actor = decision.actor.principal
            await tasks.close(session, record.number, key, outcome="evaluated", done_by=actor, now=record.now)
            await audit.append(
                session,
                record.number,
                actor=actor,
                role=Role.MEDICAL,
                action="evaluation.recorded",
                at=record.now,
                reason=decision.reason,
                data={"product_line": decision.product_line} | row.body,
                signature=decision.actor.signature,
            )

    async def _actions_signed_with(
        self, session: AsyncSession, decision: RecordEvaluation, record: RecordDecision
    ) -> None:
        """Market actions the assessor signed with the form, where another one or none is on record.

        The workflow lets no form contradict an action that counts. One whose justification nobody had accepted counts
        no more once its line has left the scope, though it is the last on record when the line comes back.
        """
        line, actor = decision.product_line, decision.actor
        known = {
            (row.jurisdiction, row.action)
            for row in await market_actions.latest(session, record.number)
            if row.product_line == line
        }
        rows = [
            market_actions.record(
                record.number, line, jurisdiction, action, by=actor.principal, role=Role.MEDICAL, at=record.now
            )
            for jurisdiction, action in decision.market_actions.items()
            if (jurisdiction, action) not in known
        ]
        for row in rows:
            row.signature_id = actor.signature
        await market_actions.add(session, rows)

    @activity.defn
    async def propose_classes(self, ref: RecallRef) -> Proposal:
        """Run each pinned policy's decision table over each product line's latest evaluation.

        A proposal that says something else than the one before has an id of its own, evaluation or not.
        """
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, ref.number, lock=True)
            rows, evaluations = await self._rows(session, recall, ref)
            proposal_id = await proposals.number_rows(session, ref.number, rows, evaluations)
            new = await assessment.add_class_decisions(session, rows)
            scope = self._firm.scope_of(await assessment.consignee_places(session, ref.number))
            recall.geographic_scope = scope.scope.value
            recall.version += 1
            session.add(recall)
            if new:
                await audit.append(
                    session,
                    ref.number,
                    actor=SYSTEM,
                    role=SYSTEM,
                    action="class.proposed",
                    at=ref.now,
                    data={
                        "proposal": proposal_id,
                        "classes": [short_row(row) | {"reasons": row.reasons} for row in rows],
                        "geographic_scope": scope.model_dump(mode="json"),
                    },
                )
            if self._advice is not None:
                await suggestions.advise(session, ref.number, self._advice, ref.now)
            classes = tuple(ProposedClass.model_validate(row, from_attributes=True) for row in rows)
            return Proposal(
                proposal_id=proposal_id,
                classes=classes,
                geographic_scope=scope.scope.value,
                signers=await self._signers(session, ref.number, scope.scope.value),
            )

    async def _rows(
        self, session: AsyncSession, recall: Recall, ref: RecallRef
    ) -> tuple[list[ClassDecision], list[int]]:
        """What is proposed for each line in scope under each law, and the ids of the evaluations it rests on."""
        evaluations = await assessment.latest_evaluations(session, ref.number)
        lines = {line.key for line in await recalls.product_lines(session, ref.number, recall.scope_version)}
        # A line that left the scope keeps its evaluation, but nothing is proposed for it any more.
        evaluations = [row for row in evaluations if row.product_line in lines] or evaluations
        policies = await recalls.pinned(session, ref.number)
        actions = {
            (row.product_line, row.jurisdiction): row.action for row in await market_actions.latest(session, ref.number)
        }
        rows: list[ClassDecision] = []
        for row in evaluations:
            line = row.product_line
            flags = flags_of(await recalls.products_of_line(session, ref.number, line))
            left = await market_actions.left_control(session, ref.number, line)
            for policy in policies:
                action = actions.get((line, policy.id), policy.actions[0].value)
                rows.append(proposed_row(policy, row, flags, ref, action=action, left=left))
        return rows, [row.id or 0 for row in evaluations]

    async def _signers(self, session: AsyncSession, number: str, scope: str) -> dict[str, tuple[str, ...]]:
        """Class -> functions that must sign it: the rules look at the class that is about to be decided."""
        written = await recalls.pinned_as_written(session, number)
        state = await branch_facts.state_of(session, number)
        found = {}
        for each in RecallClass:
            about = {"recall_class": each.value, "geographic_scope": scope}
            found[each.value] = tuple(
                role.value for role in needed_signers(written, state, ApprovalStep.ASSESSMENT, about)
            )
        return found

    @activity.defn
    async def record_class_decision(self, record: RecordDecision) -> DecisionFigures:
        """Record the approver's class, start the decision clock, and say what follows from it."""
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, record.number, lock=True)
            policies = {policy.id: policy for policy in await recalls.pinned(session, record.number)}
            proposal_id = int(record.decision["proposal_id"])
            if not await assessment.class_decisions(session, record.number, proposal_id, DECIDED):
                await self._decide(session, recall, policies, record)
            figures = await figures_in_force(session, self._policies, recall, record.now)
            move = await branch_facts.look(session, record.number, record.now, self._firm)
            return figures.model_copy(update={"branches_move": move})

    async def _decide(
        self, session: AsyncSession, recall: Recall, policies: dict[str, Policy], record: RecordDecision
    ) -> None:
        model = OverrideClass if record.operation == "override_class" else ApproveAssessment
        decision = model.model_validate(record.decision)
        proposed = await assessment.class_decisions(session, record.number, decision.proposal_id, ("proposed",))
        overrides = {
            (each.product_line, each.jurisdiction): each
            for each in (decision.overrides if isinstance(decision, OverrideClass) else ())
        }
        rows = [
            decided_row(row, overrides.get((row.product_line, row.jurisdiction)), policies[row.jurisdiction], record)
            for row in proposed
        ]
        await assessment.add_class_decisions(session, rows)
        worst = strictest(RecallClass(row.recall_class) for row in rows)
        recall.recall_class = worst.value if worst else None
        recall.version += 1
        session.add(recall)
        await self._sign_class(session, record, decision, "overridden" if overrides else "approved", rows)

    async def _sign_class(
        self,
        session: AsyncSession,
        record: RecordDecision,
        decision: ApproveAssessment | OverrideClass,
        outcome: str,
        rows: Sequence[ClassDecision],
    ) -> None:
        number, now, actor = record.number, record.now, decision.actor.principal
        role = record.role or Role.APPROVER
        signed: dict[str, Any] = {"actor": actor, "role": role, "at": now, "reason": decision.reason}
        signed["signature"] = decision.actor.signature
        classes = [short_row(row) for row in rows]
        sign_off = assessment.sign_off(
            number, "assessment", outcome, meaning="approval of class and scope", body={"classes": classes}, **signed
        )
        await assessment.sign(session, sign_off)
        await recalls.start_clock(session, number, "decision", now, source="assessment approved", author=actor, now=now)
        await tasks.close(session, number, record.task_key or "assessment", outcome=outcome, done_by=actor, now=now)
        data = {"proposal": decision.proposal_id, "classes": classes}
        await audit.append(session, number, action=f"class.{outcome}", data=data, **signed)

    @activity.defn
    async def record_rejection(self, end: EndRecall) -> HoldFigures:
        """No recall: the claims become nonconformity holds (design promise 6), open tasks are cancelled."""
        async with self._sessions.begin() as session:
            # The recall before its audit chain and its tasks, as everybody takes them.
            await recalls.get(session, end.number, lock=True)
            actor, role = end.actor.principal, acting_role(end.actor.roles, Permission.DECIDE_ASSESSMENT)
            sign_off = assessment.sign_off(
                end.number,
                "assessment",
                "rejected",
                actor=actor,
                role=role,
                meaning="rejection: no recall",
                at=end.now,
                reason=end.reason,
                signature=end.actor.signature,
            )
            if await assessment.sign(session, sign_off):
                await holds.to_nonconformity(session, end.number, end.now)
                await tasks.cancel_open(session, end.number, outcome="recall rejected", done_by=actor, now=end.now)
                await audit.append(
                    session,
                    end.number,
                    actor=actor,
                    role=role,
                    action="recall.rejected",
                    at=end.now,
                    reason=end.reason,
                    data={"holds": "nonconformity"},
                    signature=end.actor.signature,
                )
            return HoldFigures()
