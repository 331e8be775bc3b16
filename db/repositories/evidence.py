"""Evidence records: the file's hash, verified type and uploader, bound to the recall and the records it proves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit
from db.repositories.files import of_file, owner_columns
from db.rows import insert_new
from domain.quality_numbers import is_quality_number
from models.evidence import Evidence, EvidenceLink

_LINK = """
INSERT INTO evidence_link (evidence_id, subject, recall_number, file_number, linked_by, linked_at)
SELECT file.id, record.subject, :recall_number, :file_number, :by, CAST(:at AS timestamptz)
FROM unnest(CAST(:ids AS uuid[])) AS file(id) CROSS JOIN unnest(CAST(:subjects AS text[])) AS record(subject)
ON CONFLICT DO NOTHING
RETURNING evidence_id, subject
"""


class EvidenceUnusable(ValueError):  # noqa: N818 - what is wrong, in the words of the archive
    """Files that cannot be cited for this recall; `faults` maps each id as given to its reason."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{each}: {why}" for each, why in faults.items()))
        self.faults = dict(faults)


async def add(session: AsyncSession, evidence: Evidence, *, role: str) -> Evidence:
    """Record an upload; the same id again is the same upload."""
    row = evidence.model_dump()
    if await insert_new(session, Evidence, row):
        await audit.append(
            session,
            audit.SYSTEM,
            actor=evidence.uploaded_by,
            role=role,
            action="evidence.uploaded",
            at=evidence.uploaded_at,
            data={"evidence_id": evidence.id, "sha256": evidence.sha256, "size": evidence.size},
        )
    return evidence


async def find(session: AsyncSession, evidence_id: UUID) -> Evidence | None:
    """One record."""
    return (await session.exec(select(Evidence).where(col(Evidence.id) == evidence_id))).first()


async def of_recall(session: AsyncSession, number: str) -> Sequence[Evidence]:
    """The files bound to a recall or a file of quality, in order of upload."""
    query = select(Evidence).where(of_file(Evidence, number))
    return (await session.exec(query.order_by(col(Evidence.uploaded_at), col(Evidence.id)))).all()


async def unusable(session: AsyncSession, evidence_ids: Sequence[UUID], number: str | None) -> dict[UUID, str]:
    """The ids that cannot be cited for this recall (None: one about to be opened), each with the reason."""
    if not evidence_ids:
        return {}
    query = select(Evidence).where(col(Evidence.id).in_(evidence_ids))
    owners = {each.id: each.recall_number or each.file_number for each in (await session.exec(query)).all()}
    faults = {each: _fault(each, owners, number) for each in evidence_ids}
    return {each: why for each, why in faults.items() if why}


def _fault(evidence_id: UUID, owners: Mapping[UUID, str | None], number: str | None) -> str:
    if evidence_id not in owners:
        return "no evidence has this id"
    owner = owners[evidence_id]
    if owner in (None, number):
        return ""
    what = "file of quality" if is_quality_number(owner or "") else "recall"
    return f"this evidence belongs to another {what}"


async def link(
    session: AsyncSession,
    number: str,
    evidence_ids: Sequence[UUID | str],
    subject: str,
    *,
    by: str,
    at: datetime,
    role: str = "staff",
) -> None:
    """Bind the files to the recall and to the record they prove (see `link_all`)."""
    await link_all(session, number, evidence_ids, [subject], by=by, at=at, role=role)


async def link_all(
    session: AsyncSession,
    number: str,
    evidence_ids: Sequence[UUID | str],
    subjects: Sequence[str],
    *,
    by: str,
    at: datetime,
    role: str = "staff",
) -> None:
    """Bind the files to the recall and to each record they prove; linking again changes nothing.

    The recall's audit chain gets `evidence.linked` with the hash of each file, so that the chain alone says which
    content proves what. The rows are locked: of two recalls citing one free file at once, one is refused.

    Args:
        subjects: the records, each as `task:12`, `disposition:4`, `capa:1:action:2`, `complaint:3`, `gate:us-fda:x`.
        by: principal who cites them.
        at: the sender's instant.
        role: in which capacity.

    Raises:
        EvidenceUnusable: an id is malformed, unknown or bound to another recall; nothing was changed.
    """
    if not evidence_ids:
        return
    files, owner = await _locked(session, number, evidence_ids), owner_columns(number)
    for file in files:
        file.recall_number, file.file_number = owner["recall_number"], owner["file_number"]
        session.add(file)
    await session.flush()
    fresh = await _insert_links(session, number, [file.id for file in files], subjects, by, at)
    events = []
    for subject in subjects:
        cited = [
            {"evidence_id": file.id, "sha256": file.sha256, "size": file.size}
            for file in files
            if (file.id, subject) in fresh
        ]
        if cited:
            events.append(audit.Entry(by, role, "evidence.linked", at, data={"subject": subject, "files": cited}))
    if events:
        await audit.append_all(session, number, events)


async def _locked(session: AsyncSession, number: str, evidence_ids: Sequence[UUID | str]) -> list[Evidence]:
    """The files in order of their ids (no deadlock of two callers), each usable for this recall."""
    faults, wanted = {}, {}
    for given in evidence_ids:
        try:
            wanted[UUID(str(given))] = str(given)
        except ValueError:
            faults[str(given)[:80]] = "expected the id of an evidence file (UUID)"
    query = select(Evidence).where(col(Evidence.id).in_(list(wanted))).order_by(col(Evidence.id))
    locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    files = list((await session.exec(locked)).all())
    owners = {file.id: file.recall_number or file.file_number for file in files}
    faults |= {given: why for each, given in wanted.items() if (why := _fault(each, owners, number))}
    if faults:
        raise EvidenceUnusable(faults)
    return files


async def _insert_links(
    session: AsyncSession, number: str, ids: Sequence[UUID], subjects: Sequence[str], by: str, at: datetime
) -> set[tuple[UUID, str]]:
    binds = {"ids": [str(each) for each in ids], "subjects": list(subjects), "by": by, "at": at}
    return {
        (UUID(str(row.evidence_id)), row.subject) for row in await run(session, _LINK, binds | owner_columns(number))
    }


async def linked(session: AsyncSession, number: str, subject: str) -> list[Evidence]:
    """The files that prove one record of a recall, in order of upload."""
    query = (
        select(Evidence)
        .join(EvidenceLink, col(EvidenceLink.evidence_id) == col(Evidence.id))
        .where(of_file(EvidenceLink, number), col(EvidenceLink.subject) == subject)
        .order_by(col(Evidence.uploaded_at), col(Evidence.id))
    )
    return list((await session.exec(query)).all())


__all__ = ["EvidenceUnusable", "add", "find", "link", "link_all", "linked", "of_recall", "unusable"]
