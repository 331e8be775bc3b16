"""Recording what recipients answer: each reply in one transaction with everything that follows from it.

A reply is a statement, not a count: it is stored as given, checked against what was shipped, and what cannot be true
opens a query and counts as unanswered until settled (design §7). Corrections are new rows. A consignee goes
open -> acknowledged (the notice arrived) -> answered (quantities stated and settled); whoever is not open any more
is not chased. The audit holds ids and counts, never names or texts.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.cases import By, UnknownConsignee, lock_consignee
from db.repositories.copy_answers import leaves_open
from db.repositories.onward import add_onward
from db.repositories.reply_cases import ask_which_site, end_tasks, read_the_rest, settle
from db.repositories.reply_effects import (
    Change,
    Entry,
    heard_of,
    is_nudge_due,
    move_consignee,
    note_harm,
    note_reply,
    open_campaign,
)
from db.repositories.reply_extras import NoHospital, end_patients_case, note_patients, take_files
from db.repositories.statements import check_lots, insert_lines
from domain.replies import Finding
from models.harm import HarmStated
from models.replies import FileReply, PageReply, PhoneReply, RecordedReply, SmsReply, WebhookReply


class FormReused(ValueError):  # noqa: N818
    """A form or message id that already carried the answer of another consignee."""


async def record_page_reply(session: AsyncSession, reply: PageReply) -> RecordedReply:
    """Record an answer given on the signed-link page; the caller commits and nudges the campaign if due.

    Raises:
        UnknownConsignee, FormReused, PassedOnToItself, UnknownLot, NoHospital: nothing is written.
    """
    actor = f"consignee:{reply.consignee_id}"
    entry = _of_form(reply, "page", actor, "recipient", form_id=reply.form_id)
    entry = replace(entry, patients=reply.patients, contact_id=reply.contact_id, of_message=reply.of_message)
    return await _record(session, entry)


async def record_phone_reply(session: AsyncSession, reply: PhoneReply) -> RecordedReply:
    """Record an answer given on the telephone, typed in by `entered_by`; raises as `record_page_reply`."""
    columns = {"form_id": reply.form_id, "entered_by": reply.entered_by}
    return await _record(session, _of_form(reply, "phone", reply.entered_by, "staff", **columns))


async def record_file_reply(session: AsyncSession, reply: FileReply) -> RecordedReply:
    """Record one consignee's rows of a group's file, entered by `entered_by`; raises as `record_page_reply`."""
    columns = {"form_id": reply.form_id, "entered_by": reply.entered_by}
    entry = _of_form(reply, "file", reply.entered_by, "staff", **columns)
    return await _record(session, replace(entry, patients=reply.patients, file_id=reply.file_id))


async def record_sms_reply(session: AsyncSession, reply: SmsReply) -> RecordedReply:
    """Record an SMS answer or a pressed key; what is no answer opens a task to call back, the consignee stays open."""
    columns = {
        "delivery_id": reply.delivery_id,
        "affected": reply.affected,
        "free_text": reply.body[:2000],
        "form_id": f"{reply.provider}:{reply.provider_id}"[:64],
    }
    entry = Entry(
        channel=reply.channel,
        kind="acknowledgement" if reply.acknowledges else "needs_contact",
        number=reply.recall_number,
        consignee_id=reply.consignee_id,
        at=reply.at,
        actor=f"consignee:{reply.consignee_id}",
        role="recipient",
        columns=columns,
        harm=HarmStated(description=reply.body[:4000] or "harm (code 4)") if reply.harm else None,
        aware_at=reply.aware_at,
        contact_id=reply.contact_id,
        of_message=True,
    )
    recorded = await _record(session, entry)
    if not (reply.more and reply.acknowledges) or recorded.repeated:
        return recorded
    by = By(entry.actor, entry.role, entry.at)
    opened = await read_the_rest(session, entry.number, entry.consignee_id, recorded.reply_id, entry.channel, by)
    return recorded.model_copy(update={"nudge_due": recorded.nudge_due or opened})


async def record_webhook_reply(session: AsyncSession, reply: WebhookReply) -> RecordedReply:
    """Record an answer signed by a recipient's system; raises as `record_page_reply`."""
    actor = f"consignee:{reply.consignee_id}"
    entry = _of_form(reply, "webhook", actor, "recipient", form_id=reply.form_id)
    return await _record(session, replace(entry, of_message=True))


def _kind(reply: PageReply | PhoneReply | WebhookReply | FileReply, channel: str) -> str:
    if isinstance(reply, WebhookReply) and reply.needs_contact:
        return "needs_contact"
    if reply.statements:
        return "statement"
    # Harm reported beside the answer acknowledges nothing: a person calls, and the chase goes on.
    return "needs_contact" if reply.harm is not None and channel == "page" else "acknowledgement"


def _of_form(
    reply: PageReply | PhoneReply | WebhookReply | FileReply,
    channel: Literal["page", "phone", "webhook", "file"],
    actor: str,
    role: str,
    **columns: Any,
) -> Entry:
    return Entry(
        channel=channel,
        kind=_kind(reply, channel),
        number=reply.recall_number,
        consignee_id=reply.consignee_id,
        at=reply.at,
        actor=actor,
        role=role,
        columns={
            "delivery_id": reply.delivery_id,
            "affected": reply.affected,
            "responder_name": reply.responder_name,
            "responder_role": reply.responder_role,
            "free_text": reply.free_text,
            **columns,
        },
        statements=reply.statements,
        passed_on=reply.passed_on,
        harm=reply.harm,
    )


