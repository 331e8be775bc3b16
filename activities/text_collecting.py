"""Texts of recipients that no webhook brought: the provider's own list is read and what is missing is taken in.

A webhook that meets an outage of ours is tried once or twice and then given up, so an answer, a STOP or a report of
harm would be lost. Whatever is known already changes nothing; no text is sent back, because its moment has passed.
"""

import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity

from activities.clock import ActivityClock
from activities.mail_collecting import DATABASE_AWAY
from activities.nudging import Gathered, nudge_after_reply, nudge_campaign, nudge_owner, nudge_recall
from adapters.messaging.text_inbox import ReceivedText, TextInbox
from db.engine import SessionFactory
from db.repositories import stranger_harm
from db.repositories.inbound import keep_inbound, known_ids
from db.repositories.inbound_texts import PROVIDER, InboundOutcome, InboundText, for_other_sites, take_in
from db.repositories.replies import record_sms_reply
from domain.sms_replies import SmsIntent, as_kept, parse_sms_reply
from models.messages_returns import TextsCollected

_LOG = logging.getLogger("activities.texts")
FIRST_LOOK: Final = timedelta(days=3)
"""How far back the first look of an installation goes."""
OVERLAP: Final = timedelta(minutes=15)
"""What is looked at again, because clocks differ and lists lag."""
LEFT_TO_WEBHOOKS: Final = timedelta(minutes=2)
"""Newer texts are left to their webhook, which can answer them."""
_PORTION: Final = 500
_TELEPHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")


class TextCollector:
    """Reads the lists of our own numbers."""

    def __init__(self, sessions: SessionFactory, inbox: TextInbox, numbers: Sequence[str]) -> None:
        self._sessions = sessions
        self._inbox = inbox
        self._numbers = numbers

    async def look(self, clock: ActivityClock, since: datetime | None, nudges: Gathered) -> TextsCollected:
        """Take in what came since `since` (None: `FIRST_LOOK` ago), oldest first, each in a transaction of its own.

        Raises:
            adapters.messaging.base.SendError: the provider cannot be asked now; nothing was taken in.
        """
        now = clock.now()
        until = now - LEFT_TO_WEBHOOKS
        missing = await self._missing((since or now - FIRST_LOOK) - OVERLAP, until)
        missing.reverse()  # the list is newest first, and its times are whole seconds
        for text in sorted(missing, key=lambda each: each.sent_at):
            activity.heartbeat()
            message = InboundText(text.provider_id, text.sender, as_kept(text.body), clock.now(), text.sent_at)
            try:
                await self._take(message, nudges)
            except DATABASE_AWAY:
                raise
            except Exception as error:  # noqa: BLE001 - one text must not hold up those behind it
                _LOG.error("a text could not be taken in: %s", type(error).__name__)
                await self._keep_for_a_reader(message, nudges)
        return TextsCollected(taken=len(missing), until=until)

    async def _missing(self, begin: datetime, until: datetime) -> list[ReceivedText]:
        missing: list[ReceivedText] = []
        for number in self._numbers:
            portion: list[ReceivedText] = []
            async for text in self._inbox.received(number, begin):
                # A short code or a sender by name is nobody's telephone: its webhook is refused, too.
                if text.sent_at <= until and _TELEPHONE.fullmatch(text.sender):
                    portion.append(text)
                if len(portion) == _PORTION:
                    missing += await self._unknown(portion)
                    portion = []
            missing += await self._unknown(portion)
        return missing

    async def _unknown(self, texts: Sequence[ReceivedText]) -> list[ReceivedText]:
        activity.heartbeat()
        if not texts:
            return []
        async with self._sessions() as session:
            known = await known_ids(session, PROVIDER, [each.provider_id for each in texts])
        return [each for each in texts if each.provider_id not in known]

    async def _take(self, message: InboundText, nudges: Gathered) -> None:
        async with self._sessions() as session:
            others = await for_other_sites(session, message, opt_out=None)
        for each in others:
            async with self._sessions.begin() as session:
                recorded = await record_sms_reply(session, each)
            await nudge_after_reply(nudges, each.recall_number, each.consignee_id, recorded)
        async with self._sessions.begin() as session:
            outcome: InboundOutcome = await take_in(session, message, opt_out=None)
        for number, sequence in outcome.nudges:
            await nudge_campaign(nudges, number, sequence)
        if outcome.reply is not None:
            await nudge_after_reply(nudges, *outcome.reply)
        if outcome.harm_in is not None:
            await nudge_recall(nudges, outcome.harm_in, "complaint")
        if outcome.paged is not None:
            await nudge_owner(nudges, outcome.paged)

    async def _keep_for_a_reader(self, message: InboundText, nudges: Gathered) -> None:
        """A text that trips a fault of ours waits among those that belong to nobody; harm in it pages somebody."""
        paged = None
        async with self._sessions.begin() as session:
            new = await keep_inbound(
                session,
                provider=PROVIDER,
                provider_id=message.provider_id,
                contact_id=None,
                body=message.body,
                outcome="unreadable",
                at=message.at,
                sender=message.sender,
            )
            if new and parse_sms_reply(message.body).intent is SmsIntent.HARM:
                paged = await stranger_harm.take_up(
                    session,
                    provider=PROVIDER,
                    provider_id=message.provider_id,
                    aware_at=message.known_from,
                    now=message.at,
                )
        if paged is not None:
            await nudge_owner(nudges, paged)


__all__ = ["FIRST_LOOK", "LEFT_TO_WEBHOOKS", "OVERLAP", "TextCollector"]
