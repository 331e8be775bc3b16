"""From criteria to root lots: every name must be on record, and something on record must fit them all.

Ranges compare in the natural order (`domain.natural_order`, in SQL the function `natural_key`, as bytes). Serialised
units may be many, so they stay in the database: `SERIALS` yields them, for the lots they belong to and for the record.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.natural_order import natural_key
from domain.scope import LotRange, LotRef, ScopeCriteria, SerialRange, SerialRef, UnknownScope

_KNOWN: Final = {
    "product_codes": "SELECT FROM product WHERE code = named.value",
    "families": "SELECT FROM product WHERE family = named.value",
    "brands": "SELECT FROM product WHERE brand = named.value",
    "supplier_lots": "SELECT FROM lot WHERE supplier_lot = named.value",
    "manufacturing_sites": "SELECT FROM location WHERE code = named.value",
    "documents": "SELECT FROM movement WHERE document_no = named.value",
}
_CONDITIONS: Final = {
    "product_codes": "p.code = ANY(CAST(:product_codes AS text[]))",
    "families": "p.family = ANY(CAST(:families AS text[]))",
    "brands": "p.brand = ANY(CAST(:brands AS text[]))",
    "supplier_lots": "l.supplier_lot = ANY(CAST(:supplier_lots AS text[]))",
    "manufacturing_sites": "s.code = ANY(CAST(:manufacturing_sites AS text[]))",
    "documents": """l.id = ANY(ARRAY(SELECT m.lot_id FROM movement m
        WHERE m.document_no = ANY(CAST(:documents AS text[])) AND m.lot_id IS NOT NULL))""",
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
_RANGED_LOTS: Final = """
SELECT named.ordinal, found.id
FROM unnest(CAST(:codes AS text[]), CAST(:firsts AS bytea[]), CAST(:lasts AS bytea[]), CAST(:sites AS text[]))
     WITH ORDINALITY AS named(product_code, first, last, site_code, ordinal)
LEFT JOIN LATERAL (
    SELECT l.id FROM product p JOIN lot l ON l.product_id = p.id LEFT JOIN location s ON s.id = l.site_id
    WHERE p.code = named.product_code AND natural_key(l.number) BETWEEN named.first AND named.last
      AND (named.site_code IS NULL OR s.code = named.site_code)
) AS found ON true
ORDER BY named.ordinal, found.id
"""
_LOTLESS_DOCUMENTS: Final = """
SELECT named.value FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS named(value, ordinal)
WHERE EXISTS (SELECT FROM movement WHERE document_no = named.value)
  AND NOT EXISTS (SELECT FROM movement WHERE document_no = named.value AND lot_id IS NOT NULL)
ORDER BY named.ordinal
"""
SERIALS: Final = """
SELECT 'serials' AS field, named.ordinal, found.id AS serial_id, found.lot_id
FROM unnest(CAST(:serial_codes AS text[]), CAST(:serial_numbers AS text[]))
     WITH ORDINALITY AS named(product_code, number, ordinal)
LEFT JOIN LATERAL (
    SELECT u.id, u.lot_id FROM serial u JOIN lot l ON l.id = u.lot_id JOIN product p ON p.id = l.product_id
    WHERE u.number = named.number AND p.code = named.product_code
) AS found ON true
UNION ALL
SELECT 'serial_ranges', named.ordinal, found.id, found.lot_id
FROM unnest(CAST(:range_codes AS text[]), CAST(:range_firsts AS bytea[]), CAST(:range_lasts AS bytea[]))
     WITH ORDINALITY AS named(product_code, first, last, ordinal)
