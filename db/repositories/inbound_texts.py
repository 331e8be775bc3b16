"""An SMS from a recipient: kept as received, read by the domain, recorded where it can only mean one notice.

Nothing is guessed: a message from a telephone with several open recalls must name one, and whatever cannot be
read goes to a person as a task. Only harm is recorded whatever else is unclear. A message comes by the provider's
webhook, or is found in the provider's list because the webhook did not reach us: whichever is first counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import complaints, merged_answers, opt_outs, recipient_read, replies, stranger_harm
from db.repositories.inbound import (
    inbound_contact_by_phone,
    keep_inbound,
    recall_of_harm,
)
from db.repositories.opt_outs import Marked
from db.repositories.senders import InboundMatch
from db.repositories.stranger_harm import Paged
from domain.sms_replies import SmsIntent, parse_sms_reply
from domain.sms_replies import SmsReply as Reading
from models.harm import HarmReport, HarmStated
from models.replies import RecordedReply, SmsReply

PROVIDER: Final = "twilio"
_CONFIRMED_BY_PROVIDER: Final = frozenset(
    ["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "start", "unstop", "yes"]
)
"""Twilio's own words, which it acts on and confirms itself."""
_AFFECTED: Final = {SmsIntent.HOLDING: True, SmsIntent.NONE_LEFT: False}


@dataclass(frozen=True, slots=True)
class InboundText:
    """A message as the provider handed it over."""

    provider_id: str
    sender: str
    body: str
    at: datetime
    aware_at: datetime | None = None
    """When the provider had it, where that was earlier: clocks of harm start then."""

    @property
    def known_from(self) -> datetime:
        """When we count as aware of it."""
        return min(self.aware_at, self.at) if self.aware_at else self.at


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """What to text back: the key of the text, the language it is wanted in, and the recall it names."""

    key: str
    language: str
    recall: str


@dataclass(frozen=True, slots=True)
class InboundOutcome:
    """What became of a message: what to text back, and the campaigns (recall, sequence) to nudge."""

    answer: TextAnswer | None = None
    nudges: tuple[tuple[str, int | None], ...] = ()
    reply: tuple[str, int, RecordedReply] | None = None
    """Recall, consignee and what recording the answer changed, for the nudges."""
    harm_in: str | None = None
    """Recall under which a complaint was made without a reply."""
    paged: Paged | None = None
    """Whom to tell of harm that names no recall."""


async def take_in(session: AsyncSession, message: InboundText, *, opt_out: bool | None) -> InboundOutcome:
    """Keep the message and act on it in one transaction; the same provider id again changes nothing.

    Args:
        opt_out: what the provider says of its own opt-out list (True stop, False start, None nothing).
    """
    reading = parse_sms_reply(message.body)
    stopped = _stopped(reading, opt_out)
    matches = await inbound_contact_by_phone(session, message.sender, recall_number=reading.recall_no)
    contact_id = matches[0].contact_id if matches else await recipient_read.contact_with_phone(session, message.sender)
    # To Twilio YES is START. To us it is an answer, too, and an answer must not be lost.
    answers = stopped is False and reading.acknowledges and bool(matches)
    sure = await _is_sure(session, matches)
    outcome = _outcome(reading, matches, contact_id, stopped=None if answers else stopped, sure=sure)
    kept = await keep_inbound(
        session,
        provider=PROVIDER,
        provider_id=message.provider_id,
        contact_id=contact_id,
        body=message.body,
        outcome=outcome,
        at=message.at,
        sender=message.sender,
    )
    if not kept:
        return InboundOutcome()
    marked = await _mark(session, message, stopped) if stopped is not None and contact_id is not None else ()
    if marked and not answers:
        # The campaign now takes another channel.
        told = None if opt_out is not None else await _confirmation(session, message, reading, matches, bool(stopped))
        nudges = tuple((each.recall_number, each.campaign_sequence) for each in marked[0].effects)
        done = InboundOutcome(told, nudges)
    elif matches:
        done = await _answer(session, message, reading, matches, sure=sure)
    else:
        done = await _late_harm(session, message, reading) if reading.intent is SmsIntent.HARM else InboundOutcome()
    for each in marked:  # after what locks a consignee, because it is audited
        await opt_outs.note(session, each)
    return done


async def _mark(session: AsyncSession, message: InboundText, stopped: bool) -> tuple[Marked, ...]:
    """The opt-out from texts, or its end; audited by whoever asks for it."""
    texts = await opt_outs.mark(session, message.sender, at=message.at, opted_out=stopped)
    if stopped:
        return (texts,)
    # Calls can be opted out of by a key only, and no call comes any more in which to take that back.
    return (texts, await opt_outs.mark(session, message.sender, at=message.at, opted_out=False, channel="voice"))


