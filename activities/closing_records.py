"""Closing a recall on record: completion signatures, authorities' answers, reopenings, cancellation.

A completion is signed only while the checklist of design §7 is true, read in the very transaction that signs. Each
activity may run again after a crash and then changes nothing.
"""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from db.engine import SessionFactory
from db.repositories import (
    assessment,
    audit,
    checklist,
    closing,
    evidence,
    holds,
    obligations,
    provisional_account,
    recalls,
    tasks,
)
from db.repositories.disposition_who import Who
from domain import workflow_ids
from domain.checklist import still_open
from domain.roles import Permission, acting_role
from models.closing import AuthorityAnswer
from models.messages import (
    AnnounceClosure,
    CancelFigures,
    ClosingFigures,
    Complete,
    CompletionRecord,
    EndRecall,
    RecallRef,
    RecordAuthorityAnswer,
    RecordDecision,
    Reopen,
)
from models.recall import SignOff

SIGN_AS = {"quality": Permission.COMPLETE_QUALITY, "regulatory": Permission.COMPLETE_REGULATORY}
_BOTH = 2
_CLOSING_STEPS = ("completion", "authority_answer", "closure_notice")


class ClosingActivities:
    """Records of completion, authorities' answers, reopening and cancellation."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def record_completion(self, record: RecordDecision) -> CompletionRecord:
        """One signature under the completion, or what is still open (then nothing is written).

        With the second signature the clock `completion` starts (final reports run from it) and the provisional account
        is locked.
        """
        decision = Complete.model_validate(record.decision)
        actor, step = decision.actor, f"{closing.COMPLETION}{decision.capacity}"
        async with self._sessions.begin() as session:
            # The row lock orders the two signatures and whatever else changes the recall's state.
            await recalls.get(session, record.number, lock=True)
            if await closing.is_signed(session, record.number, step, actor.principal, record.now):
                return CompletionRecord()
            items = await checklist.checklist(session, record.number, record.now)
            if missing := still_open(items):
                return CompletionRecord(open=tuple(item.cut() for item in missing))
            sign_off = assessment.sign_off(
                record.number,
                step,
                "signed",
                actor=actor.principal,
                role=acting_role(actor.roles, SIGN_AS[decision.capacity]),
                meaning=f"the recall is complete, for {decision.capacity}",
                at=record.now,
                reason=decision.reason,
                body={"round": record.round, "checklist": [item.key for item in items]},
                signature=actor.signature,
            )
            await _sign(session, sign_off, "completion.signed")
            key = record.task_key or step
            await tasks.close(session, record.number, key, outcome="signed", done_by=actor.principal, now=record.now)
            if len(await closing.completion_signers(session, record.number, record.round)) == _BOTH:
                await closing.start_clock_again(
                    session,
                    record.number,
                    "completion",
                    record.now,
                    source="signed by quality and regulatory affairs",
                    author=actor.principal,
                )
                await provisional_account.lock(session, record.number, _who(sign_off), "the recall is complete")
            return CompletionRecord()

    @activity.defn
    async def record_authority_answer(self, record: RecordDecision) -> None:
        """An authority's word on the completed recall; an order of more starts the clock `authority_order`."""
        decision = RecordAuthorityAnswer.model_validate(record.decision)
        actor = decision.actor
        sign_off = assessment.sign_off(
            record.number,
            f"authority:{decision.jurisdiction}",
            decision.answer,
            actor=actor.principal,
            role=acting_role(actor.roles, Permission.RECORD_AUTHORITY_ANSWER),
            meaning=_MEANING[decision.answer],
            at=record.now,
            reason=decision.reason,
            reference=decision.reference,
            body={"round": record.round, "evidence_ids": list(decision.evidence_ids)},
            signature=actor.signature,
        )
        async with self._sessions.begin() as session:
            await recalls.get(session, record.number, lock=True)  # before its chain and its tasks, as everybody
            if await closing.is_signed(session, record.number, sign_off.step, sign_off.actor, record.now):
                return
            session.add(
                AuthorityAnswer(
                    recall_number=record.number,
                    jurisdiction=decision.jurisdiction,
                    answer=decision.answer,
                    reference=decision.reference,
                    reason=decision.reason,
                    recorded_by=actor.principal,
                    recorded_at=record.now,
                    signature_id=sign_off.signature_id,
                )
            )
            await _sign(session, sign_off, "authority.answered")
            await evidence.link(
                session,
                record.number,
                decision.evidence_ids,
                sign_off.step,
                by=actor.principal,
                at=record.now,
                role=sign_off.role,
            )
            await tasks.close(
                session,
                record.number,
                record.task_key or sign_off.step,
                outcome=decision.answer,
                done_by=actor.principal,
                now=record.now,
            )
            if decision.answer == "more_ordered":
                await self._order(session, record, sign_off)

    async def _order(self, session: AsyncSession, record: RecordDecision, sign_off: SignOff) -> None:
        await closing.start_clock_again(
            session,
            record.number,
            f"authority_order@{sign_off.step.partition(':')[2]}",
            record.now,
            source=f"order of the authority: {sign_off.reference or sign_off.step}"[:200],
            author=sign_off.actor,
        )
        await _void(session, record, sign_off)

    @activity.defn
    async def record_reopening(self, record: RecordDecision) -> None:
        """The recall is worked on again: its signatures and answers are void from here, and stay on record."""
        decision = Reopen.model_validate(record.decision)
        sign_off = assessment.sign_off(
            record.number,
            closing.REOPENING,
            "reopened",
            actor=decision.actor.principal,
            role=acting_role(decision.actor.roles, Permission.COMPLETE_QUALITY, Permission.CHANGE_SCOPE),
            meaning="the recall is reopened; signatures under its completion are void",
            at=record.now,
            reason=decision.reason,
            body={"round": record.round, "by": record.operation},
            signature=decision.actor.signature,
        )
        async with self._sessions.begin() as session:
            await recalls.get(session, record.number, lock=True)  # before its chain and its tasks, as everybody
            if await closing.is_signed(session, record.number, sign_off.step, sign_off.actor, record.now):
                return
            await _sign(session, sign_off, "recall.reopened")
            await _void(session, record, sign_off)

    @activity.defn
    async def record_closure_notice(self, record: RecordDecision) -> None:
        """Whether everybody told is to be told of the end; the notice itself is drafted and released at the end."""
        decision = AnnounceClosure.model_validate(record.decision)
        async with self._sessions.begin() as session:
            await recalls.get(session, record.number, lock=True)
            if await closing.closure_notice_decided(session, record.number, record.now):
                return
            if record.task_key is not None:
                outcome, actor = "told" if decision.wanted else "not told", decision.actor.principal
                await tasks.close(
                    session, record.number, record.task_key, outcome=outcome, done_by=actor, now=record.now
                )
            await audit.append(
                session,
                record.number,
                actor=decision.actor.principal,
                role=acting_role(decision.actor.roles, Permission.DRAFT_NOTICE),
                action=closing.CLOSURE_NOTICE,
                at=record.now,
                reason=decision.reason,
                data={"wanted": decision.wanted},
                signature=decision.actor.signature,
            )

    @activity.defn
    async def record_cancellation(self, end: EndRecall) -> CancelFigures:
        """The recall was wrong: claims become nonconformity holds (promise 6), tasks end.

        Tasks of CAPAs and of obligations stay: what was found and what is owed outlive the recall. Cases end with their
        workflows, which are told one by one (`stop_cases`).
        """
        actor = end.actor.principal
        outcome = "recall cancelled"
        sign_off = assessment.sign_off(
            end.number,
            "cancellation",
            "cancelled",
            actor=actor,
            role=acting_role(end.actor.roles, Permission.CANCEL_RECALL),
            meaning="cancellation of the recall",
            at=end.now,
            reason=end.reason,
            signature=end.actor.signature,
        )
        async with self._sessions.begin() as session:
            # A draft that is being written may be asking somebody to read it: either it sees the end, or its task does.
            await recalls.get(session, end.number, lock=True)
            if not await closing.is_signed(session, end.number, sign_off.step, actor, end.now):
                claims = await holds.to_nonconformity(session, end.number, end.now)
                kept = _outliving(await closing.task_owners(session, end.number))
                cancelled = await closing.cancel_tasks(
                    session, end.number, end.now, by=actor, outcome=outcome, kept=kept
                )
                await closing.stop_notice_limits(session, end.number, end.now, outcome, by=actor)
                data = {"nonconformity_holds": claims, "tasks": cancelled}
                await _sign(session, sign_off, "recall.cancelled", data)
            return CancelFigures(told=await closing.told(session, end.number))

    @activity.defn
    async def end_claims(self, ref: RecallRef) -> int:
        """Turn claims that a request under way added after the end into nonconformity holds; returns how many."""
        async with self._sessions.begin() as session:
            changed = await holds.to_nonconformity(session, ref.number, ref.now)
            if changed:
                await holds.record(session, ref.number, "holds.nonconformity", ref.now, {"holds": changed})
            return changed

    @activity.defn
    async def read_closing(self, ref: RecallRef) -> ClosingFigures:
        """What a completed recall still waits for."""
        async with self._sessions() as session:
            found = await obligations.counts(session, ref.number, ref.now)
        return ClosingFigures(
            obligations_open=found.open, next_due_at=found.next_due.due_at if found.next_due else None
        )


