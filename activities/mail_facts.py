"""One mail on its way into the record: as it was fetched, what the record knows of it, and what it was made of."""

from dataclasses import dataclass
from datetime import datetime

from db.repositories.provider_events import ProviderEvent
from db.repositories.returned_mail import SentNotice
from db.repositories.senders import InboundMatch
from db.repositories.stranger_harm import Paged
from domain.mail_reading import ReadMail
from models.replies import RecordedReply
from models.returned_mail import MailSender


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail as fetched and read."""

    read: ReadMail
    sha256: str
    """Of what was fetched; it is in the evidence store already."""
    size: int
    whole: bool
    arrived_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What a mail was made of, and whom to nudge."""

    outcome: str
    event: ProviderEvent | None = None
    reply: tuple[str, int, RecordedReply] | None = None
    """Recall, consignee and what recording the answer changed."""
    harm_in: str | None = None
    """Recall under which a complaint was made without a reply."""
    paged: Paged | None = None
    """Whom to tell of harm that names no recall."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the record knows of a mail before anything is written."""

    outcome: str
    sender: MailSender
    notice: SentNotice | None = None
    matches: tuple[InboundMatch, ...] = ()
    contact_id: int | None = None


__all__ = ["Found", "Incoming", "Taken"]
