"""Sites left short: computed from what the recall took from each site, kept as a figure that a later look replaces.

Taken is what a consignee still has of the recalled lots, what came back, and what was destroyed there; what was
exchanged has been replaced already. Units corrected in the field are usable again and are not short.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from db.repositories.mass_balance_sql import SCOPE, STATED
from db.repositories.returns import sites_of
from db.rows import uuid_of
from domain.shortage import shortage
from models.disposition import Shortage
from models.signing import Signature

_FIGURES = f"""
WITH {SCOPE}, {STATED},
back AS (
    SELECT c.id AS consignee_id, m.lot_id, m.quantity
    FROM consignee c JOIN recall ON recall.number = c.recall_number
    JOIN location here ON here.partner_id = c.partner_id AND here.custody = 'customer'
    JOIN movement m ON m.from_location_id = here.id AND m.kind = 'return' AND m.occurred_at >= recall.created_at
    JOIN location there ON there.id = m.to_location_id AND there.custody <> 'customer'
    JOIN scope ON scope.lot_id = m.lot_id
    WHERE c.recall_number = :number AND c.state <> 'withdrawn'
),
figure AS (
    SELECT consignee_id, lot_id, pending AS removed, used, 0 AS replaced FROM remaining
    UNION ALL SELECT consignee_id, lot_id, quantity, 0, 0 FROM back
    UNION ALL SELECT consignee_id, lot_id, quantity, 0, 0 FROM counted_part WHERE kind = 'destroy'
    UNION ALL SELECT consignee_id, lot_id, 0, 0, quantity FROM counted_part WHERE kind = 'replace'
)
SELECT f.consignee_id, lot.product_id, sum(f.removed) AS removed, sum(f.used) AS used, sum(f.replaced) AS replaced
FROM figure f JOIN lot ON lot.id = f.lot_id
GROUP BY f.consignee_id, lot.product_id ORDER BY f.consignee_id, lot.product_id
"""  # noqa: S608 - constants


async def compute(session: AsyncSession, number: str, now: datetime) -> int:
    """Bring the shortages of a recall in line with its records; returns how many figures changed.

    The recall's row is locked. Running it again without news changes nothing and writes no audit event.
    """
    await lock_recalls(session, [number])
    known = {(row.consignee_id, row.product_id): row for row in await of_recall(session, number)}
    found = (await run(session, _FIGURES, {"number": number, "lot": None})).all()
    changed: list[Shortage] = []
    for figure in found:
        place = (figure.consignee_id, figure.product_id)
        quantity = shortage(figure.removed, figure.replaced)
        row = known.pop(place, None)
        if row is None and quantity == 0:
            continue
        row = row or Shortage(
            recall_number=number,
            consignee_id=place[0],
            product_id=place[1],
            removed=Decimal(0),
            used=Decimal(0),
            quantity=Decimal(0),
            computed_at=now,
        )
        changed += _set(row, figure.removed, figure.used, quantity, now)
    for row in known.values():
        # Withdrawn from the recall: nothing of it is short any more.
        changed += _set(row, Decimal(0), row.used, Decimal(0), now)
    session.add_all(changed)
    await session.flush()
    if changed:
        data = {
            "shortages": [
                {"shortage": row.id, "consignee": row.consignee_id, "quantity": row.quantity} for row in changed
            ]
        }
        await audit.append(
            session, number, actor="system", role="system", action="shortages.computed", at=now, data=data
        )
    return len(changed)


def _set(row: Shortage, removed: Decimal, used: Decimal, quantity: Decimal, now: datetime) -> list[Shortage]:
    """The row with new figures, if they are news; a shortage that grew is open again."""
    if row.id is not None and (row.removed, row.used, row.quantity) == (removed, used, quantity):
        return []
    if quantity > row.quantity:
        row.settled_by = row.settled_at = row.settled_reason = None
    row.removed, row.used, row.quantity, row.computed_at = removed, used, quantity, now
    return [row]


async def of_recall(session: AsyncSession, number: str) -> Sequence[Shortage]:
    """Shortages of a recall by consignee and product."""
    query = select(Shortage).where(col(Shortage.recall_number) == number)
    return (await session.exec(query.order_by(col(Shortage.consignee_id), col(Shortage.product_id)))).all()


async def listed(session: AsyncSession, number: str, *, after: int, limit: int) -> Sequence[Shortage]:
    """Shortages in order of their ids, for pages."""
    query = select(Shortage).where(col(Shortage.recall_number) == number, col(Shortage.id) > after)
    return (await session.exec(query.order_by(col(Shortage.id)).limit(limit))).all()


async def settle(session: AsyncSession, number: str, shortage_id: int, who: Who, reason: str) -> Shortage:
    """Decide that nothing more is supplied for a shortage; settling again changes nothing.

    Raises:
        DisposalRefused: the recall has no such shortage, or it has grown since the signature was given.
    """
    await lock_recalls(session, [number])
    row = await session.get(Shortage, shortage_id, populate_existing=True)
    if row is None or row.recall_number != number:
        raise DisposalRefused("not_found", f"The recall {number} has no shortage {shortage_id}.")
    if row.settled_at is not None:
        return row
    signed = await _signed_for(session, who)
    if signed is not None and row.quantity > signed:
        grown = f"The shortage has grown from {signed.normalize():f} to {row.quantity.normalize():f} units"
        raise DisposalRefused("conflict", f"{grown} since you signed; read it again.")
    row.settled_by, row.settled_at, row.settled_reason = who.principal, who.at, reason[:500]
    row.signature_id = uuid_of(who.signature)
    session.add(row)
    data: dict[str, Any] = {"shortage": row.id, "consignee": row.consignee_id, "quantity": row.quantity}
    await audit.append(
        session,
        number,
        actor=who.principal,
        role=who.role,
        action="shortage.settled",
        at=who.at,
        reason=reason,
        data=data,
        signature=who.signature,
    )
    return row


async def _signed_for(session: AsyncSession, who: Who) -> Decimal | None:
    """How much was short when it was signed for: a look at the records may have come between."""
    found = await session.get(Signature, uuid_of(who.signature)) if who.signature else None
    return Decimal(found.document["refers_to"]["shortage"][0]["quantity"]) if found else None


async def site_of(session: AsyncSession, shortage_id: int, lot_id: int) -> int | None:
    """The place that is to get units of the lot for a shortage; None when no place of the consignee is on record."""
    consignee = (await session.exec(select(Shortage.consignee_id).where(col(Shortage.id) == shortage_id))).one()
    return (await sites_of(session, [(consignee, lot_id)])).get((consignee, lot_id))


__all__ = ["compute", "listed", "of_recall", "settle", "site_of"]
