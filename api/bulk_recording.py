"""Taking a table of answers in: what it would do, and doing it, one transaction per consignee.

Rows of one consignee are recorded as its answer through the function the page uses. One transaction for the whole file
would hold the recall's audit chain while waiting for consignees who answer themselves at that moment; the form ids make
a repeat after a crash go on where it stopped.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from adapters.evidence.base import EvidenceUnavailable
from api.bulk_answers import Batch, Defaults, SiteAnswer, form_id_of, read_batch
from api.bulk_columns import read_key
from api.bulk_rows import RowFault
from api.bulk_sheet import Sheet, SheetEncoding, SheetRefused, read_sheet
from api.nudge import nudge_campaign, nudge_case, nudge_recall, nudge_workflow
from api.problems import Problem
from api.state import ApiState
from db.repositories import bulk_answers, evidence, onward, replies
from db.repositories.bulk_answers import Site
from db.repositories.cases import By
from db.repositories.onward import PassedOnToItself
from db.repositories.reply_extras import NoHospital
from db.repositories.statements import UnknownLot, judged
from domain.harm import mentions_harm
from domain.replies import is_settled
from domain.workflow_ids import disposition_id
from models.evidence import Evidence
from models.replies import FileReply, RecordedReply
from models.schemas_bulk_answers import BulkAnswersOut, SiteAnswerOut, SiteLeftOut
from models.schemas_common import FieldProblem

_MOST_NAMED: Final = 500
_FILES: Final = UUID("0d6bdf0d-5b6f-4d0e-9a3e-2f6f7a7f6c22")
"""Namespace of the ids of files of answers: the same content under the same recall is one evidence."""
_REFUSED: Final = (
    replies.UnknownConsignee,
    replies.FormReused,
    PassedOnToItself,
    UnknownLot,
    NoHospital,
)
_NOT_DONE: Final = {"counts_as_answered": False, "speaks_of_harm": False}


@dataclass(frozen=True, slots=True)
class Given:
    """A file as it was sent, and how its sender says it is to be read."""

    number: str
    name: str
    content: bytes
    encoding: SheetEncoding | None
    decimal_comma: bool
    defaults: Defaults

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def form_id(self, site: Site) -> str:
        """Identity of a consignee's rows of it."""
        comma = "comma" if self.decimal_comma else None
        return form_id_of(self.content, self.number, site, self.encoding, comma, self.defaults.name, self.defaults.role)


@dataclass(frozen=True, slots=True)
class Read:
    """A file without faults."""

    sheet: Sheet
    batch: Batch


async def read_given(state: ApiState, given: Given) -> Read:
    """Read a file against the record.

    Raises:
        Problem: 422 with line and column of whatever is wrong; nothing of the file was taken.
    """
    try:
        sheet = await asyncio.to_thread(read_sheet, given.content, given.encoding, decimal_comma=given.decimal_comma)
    except SheetRefused as error:
        raise _problem([RowFault(error.line, error.column, str(error))], ()) from None
    keys = [key for row in sheet.rows if (key := read_key(row.cells.get("key", "")))]
    async with state.sessions() as session:
        known = await bulk_answers.named(
            session,
            given.number,
            codes={row.cells["consignee"] for row in sheet.rows if "consignee" in row.cells},
            ids={consignee for consignee, _ in keys},
            serials={row.cells["serial"] for row in sheet.rows if "serial" in row.cells},
        )
    # A file of the size that is allowed takes seconds: other requests go on meanwhile.
    batch = await asyncio.to_thread(
        read_batch, sheet, known, defaults=given.defaults, decimal_comma=given.decimal_comma
    )
    faults = [*batch.faults, *await _to_itself(state, batch)]
    if faults:
        raise _problem(faults, await asyncio.to_thread(_speaking_of_harm, sheet))
    return Read(sheet, batch)


async def _to_itself(state: ApiState, batch: Batch) -> list[RowFault]:
    """Where a consignee says that it passed units on to itself."""
    named = [(answer, receiver) for answer in batch.answers for receiver in answer.passed_on]
    async with state.sessions() as session:
        partners = await onward.known_sites(session, [receiver for _, receiver in named])
    return [
        RowFault(answer.line, "passed_on_to", f"{receiver.name}: the consignee itself")
        for (answer, receiver), partner in zip(named, partners, strict=True)
        if partner == answer.site.partner_id
    ]


def _speaking_of_harm(sheet: Sheet) -> list[int]:
    return [row.line for row in sheet.rows if mentions_harm(row.cells.get("remark"))]


def _problem(faults: Sequence[RowFault], harm: Sequence[int]) -> Problem:
    errors = [
        FieldProblem(pointer=f"#/rows/{each.line}" + (f"/{each.column}" if each.column else ""), detail=each.detail)
        for each in faults[:_MOST_NAMED]
    ]
    count = "One cell is" if len(faults) == 1 else f"{len(faults)} cells are"
    detail = f"{count} not right; nothing was recorded. `rows` are lines of the file, the titles are line 1."
    if len(faults) > _MOST_NAMED:
        detail += f" The first {_MOST_NAMED} are listed."
    if harm:
        detail += " Some remarks speak of harm: record these as complaints now, whatever becomes of the file."
        return Problem("invalid", detail, errors=errors, harm_in_rows=list(harm[:_MOST_NAMED]))
    return Problem("invalid", detail, errors=errors)


