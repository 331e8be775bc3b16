"""Frozen submissions: which bytes went to an authority, by whom, over which transport, and what came back.

Rows are only ever added. A correction is a new version that names the one before; what was submitted stays as it was.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, evidence, hold_records, obligations
from db.rows import insert_new
from models.evidence import Evidence
from models.recall import Deadline
from models.submission import Submission, SubmissionEvent, SubmissionStep, evidence_ids

OWN: Final = "own"
"""Kind of a document that was made elsewhere."""


class NotTheNewest(Exception):  # noqa: N818 - a term of the API
    """The version to be corrected is not the newest, or there is one already and none was named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What is to be frozen: the document with its files, and who submits it."""

    number: str
    subject: str
    jurisdiction: str
    name: str
    deadline_id: int | None
    kind: str
    model_version: str | None
    report_number: str | None
    fields_version: int
    files: Mapping[str, Evidence]
    """Format (or evidence id, for a document made elsewhere) -> the stored file."""
    sha256: str
    missing: Sequence[Mapping[str, Any]]
    transport: str
    drill: bool
    request: str
    by: str
    role: str
    signature: UUID | None
    at: datetime


async def newest(session: AsyncSession, number: str, subject: str) -> Submission | None:
    """The last version submitted for a subject."""
    query = select(Submission).where(col(Submission.recall_number) == number, col(Submission.subject) == subject)
    return (await session.exec(query.order_by(col(Submission.version).desc()).limit(1))).first()


async def of_subject(session: AsyncSession, number: str, subject: str) -> Sequence[Submission]:
    """Every version submitted for a subject, oldest first."""
    query = select(Submission).where(col(Submission.recall_number) == number, col(Submission.subject) == subject)
    return (await session.exec(query.order_by(col(Submission.version)))).all()


async def of_request(session: AsyncSession, request: str) -> Submission | None:
    """The submission a request has made."""
    return (await session.exec(select(Submission).where(col(Submission.request) == request))).first()


async def events(session: AsyncSession, ids: Sequence[int]) -> dict[int, list[SubmissionEvent]]:
    """What happened to each submission, oldest first."""
    query = select(SubmissionEvent).where(col(SubmissionEvent.submission_id).in_(ids)).order_by(col(SubmissionEvent.id))
    found: dict[int, list[SubmissionEvent]] = {each: [] for each in ids}
    for row in (await session.exec(query)).all():
        found[row.submission_id].append(row)
    return found


async def freeze(session: AsyncSession, given: Frozen, *, corrects: int | None = None) -> Submission:
    """Write a submission with its files; the same request again is the same submission.

    Raises:
        NotTheNewest: `corrects` is not the newest version, or a version exists and none is named.
        evidence.EvidenceUnusable: a file belongs to another recall.
    """
    await hold_records.lock_recalls(session, [given.number])
    last = await newest(session, given.number, given.subject)
    if last is not None and last.request == given.request:
        return last
    if (last.id if last else None) != corrects:
        said = f"version {last.version} (id {last.id}) is the newest" if last else "nothing was submitted yet"
        raise NotTheNewest(f"{said}; name it in `corrects` to submit a correction")
    for each in given.files.values():
        await evidence.add(session, each, role=given.role)
    row = Submission(
        recall_number=given.number,
        deadline_id=given.deadline_id,
        subject=given.subject,
        jurisdiction=given.jurisdiction,
        name=given.name,
        version=(last.version if last else 0) + 1,
        corrects_id=corrects,
        kind=given.kind,
        model_version=given.model_version,
        report_number=given.report_number,
        fields_version=given.fields_version,
        files={
            name: {"evidence_id": str(each.id), "sha256": each.sha256, "size": each.size}
            for name, each in given.files.items()
        },
        sha256=given.sha256,
        missing=[dict(each) for each in given.missing],
        transport=given.transport,
        drill=given.drill,
        request=given.request,
        submitted_by=given.by,
        role=given.role,
        signature_id=given.signature,
        submitted_at=given.at,
    )
    session.add(row)
    await session.flush()
    cited = evidence_ids(row)
    await evidence.link(session, given.number, cited, f"submission:{row.id}", by=given.by, at=given.at, role=given.role)
    await _audit(session, row, "submission.frozen", given.by, given.role, given.at, {"missing": len(given.missing)})
    return row


def hash_of(files: Sequence[Evidence]) -> str:
    """One hash over the files of a document made elsewhere, whatever their order."""
    return hashlib.sha256("\n".join(sorted(each.sha256 for each in files)).encode()).hexdigest()


async def note(
    session: AsyncSession,
    submission: Submission,
    step: SubmissionStep,
    *,
    at: datetime,
    by: str,
    reference: str | None = None,
    detail: str | None = None,
    attempt: int = 0,
) -> bool:
    """Note a step; False when it was noted before."""
    row = {
        "submission_id": submission.id,
        "step": step.value,
        "attempt": attempt,
        "reference": reference,
        "detail": detail[:500] if detail else None,
        "at": at,
        "by": by,
    }
    if not await insert_new(session, SubmissionEvent, row):
        return False
    data = {"reference": reference, "detail": detail, "transport": submission.transport}
    await _audit(session, submission, f"submission.{step.value}", by, submission.role, at, data)
    return True


_UNDER_WAY = """
SELECT s.id FROM submission s
WHERE s.recall_number = :number AND s.transport <> 'manual' AND NOT EXISTS (
    SELECT FROM submission_event e WHERE e.submission_id = s.id AND e.step IN ('acknowledged', 'refused'))
