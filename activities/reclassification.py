"""A new class for a running recall: the newest proposal decided on again, or the authority's own class beside ours.

What was decided before stays on record; the last decision on each product line and jurisdiction is in force. Deadlines
only ever become earlier (design §7).
"""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.class_rows import decided_row, figures_in_force, level_of, short_row
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import assessment, audit, closing, raised_clocks, recalls, tasks
from db.rows import uuid_of
from domain.levels import RecallClass, strictest
from domain.policy import Policy
from domain.roles import Permission, acting_role
from models.messages import AuthorityClass, DecisionFigures, Reclassify, RecordDecision
from models.recall import ClassDecision, Recall

STEP = "reclassification"


class ReclassificationActivities:
    """Runs again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory, policies: PolicyStore) -> None:
        self._sessions = sessions
        self._policies = policies

    @activity.defn
    async def record_reclassification(self, record: RecordDecision) -> DecisionFigures:
        """Record the new classes and say what follows from those in force now."""
        decision = Reclassify.model_validate(record.decision)
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, record.number, lock=True)
            if not await closing.is_signed(session, record.number, STEP, decision.actor.principal, record.now):
                await self._decide(session, recall, record, decision)
            return await figures_in_force(session, self._policies, recall, record.now)

    async def _decide(
        self, session: AsyncSession, recall: Recall, record: RecordDecision, decision: Reclassify
    ) -> None:
        policies = {policy.id: policy for policy in await recalls.pinned(session, record.number)}
        before = await assessment.classes_in_force(session, record.number)
        if decision.authority:
            count = await assessment.authority_decisions(session, record.number)
            rows = [
                _authority_row(each, before, policies[each.jurisdiction], record, -(count + place))
                for place, each in enumerate(decision.authority, start=1)
            ]
        else:
            rows = await _proposed_again(session, policies, record, decision)
        await assessment.add_class_decisions(session, rows)
        await raised_clocks.record(session, recall, policies, before, rows, decision, record)
        now_in_force = await assessment.classes_in_force(session, record.number)
        worst = strictest(RecallClass(row.recall_class) for row in now_in_force)
        recall.recall_class = worst.value if worst else None
        recall.version += 1
        session.add(recall)
        await _sign(session, record, decision, rows)


async def _proposed_again(
    session: AsyncSession, policies: dict[str, Policy], record: RecordDecision, decision: Reclassify
) -> list[ClassDecision]:
    proposed = await assessment.class_decisions(session, record.number, decision.proposal_id or 0, ("proposed",))
    overrides = {(each.product_line, each.jurisdiction): each for each in decision.overrides}
    return [
        decided_row(row, overrides.get((row.product_line, row.jurisdiction)), policies[row.jurisdiction], record)
        for row in proposed
    ]


def _authority_row(
    given: AuthorityClass, before: Sequence[ClassDecision], policy: Policy, record: RecordDecision, proposal_id: int
) -> ClassDecision:
    """The authority's class. It rests on no proposal of ours: a negative number tells such decisions apart."""
    same = (given.product_line, given.jurisdiction)
    ours = next((row for row in before if (row.product_line, row.jurisdiction) == same), None)
    level = level_of(policy, RecallClass(given.recall_class), given.level)
    return ClassDecision(
        recall_number=record.number,
        product_line=given.product_line,
        jurisdiction=given.jurisdiction,
        kind="authority",
        proposal_id=proposal_id,
        recall_class=given.recall_class,
        level=level,
        local_term=policy.level(level).term,
        market_action=ours.market_action if ours else policy.actions[0].value,
        reasons=[{"id": "authority", "reason": given.reference, "decided": True}],
        decided_by=record.decision["actor"]["principal"],
        decided_at=record.now,
        signature_id=uuid_of(record.decision["actor"].get("signature")),
    )


async def _sign(
    session: AsyncSession, record: RecordDecision, decision: Reclassify, rows: Sequence[ClassDecision]
) -> None:
    actor = decision.actor
    role = record.role or acting_role(actor.roles, Permission.DECIDE_ASSESSMENT)
    references = sorted({each.reference for each in decision.authority})
    sign_off = assessment.sign_off(
        record.number,
        STEP,
        "authority" if decision.authority else "overridden" if decision.overrides else "approved",
        actor=actor.principal,
        role=role,
        meaning="new class of the running recall",
        at=record.now,
        reason=decision.reason,
        reference="; ".join(references)[:200] or None,
        body={"classes": [short_row(row) for row in rows]},
        signature=actor.signature,
    )
    await assessment.sign(session, sign_off)
    if record.task_key is not None:
        await tasks.close(
            session,
            record.number,
            record.task_key,
            outcome=sign_off.outcome,
            done_by=actor.principal,
            now=record.now,
        )
    await audit.append(
        session,
        record.number,
        actor=actor.principal,
        role=role,
        action="class.changed",
        at=record.now,
        reason=decision.reason,
        data={"proposal": decision.proposal_id, "reference": sign_off.reference, **sign_off.body},
        signature=actor.signature,
    )


__all__ = ["ReclassificationActivities"]
