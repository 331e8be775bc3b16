"""What keepers of stock were asked to ship as replacements, and how their orders stand.

An order is written down before its keeper is asked, so that whichever process dies, the same key is asked again; and
nobody ships by hand what a keeper may be shipping.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import ledger_orders
from db.repositories.disposal_refusals import DisposalRefused
from domain.inventory import DocumentAnswer, DocumentState
from domain.keepers import LEDGER
from domain.phases import FINAL_PHASES
from domain.shortage import ShippedTwice
from models.disposition import Allocation
from models.keeper_hold import KeeperShipment

MOST: Final = 2000
"""Orders one turn looks at."""
AGAIN: Final = timedelta(minutes=5)
"""After how long a keeper is asked again how an order of its own stands."""
_DUE: Final = """
SELECT a.id, a.recall_number, a.lot_id, a.location_id, a.state, s.keeper, s.asked_at IS NOT NULL AS asked,
       s.abandoned_at IS NOT NULL AS abandoned, s.attempts
FROM keeper_shipment s JOIN allocation a ON a.id = s.allocation_id JOIN recall r ON r.number = a.recall_number
WHERE s.ended_at IS NULL AND NOT r.drill
  AND (a.state <> 'approved' OR s.acknowledged_at IS NULL OR s.abandoned_at IS NOT NULL
       -- A person says when an order of our own ledger has left.
       OR s.keeper <> :ledger AND s.acknowledged_at <= CAST(:before AS timestamptz))
UNION ALL
SELECT a.id, a.recall_number, a.lot_id, a.location_id, a.state, NULL, false, false, 0
FROM allocation a JOIN recall r ON r.number = a.recall_number AND NOT r.drill
WHERE a.state = 'approved' AND r.phase <> ALL(CAST(:ended AS text[]))
  AND NOT EXISTS (SELECT FROM keeper_shipment s WHERE s.allocation_id = a.id)
ORDER BY 9, 1 LIMIT :limit
"""
_BEGIN: Final = """
INSERT INTO keeper_shipment AS s (allocation_id, key, keeper, attempts, planned_at, asked_at, last_error, ended_at)
VALUES (:id, :key, :keeper, 1, CAST(:now AS timestamptz), CASE WHEN :asked THEN CAST(:now AS timestamptz) END, :error,
        CASE WHEN :over THEN CAST(:now AS timestamptz) END)
ON CONFLICT (allocation_id) DO UPDATE SET attempts = s.attempts + 1, asked_at = coalesce(s.asked_at, excluded.asked_at),
    keeper = CASE WHEN s.asked_at IS NULL THEN excluded.keeper ELSE s.keeper END,
    last_error = coalesce(excluded.last_error, s.last_error), ended_at = coalesce(s.ended_at, excluded.ended_at)
"""
_TRIED: Final = "UPDATE keeper_shipment SET attempts = attempts + 1 WHERE allocation_id = :id"


def key_of(number: str, allocation_id: int) -> str:
    """The idempotency key of a replacement at its keeper."""
    return f"{number}:allocation:{allocation_id}"


async def due(session: AsyncSession, now: datetime) -> Sequence[Any]:
    """Replacements to be ordered or taken back, and orders to be asked about: what was looked at least comes first."""
    values = {"ended": [each.value for each in FINAL_PHASES], "limit": MOST, "ledger": LEDGER, "before": now - AGAIN}
    return (await run(session, _DUE, values)).all()


async def begin(
    session: AsyncSession,
    number: str,
    allocation_id: int,
    keeper: str,
    now: datetime,
    *,
    error: str | None = None,
    over: bool = False,
) -> None:
    """Before the keeper is asked; with an error it is not, and with `over` it never is."""
    values = {"id": allocation_id, "key": key_of(number, allocation_id), "keeper": keeper, "now": now}
    await run(session, _BEGIN, values | {"asked": error is None, "error": error, "over": over})


async def locked(session: AsyncSession, allocation_id: int) -> KeeperShipment | None:
    """The order of an allocation, for a change."""
    query = select(KeeperShipment).where(col(KeeperShipment.allocation_id) == allocation_id).with_for_update()
    return (await session.exec(query.execution_options(populate_existing=True))).one_or_none()


async def of_allocations(session: AsyncSession, ids: Sequence[int | None]) -> dict[int, KeeperShipment]:
    """Allocation -> what its keeper was asked."""
    query = select(KeeperShipment).where(col(KeeperShipment.allocation_id).in_([each for each in ids if each]))
    return {row.allocation_id: row for row in (await session.exec(query)).all()}


async def tried(session: AsyncSession, allocation_id: int) -> None:
    """Before the keeper is asked to take its order back."""
    await run(session, _TRIED, {"id": allocation_id})


def stands(row: KeeperShipment, answer: DocumentAnswer, now: datetime) -> None:
    """The keeper said how its order stands."""
    if answer.state is not DocumentState.CANCELLED or row.number is not None:
        row.number = answer.number[:80]
    row.state, row.last_error, row.acknowledged_at = answer.state.value, None, now
    if answer.state in (DocumentState.DONE, DocumentState.CANCELLED):
        row.ended_at = now


def risk_of(row: KeeperShipment, document_no: str | None) -> ShippedTwice | None:
    """Whether units shipped by hand under `document_no` may leave, or have left, by the keeper's order as well."""
    if row.abandoned_at is None or (row.number is not None and row.number == document_no):
        return None
    if row.ended_at is None:
        return ShippedTwice.POSSIBLE
    gone = row.state == DocumentState.DONE and document_no is not None
    return ShippedTwice.HAPPENED if gone else None


async def given_up(session: AsyncSession, found: Allocation) -> bool:
    """Whether only the keeper has told that these left, by an order nobody waited for: they may go by hand, too."""
    row = await locked(session, found.id or 0)
    if row is None or row.abandoned_at is None:
        return False
    return found.shipped_by == row.keeper and row.number == found.document_no


async def by_hand(session: AsyncSession, allocation_id: int, document_no: str, now: datetime) -> bool:
    """A person states the shipment: of the keeper's order (True), or of none that may still be carried out.

    Raises:
        DisposalRefused: the keeper has an order for it, or may have.
    """
    row = await locked(session, allocation_id)
    if row is None or row.ended_at is not None:
        return False
    if row.keeper == LEDGER:
        if row.number is not None and row.number != document_no:
            await ledger_orders.close(session, row.number, DocumentState.DONE)
    elif row.number != document_no and row.abandoned_at is not None:
        # It is still asked to take its order back.
        return False
    elif row.asked_at is not None and row.number != document_no:
        has = f"has the order {row.number} for it" if row.number else "was asked to ship it and has not answered yet"
        raise DisposalRefused("conflict", f"The keeper {row.keeper} {has}: state the number of its order.")
    row.state, row.ended_at = DocumentState.DONE.value, now
    session.add(row)
    return row.number == document_no


__all__ = [
    "MOST",
    "begin",
    "by_hand",
    "due",
    "given_up",
    "key_of",
    "locked",
    "of_allocations",
    "risk_of",
    "stands",
    "tried",
]
