"""Mail that came back, in the record: whose notice it speaks of, who may have written it, and the row that keeps it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, evidence
from db.repositories.inbound import keep_inbound
from db.repositories.senders import HarmMatch, InboundMatch, harm_of, matches_of
from domain.channels import Channel
from models.evidence import Evidence
from models.returned_mail import MailSender

PROVIDER: Final = "email"
"""Provider of mails in `inbound_message`, and of answers by mail."""
MAILBOX: Final = "mailbox"
"""Actor of what is read from the mailbox."""


@dataclass(frozen=True, slots=True)
class SentNotice:
    """A notice by e-mail, and the recipient it went to."""

    delivery_id: UUID
    recall_number: str
    ended: bool
    """The recall is closed: nothing is asked of anybody any more."""
    drill: bool
    consignee_id: int
    contact_id: int
    address: str
    """Of its contact, in lower case; empty when it has none any more."""
    others: tuple[str, ...]
    """Addresses of all contacts of that recipient who have not left, in lower case."""
    gone: tuple[str, ...]
    """Addresses of those who have."""
    provider_id: str | None
    """Its Message-ID, once it was handed over."""


_NOTICE: Final = """
SELECT d.id AS delivery_id, k.recall_number, recall.phase IN ('terminated', 'rejected', 'cancelled') AS ended,
       recall.drill, d.consignee_id, d.contact_id, lower(coalesce(contact.email, '')) AS address,
       ARRAY(SELECT lower(o.email) FROM contact o WHERE o.partner_id = contact.partner_id
             AND o.email IS NOT NULL AND o.status <> 'left') AS others,
       ARRAY(SELECT lower(o.email) FROM contact o WHERE o.partner_id = contact.partner_id
             AND o.email IS NOT NULL AND o.status = 'left') AS gone,
       d.provider_id
FROM delivery d
JOIN campaign k ON k.id = d.campaign_id
JOIN recall ON recall.number = k.recall_number
JOIN contact ON contact.id = d.contact_id
WHERE d.id = :delivery AND d.channel = 'email'
"""

_KEEP: Final = """
INSERT INTO returned_mail (mail_key, message_id, recall_number, delivery_id, kind, sender, outcome, status, evidence_id,
                           size, whole, arrived_at, read_at)
VALUES (:mail_key, :message_id, :recall_number, :delivery_id, :kind, :sender, :outcome, :status, :evidence_id,
        :size, :whole, :arrived_at, :read_at)
RETURNING id
"""

_BOUNCED: Final = """
UPDATE contact SET status = 'bounced'
WHERE id = :contact AND status NOT IN ('bounced', 'left')
  AND (SELECT count(DISTINCT d.campaign_id) FROM delivery d
       WHERE d.contact_id = :contact AND d.channel = 'email' AND d.state = 'failed'
         AND d.error_kind = 'permanent_contact' AND starts_with(d.error_code, 'dsn:')) > 1
RETURNING id
"""

_STILL_USED: Final = "SELECT 1 FROM contact WHERE id = :contact AND status NOT IN ('bounced', 'left')"

_STAFF: Final = """
UPDATE staff_message SET state = 'failed', error = :error
WHERE provider_id = :provider_id AND channel = 'email' AND state = 'sent'
RETURNING id, recall_number
"""


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept of one mail."""

    mail_key: str
    message_id: str | None
    kind: str
    sender: MailSender
    outcome: str
    size: int
    whole: bool
    arrived_at: datetime
    read_at: datetime
    file: Evidence
    recall_number: str | None = None
    delivery_id: UUID | None = None
    status: str | None = None


async def notice_of(session: AsyncSession, delivery_id: UUID) -> SentNotice | None:
    """The notice of a delivery id, if it is one that went (or goes) out by e-mail."""
    row = (await run(session, _NOTICE, {"delivery": delivery_id})).mappings().one_or_none()
    return None if row is None else SentNotice(**{**row, "others": tuple(row["others"]), "gone": tuple(row["gone"])})


async def inbound_contact_by_email(
    session: AsyncSession, email: str, *, recall_number: str | None = None
) -> list[InboundMatch]:
    """The consignees of running campaigns behind an address, the one written to last first; never those of drills."""
    return await matches_of(session, Channel.EMAIL, email, recall_number)


async def contact_with_email(session: AsyncSession, email: str) -> int | None:
    """The first contact with this address (in lower case), or None."""
    found = await run(session, "SELECT min(id) FROM contact WHERE lower(email) = :email", {"email": email})
    contact_id: int | None = found.scalar_one()
    return contact_id


async def recall_of_harm(session: AsyncSession, email: str, recall_number: str | None) -> HarmMatch | None:
    """The recall named in the mail, else the newest one under which the address's owner is a consignee."""
    return await harm_of(session, Channel.EMAIL, email, recall_number)