ORDER BY s.id
"""


async def under_way(session: AsyncSession, number: str) -> list[Submission]:
    """Submissions a transport still has to carry or to bring a receipt for."""
    ids = (await run(session, _UNDER_WAY, {"number": number})).scalars().all()
    query = select(Submission).where(col(Submission.id).in_(ids)).order_by(col(Submission.id))
    return list((await session.exec(query)).all())


async def get(session: AsyncSession, submission_id: int) -> Submission:
    """A submission by id; it must exist."""
    return (await session.exec(select(Submission).where(col(Submission.id) == submission_id))).one()


async def acknowledge(session: AsyncSession, submission_id: int, reference: str, received: datetime) -> None:
    """A receipt came back: the obligation is met as of the hand-over, late if that was late."""
    row = await get(session, submission_id)
    await hold_records.lock_recalls(session, [row.recall_number])
    handed = (await events(session, [submission_id]))[submission_id]
    at = next((each.at for each in handed if each.step == SubmissionStep.handed_over), received)
    fresh = await note(session, row, SubmissionStep.acknowledged, at=received, by=row.submitted_by, reference=reference)
    if fresh:
        await meet(session, row, reference, at, signature=str(row.signature_id) if row.signature_id else None)


async def meet(session: AsyncSession, row: Submission, reference: str, at: datetime, *, signature: str | None) -> None:
    """The obligation a submission answers is met by its first version; a correction changes nothing of that."""
    if row.deadline_id is None:
        return
    deadline = await obligations.find(session, row.recall_number, row.deadline_id, lock=True)
    if deadline is None or deadline.met_at is not None or deadline.stopped_at is not None:
        return
    await obligations.submit(
        session,
        row.recall_number,
        row.deadline_id,
        reference=reference,
        evidence_ids=evidence_ids(row),
        by=row.submitted_by,
        role=row.role,
        now=at,
        signature=signature,
    )


async def covered(session: AsyncSession, deadline: Deadline) -> Submission | None:
    """The newest submission that is on its way for a deadline and was not refused."""
    query = """
    SELECT max(s.id) FROM submission s WHERE s.deadline_id = :deadline AND NOT EXISTS (
        SELECT FROM submission_event e WHERE e.submission_id = s.id AND e.step = 'refused')
    """
    found = (await run(session, query, {"deadline": deadline.id})).scalar_one()
    return await get(session, found) if found else None


async def _audit(
    session: AsyncSession, row: Submission, action: str, by: str, role: str, at: datetime, data: Mapping[str, Any]
) -> None:
    facts = {
        "submission": row.id,
        "subject": row.subject,
        "version": row.version,
        "kind": row.kind,
        "sha256": row.sha256,
        "files": {name: each["sha256"] for name, each in row.files.items()},
    }
    await audit.append(
        session,
        row.recall_number,
        actor=by,
        role=role,
        action=action,
        at=at,
        data=facts | dict(data),
        signature=row.signature_id if action == "submission.frozen" else None,
    )


__all__ = [
    "OWN",
    "Frozen",
    "NotTheNewest",
    "acknowledge",
    "covered",
    "events",
    "freeze",
    "get",
    "hash_of",
    "meet",
    "newest",
    "note",
    "of_request",
    "of_subject",
    "under_way",
]
