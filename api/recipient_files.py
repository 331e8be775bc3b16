"""Photos and documents a recipient sends: each checked by its content, stored as evidence of this recipient, once.

The file is evidence from the moment it is taken, whether or not the answer it belongs to is ever finished; the answer
takes over what was sent with its draft. The same content sent twice is one file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid5

from starlette.datastructures import UploadFile

from api.recipient_access import Visitor
from api.state import ApiState
from db.repositories import cases, evidence, reply_drafts
from domain.photo_types import FileRefused, named, photo_or_document
from models.evidence import Evidence

MAX_FILES: Final = 20
"""Of one recipient under one recall."""
MAX_BYTES: Final = 10 * 1024 * 1024
"""Of one file; a telephone's photo has 2 to 8 MB."""
MAX_AT_ONCE: Final = 5
_IDS: Final = UUID("0d0c9f5e-2f0a-4b6e-9f43-7f8c0a9c5b17")
"""Namespace of evidence ids made from recall, recipient and content, so that a second tap meets the first upload."""


@dataclass(slots=True)
class Taken:
    """What became of the files of one upload."""

    names: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    """(name as sent, reason): `error_file_<reason>` of the page's messages."""


async def take_files(state: ApiState, visitor: Visitor, files: Sequence[UploadFile]) -> Taken:
    """Check and keep each file; a bad one does not keep the others out.

    Raises:
        adapters.evidence.base.EvidenceUnavailable: the store is away; what was taken before it stays.
    """
    taken, limit = Taken(), min(MAX_BYTES, state.settings.evidence_max_bytes)
    sent = {file.sha256 for file in await files_of(state, visitor)}
    for upload in files:
        name = (upload.filename or "")[:300]
        content = await upload.read(limit + 1)
        try:
            if len(content) > limit:
                raise FileRefused("size")
            media_type = photo_or_document(content)
            sha256 = await state.evidence.store(content) if len(sent) < MAX_FILES else None
            if sha256 is None:
                raise FileRefused("many")
        except FileRefused as refused:
            taken.faults.append((name, refused.reason))
            continue
        shown = named(name, media_type)
        await _keep(
            state, visitor, Evidence(file_name=shown, content_type=media_type, size=len(content), sha256=sha256)
        )
        sent.add(sha256)
        taken.names.append(shown)
    return taken


async def files_of(state: ApiState, visitor: Visitor) -> list[Evidence]:
    """What this recipient has sent under this recall, in order."""
    async with state.sessions() as session:
        return await evidence.linked(session, visitor.record.number, subject_of(visitor.record.consignee_id))


def subject_of(consignee_id: int) -> str:
    """The record that a recipient's files prove."""
    return f"consignee:{consignee_id}"


async def _keep(state: ApiState, visitor: Visitor, file: Evidence) -> None:
    record, at = visitor.record, state.now()
    actor = f"consignee:{record.consignee_id}"
    file.id = uuid5(_IDS, f"{record.number}\n{record.consignee_id}\n{file.sha256}")
    file.uploaded_by, file.uploaded_at = actor, at
    async with state.sessions.begin() as session:
        await evidence.add(session, file, role="recipient")
    # Two transactions: the upload is on the archive's own chain, the link on the recall's; nobody holds both at once.
    async with state.sessions.begin() as session:
        await cases.lock_consignee(session, record.number, record.consignee_id)
        drafted = await reply_drafts.add_file(session, record.consignee_id, record.contact_id, str(file.id), at)
        subjects = [subject_of(record.consignee_id)]
        if not drafted and record.last_reply_id is not None:
            subjects.append(f"reply:{record.last_reply_id}")
        await evidence.link_all(session, record.number, [file.id], subjects, by=actor, at=at, role="recipient")


__all__ = ["MAX_AT_ONCE", "MAX_BYTES", "MAX_FILES", "Taken", "files_of", "subject_of", "take_files"]
