"""Evidence files: uploaded with a verified type, stored by hash, given back only if the hash still holds."""

import hashlib
import logging
from typing import Annotated
from urllib.parse import quote
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, File, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from adapters.evidence.base import EvidenceDamaged, EvidenceUnavailable
from api.deps import KeyDep, ReaderDep, StateDep, require
from api.evidence_types import CHECKS, verified_type
from api.idempotency import Answer, once
from api.problems import Problem, problems
from api.security.bearer import Principal
from api.state import ApiState
from api.views import evidence_out
from db.repositories import evidence
from domain.roles import Permission
from models.access import IdempotencyKey
from models.evidence import Evidence
from models.schemas_records import EvidenceOut

router = APIRouter(prefix="/evidence", tags=["evidence"])
_log = logging.getLogger("api.evidence")
_IDS = UUID("6f0c7d8e-5d0b-4f55-9a6b-0d7f6f6f2a11")
"""Namespace of evidence ids made from principal and Idempotency-Key, so a repeat meets the first upload."""
Uploader = Annotated[Principal, Depends(require(Permission.UPLOAD_EVIDENCE))]


@router.post(
    "",
    operation_id="uploadEvidence",
    status_code=201,
    summary="Upload an evidence file",
    response_model=EvidenceOut,
    responses=problems(
        "bad_request",
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "request_in_progress",
        "too_large",
        "unsupported_media_type",
        "invalid",
        "evidence_unavailable",
    ),
)
async def upload_evidence(
    request: Request, file: Annotated[UploadFile, File()], key: KeyDep, principal: Uploader, state: StateDep
) -> JSONResponse:
    """Store one file. Its content must be of the type it claims (PDF, PNG, JPEG, TIFF, text, CSV, e-mail, JSON,
    XLSX, DOCX); cite the returned id when starting a recall or passing a gate.
    """
    content = await _read(file, state.settings.evidence_max_bytes)
    name = _clean_name(file.filename)
    media_type = verified_type(file.content_type or "", content)
    if media_type is None:
        allowed = ", ".join(CHECKS)
        raise Problem(
            "unsupported_media_type",
            f"The content is empty, is not of the type claimed, or the type is not accepted. Accepted: {allowed}.",
        )
    asked = {"sha256": hashlib.sha256(content).hexdigest(), "name": name, "type": media_type}

    async def carry_out(_: IdempotencyKey) -> Answer:
        record = await _store(state, content, name, media_type, principal, key)
        return Answer(201, evidence_out(record), {"Location": f"/v1/evidence/{record.id}"})

    return await once(state, request, principal, key, asked=asked, operation=carry_out)


async def _store(
    state: ApiState, content: bytes, name: str, media_type: str, principal: Principal, key: str
) -> Evidence:
    # The file first: a record without its file would be a promise nobody can keep.
    try:
        sha256 = await state.evidence.store(content)
    except EvidenceUnavailable as error:
        raise _unavailable(error) from error
    record = Evidence(
        id=uuid5(_IDS, f"{principal.name}\n{key}"),
        file_name=name,
        content_type=media_type,
        size=len(content),
        sha256=sha256,
        uploaded_by=principal.name,
        uploaded_at=state.now(),
    )
    async with state.sessions.begin() as session:
        return await evidence.add(session, record, role=principal.role_for(Permission.UPLOAD_EVIDENCE))


def _unavailable(error: EvidenceUnavailable) -> Problem:
    # The address and bucket are the operator's business: they go to the log, not to the caller.
    _log.warning("evidence store: %s", error)
    return Problem("evidence_unavailable", "Repeat the request with the same key later.", headers={"Retry-After": "5"})


async def _read(file: UploadFile, limit: int) -> bytes:
    content = await file.read(limit + 1)
    if len(content) > limit:
        raise Problem("too_large", f"An evidence file may have {limit} bytes.")
    return content


def _clean_name(name: str | None) -> str:
    """The last path part without control characters: a name to show, never a path to open."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(char for char in last if char.isprintable()).strip()
    return shown[-200:] or "unnamed"


@router.get(
    "/{evidence_id}",
    operation_id="downloadEvidence",
    summary="Download an evidence file",
    response_class=Response,
    responses=problems("unauthenticated", "not_permitted", "not_found", "invalid", "evidence_unavailable")
    | {200: {"description": "The file as uploaded", "content": {media_type: {} for media_type in CHECKS}}},
)
async def download_evidence(evidence_id: UUID, _: ReaderDep, state: StateDep) -> Response:
    """The file as uploaded; refused when it no longer has the hash it was recorded with."""
    async with state.sessions() as session:
        record = await evidence.find(session, evidence_id)
    if record is None:
        raise Problem("not_found", f"There is no evidence {evidence_id}.")
    try:
        content = await state.evidence.read(record.sha256)
    except EvidenceDamaged as error:
        raise Problem("internal", f"The stored file is damaged: {error}") from error
    except EvidenceUnavailable as error:
        raise _unavailable(error) from error
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(record.file_name)}",
        "ETag": f'"{record.sha256}"',
    }
    return Response(content, media_type=record.content_type, headers=headers)


@router.get(
    "/{evidence_id}/record",
    operation_id="readEvidence",
    summary="What is known of an evidence file",
    responses=problems("unauthenticated", "not_permitted", "not_found", "invalid"),
)
async def read_evidence(evidence_id: UUID, _: ReaderDep, state: StateDep) -> EvidenceOut:
    """Hash, type, size, uploader and the recall it belongs to."""
    async with state.sessions() as session:
        record = await evidence.find(session, evidence_id)
    if record is None:
        raise Problem("not_found", f"There is no evidence {evidence_id}.")
    return evidence_out(record)


__all__ = ["router"]