def preview(read: Read, now: datetime) -> BulkAnswersOut:
    """What recording the file would do."""
    items = [_would(answer, now) for answer in read.batch.answers]
    return _out(read, items, None, preview=True)


async def keep(state: ApiState, given: Given, sheet: Sheet, by: By) -> UUID:
    """Keep the file as it came, as evidence of the recall.

    Raises:
        EvidenceUnavailable: the store cannot be reached.
    """
    sha256 = await state.evidence.store(given.content)
    file = Evidence(
        id=uuid5(_FILES, f"{given.number}\n{sha256}"),
        file_name=given.name,
        content_type=sheet.media_type,
        size=len(given.content),
        sha256=sha256,
        uploaded_by=by.actor,
        uploaded_at=by.at,
    )
    async with state.sessions.begin() as session:
        await evidence.add(session, file, role=by.role)
    async with state.sessions.begin() as session:
        subject = f"answers:{sha256[:40]}"
        await evidence.link(session, given.number, [file.id], subject, by=by.actor, at=by.at, role=by.role)
    return file.id


async def record(state: ApiState, given: Given, read: Read, file_id: UUID, by: By) -> BulkAnswersOut:
    """Record every answer of the file, then tell the workflows, each once."""
    items: list[SiteAnswerOut] = []
    done: list[tuple[int, RecordedReply]] = []
    try:
        for answer in read.batch.answers:
            reply = _reply(given, answer, file_id, by)
            try:
                async with state.sessions.begin() as session:
                    recorded = await replies.record_file_reply(session, reply)
            except _REFUSED as error:
                items.append(_would(answer, by.at).model_copy(update=_NOT_DONE | {"refused": str(error)}))
                continue
            done.append((answer.site.consignee_id, recorded))
            items.append(_recorded(answer, recorded, by.at))
    finally:
        await _nudge(state, given.number, done)
    return _out(read, items, file_id, preview=False)


def _reply(given: Given, answer: SiteAnswer, file_id: UUID, by: By) -> FileReply:
    return FileReply(
        recall_number=given.number,
        consignee_id=answer.site.consignee_id,
        at=by.at,
        form_id=given.form_id(answer.site),
        file_id=file_id,
        entered_by=by.actor,
        affected=answer.affected,
        statements=answer.statements,
        passed_on=answer.passed_on,
        responder_name=answer.responder_name,
        responder_role=answer.responder_role,
        free_text=answer.remark,
        patients=answer.patients,
    )


async def _nudge(state: ApiState, number: str, done: Sequence[tuple[int, RecordedReply]]) -> None:
    if any(recorded.complaint is not None for _, recorded in done):
        await nudge_recall(state, number, "complaint")
    due = [recorded for _, recorded in done if recorded.nudge_due]
    for campaign in sorted({each.campaign_sequence for each in due if each.campaign_sequence is not None}):
        await nudge_campaign(state, number, campaign)
    if due:
        await nudge_workflow(state, disposition_id(number))
    for consignee_id, recorded in done:
        if recorded.case_moved:
            await nudge_case(state, number, consignee_id)


def _would(answer: SiteAnswer, now: datetime) -> SiteAnswerOut:
    findings = judged(answer.site.lots, answer.statements, answer.passed_on, now)
    return SiteAnswerOut(
        line=answer.line,
        consignee_id=answer.site.consignee_id,
        code=answer.site.code,
        name=answer.site.name,
        lots=len(answer.statements),
        findings=[finding.model_dump(mode="json") for finding in findings],
        counts_as_answered=is_settled(findings),
        replaces_answer_of=answer.site.answered_at,
        passed_on_to=len(answer.passed_on),
        speaks_of_harm=mentions_harm(answer.remark),
        reply_id=None,
        repeated=False,
        new_consignees=[],
        complaint=None,
        refused=None,
    )


def _recorded(answer: SiteAnswer, recorded: RecordedReply, now: datetime) -> SiteAnswerOut:
    return _would(answer, now).model_copy(
        update={
            "findings": [finding.model_dump(mode="json") for finding in recorded.findings],
            "counts_as_answered": is_settled(recorded.findings),
            "reply_id": recorded.reply_id,
            "repeated": recorded.repeated,
            "new_consignees": list(recorded.new_consignees),
            "complaint": recorded.complaint,
        }
    )


def _out(read: Read, items: list[SiteAnswerOut], file_id: UUID | None, *, preview: bool) -> BulkAnswersOut:
    refused = sum(item.refused is not None for item in items)
    return BulkAnswersOut(
        preview=preview,
        evidence_id=file_id,
        rows=len(read.sheet.rows),
        recorded=len(items) - refused,
        refused=refused,
        items=items,
        left_blank=[
            SiteLeftOut(consignee_id=site.consignee_id, code=site.code, name=site.name)
            for site in read.batch.left_blank
        ],
    )


__all__ = ["EvidenceUnavailable", "Given", "Read", "keep", "preview", "read_given", "record"]
