"""An SMS from a recipient: kept as received, read by the domain, recorded where it can only mean one notice.

Nothing is guessed: a message from a telephone with several open recalls must name one, and whatever cannot be
read goes to a person as a task.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from api.sms_answers import answer_text
from db.repositories import inbound_sms, replies
from db.repositories.inbound_sms import SmsCandidate
from db.repositories.reply_effects import open_campaign
from domain.sms_replies import SmsIntent, parse_sms_reply
from domain.sms_replies import SmsReply as Reading
from models.replies import RecordedReply, SmsReply

_AFFECTED = {SmsIntent.HOLDING: True, SmsIntent.NONE_LEFT: False}


@dataclass(frozen=True, slots=True)
class InboundOutcome:
    """What became of a message: the text to send back, and the campaigns to nudge."""

    answer: str | None = None
    nudges: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class InboundText:
    """A message as the provider handed it over."""

    provider_id: str
    sender: str
    body: str
    at: datetime


async def take_in(session: AsyncSession, message: InboundText, *, opt_out: bool | None) -> InboundOutcome:
    """Keep the message and act on it in one transaction; the same provider id again changes nothing.

    Args:
        opt_out: what the provider says of its own opt-out list (True stop, False start, None nothing).
    """
    if await inbound_sms.known(session, message.provider_id):
        return InboundOutcome()
    found = await inbound_sms.candidates(session, message.sender)
    contacts = await inbound_sms.contacts_of(session, message.sender)
    contact_id = found[0].contact_id if found else (contacts[0].id if contacts else None)
    reading = parse_sms_reply(message.body)
    stopped = _stopped(reading, opt_out)
    outcome, result = "unknown_sender", InboundOutcome()
    if stopped is not None and contacts:
        outcome, result = "opt_out", await _opt_out(session, message, found, stopped=stopped)
    elif contacts:
        outcome, result = await _reply(session, message, reading, found)
    await inbound_sms.keep(
        session,
        provider_id=message.provider_id,
        contact_id=contact_id,
        body=message.body,
        outcome=outcome,
        at=message.at,
    )
    return result


def _stopped(reading: Reading, opt_out: bool | None) -> bool | None:
    if opt_out is not None:
        return opt_out
    return {SmsIntent.STOP: True, SmsIntent.START: False}.get(reading.intent)


async def _opt_out(
    session: AsyncSession, message: InboundText, found: list[SmsCandidate], *, stopped: bool
) -> InboundOutcome:
    """Twilio confirms an opt-out itself; the campaign now takes another channel."""
    await inbound_sms.set_opt_out(session, message.sender, found, stopped=stopped, at=message.at)
    numbers = {each.recall_number for each in found}
    nudges = [(number, await open_campaign(session, number)) for number in sorted(numbers)]
    return InboundOutcome(nudges=tuple(nudges) if stopped else ())


async def _reply(
    session: AsyncSession, message: InboundText, reading: Reading, found: list[SmsCandidate]
) -> tuple[str, InboundOutcome]:
    if reading.recall_no is not None:
        found = [each for each in found if each.recall_number == reading.recall_no]
    if not found:
        return "no_open_recall", InboundOutcome()
    first = found[0]
    if len({each.recall_number for each in found}) > 1:
        return "unclear", InboundOutcome(_text("which", first))
    # One telephone for several sites of one recall: only a person can tell for which of them it speaks.
    sure = len({each.consignee_id for each in found}) == 1
    reading = reading if sure else Reading(SmsIntent.UNCLEAR, reading.recall_no)
    recorded = await _record(session, message, reading, first)
    nudge = ((first.recall_number, recorded.campaign_sequence),) if recorded.nudge_due else ()
    outcome = "unclear" if reading.intent == SmsIntent.UNCLEAR else "reply"
    return outcome, InboundOutcome(_text(reading.intent.value, first), nudge)


async def _record(
    session: AsyncSession, message: InboundText, reading: Reading, candidate: SmsCandidate
) -> RecordedReply:
    return await replies.record_sms_reply(
        session,
        SmsReply(
            recall_number=candidate.recall_number,
            consignee_id=candidate.consignee_id,
            contact_id=candidate.contact_id,
            at=message.at,
            provider="twilio",
            provider_id=message.provider_id,
            body=message.body,
            acknowledges=reading.acknowledges,
            affected=_AFFECTED.get(reading.intent),
            delivery_id=candidate.delivery_id,
        ),
    )


def _text(key: str, candidate: SmsCandidate) -> str | None:
    # A drill sends nothing to anybody, not even an answer.
    return None if candidate.drill else answer_text(key, candidate.language, candidate.recall_number)


__all__ = ["InboundOutcome", "InboundText", "take_in"]