_MEANING = {
    "terminated": "the authority has terminated the recall",
    "no_authority": "no authority of this jurisdiction is to be asked",
    "more_ordered": "the authority orders more",
}


async def _sign(session: AsyncSession, sign_off: SignOff, action: str, data: dict[str, object] | None = None) -> None:
    await assessment.sign(session, sign_off)
    await audit.append(
        session,
        sign_off.recall_number,
        actor=sign_off.actor,
        role=sign_off.role,
        action=action,
        at=sign_off.signed_at,
        reason=sign_off.reason,
        data={"step": sign_off.step, "outcome": sign_off.outcome, "meaning": sign_off.meaning}
        | ({"reference": sign_off.reference} if sign_off.reference else {})
        | {"body": sign_off.body}
        | (data or {}),
        signature=sign_off.signature_id,
    )


async def _void(session: AsyncSession, record: RecordDecision, sign_off: SignOff) -> None:
    """Whoever was to sign or to ask an authority is not to any more, and no final report of this completion is owed.

    The next completion starts a clock of its own, with reports of its own. Work that goes on costs money again.
    """
    await provisional_account.reopen(session, record.number, _who(sign_off), "recall reopened")
    await closing.cancel_tasks_of_steps(
        session, record.number, _CLOSING_STEPS, record.now, by=sign_off.actor, outcome="recall reopened"
    )
    for clock in await obligations.running_clocks(session, record.number):
        if clock.base == "completion":
            await obligations.stop_of_clock(
                session, record.number, clock.name, reason="recall reopened", now=record.now
            )


def _who(sign_off: SignOff) -> Who:
    """The signer, for what follows from the signature in the same transaction."""
    signature = str(sign_off.signature_id) if sign_off.signature_id else None
    return Who(sign_off.actor, sign_off.role, sign_off.signed_at, signature=signature)


def _outliving(owners: Sequence[str]) -> list[str]:
    """Owners of tasks that go on when a recall is cancelled, or end by themselves."""
    kind = workflow_ids.WorkflowKind
    kept = (kind.CAPA, kind.OBLIGATIONS, kind.CASE)
    return [owner for owner in owners if workflow_ids.parse_workflow_id(owner).kind in kept]


__all__ = ["ClosingActivities"]