async def for_other_sites(session: AsyncSession, message: InboundText, *, opt_out: bool | None) -> list[SmsReply]:
    """What the message says for further sites, where it answers a text that was for several; read only.

    Recorded before the message itself is taken in, each by itself (`db.repositories.merged_answers`).
    """
    reading = parse_sms_reply(message.body)
    if _stopped(reading, opt_out) or not reading.acknowledges:
        return []
    matches = await inbound_contact_by_phone(session, message.sender, recall_number=reading.recall_no)
    if not matches or not await merged_answers.speaks_for_all(session, matches):
        return []
    return await merged_answers.for_other_sites(session, _reply(message, matches[0], reading.intent))


async def _confirmation(
    session: AsyncSession, message: InboundText, reading: Reading, matches: Sequence[InboundMatch], stopped: bool
) -> TextAnswer | None:
    """What to say to a word that Twilio does not know: it confirms its own itself, and lets no other text through.

    In the language of the word; of one that is written in several, in the recipient's.
    """
    if "".join(char for char in message.body.casefold() if char.isalnum()) in _CONFIRMED_BY_PROVIDER:
        return None
    key = "opted_out" if stopped else "opted_in"
    if reading.tongue or not matches:
        return TextAnswer(key, reading.tongue or "en", "")
    return await _text(session, key, matches[0].recall_number, matches[0].consignee_id)


def _stopped(reading: Reading, opt_out: bool | None) -> bool | None:
    if opt_out is not None:
        return opt_out
    return {SmsIntent.STOP: True, SmsIntent.START: False}.get(reading.intent)


def _outcome(
    reading: Reading, matches: Sequence[InboundMatch], contact_id: int | None, *, stopped: bool | None, sure: bool
) -> str:
    if contact_id is None:
        return "unknown_sender"
    if stopped is not None:
        return "opt_out"
    if not matches:
        return "no_open_recall"
    return "reply" if sure and reading.intent is not SmsIntent.UNCLEAR else "unclear"


async def _is_sure(session: AsyncSession, matches: Sequence[InboundMatch]) -> bool:
    """Whether the telephone speaks for one consignee only, or for all that one text was sent for."""
    alone = len({each.consignee_id for each in matches}) == 1
    return alone or (bool(matches) and await merged_answers.speaks_for_all(session, matches))


def _reply(message: InboundText, match: InboundMatch, intent: SmsIntent) -> SmsReply:
    return SmsReply(
        recall_number=match.recall_number,
        consignee_id=match.consignee_id,
        contact_id=match.contact_id,
        at=message.at,
        provider=PROVIDER,
        provider_id=message.provider_id,
        body=message.body,
        acknowledges=Reading(intent).acknowledges,
        affected=_AFFECTED.get(intent),
        delivery_id=match.delivery_id,
        harm=intent is SmsIntent.HARM,
        aware_at=message.known_from,
    )


async def _answer(
    session: AsyncSession, message: InboundText, reading: Reading, matches: Sequence[InboundMatch], *, sure: bool
) -> InboundOutcome:
    first = matches[0]
    harm = reading.intent is SmsIntent.HARM
    if len({each.recall_number for each in matches}) > 1 and not harm:
        return InboundOutcome(await _text(session, "which", first.recall_number, first.consignee_id))
    # One telephone for several sites that were not told together: only a person can tell for which of them it speaks. A
    # report of harm waits for nobody's certainty: it counts for the notice sent last, and a person calls back.
    intent = reading.intent if harm or sure else SmsIntent.UNCLEAR
    said = await merged_answers.as_said(session, _reply(message, first, intent))
    recorded = await replies.record_sms_reply(session, said)
    answer = await _text(session, intent.value, first.recall_number, first.consignee_id)
    return InboundOutcome(answer, reply=(first.recall_number, first.consignee_id, recorded))


async def _late_harm(session: AsyncSession, message: InboundText, reading: Reading) -> InboundOutcome:
    """Harm reported when no campaign runs any more, or by a stranger who names a recall: a complaint all the same."""
    found = await recall_of_harm(session, message.sender, reading.recall_no)
    if found is None:
        paged = await stranger_harm.take_up(
            session,
            provider=PROVIDER,
            provider_id=message.provider_id,
            aware_at=message.known_from,
            now=message.at,
        )
        return InboundOutcome(paged=paged)
    report = HarmReport(
        number=found.recall_number,
        harm=HarmStated(description=message.body.strip() or "harm (code 4)"),
        source="sms",
        awareness_at=message.known_from,
        at=message.at,
        recorded_by=f"consignee:{found.consignee_id}" if found.consignee_id else "unknown sender",
        role="recipient",
        consignee_id=found.consignee_id,
        form_id=f"{PROVIDER}:{message.provider_id}"[:64],
    )
    await complaints.record(session, report)
    answer = await _text(session, "harm", found.recall_number, found.consignee_id) if found.consignee_id else None
    return InboundOutcome(answer, harm_in=found.recall_number)


async def _text(session: AsyncSession, key: str, number: str, consignee_id: int) -> TextAnswer | None:
    record = await recipient_read.find(session, number, consignee_id)
    # A drill sends nothing to anybody, not even an answer.
    if record is None or record.drill:
        return None
    return TextAnswer(key, record.language, record.number)


__all__ = ["PROVIDER", "InboundOutcome", "InboundText", "TextAnswer", "for_other_sites", "take_in"]
