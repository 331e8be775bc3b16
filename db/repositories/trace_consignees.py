"""Who received lots, with quantities: the consignee list of a trace, before or beside any recall."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import trace_sql

_LIST = f"""
WITH {trace_sql.customer_positions(trace_sql.SCOPE_OF_IDS)},{trace_sql.CONSIGNEES}
SELECT partner.id AS partner_id, partner.code AS partner_code, r.lot_id, r.shipped, r.returned, r.from_customers
FROM received_by r JOIN partner ON partner.id = r.partner_id ORDER BY partner.id, r.lot_id
"""  # noqa: S608 - constants


class TracedConsignee(NamedTuple):
    """What a partner with customers' places received of one lot, in units of use."""

    partner_id: int
    partner_code: str
    lot_id: int
    shipped: Decimal
    """Gross of what it returned."""
    returned: Decimal
    from_customers: Decimal
    """Part of `shipped` that came from other consignees."""


async def trace_consignees(session: AsyncSession, lot_ids: Sequence[int]) -> list[TracedConsignee]:
    """Every partner that received one of exactly these lots, by the reading of movements a recall's scope rests on."""
    if not lot_ids:
        return []
    connection = await session.connection()
    await connection.execute(text(trace_sql.TUNE))
    rows = await connection.execute(text(_LIST), {"lot_ids": list(lot_ids)})
    return list(map(TracedConsignee._make, rows))


__all__ = ["TracedConsignee", "trace_consignees"]
