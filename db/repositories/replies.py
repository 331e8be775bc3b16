"""Recording what recipients answer: each reply in one transaction with everything that follows from it.

A reply is a statement, not a count: it is stored as given, checked against what was shipped, and what cannot be true
opens a query and counts as unanswered until settled (design §7). Corrections are new rows. A consignee goes
open -> acknowledged (the notice arrived) -> answered (quantities stated and settled); whoever is not open any more
is not chased. The audit holds ids and counts, never names or texts.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.cases import UnknownConsignee, lock_consignee
from db.repositories.onward import add_onward
from db.repositories.reply_cases import end_tasks, settle
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
from db.repositories.statements import check_lots, insert_lines
from domain.replies import Finding
from models.harm import HarmStated
from models.replies import PageReply, PhoneReply, RecordedReply, SmsReply


class FormReused(ValueError):  # noqa: N818
    """A form or message id that already carried the answer of another consignee."""


async def record_page_reply(session: AsyncSession, reply: PageReply) -> RecordedReply:
    """Record an answer given on the signed-link page; the caller commits and nudges the campaign if due.

    Raises:
        UnknownConsignee, FormReused, PassedOnToItself, UnknownLot: nothing is written.
    """
    actor = f"consignee:{reply.consignee_id}"
    return await _record(session, _of_form(reply, "page", actor, "recipient", form_id=reply.form_id))


async def record_phone_reply(session: AsyncSession, reply: PhoneReply) -> RecordedReply:
    """Record an answer given on the telephone, typed in by `entered_by`; raises as `record_page_reply`."""
    columns = {"form_id": reply.form_id, "entered_by": reply.entered_by}
    return await _record(session, _of_form(reply, "phone", reply.entered_by, "staff", **columns))


async def record_sms_reply(session: AsyncSession, reply: SmsReply) -> RecordedReply:
    """Record an SMS answer; a text that is no answer opens a task to call back and leaves the consignee open."""
    columns = {
        "delivery_id": reply.delivery_id,
        "affected": reply.affected,
        "free_text": reply.body[:2000],
        "form_id": f"{reply.provider}:{reply.provider_id}"[:64],
    }
    entry = Entry(
        channel="sms",
        kind="acknowledgement" if reply.acknowledges else "needs_contact",
        number=reply.recall_number,
        consignee_id=reply.consignee_id,
        at=reply.at,
        actor=f"consignee:{reply.consignee_id}",
        role="recipient",
        columns=columns,
        harm=HarmStated(description=reply.body[:4000] or "harm (code 4)") if reply.harm else None,
    )
    return await _record(session, entry)


def _kind(reply: PageReply | PhoneReply, channel: str) -> str:
    if reply.statements:
        return "statement"
    # Harm reported beside the answer acknowledges nothing: a person calls, and the chase goes on.
    return "needs_contact" if reply.harm is not None and channel == "page" else "acknowledgement"


def _of_form(
    reply: PageReply | PhoneReply, channel: Literal["page", "phone"], actor: str, role: str, **columns: Any
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


async def _record(session: AsyncSession, entry: Entry) -> RecordedReply:
    if entry.passed_on:
        # Two consignees naming each other at once would lock each other's rows crosswise.
        await run(session, "SELECT pg_advisory_xact_lock(hashtext(:number))", {"number": entry.number})
    consignee = await lock_consignee(session, entry.number, entry.consignee_id)
    passed_on_lots = [lot.lot_id for recipient in entry.passed_on for lot in recipient.lots]
    findings = await check_lots(session, entry.consignee_id, entry.statements, entry.at, passed_on_lots=passed_on_lots)
    reply_id = await _insert(session, entry, findings)
    if reply_id is None:
        return await _repeated(session, entry)
    await insert_lines(session, reply_id, entry.statements)
    joined = await add_onward(
        session,
        number=entry.number,
        reply_id=reply_id,
        consignee_id=entry.consignee_id,
        partner_id=consignee["partner_id"],
        recipients=entry.passed_on,
        at=entry.at,
    )
    state = await move_consignee(session, entry, consignee["state"], findings)
    heard = heard_of(entry, reply_id, consignee, state, findings)
    await end_tasks(session, heard)
    change = Change(state, findings, tuple(joined), await note_harm(session, entry, reply_id))
    touched = await settle(session, heard)
    await note_reply(session, entry, reply_id, change)
    left_open = consignee["state"] == "open" and state != "open"
    campaign, new = consignee["campaign_sequence"], len(joined) + touched.opened
    nudge = await is_nudge_due(session, entry.number, campaign, left_open, new)
    return RecordedReply(
        reply_id=reply_id,
        consignee_state=state,
        findings=findings,
        new_consignees=change.joined,
        # Whoever joined is to be told now; a campaign that only counts looks by itself.
        campaign_sequence=await open_campaign(session, joined or [entry.consignee_id]),
        nudge_due=nudge,
        case_moved=touched.closed,
        complaint=change.complaint,
    )


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


__all__ = ["FormReused", "UnknownConsignee", "record_page_reply", "record_phone_reply", "record_sms_reply"]
