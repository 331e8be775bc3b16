"""Carrying frozen submissions to authorities: handed over once, asked for their receipt until there is one.

Files are read from the evidence store by hash, so what is handed over is what was signed. Each step is an event on
record; an activity that runs again finds what it did before. A drill's submissions meet a transport that takes nothing.
"""

from collections.abc import Mapping

from temporalio import activity

from adapters.evidence.base import EvidenceDamaged, EvidenceStore, EvidenceUnavailable
from adapters.regulator.base import FailureKind, HandOverFailed, Parcel, ParcelFile, Receipt, RegulatorTransport
from adapters.regulator.blocked import BlockedTransport
from db.engine import SessionFactory
from db.repositories import documents, evidence, submissions
from models.messages import RecallRef, SubmissionsCarried
from models.submission import Submission, SubmissionEvent, SubmissionStep, evidence_ids

_SYSTEM = "system"


def key_of(row: Submission) -> str:
    """Key of a submission at every transport."""
    return f"{row.recall_number}-{row.jurisdiction}-s{row.id}-v{row.version}"


class SubmissionActivities:
    """Submissions of one recall on their way."""

    def __init__(
        self, sessions: SessionFactory, store: EvidenceStore, transports: Mapping[str, RegulatorTransport]
    ) -> None:
        self._sessions = sessions
        self._store = store
        self._transports = transports
        self._blocked = BlockedTransport()

    @activity.defn
    async def carry_submissions(self, ref: RecallRef) -> SubmissionsCarried:
        """Take every submission of the recall that is under way one step further; a failure of one stops no other."""
        async with self._sessions() as session:
            rows = await submissions.under_way(session, ref.number)
            events = await submissions.events(session, [row.id or 0 for row in rows])
        settled = 0
        for row in rows:
            settled += await self._carry(row, events[row.id or 0], ref)
        return SubmissionsCarried(under_way=len(rows) - settled, settled=settled)

    async def _carry(self, row: Submission, events: list[SubmissionEvent], ref: RecallRef) -> bool:
        """One step; True when the submission is settled."""
        try:
            transport = self._transport(row)
            if all(each.step != SubmissionStep.handed_over for each in events):
                await transport.hand_over(await self._parcel(row))
                await self._note(row, SubmissionStep.handed_over, ref)
            receipt = await transport.receipt(key_of(row))
        except HandOverFailed as failure:
            return await self._failed(row, events, failure, ref)
        except (EvidenceDamaged, EvidenceUnavailable) as error:
            return await self._failed(row, events, HandOverFailed(FailureKind.TRANSIENT, str(error)), ref)
        return await self._received(row, receipt, ref) if receipt is not None else False

    def _transport(self, row: Submission) -> RegulatorTransport:
        if row.drill:
            return self._blocked
        found = self._transports.get(row.transport)
        if found is None:
            raise HandOverFailed(FailureKind.TRANSIENT, f"the transport {row.transport} is not configured here")
        return found

    async def _parcel(self, row: Submission) -> Parcel:
        async with self._sessions() as session:
            found = [await evidence.find(session, each) for each in evidence_ids(row)]
            before = await submissions.get(session, row.corrects_id) if row.corrects_id else None
            subject = await documents.find(session, row.recall_number, row.subject)
        files = [
            ParcelFile(each.file_name, each.content_type, await self._store.read(each.sha256), each.sha256)
            for each in found
            if each is not None
        ]
        return Parcel(
            key=key_of(row),
            recall=row.recall_number,
            jurisdiction=row.jurisdiction,
            recipient=subject.owed.recipient if subject else None,
            obligation=row.name,
            kind=row.kind,
            model_version=row.model_version,
            version=row.version,
            corrects=key_of(before) if before else None,
            sha256=row.sha256,
            submitted_at=row.submitted_at,
            drill=row.drill,
            files=tuple(files),
        )

    async def _note(self, row: Submission, step: SubmissionStep, ref: RecallRef) -> None:
        async with self._sessions.begin() as session:
            await submissions.note(session, row, step, at=ref.now, by=_SYSTEM)

    async def _received(self, row: Submission, receipt: Receipt, ref: RecallRef) -> bool:
        async with self._sessions.begin() as session:
            if receipt.accepted:
                await submissions.acknowledge(session, row.id or 0, receipt.reference, ref.now)
            else:
                await submissions.note(
                    session,
                    row,
                    SubmissionStep.refused,
                    at=ref.now,
                    by=_SYSTEM,
                    reference=receipt.reference,
                    detail=receipt.reason or "refused by the receiver",
                )
        return True

    async def _failed(
        self, row: Submission, events: list[SubmissionEvent], failure: HandOverFailed, ref: RecallRef
    ) -> bool:
        """Note a failure; the same one again is not noted anew. One for good ends the submission's way."""
        over = failure.kind is not FailureKind.TRANSIENT
        failures = [each for each in events if each.step == SubmissionStep.failed]
        if not over and failures and failures[-1].detail == str(failure)[:500]:
            return False
        step = SubmissionStep.refused if over else SubmissionStep.failed
        async with self._sessions.begin() as session:
            await submissions.note(
                session,
                row,
                step,
                at=ref.now,
                by=_SYSTEM,
                detail=str(failure),
                attempt=0 if over else len(failures) + 1,
            )
        return over


__all__ = ["SubmissionActivities", "key_of"]
