"""An SMS from a recipient: kept as received, read by the domain, recorded where it can only mean one notice.

Nothing is guessed: a message from a telephone with several open recalls must name one, and whatever cannot be
read goes to a person as a task. Only harm is recorded whatever else is unclear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.sms_answers import answer_text
from db.repositories import complaints, recipient_read, replies
from db.repositories.inbound import (
    InboundMatch,
    inbound_contact_by_phone,
    keep_inbound,
    note_unassigned_harm,
    recall_of_harm,
    record_opt_out,
)
from domain.sms_replies import SmsIntent, parse_sms_reply
from domain.sms_replies import SmsReply as Reading
from models.harm import HarmReport, HarmStated
from models.replies import RecordedReply, SmsReply

PROVIDER: Final = "twilio"
_AFFECTED: Final = {SmsIntent.HOLDING: True, SmsIntent.NONE_LEFT: False}


@dataclass(frozen=True, slots=True)
class InboundText:
    """A message as the provider handed it over."""

    provider_id: str
    sender: str
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class InboundOutcome:
    """What became of a message: the text to send back, and the campaigns (recall, sequence) to nudge."""

    answer: str | None = None
    nudges: tuple[tuple[str, int | None], ...] = ()
    reply: tuple[str, int, RecordedReply] | None = None
    """Recall, consignee and what recording the answer changed, for the nudges."""
    harm_in: str | None = None
    """Recall under which a complaint was made without a reply."""


async def take_in(session: AsyncSession, message: InboundText, *, opt_out: bool | None) -> InboundOutcome:
    """Keep the message and act on it in one transaction; the same provider id again changes nothing.

    Args:
        opt_out: what the provider says of its own opt-out list (True stop, False start, None nothing).
    """
    reading = parse_sms_reply(message.body)
    stopped = _stopped(reading, opt_out)
    matches = await inbound_contact_by_phone(session, message.sender, recall_number=reading.recall_no)
    contact_id = matches[0].contact_id if matches else await recipient_read.contact_with_phone(session, message.sender)
    outcome = _outcome(reading, matches, contact_id, stopped=stopped)
    kept = await keep_inbound(
        session,
        provider=PROVIDER,
        provider_id=message.provider_id,
        contact_id=contact_id,
        body=message.body,
        outcome=outcome,
        at=message.at,
    )
    if not kept:
        return InboundOutcome()
    if stopped is not None and contact_id is not None:
        effects = await record_opt_out(session, message.sender, at=message.at, opted_out=stopped)
        # Twilio confirms an opt-out itself; the campaign now takes another channel.
        return InboundOutcome(nudges=tuple((each.recall_number, each.campaign_sequence) for each in effects))
    if matches:
        return await _answer(session, message, reading, matches)
    return await _late_harm(session, message, reading) if reading.intent is SmsIntent.HARM else InboundOutcome()


def _stopped(reading: Reading, opt_out: bool | None) -> bool | None:
    if opt_out is not None:
        return opt_out
    return {SmsIntent.STOP: True, SmsIntent.START: False}.get(reading.intent)


def _outcome(reading: Reading, matches: Sequence[InboundMatch], contact_id: int | None, *, stopped: bool | None) -> str:
    if contact_id is None:
        return "unknown_sender"
    if stopped is not None:
        return "opt_out"
    if not matches:
        return "no_open_recall"
    return "reply" if _is_sure(matches) and reading.intent is not SmsIntent.UNCLEAR else "unclear"


def _is_sure(matches: Sequence[InboundMatch]) -> bool:
    """Whether the telephone speaks for one consignee only."""
    return len({each.consignee_id for each in matches}) == 1


async def _answer(
    session: AsyncSession, message: InboundText, reading: Reading, matches: Sequence[InboundMatch]
) -> InboundOutcome:
    first = matches[0]
    harm = reading.intent is SmsIntent.HARM
    if len({each.recall_number for each in matches}) > 1 and not harm:
        return InboundOutcome(await _text(session, "which", first.recall_number, first.consignee_id))
    # One telephone for several sites of one recall: only a person can tell for which of them it speaks. A report of
    # harm waits for nobody's certainty: it counts for the notice sent last, and a person calls back.
    intent = reading.intent if harm or _is_sure(matches) else SmsIntent.UNCLEAR
    recorded = await replies.record_sms_reply(
        session,
        SmsReply(
            recall_number=first.recall_number,
            consignee_id=first.consignee_id,
            contact_id=first.contact_id,
            at=message.at,
            provider=PROVIDER,
            provider_id=message.provider_id,
            body=message.body,
            acknowledges=Reading(intent).acknowledges,
            affected=_AFFECTED.get(intent),
            delivery_id=first.delivery_id,
            harm=harm,
        ),
    )
    answer = await _text(session, intent.value, first.recall_number, first.consignee_id)
    return InboundOutcome(answer, reply=(first.recall_number, first.consignee_id, recorded))


async def _late_harm(session: AsyncSession, message: InboundText, reading: Reading) -> InboundOutcome:
    """Harm reported when no campaign runs any more, or by a stranger who names a recall: a complaint all the same."""
    found = await recall_of_harm(session, message.sender, reading.recall_no)
    if found is None:
        await note_unassigned_harm(session, f"{PROVIDER}:{message.provider_id}", message.at)
        return InboundOutcome()
    report = HarmReport(
        number=found.recall_number,
        harm=HarmStated(description=message.body.strip() or "harm (code 4)"),
        source="sms",
        awareness_at=message.at,
        at=message.at,
        recorded_by=f"consignee:{found.consignee_id}" if found.consignee_id else "unknown sender",
        role="recipient",
        consignee_id=found.consignee_id,
        form_id=f"{PROVIDER}:{message.provider_id}"[:64],
    )
    await complaints.record(session, report)
    answer = await _text(session, "harm", found.recall_number, found.consignee_id) if found.consignee_id else None
    return InboundOutcome(answer, harm_in=found.recall_number)


async def _text(session: AsyncSession, key: str, number: str, consignee_id: int) -> str | None:
    record = await recipient_read.find(session, number, consignee_id)
    # A drill sends nothing to anybody, not even an answer.
    if record is None or record.drill:
        return None
    return answer_text(key, record.language, record.number)


__all__ = ["InboundOutcome", "InboundText", "take_in"]
