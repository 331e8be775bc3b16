"""Signed-off steps after the assessment, tasks, and the projection of the workflow's view."""

from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.limits import NOTIFY
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import assessment, audit, evidence, obligations, recalls, tasks
from domain.phases import is_final
from domain.roles import Permission, Role, acting_role
from models.messages import (
    ApproveStrategy,
    PassGate,
    Projection,
    RecallRef,
    RecordDecision,
    WaiveGate,
)

_SIGNED_AS = {"quality": Role.QA, "regulatory": Role.REGULATORY}


class StepActivities:
    """Records of strategy, gates and tasks; each may run again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory, policies: PolicyStore) -> None:
        self._sessions = sessions
        self._policies = policies

    @activity.defn
    async def record_strategy(self, record: RecordDecision) -> None:
        """One signature under the strategy (21 CFR 7.42)."""
        decision = ApproveStrategy.model_validate(record.decision)
        await self._sign(
            record,
            f"strategy:{decision.capacity}",
            "signed",
            role=_SIGNED_AS[decision.capacity],
            meaning=f"approval of the recall strategy for {decision.capacity}",
            body=decision.strategy.model_dump(mode="json"),
        )

    @activity.defn
    async def record_gate(self, record: RecordDecision) -> None:
        """An authority step before the notice: passed with its reference, or waived with its reason."""
        if record.operation == "waive_gate":
            waiver = WaiveGate.model_validate(record.decision)
            role = acting_role(waiver.actor.roles, Permission.WAIVE_GATE)
            await self._sign(record, f"gate:{waiver.gate}", "waived", role=role, meaning="urgency waiver of the gate")
            return
        passed = PassGate.model_validate(record.decision)
        await self._sign(
            record,
            f"gate:{passed.gate}",
            "passed",
            role=acting_role(passed.actor.roles, Permission.PASS_GATE),
            meaning="the authority step was done",
            reference=passed.reference,
            body={"evidence_ids": list(passed.evidence_ids)} | ({"answered": True} if passed.answered else {}),
        )

    async def _sign(
        self, record: RecordDecision, step: str, outcome: str, *, role: Role, meaning: str, **rest: Any
    ) -> None:
        actor, reason = str(record.decision["actor"]["principal"]), record.decision.get("reason")
        signature = record.decision["actor"].get("signature")
        body = rest.get("body", {})
        sign_off = assessment.sign_off(
            record.number,
            step,
            outcome,
            actor=actor,
            role=role,
            meaning=meaning,
            at=record.now,
            reason=reason,
            signature=signature,
            **rest,
        )
        async with self._sessions.begin() as session:
            await recalls.get(session, record.number, lock=True)  # before its chain and its tasks, as everybody
            if not await assessment.sign(session, sign_off):
                return
            refused = await self._cite(session, record, step, role, body.get("evidence_ids", []))
            await tasks.close(session, record.number, step, outcome=outcome, done_by=actor, now=record.now)
            if outcome == "passed":
                reference = rest.get("reference")
                met = await self._settle(session, record, step, by=actor, reference=reference)
                body = body | {"met": met}
            await audit.append(
                session,
                record.number,
                actor=actor,
                role=role,
                action=f"{step.split(':', 1)[0]}.{outcome}",
                at=record.now,
                reason=reason,
                data={"step": step, "meaning": meaning, "reference": rest.get("reference"), "body": body, **refused},
                signature=signature,
            )

    async def _settle(
        self, session: AsyncSession, record: RecordDecision, step: str, *, by: str, reference: str | None
    ) -> list[dict[str, Any]]:
        """Passing a gate is also what some obligations ask for (telling the authority); what is met by it."""
        jurisdiction, _, gate_id = step.removeprefix("gate:").partition(":")
        met: list[dict[str, Any]] = []
        signature = record.decision["actor"].get("signature")
        for policy in await recalls.pinned(session, record.number):
            for gate in policy.gates:
                if (policy.id, gate.id) == (jurisdiction, gate_id):
                    for obligation in gate.settles:
                        met += await recalls.meet_deadlines(
                            session,
                            record.number,
                            obligation,
                            record.now,
                            by=by,
                            reference=reference,
                            jurisdiction=jurisdiction,
                            signature=signature,
                        )
        return met

    async def _cite(
        self, session: AsyncSession, record: RecordDecision, step: str, role: Role, ids: list[str]
    ) -> dict[str, Any]:
        """Link the files to the step. The decision stands by now: a file another recall took meanwhile is named."""
        taken = await evidence.unusable(session, [UUID(each) for each in ids], record.number)
        usable = [each for each in ids if UUID(each) not in taken]
        who = str(record.decision["actor"]["principal"])
        await evidence.link(session, record.number, usable, step, by=who, at=record.now, role=role)
        return {"evidence_refused": {str(each): why for each, why in taken.items()}} if taken else {}

    @activity.defn
    async def meet_notice_limit(self, ref: RecallRef) -> None:
        """Every consignee's first notice is with a provider: the notice limit is met."""
        async with self._sessions.begin() as session:
            met = await recalls.meet_deadlines(session, ref.number, NOTIFY, ref.now, by=audit.SYSTEM)
            await audit.append(
                session,
                ref.number,
                actor="system",
                role="system",
                action="notice.all_first_sent",
                at=ref.now,
                data={"met": met},
            )

    @activity.defn
    async def project(self, view: Projection) -> None:
        """Write the workflow's view to the read model; a change of phase is an audit event.

        With a recall's last phase its recurring reports end: the next one is not owed, one that came due before is.
        """
        async with self._sessions.begin() as session:
            before = (await recalls.get(session, view.number, lock=True)).phase
            await recalls.project(session, view)
            if before != view.phase.value:
                await audit.append(
                    session,
                    view.number,
                    actor="system",
                    role="system",
                    action="phase.entered",
                    at=view.now,
                    data={"from": before, "to": view.phase.value},
                )
                if is_final(view.phase):
                    await obligations.end_series(session, view.number, reason="the recall has ended", now=view.now)
