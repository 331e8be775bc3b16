"""Documents made elsewhere (an authority's portal, a form of its own), frozen as uploaded when they are submitted."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import evidence, obligations, recalls, submissions
from db.rows import uuid_of
from models.recall import Deadline
from models.submission import Submission, SubmissionStep


async def submit(
    session: AsyncSession,
    number: str,
    deadline_id: int,
    *,
    reference: str,
    evidence_ids: Sequence[UUID],
    request: str,
    by: str,
    role: str,
    signature: str | None,
    now: datetime,
) -> None:
    """The obligation is met by the document, and its files are frozen as what was submitted.

    Raises:
        as `obligations.submit`.
    """
    row = await obligations.submit(
        session,
        number,
        deadline_id,
        reference=reference,
        evidence_ids=evidence_ids,
        by=by,
        role=role,
        now=now,
        signature=signature,
    )
    await _freeze(session, row, evidence_ids, request=request, by=by, role=role, signature=uuid_of(signature), now=now)


async def _freeze(
    session: AsyncSession,
    deadline: Deadline,
    cited: Sequence[UUID],
    *,
    request: str,
    by: str,
    role: str,
    signature: UUID | None,
    now: datetime,
) -> Submission:
    """Freeze a document made elsewhere : its files as uploaded, with their hashes and a version.

    The caller has recorded that the obligation is met by it (`obligations.submit`).
    """
    found = [each for each in [await evidence.find(session, each) for each in cited] if each is not None]
    recall = await recalls.get(session, deadline.recall_number)
    subject = f"{deadline.jurisdiction}:{deadline.name}"
    last = await submissions.newest(session, deadline.recall_number, subject)
    given = submissions.Frozen(
        number=deadline.recall_number,
        subject=subject,
        jurisdiction=deadline.jurisdiction,
        name=deadline.name,
        deadline_id=deadline.id,
        kind=submissions.OWN,
        model_version=None,
        report_number=None,
        fields_version=0,
        files={str(each.id): each for each in found},
        sha256=submissions.hash_of(found),
        missing=(),
        transport="manual",
        drill=recall.drill,
        request=request,
        by=by,
        role=role,
        signature=signature,
        at=now,
    )
    row = await submissions.freeze(session, given, corrects=last.id if last and last.request != request else None)
    await submissions.note(session, row, SubmissionStep.handed_over, at=now, by=by)
    await submissions.note(session, row, SubmissionStep.acknowledged, at=now, by=by, reference=deadline.reference)
    return row


__all__ = ["submit"]
