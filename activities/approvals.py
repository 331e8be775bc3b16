"""Signatures before the last one under a decision, and their end when what they speak of is replaced."""

from temporalio import activity

from db.engine import SessionFactory
from db.repositories import assessment, audit, recalls, tasks
from models.messages import SignApproval, VoidApprovals


class ApprovalActivities:
    """Each may run again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def record_approval_signature(self, sign: SignApproval) -> None:
        """One of several signatures; the decision waits for the others."""
        actor = sign.actor
        body = sign.body | {"subject": sign.subject, "place": sign.place, "of": sign.of, "operation": sign.operation}
        row = assessment.sign_off(
            sign.number,
            f"{sign.step}:signature",
            "signed",
            actor=actor.principal,
            role=sign.role,
            meaning=f"signature {sign.place} of {sign.of} under the {sign.step}",
            at=sign.now,
            reason=sign.reason,
            body=body,
            signature=actor.signature,
        )
        async with self._sessions.begin() as session:
            await recalls.get(session, sign.number, lock=True)  # before its chain and its tasks, as everybody
            if not await assessment.sign(session, row):
                return
            await tasks.close(
                session, sign.number, sign.task_key, outcome="signed", done_by=actor.principal, now=sign.now
            )
            await audit.append(
                session,
                sign.number,
                actor=actor.principal,
                role=sign.role,
                action="approval.signed",
                at=sign.now,
                reason=sign.reason,
                data={"step": sign.step} | body,
                signature=actor.signature,
            )

    @activity.defn
    async def void_approvals(self, void: VoidApprovals) -> None:
        """Say on record that signatures count no more."""
        data = {"step": void.step, "subject": void.subject, "signers": list(void.signers), "why": void.why}
        row = assessment.sign_off(
            void.number,
            f"{void.step}:signature",
            "void",
            actor=audit.SYSTEM,
            role=audit.SYSTEM,
            meaning="earlier signatures count no more",
            at=void.now,
            body=data,
        )
        async with self._sessions.begin() as session:
            if not await assessment.sign(session, row):
                return
            await audit.append(
                session,
                void.number,
                actor=audit.SYSTEM,
                role=audit.SYSTEM,
                action="approval.voided",
                at=void.now,
                data=data,
            )


__all__ = ["ApprovalActivities"]
