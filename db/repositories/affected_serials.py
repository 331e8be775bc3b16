"""The serialised units that a recall affects, and where each was last seen."""

from collections.abc import Sequence
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run

_PAGE: Final = """
SELECT u.id AS serial_id, u.number AS serial, u.lot_id, lot.number AS lot, p.code AS product_code,
       n.serial_id IS NOT NULL AS named, l.code AS location_code, l.custody, partner.code AS partner_code,
       c.id AS consignee_id, u.as_of
FROM scope_lot s
JOIN serial u ON u.lot_id = s.lot_id
JOIN lot ON lot.id = u.lot_id JOIN product p ON p.id = lot.product_id
LEFT JOIN scope_serial n ON n.recall_number = s.recall_number AND n.scope_version = s.scope_version
     AND n.serial_id = u.id
LEFT JOIN location l ON l.id = u.location_id LEFT JOIN partner ON partner.id = l.partner_id
LEFT JOIN consignee c ON c.recall_number = s.recall_number AND c.partner_id = partner.id AND l.custody = 'customer'
WHERE s.recall_number = :number AND s.scope_version = :version AND (NOT s.by_serial OR n.serial_id IS NOT NULL)
  AND (u.location_id IS NULL OR NOT CAST(:unplaced AS boolean))
  AND (u.lot_id, u.id) > (:after_lot, :after_serial)
ORDER BY u.lot_id, u.id LIMIT :limit
"""


async def page(
    session: AsyncSession, number: str, version: int, *, unplaced: bool, after: tuple[int, int], limit: int
) -> Sequence[Any]:
    """Affected units by lot and unit, after a (lot, unit); with `unplaced` only those without a place on record."""
    values = {"number": number, "version": version, "unplaced": unplaced, "limit": limit}
    return (await run(session, _PAGE, values | {"after_lot": after[0], "after_serial": after[1]})).all()


__all__ = ["page"]
