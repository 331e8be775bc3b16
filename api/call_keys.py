"""A key pressed in a call: recorded as the recipient's answer by voice, with all that follows, in one transaction.

The call's id is the answer's one-time id: the same request again changes nothing. A key says no more than the menu
that was read: an acknowledgement, a wish to be called, a report of harm, an opt-out; never quantities.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import complaints, replies, stranger_harm
from db.repositories.calls import CallRecord
from db.repositories.inbound import keep_inbound, recall_of_harm
from db.repositories.opt_outs import record_opt_out
from db.repositories.stranger_harm import Paged
from domain.voice import Key
from models.harm import HarmReport, HarmStated
from models.replies import RecordedReply, SmsReply

PROVIDER: Final = "twilio"
_SAID: Final = {
    Key.ACKNOWLEDGE: "acknowledged by key 1",
    Key.CALL_BACK: "asked to be called back (key 3)",
    Key.HARM: "harm (key 4)",
}
_ANSWERS: Final = {
    Key.ACKNOWLEDGE: "thanks",
    Key.CALL_BACK: "call_back",
    Key.HARM: "harm",
    Key.OPT_OUT: "opt_out",
}


@dataclass(frozen=True, slots=True)
class KeyOutcome:
    """What became of a key: the words to end the call with, and whom to nudge."""

    answer: str
    reply: RecordedReply | None = None
    nudges: tuple[tuple[str, int | None], ...] = field(default=())
    harm_in: str | None = None
    """Recall under which a complaint was made without a reply."""
    paged: Paged | None = None
    """The task about harm that belongs to no recall we can name."""


async def take_key(session: AsyncSession, call: CallRecord, key: Key, call_sid: str, at: datetime) -> KeyOutcome:
    """Act on a key other than `Key.AGAIN`; the same key in the same call again changes nothing.

    Under a recall that has ended a wish to be called waits among the messages that people read: no case and no task of
    it would be looked after. Whoever has left confirms nothing: a person calls there.
    """
    answer = _ANSWERS[Key.CALL_BACK if call.gone and key is Key.ACKNOWLEDGE else key]
    waits = call.ended and key is Key.CALL_BACK
    kept = await keep_inbound(
        session,
        provider=PROVIDER,
        provider_id=f"{call_sid}:{key.value}",
        contact_id=call.contact_id,
        body=_SAID[key] if waits else f"key {key.value}",
        outcome="no_open_recall" if waits else "opt_out" if key is Key.OPT_OUT else "reply",
        at=at,
        sender=call.phone if waits else None,
    )
    if not kept or waits:
        return KeyOutcome(answer)
    if key is Key.OPT_OUT:
        effects = await record_opt_out(session, call.phone, at=at, channel="voice")
        return KeyOutcome(answer, nudges=tuple((each.recall_number, each.campaign_sequence) for each in effects))
    recorded = await replies.record_sms_reply(session, reply_of(call, key, call_sid, at))
    return KeyOutcome(answer, recorded)


async def take_late_harm(session: AsyncSession, call: CallRecord | None, call_sid: str, at: datetime) -> KeyOutcome:
    """Key 4 in a call that answers nothing any more (recall over or taken back, contact gone): harm is never dropped.

    A complaint under the running recall of whoever was called; without one a person is paged about it.
    """
    message = f"{call_sid}:{Key.HARM.value}"
    kept = await keep_inbound(
        session,
        provider=PROVIDER,
        provider_id=message,
        contact_id=call.contact_id if call else None,
        body=_SAID[Key.HARM],
        outcome="no_open_recall" if call else "unknown_sender",
        at=at,
        sender=call.phone if call else None,
    )
    found = await recall_of_harm(session, call.phone, None) if call and kept else None
    if found is None:
        if not kept:
            return KeyOutcome(_ANSWERS[Key.HARM])
        paged = await stranger_harm.take_up(session, provider=PROVIDER, provider_id=message, aware_at=at, now=at)
        return KeyOutcome(_ANSWERS[Key.HARM], paged=paged)
    report = HarmReport(
        number=found.recall_number,
        harm=HarmStated(description=_SAID[Key.HARM]),
        source="voice",
        awareness_at=at,
        at=at,
        recorded_by=f"consignee:{found.consignee_id}",
        role="recipient",
        consignee_id=found.consignee_id,
        form_id=f"{PROVIDER}:{message}"[:64],
    )
    await complaints.record(session, report)
    return KeyOutcome(_ANSWERS[Key.HARM], harm_in=found.recall_number)


def reply_of(call: CallRecord, key: Key, call_sid: str, at: datetime) -> SmsReply:
    """What the key says for the site that the call went to."""
    return SmsReply(
        channel="voice",
        recall_number=call.recall_number,
        consignee_id=call.consignee_id,
        contact_id=call.contact_id,
        at=at,
        provider=PROVIDER,
        provider_id=call_sid,
        body=_SAID[key],
        acknowledges=key is Key.ACKNOWLEDGE and not call.gone,
        delivery_id=call.delivery_id,
        harm=key is Key.HARM,
    )


__all__ = ["KeyOutcome", "reply_of", "take_key", "take_late_harm"]
