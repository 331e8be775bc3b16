"""Submitting a draft: exactly what was read is frozen in three forms, signed, and handed over.

The files are stored before any row names them, under their hash, so that a crash in between leaves nothing but unused
content; the same request finds its submission again, even when the draft has changed since.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from adapters.evidence.base import EvidenceUnavailable
from api.document_desk import assembled, request_of
from api.idempotency import Answer
from api.nudge import nudge_recall, nudge_workflow
from api.problems import Problem
from api.security.bearer import Principal
from api.signing import sign
from api.state import ApiState
from db.repositories import obligations, submissions
from db.repositories.documents import Assembled
from db.repositories.submissions import Frozen
from documents.html import as_html
from documents.pdf import as_pdf
from domain.documents.kinds import as_json
from domain.roles import Permission
from domain.workflow_ids import obligations_id
from models.evidence import Evidence
from models.schemas_common import FieldProblem
from models.schemas_documents import SubmissionOut, SubmitDraftIn
from models.submission import Submission, SubmissionEvent, SubmissionStep

MANUAL: Final = "manual"
_STORED: Final = {"json": "application/json", "html": "text/html", "pdf": "application/pdf"}
_IDS: Final = UUID("b4a1c1f2-6c1f-4e55-8a50-3f8f2f1d7c34")
"""Namespace of the evidence ids of frozen files, made from the request: a repeat meets the first ones."""


@dataclass(frozen=True, slots=True)
class Forms:
    """A draft in every form, with the hash of its JSON."""

    json: bytes
    html: bytes
    pdf: bytes
    sha256: str


def transport_for(state: ApiState, found: Assembled, body: SubmitDraftIn) -> str:
    """How the document reaches the authority.

    Raises:
        Problem: 409 for a transport in a drill or one that is not configured, 422 without a receipt to name.
    """
    jurisdiction, drill = found.record.jurisdiction, found.record.drill
    configured = MANUAL if drill else state.settings.regulator_transports.get(jurisdiction, MANUAL)
    chosen = body.transport or configured
    if drill and chosen != MANUAL:
        raise Problem("drill_blocked", "A drill never hands anything to an authority's transport.")
    if chosen not in (MANUAL, configured):
        raise Problem("transport_not_configured", f"{chosen} is not configured for {jurisdiction}.")
    if chosen == MANUAL and body.reference is None:
        wrong = FieldProblem(pointer="#/reference", detail="whoever sends the document states the receipt")
        raise Problem("invalid", "A receipt is needed; see `errors`.", errors=[wrong])
    return chosen


async def submit_draft(
    state: ApiState, number: str, wanted: str, body: SubmitDraftIn, principal: Principal, key: str
) -> Answer:
    """Freeze exactly the draft that was read and hand it over; signed by the caller."""
    repeated = await _repeated(state, number, wanted, principal, key)
    if repeated is not None:
        return Answer(200, repeated)
    found = await assembled(state, number, wanted)
    forms = await asyncio.to_thread(_forms, found)
    _check(found, forms, body)
    transport = transport_for(state, found, body)
    owed = found.subject.owed
    stated = {"obligation": owed.deadline_id or 0, "subject": owed.subject} | body.model_dump(mode="json")
    signer = await sign(state, principal, number, "submit_obligation", stated)
    files = await _store(state, found, forms, principal, key, number)
    await _write(state, found, forms, files, body, transport, signer, request_of(principal, key, number, wanted))
    await nudge_workflow(state, obligations_id(number))
    await nudge_recall(state, number, "checklist")
    async with state.sessions() as session:
        row = await submissions.newest(session, number, found.subject.owed.subject)
        if row is None:
            raise RuntimeError("the submission was not written")
        events = await submissions.events(session, [row.id or 0])
    return Answer(201, submission_out(row, events[row.id or 0]))


async def _repeated(state: ApiState, number: str, wanted: str, principal: Principal, key: str) -> SubmissionOut | None:
    """The submission a request made before it was interrupted; the draft may have changed by now."""
    async with state.sessions() as session:
        row = await submissions.of_request(session, request_of(principal, key, number, wanted))
        return submission_out(row, (await submissions.events(session, [row.id or 0]))[row.id or 0]) if row else None


def _forms(found: Assembled) -> Forms:
    text = as_json(found.draft)
    return Forms(text, as_html(found.draft), as_pdf(found.draft), hashlib.sha256(text).hexdigest())


def _check(found: Assembled, forms: Forms, body: SubmitDraftIn) -> None:
    if forms.sha256 != body.draft_sha256:
        raise Problem("stale_proposal", "The draft has changed since you read it; read it again.")
    if not found.draft.complete:
        names = [each.field for each in found.draft.missing if not each.explained]
        raise Problem(
            "document_incomplete",
            f"Missing and not explained: {', '.join(names)}. State them, or why they are missing and until when.",
            missing=names,
        )
    deadline = found.subject.deadline
    if deadline is not None and deadline.stopped_at is not None:
        raise Problem("obligation_not_open", f"It was stopped on {deadline.stopped_at:%Y-%m-%d}.")
    if deadline is not None and deadline.met_at is not None and body.corrects is None:
        raise Problem("obligation_not_open", "It was submitted before; name what you correct in `corrects`.")


async def _store(
    state: ApiState, found: Assembled, forms: Forms, principal: Principal, key: str, number: str
) -> dict[str, Evidence]:
    files = {}
    for form, content in (("json", forms.json), ("html", forms.html), ("pdf", forms.pdf)):
        try:
            sha256 = await state.evidence.store(content)
        except EvidenceUnavailable as error:
            raise Problem("evidence_unavailable", "Repeat the request with the same key later.") from error
        files[form] = Evidence(
            id=uuid5(_IDS, f"{principal.name}\n{key}\n{number}\n{form}"),
            file_name=f"{number} {found.subject.owed.name} {found.subject.kind.KIND}.{form}".replace(":", "-"),
            content_type=_STORED[form],
            size=len(content),
            sha256=sha256,
            uploaded_by=principal.name,
            uploaded_at=state.now(),
        )
    return files


async def _write(
    state: ApiState,
    found: Assembled,
    forms: Forms,
    files: dict[str, Evidence],
    body: SubmitDraftIn,
    transport: str,
    signer: Principal,
    request: str,
) -> None:
    """Submission, its receipt where a person has one, and the obligation met by it: all or nothing."""
    now, owed, role = state.now(), found.subject.owed, signer.role_for(Permission.SUBMIT_OBLIGATION)
    frozen = Frozen(
        number=found.record.number,
        subject=owed.subject,
        jurisdiction=found.record.jurisdiction,
        name=owed.name,
        deadline_id=owed.deadline_id,
        kind=found.subject.kind.KIND,
        model_version=found.subject.kind.VERSION,
        report_number=getattr(found.draft.document, "report_number", None),
        fields_version=found.draft.head.fields_version,
        files=files,
        sha256=forms.sha256,
        missing=[each.model_dump(mode="json") for each in found.draft.missing],
        transport=transport,
        drill=found.record.drill,
        request=request,
        by=signer.name,
        role=role,
        signature=UUID(signer.signature) if signer.signature else None,
        at=now,
    )
    async with state.sessions.begin() as session:
        try:
            row = await submissions.freeze(session, frozen, corrects=body.corrects)
            if transport == MANUAL:
                await submissions.note(session, row, SubmissionStep.handed_over, at=now, by=signer.name)
                await submissions.note(
                    session, row, SubmissionStep.acknowledged, at=now, by=signer.name, reference=body.reference
                )
                await submissions.meet(session, row, body.reference or "", now, signature=signer.signature)
        except submissions.NotTheNewest as error:
            raise Problem("conflict", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        except obligations.ObligationNotOpen as error:
            raise Problem("obligation_not_open", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error


def submission_out(row: Submission, events: Sequence[SubmissionEvent]) -> SubmissionOut:
    """One frozen version with what happened to it."""
    steps = {each.step for each in events}
    over = next((step for step in ("acknowledged", "refused") if step in steps), "under_way")
    return SubmissionOut(
        **row.model_dump(include=set(SubmissionOut.model_fields) - {"state", "events"}),
        state=over,
        events=[each.model_dump(include={"step", "at", "by", "reference", "detail"}) for each in events],
    )


__all__ = ["submission_out", "submit_draft", "transport_for"]
