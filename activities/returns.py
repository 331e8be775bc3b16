"""The activities that take in what comes back: mail, texts no webhook brought, and answers of silent providers.

They page people about harm, too, where no recall does: theirs is the one workflow that always runs.

Both may be cut short anywhere. A mail is marked done only after its transaction; read again, it changes nothing. What a
provider says is applied as its own report would be, so a report that arrives meanwhile takes nothing back.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clock import ActivityClock
from activities.harm_paging import HarmPager
from activities.mail_collecting import DATABASE_AWAY, MailCollector
from activities.nudging import Gathered, Nudge
from activities.returns_config import ReturnsConfig
from activities.stuck_asking import StuckAsker
from activities.text_collecting import TextCollector
from adapters.evidence.base import EvidenceStore, EvidenceUnavailable
from adapters.mailbox.base import Mailbox, MailboxUnavailable
from adapters.messaging.base import SendError
from adapters.messaging.status import StatusSource
from adapters.messaging.text_inbox import TextInbox
from db.engine import SessionFactory
from domain.channels import Channel
from models.messages_returns import (
    AskAboutStuck,
    CollectMail,
    CollectTexts,
    MailCollected,
    StuckAsked,
    TextsCollected,
)

_LOG = logging.getLogger("activities.returns")
AWAY: Final = "MailboxAway"
"""Type of the error that says: the mailbox, the store or the database cannot be used now."""


class ReturnsActivities:
    """Collecting and asking, with everything they need injected by the worker."""

    def __init__(
        self,
        sessions: SessionFactory,
        mailbox: Mailbox | None,
        evidence: EvidenceStore,
        sources: Mapping[Channel, StatusSource],
        nudge: Nudge,
        config: ReturnsConfig,
        *,
        inbox: TextInbox | None = None,
        pager: HarmPager | None = None,
    ) -> None:
        self._sessions = sessions
        self._collector = MailCollector(sessions, mailbox, evidence, config) if mailbox is not None else None
        self._texts = TextCollector(sessions, inbox, config.numbers) if inbox is not None and config.numbers else None
        self._asker = StuckAsker(sessions, sources, config)
        self._pager = pager
        self._nudge = nudge
        self._config = config

    # ------------------------------------------------------------------ mail

    @activity.defn
    async def collect_mail(self, request: CollectMail) -> MailCollected:
        """Send the pages that no recall sends, then take in up to `mails_at_once` mails; each is its own transaction.

        Raises:
            ApplicationError: `MailboxAway`; what was taken in stays, the rest is still there.
        """
        if self._pager is not None:
            try:
                await self._pager.look(ActivityClock(request.now).now())
            except DATABASE_AWAY as error:
                raise ApplicationError(f"the database is away ({type(error).__name__})", type=AWAY) from None
            except Exception as error:  # noqa: BLE001 - pages must not hold up mail, nor mail pages
                _LOG.error("pages about harm could not be written: %s", type(error).__name__)
        if self._collector is None:
            return MailCollected(taken=0, configured=False, every_seconds=self._config.every_seconds)
        nudges = Gathered(self._nudge)
        try:
            return await self._collector.look(ActivityClock(request.now), nudges)
        except (MailboxUnavailable, EvidenceUnavailable) as error:
            raise ApplicationError(str(error), type=AWAY) from None
        except DATABASE_AWAY as error:
            raise ApplicationError(f"the database is away ({type(error).__name__})", type=AWAY) from None
        finally:
            await nudges.send()

    # ------------------------------------------------------------------ texts

    @activity.defn
    async def collect_texts(self, request: CollectTexts) -> TextsCollected:
        """Take in what was texted to our numbers and never reached our webhook.

        Raises:
            ApplicationError: `MailboxAway`: the provider or the database cannot be used now; look again from `since`.
        """
        clock, nudges = ActivityClock(request.now), Gathered(self._nudge)
        if self._texts is None:
            return TextsCollected(taken=0, until=clock.now(), configured=False)
        try:
            return await self._texts.look(clock, request.since, nudges)
        except SendError as error:
            raise ApplicationError(f"{error.code}: {error.detail}", type=AWAY) from None
        except DATABASE_AWAY as error:
            raise ApplicationError(f"the database is away ({type(error).__name__})", type=AWAY) from None
        finally:
            await nudges.send()

    # ------------------------------------------------------------------ silent deliveries

    @activity.defn
    async def ask_about_stuck(self, request: AskAboutStuck) -> StuckAsked:
        """Ask for deliveries that were handed over `stuck_after` ago and never reported on.

        Raises:
            ApplicationError: `MailboxAway`: no provider, or not the database, can be used now.
        """
        nudges = Gathered(self._nudge)
        try:
            return await self._asker.look(ActivityClock(request.now), nudges)
        except SendError as error:
            raise ApplicationError(f"{error.code}: {error.detail}", type=AWAY) from None
        except DATABASE_AWAY as error:
            raise ApplicationError(f"the database is away ({type(error).__name__})", type=AWAY) from None
        finally:
            await nudges.send()


def status_sources(adapters: Mapping[Channel, Any]) -> dict[Channel, StatusSource]:
    """Of the configured channels those whose provider can be asked for one message."""
    return {channel: adapter for channel, adapter in adapters.items() if hasattr(adapter, "status_of")}


__all__ = ["AWAY", "ReturnsActivities", "ReturnsConfig", "status_sources"]
