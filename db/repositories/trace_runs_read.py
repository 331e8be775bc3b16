"""Reading frozen results: the runs of a recall, what one of them found, and what differs between two of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run as execute
from db.repositories.trace_runs_sql import FIGURES, gaps_at, lots_at, sites_at
from domain.trace_result import Gap, TracedLot, TracedSite, TraceResult
from models.trace_run import TraceRun

Rows = Sequence[Any]

_LOTS: Final = f"""
SELECT l.id AS lot_id, l.number, p.code AS product_code, s.code AS site_code, l.supplier_lot, l.quantity_made,
       r.depth, r.root, parent.lot_id AS parent_id, r.by_serial
FROM ({lots_at()}) AS r
JOIN lot l ON l.id = r.lot_id JOIN product p ON p.id = l.product_id LEFT JOIN location s ON s.id = l.site_id
LEFT JOIN LATERAL (
    SELECT min(g.input_lot_id) AS lot_id FROM lot_genealogy g
    JOIN ({lots_at()}) AS nearer ON nearer.lot_id = g.input_lot_id AND nearer.depth = r.depth - 1
    WHERE g.output_lot_id = r.lot_id
) AS parent ON true
WHERE r.lot_id > :after
ORDER BY r.lot_id LIMIT :limit
"""  # noqa: S608 - constants
_PLAIN_LOTS: Final = f"""
SELECT l.id AS lot_id, l.number, p.code AS product_code, s.code AS site_code, l.supplier_lot, l.quantity_made,
       r.depth, r.root, r.by_serial
FROM ({lots_at()}) AS r
JOIN lot l ON l.id = r.lot_id JOIN product p ON p.id = l.product_id LEFT JOIN location s ON s.id = l.site_id
WHERE r.lot_id > :after
ORDER BY r.lot_id LIMIT :limit
"""  # noqa: S608 - constants
_SITES: Final = f"""
SELECT r.lot_id, lot.number AS lot, r.location_id, l.code AS location_code, l.name AS location_name, l.custody,
       partner.id AS partner_id, partner.code AS partner_code, partner.kind AS partner_kind, partner.country,
       {", ".join(f"r.{name}" for name in FIGURES)}, r.is_counted, r.last_at
FROM ({sites_at()}) AS r
JOIN lot ON lot.id = r.lot_id JOIN location l ON l.id = r.location_id JOIN partner ON partner.id = l.partner_id
WHERE (r.lot_id, r.location_id) > (:after_lot, :after_location)
ORDER BY r.lot_id, r.location_id LIMIT :limit
"""  # noqa: S608 - constants
_GAPS: Final = f"""
SELECT key, kind, detail FROM ({gaps_at()}) AS r WHERE (kind, key) > (:after_kind, :after_key)
ORDER BY kind, key LIMIT :limit
"""  # noqa: S608 - constants

_BETWEEN: Final = (
    "CAST(ARRAY(SELECT id FROM trace_run WHERE recall_number = :recall_number AND run > :since AND run <= :run)"
    " AS bigint[])"
)


def _compared(table: str, keys: str, state: str, before: str) -> str:
    """Keys that a run since wrote about, as they were and as they are; equal ones are left out by the caller."""
    columns = keys.split(", ")
    joined = " AND ".join(f"{{side}}.{name} = t.{name}" for name in columns)
    return (
        f"SELECT {', '.join(f't.{name}' for name in columns)}, b.run_id IS NOT NULL AS was, a.run_id IS NOT NULL AS is,"  # noqa: S608
        " to_jsonb(b) AS before, to_jsonb(a) AS after"
        f" FROM (SELECT DISTINCT {keys} FROM {table} WHERE run_id = ANY({_BETWEEN})) AS t"
        f" LEFT JOIN ({before}) AS b ON {joined.format(side='b')}"
        f" LEFT JOIN ({state}) AS a ON {joined.format(side='a')}"
        " WHERE (b.run_id IS NOT NULL OR a.run_id IS NOT NULL)"
        " AND to_jsonb(b) - 'run_id' IS DISTINCT FROM to_jsonb(a) - 'run_id'"
    )


_LOT_CHANGES: Final = _compared("trace_run_lot", "lot_id", lots_at(), lots_at(":since"))
_SITE_CHANGES: Final = _compared("trace_run_site", "lot_id, location_id", sites_at(), sites_at(":since"))
_GAP_CHANGES: Final = _compared("trace_run_gap", "key", gaps_at(), gaps_at(":since"))
_COUNTS: Final = """
SELECT count(*) FILTER (WHERE NOT was) AS added, count(*) FILTER (WHERE NOT "is") AS removed,
       count(*) FILTER (WHERE was AND "is") AS changed
FROM ({changes}) AS c
"""
_CHANGED_LOTS: Final = f"""
SELECT c.was, c.is, c.before, c.after, c.lot_id, lot.number AS lot, p.code AS product
FROM ({_LOT_CHANGES}) AS c JOIN lot ON lot.id = c.lot_id JOIN product p ON p.id = lot.product_id
WHERE c.lot_id > :after ORDER BY c.lot_id LIMIT :limit
"""  # noqa: S608 - constants
_CHANGED_SITES: Final = f"""
SELECT c.was, c.is, c.before, c.after, c.lot_id, c.location_id, lot.number AS lot, p.code AS product, l.code AS site,
       partner.code AS partner
