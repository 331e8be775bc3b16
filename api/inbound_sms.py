"""An SMS from a recipient: kept as received, read by the domain, recorded where it can only mean one notice.

Nothing is guessed: a message from a telephone with several open recalls must name one, and whatever cannot be
read goes to a person as a task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.sms_answers import answer_text
from db.repositories import recipient_read, replies
from db.repositories.inbound import InboundMatch, inbound_contact_by_phone, keep_inbound, record_opt_out
from domain.sms_replies import SmsIntent, parse_sms_reply
from domain.sms_replies import SmsReply as Reading
from models.replies import SmsReply

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
    return await _answer(session, message, reading, matches) if matches else InboundOutcome()


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
    if len({each.recall_number for each in matches}) > 1:
        return InboundOutcome(await _text(session, "which", first))
    # One telephone for several sites of one recall: only a person can tell for which of them it speaks.
    intent = reading.intent if _is_sure(matches) else SmsIntent.UNCLEAR
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
        ),
    )
    nudges = ((first.recall_number, recorded.campaign_sequence),) if recorded.nudge_due else ()
    return InboundOutcome(await _text(session, intent.value, first), nudges)


async def _text(session: AsyncSession, key: str, match: InboundMatch) -> str | None:
    record = await recipient_read.find(session, match.recall_number, match.consignee_id)
    # A drill sends nothing to anybody, not even an answer.
    if record is None or record.drill:
        return None
    return answer_text(key, record.language, record.number)


__all__ = ["InboundOutcome", "InboundText", "take_in"]
