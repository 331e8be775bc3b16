"""Drafts of documents for authorities, as routes need them: from the record, in each form, with stated fields.

Rendering is work for a thread.
"""

import asyncio
import hashlib
from typing import Final

from api.idempotency import fingerprint
from api.problems import Problem
from api.records import load
from api.security.bearer import Principal
from api.state import ApiState
from db.repositories import documents
from db.repositories.documents import Assembled
from documents.html import as_html
from documents.pdf import as_pdf
from domain.documents.form import FieldFault
from domain.documents.kinds import as_json, check_fields
from domain.documents.record import Firm
from domain.roles import Permission
from models.schemas_common import FieldProblem
from models.schemas_documents import FieldsIn, FieldsOut, MissingOut
from settings import Settings

TYPES: Final = {"json": "application/json", "html": "text/html; charset=utf-8", "pdf": "application/pdf"}


def firm(settings: Settings) -> Firm:
    """The recalling firm as configured; an empty setting is a missing fact."""
    return Firm(
        name=settings.company_name,
        country=settings.home_country,
        phone=settings.company_phone or None,
        email=settings.company_email or None,
        address=settings.company_address or None,
        fda_registration=settings.fda_registration or None,
        eu_srn=settings.eu_srn or None,
    )


async def assembled(state: ApiState, number: str, wanted: str) -> Assembled:
    """The draft for an obligation or gate.

    Raises:
        Problem: 404 when the recall has no such obligation or gate.
    """
    recall = await load(state, number)
    async with state.sessions() as session:
        subject = await documents.find(session, number, wanted)
        if subject is None:
            raise Problem("obligation_unknown", f"The recall {number} has no obligation or gate {wanted}.")
        return await documents.assemble(session, recall, subject, firm(state.settings), state.now())


async def form_of(found: Assembled, form: str, language: str | None) -> tuple[bytes, str]:
    """The draft's bytes in one form, and the hash of its JSON."""
    text = await asyncio.to_thread(as_json, found.draft)
    sha256 = hashlib.sha256(text).hexdigest()
    if form == "json":
        return text, sha256
    return await asyncio.to_thread(as_html if form == "html" else as_pdf, found.draft, language), sha256


def fields_out(found: Assembled, sha256: str) -> FieldsOut:
    """What is stated and what is open."""
    stated = found.fields
    return FieldsOut(
        subject=found.subject.owed.subject,
        kind=found.subject.kind.KIND,
        model_version=found.subject.kind.VERSION,
        version=stated.version if stated else 0,
        supplied=stated.supplied if stated else {},
        explanations=stated.explanations if stated else {},
        stated_by=stated.stated_by if stated else None,
        stated_at=stated.stated_at if stated else None,
        overruled=list(found.draft.head.overruled),
        missing=[MissingOut.model_validate(each, from_attributes=True) for each in found.draft.missing],
        complete=found.draft.complete,
        draft_sha256=sha256,
    )


async def read_fields(state: ApiState, number: str, wanted: str) -> FieldsOut:
    """The stated fields with the hash of the draft they make."""
    found = await assembled(state, number, wanted)
    return fields_out(found, (await form_of(found, "json", None))[1])


async def put_fields(state: ApiState, number: str, wanted: str, body: FieldsIn, principal: Principal) -> FieldsOut:
    """Check and store a new version of what is stated; the same statement again changes nothing.

    Raises:
        Problem: 422 with each field that cannot be taken, 409 when somebody stated something in between.
    """
    found = await assembled(state, number, wanted)
    if faults := check_fields(found.subject.kind, found.record, body.supplied, body.explanations):
        raise Problem(
            "invalid", "These fields cannot be stated; see `errors`.", errors=[_fault(body, each) for each in faults]
        )
    async with state.sessions.begin() as session:
        try:
            await documents.state_fields(
                session,
                number,
                found.subject.owed.subject,
                based_on=body.based_on,
                supplied=body.supplied,
                explanations=body.explanations,
                request=request_of(principal, fingerprint(body), number, found.subject.owed.subject),
                by=principal.name,
                role=principal.role_for(Permission.SUBMIT_OBLIGATION),
                now=state.now(),
            )
        except documents.FieldsChanged as error:
            raise Problem("conflict", f"The fields changed: {error}. Read them again.") from error
    return await read_fields(state, number, wanted)


def _fault(body: FieldsIn, fault: FieldFault) -> FieldProblem:
    where = "supplied" if fault.field in body.supplied else "explanations"
    return FieldProblem(pointer=f"#/{where}/{fault.field}", detail=fault.message)


def request_of(principal: Principal, key: str, number: str, wanted: str) -> str:
    """Identity of a request: the same key of the same person for the same document is the same request."""
    return hashlib.sha256(f"{principal.name}\n{key}\n{number}\n{wanted}".encode()).hexdigest()


__all__ = ["TYPES", "assembled", "firm", "form_of", "put_fields", "read_fields", "request_of"]
