"""One look into the mailbox: mail after mail, and no mail holds up those behind it.

A mail that cannot be fetched, read or recorded is tried again after all others; after three looks a person is told
where it lies. Only when nothing can be taken does the look fail, as it does when mailbox or database are away.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio import activity

from activities.clock import ActivityClock
from activities.mail_intake import Incoming, Taken, for_other_sites, take_in
from activities.nudging import Gathered, Nudge, nudge_after_reply, nudge_campaign, nudge_owner, nudge_recall
from activities.returns_config import ReturnsConfig
from adapters.evidence.base import EvidenceStore, EvidenceUnavailable
from adapters.mailbox.base import Fetched, Mailbox, MailboxUnavailable
from db.engine import SessionFactory
from db.repositories import returned_mail
from db.repositories.replies import record_sms_reply
from domain.mail_answers import in_doubt
from domain.mail_kinds import MailKind
from domain.mail_reading import ReadMail, read_returned
from models.messages_returns import MailCollected

_LOG = logging.getLogger("activities.mail")
DATABASE_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout)
_TOLD_AFTER: Final = 3
"""Looks in which a mail failed before a person hears of it."""
_RETRIED: Final = 5
"""Mails in trouble that one look tries again."""
_ALL_FAIL: Final = 3
"""So many faults and no mail taken: it is not the mails."""


@dataclass(slots=True)
class _Look:
    """What one look has met so far."""

    taken: int = 0
    good: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    """Mails that could not be taken in, and why."""
    unmarked: dict[str, str] = field(default_factory=dict)
    """Mails that were taken in but could not be moved."""

    @property
    def hopeless(self) -> bool:
        return not self.good and len(self.faults) + len(self.unmarked) >= _ALL_FAIL

    @property
    def why(self) -> str:
        return next(reversed((self.unmarked | self.faults).values()))


class MailCollector:
    """Reads one mailbox; what it remembers of troublesome mails lasts as long as the process, and is learnt anew."""

    def __init__(
        self, sessions: SessionFactory, mailbox: Mailbox, evidence: EvidenceStore, config: ReturnsConfig
    ) -> None:
        self._sessions = sessions
        self._mailbox = mailbox
        self._evidence = evidence
        self._config = config
        self._trouble: dict[str, int] = {}
        """Failed looks by mail, the one tried last at the end."""

    async def look(self, clock: ActivityClock, nudges: Gathered) -> MailCollected:
        """Take in up to `mails_at_once` mails, and try some of those in trouble when no other is left.

        Raises:
            MailboxUnavailable, EvidenceUnavailable: they are away, or no mail at all can be taken.
        """
        config, until = self._config, clock.now() + self._config.longest_look
        listed = await self._mailbox.list_new(config.mails_at_once + len(self._trouble))
        self._trouble = {key: failed for key, failed in self._trouble.items() if key in listed}
        waiting = [key for key in listed if key not in self._trouble][: config.mails_at_once]
        look, in_time = _Look(), True
        for key in [*waiting, *list(self._trouble)[:_RETRIED]]:
            if not in_time or look.hopeless:
                break
            activity.heartbeat(look.taken)
            await self._try(key, clock, nudges, look)
            look.taken += 1
            in_time = clock.now() < until
        if look.hopeless:
            # It may be the mailbox, so nobody is told yet; it may be these mails, so the others come first next time.
            self._put_last([*look.faults, *look.unmarked])
            raise MailboxUnavailable(look.why)
        await self._note(look, clock)
        more = len(waiting) == config.mails_at_once or look.taken < len(waiting)
        return MailCollected(taken=look.taken, more=more, every_seconds=config.every_seconds)

    # ------------------------------------------------------------------ one mail

    async def _try(self, key: str, clock: ActivityClock, nudges: Gathered, look: _Look) -> None:
        try:
            found = await self._take(key, clock, nudges)
        except (EvidenceUnavailable, *DATABASE_AWAY):
            raise
        except MailboxUnavailable as error:
            await self._mailbox.list_new(1)  # raises when it is the mailbox and not this mail
            look.faults[key] = str(error)
            return
        except Exception as error:  # noqa: BLE001
            # Only its type is logged: its text may quote the mail.
            _LOG.error("a mail could not be taken in: %s", type(error).__name__)
            look.faults[key] = type(error).__name__
            return
        try:
            if found:
                await self._mailbox.mark_done(key)
        except MailboxUnavailable as error:
            await self._mailbox.list_new(1)
            look.unmarked[key] = str(error)
            return
        look.good += 1
        self._trouble.pop(key, None)

    async def _take(self, key: str, clock: ActivityClock, nudges: Gathered) -> bool:
        """False when it is not there any more."""
        fetched = await self._mailbox.fetch(key, self._config.max_bytes)
        if fetched is None:
            return False
        first = await asyncio.to_thread(self._read, fetched)
        for read in (first, *first.also):
            if await self._is_known(read):
                continue
            mail = Incoming(
                read=read,
                sha256=await self._evidence.store(fetched.raw),
                size=len(fetched.raw),
                whole=fetched.complete,
                arrived_at=fetched.arrived_at,
                now=clock.now(),
            )
            await _tell(nudges, await self._record(mail, nudges))
        return True

    def _read(self, fetched: Fetched) -> ReadMail:
        config = self._config
        return read_returned(fetched.raw, config.path, config.mail_domain, config.authserv_id, whole=fetched.complete)

    async def _is_known(self, read: ReadMail) -> bool:
        async with self._sessions() as session:
            return await returned_mail.is_known(session, read.key)

    async def _record(self, mail: Incoming, nudges: Gathered) -> Taken:
        """Take a mail in; one that cannot be for a fault of ours is kept for a person, under its notice if it can."""
        readings = iter([mail.read])
        fault: Exception | None = None
        while (read := next(readings, None)) is not None:
            try:
                if fault is None:
                    await self._answer_for_others(mail, nudges)
                async with self._sessions.begin() as session:
                    return await take_in(session, replace(mail, read=read), self._config.mail_domain)
            except DATABASE_AWAY:
                raise
            except Exception as error:  # noqa: BLE001
                _LOG.error("a mail could not be taken in: %s", type(error).__name__)
                readings = _ever_less(mail.read, error) if fault is None else readings
                fault = fault or error
        raise fault or RuntimeError("no reading")

    async def _answer_for_others(self, mail: Incoming, nudges: Gathered) -> None:
        """Record what the mail says for further sites of its notice, before the mail counts as read."""
        async with self._sessions() as session:
            others = await for_other_sites(session, mail)
        for each in others:
            async with self._sessions.begin() as session:
                recorded = await record_sms_reply(session, each)
            await nudge_after_reply(nudges, each.recall_number, each.consignee_id, recorded)

    # ------------------------------------------------------------------ mails in trouble

    async def _note(self, look: _Look, clock: ActivityClock) -> None:
        for key, why in look.faults.items():
            failed = self._trouble.pop(key, 0) + 1
            self._trouble[key] = failed
            if failed == _TOLD_AFTER:
                async with self._sessions.begin() as session:
                    await returned_mail.note_untaken(session, key, why, clock.now())
        self._put_last(look.unmarked)

    def _put_last(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._trouble[key] = self._trouble.pop(key, 0)


def _ever_less(read: ReadMail, error: Exception) -> Iterator[ReadMail]:
    """What may still be recorded of a mail that tripped a fault: its words, whose it is, and at last that it came."""
    fault = f"could not be taken in ({type(error).__name__})"
    if read.answer is not None and read.answer.harm:
        fault += "; it speaks of harm"
    if read.answer is not None:
        yield replace(read, answer=in_doubt(read.answer), fault=fault)
    yield replace(read, kind=MailKind.UNREADABLE, report=None, answer=None, fault=fault)
    yield ReadMail(key=read.key, message_id=None, kind=MailKind.UNREADABLE, sender=read.sender, fault=fault)


async def _tell(nudge: Nudge, taken: Taken) -> None:
    _LOG.info("a mail came back: %s", taken.outcome)
    event = taken.event
    if event is not None and event.nudge_due and event.recall_number is not None:
        await nudge_campaign(nudge, event.recall_number, event.campaign_sequence)
    if taken.reply is not None:
        await nudge_after_reply(nudge, *taken.reply)
    if taken.harm_in is not None:
        await nudge_recall(nudge, taken.harm_in, "complaint")
    if taken.paged is not None:
        await nudge_owner(nudge, taken.paged)


__all__ = ["DATABASE_AWAY", "MailCollector"]
