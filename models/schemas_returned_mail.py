"""HTTP contract of mail that came back: what each was and what was made of it, never an address or a text."""

from datetime import datetime
from uuid import UUID

from domain.mail_kinds import MailKind
from models.returned_mail import MailSender
from models.schemas_common import Out


class ReturnedMailOut(Out):
    """One mail that came back."""

    id: int
    recall_number: str | None
    delivery_id: UUID | None
    """The notice it speaks of."""
    kind: MailKind
    sender: MailSender
    """Who sent it, as far as it can be said; the From of a mail is only a claim."""
    outcome: str
    """What was made of it: `dead`, `not_delivered`, `delayed`, `reply`, `unclear`, `unknown_sender` ..."""
    status: str | None
    """Enhanced status code of a report (RFC 3463)."""
    evidence_id: UUID
    """The mail as it came, for who may read evidence."""
    size: int
    whole: bool
    """False: larger than the limit; the evidence is its beginning, the whole is in the mailbox."""
    arrived_at: datetime
    read_at: datetime


__all__ = ["ReturnedMailOut"]