async def is_known(session: AsyncSession, mail_key: str) -> bool:
    """Whether this mail was taken in before."""
    found = await run(session, "SELECT 1 FROM returned_mail WHERE mail_key = :key", {"key": mail_key})
    return found.first() is not None


async def keep(session: AsyncSession, mail: Keep, *, reply_id: int | None = None) -> int:
    """Keep a mail as a row and an evidence file, bound to its recall and to the reply it became; audited."""
    await evidence.add(session, mail.file, role="system")
    kept = await run(
        session,
        _KEEP,
        {
            "mail_key": mail.mail_key,
            "message_id": mail.message_id,
            "recall_number": mail.recall_number,
            "delivery_id": mail.delivery_id,
            "kind": mail.kind,
            "sender": mail.sender.value,
            "outcome": mail.outcome,
            "status": mail.status,
            "evidence_id": mail.file.id,
            "size": mail.size,
            "whole": mail.whole,
            "arrived_at": mail.arrived_at,
            "read_at": mail.read_at,
        },
    )
    mail_id = int(kept.scalar_one())
    if mail.recall_number is not None:
        subjects = [f"returned_mail:{mail_id}"] + ([f"reply:{reply_id}"] if reply_id is not None else [])
        await evidence.link_all(
            session, mail.recall_number, [mail.file.id], subjects, by=MAILBOX, at=mail.read_at, role="system"
        )
    await audit.append(
        session,
        mail.recall_number or audit.SYSTEM,
        actor=MAILBOX,
        role="system",
        action="mail.received",
        at=mail.read_at,
        data={
            "mail": mail_id,
            "kind": mail.kind,
            "sender": mail.sender.value,
            "outcome": mail.outcome,
            "delivery": mail.delivery_id,
            "reply": reply_id,
            "evidence": mail.file.id,
        },
    )
    return mail_id


async def note_untaken(session: AsyncSession, mailbox_key: str, why: str, at: datetime) -> None:
    """A mail that cannot be taken in waits for a reader, who is told where it lies; once, and audited."""
    mail = "mailbox:" + sha256(mailbox_key.encode("utf-8", "replace")).hexdigest()[:40]
    body = f"A mail cannot be taken in ({why}). It stays in the mailbox, as {mailbox_key[:300]}; read it there."
    kept = await keep_inbound(
        session, provider=PROVIDER, provider_id=mail, contact_id=None, body=body, outcome="unreadable", at=at
    )
    if kept:
        data = {"mail": mail}
        await audit.append(
            session, audit.SYSTEM, actor=MAILBOX, role="system", action="mail.not_taken_in", at=at, data=data
        )


async def hold(session: AsyncSession, delivery_id: UUID, contacts: Collection[int]) -> None:
    """Lock a message and the contacts it went to, before anything is audited: the order of everybody who locks them."""
    await run(session, "SELECT 1 FROM delivery WHERE id = :delivery FOR UPDATE", {"delivery": delivery_id})
    lock = "SELECT id FROM contact WHERE id = ANY (CAST(:contacts AS bigint[])) ORDER BY id FOR NO KEY UPDATE"
    await run(session, lock, {"contacts": sorted(contacts)})


async def note_dead_contact(session: AsyncSession, contact_id: int, number: str, at: datetime) -> bool:
    """A mail system says that the contact's address does not exist; True when it is not written to any more at all.

    One report rules the address out for its campaign, by the failed delivery. Whoever got the notice could have forged
    it, so only a second one, about a notice of another campaign, rules it out for good.
    """
    binds = {"contact": contact_id}
    ended = (await run(session, _BOUNCED, binds)).first() is not None
    if not ended and (await run(session, _STILL_USED, binds)).first() is None:
        return False
    action = "contact.bounced" if ended else "contact.bounce_reported"
    await audit.append(session, number, actor=MAILBOX, role="system", action=action, at=at, data=binds)
    return ended


async def note_staff_bounce(session: AsyncSession, message_id: str, code: str, at: datetime) -> str | None:
    """A message to our own people came back: it is failed from now on. Returns its recall; None when it is none."""
    row = (await run(session, _STAFF, {"provider_id": message_id, "error": code})).one_or_none()
    if row is None:
        return None
    data = {"message": row[0], "error": code}
    await audit.append(session, row[1], actor=MAILBOX, role="system", action="staff_message.bounced", at=at, data=data)
    return str(row[1])


__all__ = [
    "MAILBOX",
    "PROVIDER",
    "Keep",
    "SentNotice",
    "contact_with_email",
    "hold",
    "inbound_contact_by_email",
    "is_known",
    "keep",
    "note_dead_contact",
    "note_staff_bounce",
    "note_untaken",
    "notice_of",
    "recall_of_harm",
]
