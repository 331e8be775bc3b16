"""Harm told on the page of a recall that has ended: nobody looks after a complaint there, so it goes to who does.

It becomes a complaint under the newest recall that runs for the same recipient; where there is none, a person is paged
about the message, which waits among those that belong to nobody. That needs no recall that runs (`stranger_harm`).
"""

from dataclasses import dataclass
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import complaints, stranger_harm
from db.repositories.inbound import keep_inbound
from db.repositories.stranger_harm import Paged
from models.harm import HarmReport
from models.replies import PageReply

PROVIDER: Final = "page"
_RUNNING: Final = """
SELECT c.recall_number, c.id FROM consignee told
JOIN consignee c ON c.partner_id = told.partner_id
JOIN recall r ON r.number = c.recall_number
WHERE told.id = :consignee AND NOT r.drill AND r.phase NOT IN ('terminated', 'rejected', 'cancelled')
ORDER BY r.created_at DESC, c.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class LateHarm:
    """Whom to nudge."""

    recall_number: str | None = None
    """Recall under which a complaint was made."""
    paged: Paged | None = None


async def take_from_page(session: AsyncSession, told: PageReply) -> LateHarm:
    """Keep the report and have somebody look at it; the same form with the same words again changes nothing."""
    assert told.harm is not None  # noqa: S101 - a report of harm
    kept = await keep_inbound(
        session,
        provider=PROVIDER,
        provider_id=told.form_id,
        contact_id=told.contact_id,
        body=f"On the page of {told.recall_number}, consignee {told.consignee_id}, outcome"
        f" {told.harm.severity.value}: {told.harm.description}",
        outcome="no_open_recall",
        at=told.at,
    )
    if not kept:
        return LateHarm()
    running = (await run(session, _RUNNING, {"consignee": told.consignee_id})).one_or_none()
    if running is None:
        paged = await stranger_harm.take_up(
            session, provider=PROVIDER, provider_id=told.form_id, aware_at=told.at, now=told.at
        )
        return LateHarm(paged=paged)
    number, consignee = running
    report = HarmReport(
        number=number,
        harm=told.harm,
        source="page",
        awareness_at=told.at,
        at=told.at,
        recorded_by=f"consignee:{consignee}",
        role="recipient",
        consignee_id=consignee,
        form_id=f"{PROVIDER}:{told.form_id}"[:64],
    )
    await complaints.record(session, report)
    return LateHarm(recall_number=number)


__all__ = ["LateHarm", "take_from_page"]
