"""A recall with one notice sent, a Maildir with what comes back, and the activities that collect from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio.testing import ActivityEnvironment

from activities.returns import ReturnsActivities, ReturnsConfig
from adapters.evidence.folder import FolderEvidence
from adapters.mailbox.maildir import MaildirMailbox
from adapters.messaging.status import StatusSource
from db.engine import SessionFactory
from domain.channels import Channel
from domain.return_path import ReturnKind, ReturnPath
from models.messages_returns import AskAboutStuck, CollectMail, MailCollected, StuckAsked
from tests.campaign.conftest import Hand, catcher, hand, standin, webhooks, world
from tests.campaign.world import SECRET, T0, Person, World
from tests.mailbox.test_mailboxes import deliver

__all__ = ["catcher", "hand", "standin", "webhooks", "world"]
MINUTE = timedelta(minutes=1)
PATH = ReturnPath(SECRET, "bounces@firm.example")
DOMAIN = "firm.example"


@dataclass
class Office:
    """What a worker does with what comes back, done by hand."""

    world: World
    hand: Hand
    sessions: SessionFactory
    folder: Path
    sources: dict[Channel, StatusSource] = field(default_factory=dict)
    nudges: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    config: ReturnsConfig = field(
        default_factory=lambda: ReturnsConfig(path=PATH, mail_domain=DOMAIN, authserv_id="mx.firm.example")
    )
    mailbox: Any = None

    def __post_init__(self) -> None:
        self.mailbox = MaildirMailbox(self.folder / "mail")

    async def _nudge(self, workflow: str, signal: str, arguments: tuple[str, ...]) -> None:
        self.nudges.append((workflow, signal, arguments))

    def activities(self) -> ReturnsActivities:
        store = FolderEvidence(self.folder / "evidence")
        return ReturnsActivities(self.sessions, self.mailbox, store, self.sources, self._nudge, self.config)

    def arrives(self, raw: bytes) -> None:
        deliver(self.folder / "mail", raw)

    async def collect(self, now: datetime = T0 + MINUTE, *, through: ReturnsActivities | None = None) -> MailCollected:
        """One look; `through` a process that remembers the ones before."""
        collecting = through or self.activities()
        result: MailCollected = await ActivityEnvironment().run(collecting.collect_mail, CollectMail(now=now))
        return result

    async def ask(self, now: datetime) -> StuckAsked:
        result: StuckAsked = await ActivityEnvironment().run(self.activities().ask_about_stuck, AskAboutStuck(now=now))
        return result

    async def sent(self, name: str = "One", *people: Person, language: str = "en") -> "Sent":
        """A consignee whose first notice was handed over by e-mail."""
        people = people or (Person("stores@hospital.example", "+254700000001", channels=("email", "sms")),)
        consignee = self.world.consignee(name, *people, language=language)
        await self.hand.advance()
        await self.hand.send("email")
        return Sent(consignee, self.world.deliveries(consignee)[0]["id"])

    def mails(self) -> list[tuple[str, str, str]]:
        rows = self.world.rows("SELECT kind, sender, outcome FROM returned_mail ORDER BY id")
        return [(row["kind"], row["sender"], row["outcome"]) for row in rows]

    def reconfigure(self, **changes: Any) -> None:
        self.config = changed(self.config, **changes)


@dataclass(frozen=True)
class Sent:
    """One notice by e-mail."""

    consignee: int
    delivery: UUID

    @property
    def bounce_to(self) -> str:
        return PATH.address(self.delivery, ReturnKind.BOUNCE)

    @property
    def answer_to(self) -> str:
        return PATH.address(self.delivery, ReturnKind.ANSWER)

    @property
    def message_id(self) -> str:
        return f"<{self.delivery}@{DOMAIN}>"


@pytest.fixture
def office(world: World, hand: Hand, db: SessionFactory, tmp_path: Path) -> Office:
    return Office(world, hand, db, tmp_path)


Make = Callable[..., Office]
