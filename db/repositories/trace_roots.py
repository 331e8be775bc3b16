"""From criteria to root lots: every name must be on record, and something on record must fit them all."""

from typing import Any, Final

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.scope import LotRef, ScopeCriteria, UnknownScope

_KNOWN: Final = {
    "product_codes": "SELECT FROM product WHERE code = named.value",
    "families": "SELECT FROM product WHERE family = named.value",
    "brands": "SELECT FROM product WHERE brand = named.value",
    "supplier_lots": "SELECT FROM lot WHERE supplier_lot = named.value",
    "manufacturing_sites": "SELECT FROM location WHERE code = named.value",
}
_CONDITIONS: Final = {
    "product_codes": "p.code = ANY(CAST(:product_codes AS text[]))",
    "families": "p.family = ANY(CAST(:families AS text[]))",
    "brands": "p.brand = ANY(CAST(:brands AS text[]))",
    "supplier_lots": "l.supplier_lot = ANY(CAST(:supplier_lots AS text[]))",
    "manufacturing_sites": "s.code = ANY(CAST(:manufacturing_sites AS text[]))",
    "made_from": "(l.made_on >= :made_from OR l.made_on IS NULL)",
    "made_to": "(l.made_on <= :made_to OR l.made_on IS NULL)",
}
_MOVED: Final = """EXISTS (SELECT FROM movement m WHERE m.lot_id = l.id AND {kinds}
    AND m.occurred_at >= coalesce(CAST(:{field}_start AS timestamptz), '-infinity')
    AND m.occurred_at < coalesce(CAST(:{field}_end AS timestamptz), 'infinity'))"""
_KINDS: Final = {
    "shipped": "m.kind = 'shipment'",
    "received": "(m.kind = 'receipt' OR m.kind = 'shipment' AND m.delivered)",
}
_NAMED_LOTS: Final = """
SELECT named.ordinal, l.id
FROM unnest(CAST(:codes AS text[]), CAST(:numbers AS text[]), CAST(:sites AS text[]))
     WITH ORDINALITY AS named(product_code, number, site_code, ordinal)
LEFT JOIN (lot l JOIN product p ON p.id = l.product_id LEFT JOIN location s ON s.id = l.site_id)
  ON p.code = named.product_code AND l.number = named.number
     AND (named.site_code IS NULL OR s.code = named.site_code)
ORDER BY named.ordinal, l.id
"""


async def resolve_roots(session: AsyncSession, criteria: ScopeCriteria) -> list[int]:
    """Ids of the lots the criteria name or describe, ascending.

    Raises:
        UnknownScope: lists every name that is not on record, or says that no lot fits all selectors together.
    """
    unknown = await _unknown_names(session, criteria)
    named, missing = await _named_lots(session, criteria.lots)
    unknown += missing
    if unknown:
        raise UnknownScope(unknown)
    described = await _described_lots(session, criteria) if criteria.selects else []
    if criteria.selects and not described and not named:
        raise UnknownScope([{"field": "criteria", "value": "no lot on record fits all selectors together"}])
    return sorted({*named, *described})


async def undated_roots(session: AsyncSession, criteria: ScopeCriteria) -> list[int]:
    """Described lots that are in the scope only because nobody recorded when they were made."""
    if criteria.made_from is None and criteria.made_to is None:
        return []
    return await _described_lots(session, criteria, "l.made_on IS NULL")


async def _unknown_names(session: AsyncSession, criteria: ScopeCriteria) -> list[dict[str, Any]]:
    unknown: list[dict[str, Any]] = []
    connection = await session.connection()
    for field, known in _KNOWN.items():
        values = list(getattr(criteria, field))
        if values:
            query = text(  # constants and bound values only
                "SELECT named.value FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS named(value, ordinal) "  # noqa: S608
                f"WHERE NOT EXISTS ({known}) ORDER BY named.ordinal"
            )
            unknown += [{"field": field, "value": name} for name in await _column(connection, query, {"names": values})]
    return unknown


async def _named_lots(session: AsyncSession, lots: tuple[LotRef, ...]) -> tuple[list[int], list[dict[str, Any]]]:
    if not lots:
        return [], []
    binds = {
        "codes": [lot.product_code for lot in lots],
        "numbers": [lot.number for lot in lots],
        "sites": [lot.site_code for lot in lots],
    }
    rows = (await (await session.connection()).execute(text(_NAMED_LOTS), binds)).all()
    missing = [{"field": "lots", "value": str(lots[ordinal - 1])} for ordinal, lot_id in rows if lot_id is None]
    return [lot_id for _, lot_id in rows if lot_id is not None], missing


async def _described_lots(session: AsyncSession, criteria: ScopeCriteria, *further: str) -> list[int]:
    conditions, binds = list(further), {}
    for field, condition in _CONDITIONS.items():
        value = getattr(criteria, field)
        if value:
            conditions.append(condition)
            binds[field] = list(value) if isinstance(value, tuple) else value
    for field, kinds in _KINDS.items():
        window = getattr(criteria, field)
        if window is not None:
            conditions.append(_MOVED.format(kinds=kinds, field=field))
            binds |= {f"{field}_start": window.start, f"{field}_end": window.end}
    query = text(  # conditions are constants of this file; values are bound
        "SELECT l.id FROM lot l JOIN product p ON p.id = l.product_id LEFT JOIN location s ON s.id = l.site_id "  # noqa: S608
        f"WHERE {' AND '.join(conditions)} ORDER BY l.id"
    )
    return await _column(await session.connection(), query, binds)


async def _column(connection: Any, query: Any, binds: dict[str, Any]) -> list[Any]:
    return list((await connection.execute(query, binds)).scalars())