async def _locked_and_checked(session: AsyncSession, entry: Entry) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    if entry.passed_on:
        # Two consignees naming each other at once would lock each other's rows crosswise.
        await run(session, "SELECT pg_advisory_xact_lock(hashtext(:number))", {"number": entry.number})
    consignee = await lock_consignee(session, entry.number, entry.consignee_id)
    findings = await check_lots(session, entry.consignee_id, entry.statements, entry.at, passed_on=entry.passed_on)
    return consignee, findings


def _of_this_chase(entry: Entry, consignee: dict[str, Any]) -> Entry:
    """An acknowledgement on the page counts once each time it is asked for: forms and drafts outlast a reopening."""
    if entry.channel != "page" or entry.kind != "acknowledgement":
        return entry
    once = f"{entry.columns['form_id']}:{consignee['campaign_sequence']}.{consignee['chase']}"
    return replace(entry, columns=entry.columns | {"form_id": once[-_FORM_ID:]})


async def _record(session: AsyncSession, entry: Entry) -> RecordedReply:
    consignee, findings = await _locked_and_checked(session, entry)
    entry = _of_this_chase(entry, consignee)
    reply_id = await _insert(session, entry, findings)
    if reply_id is None:
        return await _repeated(session, entry)
    await insert_lines(session, reply_id, entry.statements)
    onward = await add_onward(
        session,
        number=entry.number,
        reply_id=reply_id,
        consignee_id=entry.consignee_id,
        partner_id=consignee["partner_id"],
        recipients=entry.passed_on,
        at=entry.at,
    )
    answered = entry.columns.get("delivery_id")
    if await leaves_open(session, consignee, answered, entry.contact_id, of_message=entry.of_message):
        state = str(consignee["state"])
    else:
        state = await move_consignee(session, entry, consignee["state"], findings)
    # Whoever joined is to be told now; a campaign that only counts looks by itself. Looked up before anything is
    # audited: answers of one recall wait for each other from there on.
    chased_by = await open_campaign(session, onward.joined or [entry.consignee_id])
    heard = heard_of(entry, reply_id, consignee, state, findings)
    await end_tasks(session, heard)
    counts = await note_patients(session, entry, consignee["kind"])
    complaint = await note_harm(session, entry, reply_id)
    files = await take_files(session, entry, reply_id)
    change = Change(state, findings, onward.joined, complaint, counts, files)
    touched = await settle(session, heard)
    asked = await ask_which_site(session, heard, onward.unclear)
    patients_closed = await end_patients_case(session, entry, counts)
    event = await note_reply(session, entry, reply_id, change)
    left_open = consignee["state"] == "open" and state != "open"
    campaign, new = consignee["campaign_sequence"], len(onward.joined) + touched.opened + asked
    nudge = await is_nudge_due(session, entry.number, campaign, left_open, new, event=event)
    return RecordedReply(
        reply_id=reply_id,
        consignee_state=state,
        findings=findings,
        new_consignees=change.joined,
        campaign_sequence=chased_by,
        nudge_due=nudge,
        case_moved=touched.closed or patients_closed,
        complaint=change.complaint,
    )


_FORM_ID: Final = 64
"""Length of `reply.form_id`; what makes it unique stands at its end."""
_COLUMNS: Final = (
    "delivery_id",
    "affected",
    "responder_name",
    "responder_role",
    "form_id",
    "entered_by",
    "free_text",
)
_INSERT: Final = """
INSERT INTO reply (recall_number, consignee_id, delivery_id, channel, kind, affected, responder_name, responder_role,
                   form_id, entered_by, free_text, findings, received_at)
VALUES (:number, :consignee, :delivery_id, :channel, :kind, :affected, :responder_name, :responder_role,
        :form_id, :entered_by, :free_text, CAST(:findings AS jsonb), :at)
ON CONFLICT (form_id) DO NOTHING
RETURNING id
"""


async def _insert(session: AsyncSession, entry: Entry, findings: Sequence[Finding]) -> int | None:
    listed = "[" + ",".join(finding.model_dump_json() for finding in findings) + "]"
    values = {name: entry.columns.get(name) for name in _COLUMNS}
    inserted = await run(
        session,
        _INSERT,
        {
            "number": entry.number,
            "consignee": entry.consignee_id,
            "channel": entry.channel,
            "kind": entry.kind,
            "at": entry.at,
            "findings": listed,
            **values,
        },
    )
    return inserted.scalar_one_or_none()


async def _repeated(session: AsyncSession, entry: Entry) -> RecordedReply:
    found = await run(
        session,
        "SELECT r.id, r.consignee_id, r.findings, c.state FROM reply r JOIN consignee c ON c.id = r.consignee_id"
        " WHERE r.form_id = :form",
        {"form": entry.columns["form_id"]},
    )
    row = found.mappings().one()
    if row["consignee_id"] != entry.consignee_id:
        raise FormReused("this form already carried the answer of another recipient")
    return RecordedReply(
        reply_id=row["id"],
        repeated=True,
        consignee_state=row["state"],
        findings=tuple(Finding.model_validate(each) for each in row["findings"]),
    )


__all__ = [
    "FormReused",
    "NoHospital",
    "UnknownConsignee",
    "record_file_reply",
    "record_page_reply",
    "record_phone_reply",
    "record_sms_reply",
    "record_webhook_reply",
]