LEFT JOIN LATERAL (
    SELECT u.id, u.lot_id FROM product p JOIN lot l ON l.product_id = p.id JOIN serial u ON u.lot_id = l.id
    WHERE p.code = named.product_code AND natural_key(u.number) BETWEEN named.first AND named.last
) AS found ON true
"""
"""Every unit named, with the field and place of the name; one row without a unit where nothing on record fits."""


def serial_binds(criteria: Sequence[ScopeCriteria]) -> dict[str, Any]:
    """What `SERIALS` is asked with."""
    singles = [each for part in criteria for each in part.serials]
    ranges = [each for part in criteria for each in part.serial_ranges]
    return {
        "serial_codes": [each.product_code for each in singles],
        "serial_numbers": [each.number for each in singles],
        "range_codes": [each.product_code for each in ranges],
        "range_firsts": [natural_key(each.first).encode() for each in ranges],
        "range_lasts": [natural_key(each.last).encode() for each in ranges],
    }


async def resolve_roots(session: AsyncSession, criteria: ScopeCriteria) -> list[int]:
    """Ids of the lots the criteria name or describe, ascending; those of serialised units too.

    Raises:
        UnknownScope: lists every name that is not on record, or says that no lot fits all selectors together.
    """
    unknown = await _unknown_names(session, criteria)
    named, missing = await _named_lots(session, criteria.lots)
    unknown += missing
    ranged, missing = await _ranged_lots(session, criteria.lot_ranges)
    unknown += missing
    of_serials, missing = await _lots_of_serials(session, criteria)
    unknown += missing
    if unknown:
        raise UnknownScope(unknown)
    described = await _described_lots(session, criteria) if criteria.selects else []
    if criteria.selects and not described and not criteria.names:
        raise UnknownScope([{"field": "criteria", "value": "no lot on record fits all selectors together"}])
    return sorted({*named, *ranged, *of_serials, *described})


async def whole_roots(session: AsyncSession, criteria: ScopeCriteria) -> set[int]:
    """Of the lots of names that `resolve_roots` has found good, those of which every unit is meant."""
    named, _ = await _named_lots(session, criteria.lots)
    ranged, _ = await _ranged_lots(session, criteria.lot_ranges)
    described = await _described_lots(session, criteria) if criteria.selects else []
    return {*named, *ranged, *described}


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
    if criteria.documents:
        lotless = await _column(connection, text(_LOTLESS_DOCUMENTS), {"names": list(criteria.documents)})
        unknown += [{"field": "documents", "value": f"{name} (on record, but without any lot)"} for name in lotless]
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


async def _ranged_lots(session: AsyncSession, ranges: tuple[LotRange, ...]) -> tuple[list[int], list[dict[str, Any]]]:
    if not ranges:
        return [], []
    binds = {
        "codes": [each.product_code for each in ranges],
        "firsts": [natural_key(each.first).encode() for each in ranges],
        "lasts": [natural_key(each.last).encode() for each in ranges],
        "sites": [each.site_code for each in ranges],
    }
    rows = (await (await session.connection()).execute(text(_RANGED_LOTS), binds)).all()
    missing = [{"field": "lot_ranges", "value": str(ranges[ordinal - 1])} for ordinal, lot_id in rows if lot_id is None]
    return [lot_id for _, lot_id in rows if lot_id is not None], missing


async def _lots_of_serials(session: AsyncSession, criteria: ScopeCriteria) -> tuple[list[int], list[dict[str, Any]]]:
    if not criteria.serials and not criteria.serial_ranges:
        return [], []
    query = text(f"SELECT DISTINCT field, ordinal, lot_id FROM ({SERIALS}) AS named ORDER BY 1 DESC, 2, 3")  # noqa: S608
    rows = (await (await session.connection()).execute(query, serial_binds([criteria]))).all()
    given: dict[str, tuple[SerialRef | SerialRange, ...]] = {
        "serials": criteria.serials,
        "serial_ranges": criteria.serial_ranges,
    }
    missing = [
        {"field": field, "value": str(given[field][ordinal - 1])} for field, ordinal, lot_id in rows if lot_id is None
    ]
    return [lot_id for _, _, lot_id in rows if lot_id is not None], missing


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