FROM ({_SITE_CHANGES}) AS c JOIN lot ON lot.id = c.lot_id JOIN product p ON p.id = lot.product_id
JOIN location l ON l.id = c.location_id JOIN partner ON partner.id = l.partner_id
WHERE (c.lot_id, c.location_id) > (:after_lot, :after_location) ORDER BY c.lot_id, c.location_id LIMIT :limit
"""  # noqa: S608 - constants
_CHANGED_GAPS: Final = f"""
SELECT c.was, c.is, c.before, c.after, c.key FROM ({_GAP_CHANGES}) AS c
WHERE c.key > :after_key ORDER BY c.key LIMIT :limit
"""  # noqa: S608 - constants
_ALL: Final = 1 << 31


async def runs(session: AsyncSession, number: str, *, after: int | None, limit: int) -> Sequence[TraceRun]:
    """The runs of a recall, newest first, those before `after`."""
    query = select(TraceRun).where(col(TraceRun.recall_number) == number)
    if after is not None:
        query = query.where(col(TraceRun.run) < after)
    return (await session.exec(query.order_by(col(TraceRun.run).desc()).limit(limit))).all()


async def one_run(session: AsyncSession, number: str, run: int) -> TraceRun | None:
    """One run by its number."""
    query = select(TraceRun).where(col(TraceRun.recall_number) == number, col(TraceRun.run) == run)
    return (await session.exec(query)).one_or_none()


async def lots_of(session: AsyncSession, number: str, run: int, *, after: int = 0, limit: int = _ALL) -> Rows:
    """Lots of a run by id."""
    values = {"recall_number": number, "run": run, "after": after, "limit": limit}
    return (await execute(session, _PLAIN_LOTS, values)).all()


async def sites_of(
    session: AsyncSession, number: str, run: int, *, after: tuple[int, int] = (0, 0), limit: int = _ALL
) -> Rows:
    """Lots at places of a run, by lot and place."""
    values = {"recall_number": number, "run": run, "limit": limit}
    return (await execute(session, _SITES, values | {"after_lot": after[0], "after_location": after[1]})).all()


async def gaps_of(
    session: AsyncSession, number: str, run: int, *, after: tuple[str, str] = ("", ""), limit: int = _ALL
) -> Rows:
    """Gaps of a run by kind."""
    values = {"recall_number": number, "run": run, "limit": limit}
    return (await execute(session, _GAPS, values | {"after_kind": after[0], "after_key": after[1]})).all()


async def lots_and_gaps_of(session: AsyncSession, number: str, run: int) -> TraceResult:
    """What a run found, without its places; paths follow the genealogy on record now."""
    values = {"recall_number": number, "run": run, "after": 0, "limit": _ALL}
    lots = tuple(TracedLot(*row[:9]) for row in (await execute(session, _LOTS, values)).all())
    gaps = tuple(Gap(row.kind, row.detail) for row in await gaps_of(session, number, run))
    return TraceResult("forward", lots, (), gaps)


async def traced_sites_of(
    session: AsyncSession, number: str, run: int, *, after: tuple[int, int] = (0, 0), limit: int = _ALL
) -> list[TracedSite]:
    """Lots at places of a run as a trace answers them, by lot and place; what movements alone leave is not kept."""
    found = await sites_of(session, number, run, after=after, limit=limit)
    return [TracedSite(**{name: row._mapping.get(name) for name in TracedSite._fields}) for row in found]


async def result_of(session: AsyncSession, number: str, run: int) -> TraceResult:
    """What a run found, whole, as the answer of a trace forward."""
    found = await lots_and_gaps_of(session, number, run)
    return replace(found, sites=tuple(await traced_sites_of(session, number, run)))


async def changes_between(session: AsyncSession, number: str, since: int, run: int) -> dict[str, dict[str, int]]:
    """How many lots, sites and gaps were added, removed and changed from one run to a later one."""
    values = {"recall_number": number, "run": run, "since": since}
    parts = {"lots": _LOT_CHANGES, "sites": _SITE_CHANGES, "gaps": _GAP_CHANGES}
    found = {}
    for name, changes in parts.items():
        row = (await execute(session, _COUNTS.format(changes=changes), values)).mappings().one()
        found[name] = dict(row)
    return found


async def changed(
    session: AsyncSession, number: str, since: int, run: int, what: str, *, after: Sequence[Any] | None, limit: int
) -> Rows:
    """Lots, sites or gaps that differ between two runs, with what they were and are, after a key."""
    values: dict[str, Any] = {"recall_number": number, "run": run, "since": since, "limit": limit}
    if what == "lots":
        return (await execute(session, _CHANGED_LOTS, values | {"after": after[0] if after else 0})).all()
    if what == "sites":
        lot, location = after or (0, 0)
        return (await execute(session, _CHANGED_SITES, values | {"after_lot": lot, "after_location": location})).all()
    return (await execute(session, _CHANGED_GAPS, values | {"after_key": after[0] if after else ""})).all()


__all__ = [
    "changed",
    "changes_between",
    "gaps_of",
    "lots_and_gaps_of",
    "lots_of",
    "one_run",
    "result_of",
    "runs",
    "sites_of",
    "traced_sites_of",
]
