"""What an answer brings beside its figures: a hospital's counts of patients, and the files that came with it.

All inside the reply's transaction, in the order every writer keeps: tasks are ended before anything is audited, files
are locked before the recall's audit chain.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import cases, evidence, reply_drafts
from db.repositories.cases import By
from db.repositories.patients import NoHospital
from db.repositories.reply_effects import Entry
from models.case import CaseReason

_COUNTS = """
INSERT INTO patient_follow_up (recall_number, consignee_id, exposed, contacted, monitored, replaced, final, channel,
                               stated_by, entered_by, received_at, form_id)
VALUES (:number, :consignee, :exposed, :contacted, :monitored, :replaced, :final, :channel,
        :stated_by, :actor, :at, :form)
RETURNING id
"""


async def note_patients(session: AsyncSession, entry: Entry, partner_kind: str) -> int | None:
    """Store the counts; final ones end the task to get them. Returns the id of the statement.

    Raises:
        NoHospital: only a hospital has patients to count.
    """
    stated = entry.patients
    if stated is None:
        return None
    if partner_kind != "hospital":
        raise NoHospital(f"the consignee is a {partner_kind}: patients are counted by hospitals")
    values = {
        **stated.model_dump(),
        "number": entry.number,
        "consignee": entry.consignee_id,
        "channel": entry.channel,
        "stated_by": entry.columns.get("responder_name"),
        "actor": entry.actor,
        "at": entry.at,
        "form": f"{entry.columns['form_id']}:p"[:64],
    }
    made = int((await run(session, _COUNTS, values)).scalar_one())
    if stated.final:
        outcome = f"final counts (statement {made})"
        await cases.close_tasks(session, entry.number, entry.consignee_id, ["patients"], _by(entry), outcome=outcome)
    return made


async def end_patients_case(session: AsyncSession, entry: Entry, counts: int | None) -> bool:
    """Close the case about patients when the counts are final; returns whether one was open."""
    if counts is None or entry.patients is None or not entry.patients.final:
        return False
    outcome = f"final counts (statement {counts})"
    reasons = [CaseReason.patients]
    return await cases.close_cases(session, entry.number, entry.consignee_id, reasons, _by(entry), outcome=outcome) > 0


async def take_files(session: AsyncSession, entry: Entry, reply_id: int) -> int:
    """Bind to the reply the files that came with it; returns how many. A statement on the page ends its draft."""
    if entry.kind != "statement" or entry.channel not in {"page", "file"}:
        return 0
    files: Sequence[UUID | str]
    if entry.channel == "page":
        files = await reply_drafts.end(session, entry.consignee_id, entry.contact_id)
    else:
        files = [entry.file_id] if entry.file_id else []
    by = _by(entry)
    await evidence.link(session, entry.number, files, f"reply:{reply_id}", by=by.actor, at=by.at, role=by.role)
    return len(files)


def _by(entry: Entry) -> By:
    return By(entry.actor, entry.role, entry.at)


__all__ = ["NoHospital", "end_patients_case", "note_patients", "take_files"]
