"""Inbound SMS: kept once per provider id, matched to the notices sent to that telephone, opt-outs recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from db.rows import insert_new
from domain.phases import FINAL_PHASES
from models.master import Contact
from models.notice import InboundMessage

# Whoever was notified may answer by SMS, also when the notice itself went by e-mail.
_CANDIDATES: Final = """
SELECT c.recall_number, c.id AS consignee_id, ct.id AS contact_id, partner.language, r.drill,
       d.id AS delivery_id
FROM contact ct
JOIN partner ON partner.id = ct.partner_id
JOIN consignee c ON c.partner_id = partner.id
JOIN recall r ON r.number = c.recall_number
LEFT JOIN LATERAL (
    SELECT id, created_at FROM delivery
    WHERE consignee_id = c.id AND contact_id = ct.id AND channel = 'sms' AND state IN ('submitted', 'delivered')
    ORDER BY created_at DESC LIMIT 1
) d ON true
WHERE ct.phone = :phone AND c.first_notified_at IS NOT NULL AND r.phase <> ALL (CAST(:final AS text[]))
ORDER BY d.created_at DESC NULLS LAST, c.id
LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class SmsCandidate:
    """A consignee that an SMS from this telephone may speak for."""

    recall_number: str
    consignee_id: int
    contact_id: int
    language: str
    drill: bool
    delivery_id: UUID | None


async def candidates(session: AsyncSession, phone: str) -> list[SmsCandidate]:
    """Notified consignees of running recalls that have this telephone, the last one written to first."""
    rows = await session.execute(text(_CANDIDATES), {"phone": phone, "final": [phase.value for phase in FINAL_PHASES]})
    return [SmsCandidate(**row) for row in rows.mappings()]


async def contacts_of(session: AsyncSession, phone: str) -> Sequence[Contact]:
    """Contacts with this telephone."""
    return (await session.exec(select(Contact).where(col(Contact.phone) == phone).order_by(col(Contact.id)))).all()


async def keep(
    session: AsyncSession,
    *,
    provider_id: str,
    contact_id: int | None,
    body: str,
    outcome: str,
    at: datetime,
) -> bool:
    """Keep the message as received; False when it is known already."""
    row: dict[str, Any] = {
        "provider": "twilio",
        "provider_id": provider_id,
        "contact_id": contact_id,
        "body": body[:2000],
        "outcome": outcome,
        "received_at": at,
    }
    return await insert_new(session, InboundMessage, row) == 1


async def known(session: AsyncSession, provider_id: str) -> bool:
    """Whether this message was kept before."""
    query = select(InboundMessage.id).where(
        col(InboundMessage.provider) == "twilio", col(InboundMessage.provider_id) == provider_id
    )
    return (await session.exec(query)).first() is not None


async def set_opt_out(
    session: AsyncSession, phone: str, found: Sequence[SmsCandidate], *, stopped: bool, at: datetime
) -> None:
    """Record that a telephone wants no SMS any more (or again); audited in every recall it is notified under."""
    await session.exec(
        update(Contact).where(col(Contact.phone) == phone).values(sms_opted_out_at=at if stopped else None)
    )
    for candidate in {each.recall_number: each for each in found}.values():
        await audit.append(
            session,
            candidate.recall_number,
            actor=f"contact:{candidate.contact_id}",
            role="recipient",
            action="contact.sms_opted_out" if stopped else "contact.sms_opted_in",
            at=at,
            data={"contact": candidate.contact_id, "consignee": candidate.consignee_id},
        )


__all__ = ["SmsCandidate", "candidates", "contacts_of", "keep", "known", "set_opt_out"]
