"""Decisions on a CAPA as records: each with its audit event, its evidence and the tasks that follow, in one step."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from db.engine import SessionFactory
from db.repositories import audit, capa_steps, capa_tasks, codes, evidence, files, recalls, tasks
from db.repositories import capa as capas
from db.repositories.capa_findings import trace_findings
from domain.codes import CAUSE_ANNEXES
from domain.quality_numbers import is_quality_number
from models.capa import Capa, CapaEntry, CapaState, EntryKind
from models.messages_capa import (
    ApprovePlan,
    CapaFigures,
    CapaRef,
    CapaStatement,
    CompleteAction,
    MergeCapa,
    OpenCapa,
    RecordCapa,
    RecordCause,
    RecordInvestigation,
    RecordVerification,
    ReopenCapa,
    SignOffCapa,
    WritePlan,
)
from models.messages_decisions import Decision

D = TypeVar("D", bound=Decision)
Step = Callable[[AsyncSession, files.File, Capa, CapaEntry], Awaitable[dict[str, Any]]]


class CapaActivities:
    """Records of CAPAs; each may run again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def open_capa(self, opening: OpenCapa) -> CapaFigures:
        """Create the record with what the trace found in common, and its first task."""
        findings = await self._findings(opening.number)
        async with self._sessions.begin() as session:
            recall = await files.get(session, opening.number, lock=True)
            await capas.open_capa(session, recall, opening.sequence, opening.title, findings, opening.now)
            return await self._figures(session, recall, opening, "opened", audit.SYSTEM)

    @activity.defn
    async def capa_turn(self, ref: CapaRef) -> CapaFigures:
        """Open what the CAPA waits for by now: the verification, once its period is over."""
        async with self._sessions.begin() as session:
            recall = await files.get(session, ref.number, lock=True)
            return await self._figures(session, recall, ref, "", audit.SYSTEM)

    @activity.defn
    async def record_capa_investigation(self, record: RecordCapa) -> CapaFigures:
        """What was looked into and found."""

        async def step(session: AsyncSession, _: files.File, capa: Capa, entry: CapaEntry) -> dict[str, Any]:
            capa_steps.record_investigation(session, capa, entry, record.now)
            return {}

        decision = RecordInvestigation.model_validate(record.decision)
        return await self._stated(record, decision, EntryKind.investigation, "investigated", step)

    @activity.defn
    async def record_capa_cause(self, record: RecordCapa) -> CapaFigures:
        """The cause with its whys and its category."""

        async def step(session: AsyncSession, _: files.File, capa: Capa, entry: CapaEntry) -> dict[str, Any]:
            capa_steps.record_cause(session, capa, entry, record.now)
            given = list(entry.body.get("codes", ()))
            list_id = await codes.check(session, given, CAUSE_ANNEXES, record.now)
            await codes.attach(session, {"capa_id": capa.id or 0}, given, list_id, entry.author, record.now)
            return {"category": capa.cause_category, "codes": given}

        decision = RecordCause.model_validate(record.decision)
        return await self._stated(record, decision, EntryKind.cause, "cause_recorded", step)

    @activity.defn
    async def record_capa_plan(self, record: RecordCapa) -> CapaFigures:
        """Actions with owners and dates, and the criterion of effect."""

        async def step(session: AsyncSession, recall: files.File, capa: Capa, entry: CapaEntry) -> dict[str, Any]:
            await capa_steps.write_plan(session, recall, capa, entry, record.now)
            return {"plan_version": capa.plan_version, "plan": entry.body}

        decision = WritePlan.model_validate(record.decision)
        return await self._stated(record, decision, EntryKind.plan, "plan_written", step)

    @activity.defn
    async def approve_capa_plan(self, record: RecordCapa) -> CapaFigures:
        """The plan is in force."""
        decision = ApprovePlan.model_validate(record.decision)

        async def step(session: AsyncSession, recall: files.File, capa: Capa) -> dict[str, Any] | None:
            if capa.plan_approved_at is not None or capa.plan_version != decision.plan_version:
                return None
            await capa_steps.approve_plan(session, recall, capa, decision.actor, record.now)
            return {"plan_version": capa.plan_version}

        return await self._decide(record, decision, "plan_approved", step)

    @activity.defn
    async def complete_capa_action(self, record: RecordCapa) -> CapaFigures:
        """An action of the plan is done."""
        decision = CompleteAction.model_validate(record.decision)

        async def step(session: AsyncSession, recall: files.File, capa: Capa, entry: CapaEntry) -> dict[str, Any]:
            done = await capa_steps.complete_action(session, recall, capa, decision.action, entry, record.now)
            return {"action": done.sequence, "late": record.now > done.due_at}

        subject = f"action:{decision.action}"
        return await self._stated(record, decision, EntryKind.action, "action_completed", step, subject)

    @activity.defn
    async def record_capa_verification(self, record: RecordCapa) -> CapaFigures:
        """What was measured, judged by the approved criterion."""

        async def step(session: AsyncSession, _: files.File, capa: Capa, entry: CapaEntry) -> dict[str, Any]:
            criterion = {
                "comparison": capa.criterion_comparison,
                "target": capa.criterion_target,
                "unit": capa.criterion_unit,
            }
            met = await capa_steps.verify(session, capa, entry, record.now)
            return {"measured": capa.measured, "criterion": criterion, "effective": met}

        decision = RecordVerification.model_validate(record.decision)
        return await self._stated(record, decision, EntryKind.verification, "verified", step)

    @activity.defn
    async def sign_off_capa(self, record: RecordCapa) -> CapaFigures:
        """Closed by another person than verifier and plan author."""
        decision = SignOffCapa.model_validate(record.decision)

        async def step(session: AsyncSession, _: files.File, capa: Capa) -> dict[str, Any] | None:
            if capa.state != CapaState.effective:
                return None
            capa_steps.sign_off(session, capa, decision.actor, record.now)
            return {"meaning": "the effect is verified, the CAPA is closed"}

        return await self._decide(record, decision, "closed", step)

    @activity.defn
    async def reopen_capa(self, record: RecordCapa) -> CapaFigures:
        """Back to investigation; what the trace finds in common is read anew."""
        decision = ReopenCapa.model_validate(record.decision)
        findings = await self._findings(record.number)

        async def step(session: AsyncSession, _: files.File, capa: Capa) -> dict[str, Any] | None:
            if capa.state not in (CapaState.closed, CapaState.effective, CapaState.merged):
                return None
            await tasks.end_recurrence(session, capa.file, capa.sequence, decision.actor.principal, record.now)
            await capa_steps.back_to_investigation(session, capa, record.now)
            capa.trace_findings = findings
            return {"reopened": capa.reopened}

        return await self._decide(record, decision, "reopened", step)

    @activity.defn
    async def merge_capa(self, record: RecordCapa) -> CapaFigures:
        """Another CAPA answers for this one."""
        decision = MergeCapa.model_validate(record.decision)

        async def step(session: AsyncSession, _: files.File, capa: Capa) -> dict[str, Any] | None:
            if capa.state == CapaState.merged:
                return None
            by, why = decision.actor, decision.reason or ""
            into = await capa_steps.merge(session, capa, decision.into_id, why, by, record.now)
            return {"into": {"file": into.file, "capa": into.sequence}}

        return await self._decide(record, decision, "merged", step, into_id=decision.into_id)

    # ------------------------------------------------------------------ common

    async def _findings(self, number: str) -> list[dict[str, Any]]:
        """What the suspect lots have in common; read before anything is locked, because a large scope takes a while."""
        async with self._sessions.begin() as session:
            if is_quality_number(number):
                return []
            return await trace_findings(session, number, (await recalls.get(session, number)).scope_version)

    async def _stated(
        self,
        record: RecordCapa,
        decision: CapaStatement,
        kind: EntryKind,
        action: str,
        step: Step,
        subject: str | None = None,
    ) -> CapaFigures:
        """A decision about something written: apply the entry once, link the evidence, audit, move the tasks."""
        who = decision.actor.principal

        async def carry_out(session: AsyncSession, recall: files.File, capa: Capa) -> dict[str, Any] | None:
            entry = await capas.entry(session, capa, decision.entry, kind, who)
            if entry.applied_at is not None:
                return None
            cited = f"capa:{capa.sequence}:{subject or kind.value}"
            capacity = _capacity(decision.actor.roles)
            await evidence.link(
                session, recall.number, decision.evidence_ids, cited, by=who, at=record.now, role=capacity
            )
            return {"entry": entry.id} | await step(session, recall, capa, entry)

        return await self._decide(record, decision, action, carry_out)

    async def _decide(
        self,
        record: RecordCapa,
        decision: Decision,
        action: str,
        step: Callable[[AsyncSession, files.File, Capa], Awaitable[dict[str, Any] | None]],
        *,
        into_id: int | None = None,
    ) -> CapaFigures:
        who = decision.actor.principal
        try:
            async with self._sessions.begin() as session:
                if into_id is not None:
                    await capa_steps.lock_files(session, record.number, into_id)
                recall = await files.get(session, record.number, lock=True)
                capa = await capas.get(session, record.number, record.sequence)
                data = await step(session, recall, capa)
                if data is not None:
                    await audit.append(
                        session,
                        record.number,
                        actor=who,
                        role=_capacity(decision.actor.roles),
                        action=f"capa.{action}",
                        at=record.now,
                        reason=decision.reason,
                        data={"capa": record.sequence} | data,
                        signature=decision.actor.signature,
                    )
                return await self._figures(session, recall, record, action.replace("_", " "), who)
        except (evidence.EvidenceUnusable, LookupError, ValueError) as error:
            # What the decision refers to is not there, and no retry will bring it.
            raise ApplicationError(str(error)[:500], type="InvalidInput", non_retryable=True) from error

    async def _figures(
        self, session: AsyncSession, recall: files.File, ref: CapaRef, outcome: str, by: str
    ) -> CapaFigures:
        capa = await capas.get(session, ref.number, ref.sequence)
        await capa_tasks.sync(session, recall, capa, ref.now, outcome=outcome, by=by)
        return await capas.figures(session, capa)


def _capacity(roles: Sequence[str]) -> str:
    return "+".join(sorted(roles))[:24] or "none"
