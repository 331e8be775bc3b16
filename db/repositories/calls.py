"""Calls that read a notice: what is read to whom, as the provider's requests about a delivery need it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import merging
from db.repositories.consignee_lots import ConsigneeLotRow, every_lot_of
from domain.voice import MACHINE


@dataclass(frozen=True, slots=True)
class CallRecord:
    """The delivery behind a call with everything its text is filled with."""

    delivery_id: UUID
    recall_number: str
    created_at: datetime
    pace: float
    """With `created_at` the recall's clock."""
    over: bool
    """A drill, which calls nobody, or a notice of a recall that was taken back since."""
    ended: bool
    """Nobody looks after the recall any more, though its end may still be told."""
    consignee_id: int
    contact_id: int
    phone: str
    gone: bool
    """Who is called has left the site."""
    kind: str
    step: int
    language: str
    answered: bool
    partner_name: str
    contact_name: str
    time_zone: str
    first_notified_at: datetime | None
    next_step_at: datetime | None
    since: int | None
    """Scope version that the notice amends."""
    body: dict[str, Any]
    """`ApprovedBody` as stored."""


_CALL: Final = """
SELECT d.id AS delivery_id, recall.number AS recall_number, recall.created_at, recall.pace,
       recall.drill OR d.kind <> 'retraction' AND recall.phase IN ('rejected', 'cancelled') AS over,
       recall.phase IN ('terminated', 'rejected', 'cancelled') AS ended,
       d.consignee_id, d.contact_id, contact.phone, contact.status = 'left' AS gone,
       d.kind, d.step, d.language, c.state = 'answered' AS answered,
       partner.name AS partner_name, contact.name AS contact_name, partner.time_zone, c.first_notified_at,
       CASE WHEN d.step >= 0 THEN c.next_step_at END AS next_step_at,
       CAST(notice.change ->> 'since' AS int) AS since, body.body
FROM delivery d
JOIN campaign ON campaign.id = d.campaign_id
JOIN recall ON recall.number = campaign.recall_number
JOIN notice ON notice.id = campaign.notice_id AND notice.approved_at IS NOT NULL
JOIN notice_body body ON body.notice_id = notice.id AND body.kind = d.kind AND body.channel = d.channel
     AND body.language = d.language
JOIN consignee c ON c.id = d.consignee_id
JOIN partner ON partner.id = c.partner_id
JOIN contact ON contact.id = d.contact_id AND contact.phone IS NOT NULL
WHERE d.id = :delivery AND d.channel = 'voice'
"""


async def find(session: AsyncSession, delivery_id: UUID) -> CallRecord | None:
    """The call of a delivery; None when it is none, or its contact has no telephone any more."""
    row = (await run(session, _CALL, {"delivery": delivery_id})).mappings().one_or_none()
    return None if row is None else CallRecord(**row)


async def find_answered(session: AsyncSession, delivery_id: UUID) -> CallRecord | None:
    """The call that a key answers: whoever has left the site it went to speaks for another one that it was for."""
    call = await find(session, delivery_id)
    site = await merging.first_not_left(session, delivery_id) if call is not None and call.gone else None
    return call if site is None else await find(session, site.delivery_id)


async def lots_told(session: AsyncSession, consignee_id: int) -> list[ConsigneeLotRow]:
    """Every lot of the consignee, as its notices are filled with."""
    return (await every_lot_of(session, [consignee_id]))[consignee_id]


async def others_told(session: AsyncSession, call: CallRecord) -> list[tuple[CallRecord, list[ConsigneeLotRow]]]:
    """The further sites that one call to a person is for, each as a call of the same notice, with its lots."""
    sites = [each for each in await merging.sites_of(session, call.delivery_id) if each.delivery_id != call.delivery_id]
    lots = await every_lot_of(session, [each.consignee_id for each in sites])
    found = [await find(session, each.delivery_id) for each in sites]
    return [(replace(each, kind=call.kind), lots[each.consignee_id]) for each in found if each is not None]


async def reached_machine(session: AsyncSession, provider: str, provider_id: str) -> bool:
    """Whether an earlier report of the call named a machine."""
    found = await run(
        session,
        "SELECT EXISTS (SELECT FROM delivery_event"
        " WHERE provider = :provider AND provider_id = :provider_id AND status = :status)",
        {"provider": provider, "provider_id": provider_id, "status": MACHINE},
    )
    return bool(found.scalar_one())


__all__ = ["CallRecord", "find", "find_answered", "lots_told", "others_told", "reached_machine"]
