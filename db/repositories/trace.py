"""Forward and backward trace through genealogy and movements: lots, sites, quantities, paths and gaps.

All work is done by set-based SQL (`trace_sql`, `trace_gaps_sql`); a trace reads, it never writes. What it could not
know comes with the answer (design promise 5). `trace_scope` stores the result as a recall's scope.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import trace_gaps_sql, trace_sql
from db.repositories.trace_limits import ARRIVAL_MARGIN, STALE_AFTER
from db.repositories.trace_roots import resolve_roots
from db.repositories.trace_scope import materialise_scope
from domain.scope import Window
from domain.trace_result import Direction, Gap, TracedLot, TracedSite, TraceResult, TraceTooLarge


async def trace_forward(
    session: AsyncSession,
    lot_ids: Sequence[int],
    *,
    window: Window | None = None,
    stale_after: timedelta = STALE_AFTER,
    arrival_margin: timedelta = ARRIVAL_MARGIN,
    most: int | None = None,
) -> TraceResult:
    """Every lot made from `lot_ids` at any depth, and where all of them went.

    With `window` only movements inside it count: quantities are then those of the window, and neither balances nor
    uncounted stock can be stated.

    Raises:
        TraceTooLarge: there are more than `most` lots, or lots at places and gaps.
    """
    limits = {"stale_after": stale_after, "arrival_margin": arrival_margin}
    return await _trace(session, "forward", lot_ids, window, most, limits)


async def trace_backward(
    session: AsyncSession,
    lot_ids: Sequence[int],
    *,
    window: Window | None = None,
    stale_after: timedelta = STALE_AFTER,
    arrival_margin: timedelta = ARRIVAL_MARGIN,
    most: int | None = None,
) -> TraceResult:
    """Every lot that went into `lot_ids` at any depth, and where it came from and lies.

    `window`, `most` and what is raised as in forward.
    """
    limits = {"stale_after": stale_after, "arrival_margin": arrival_margin}
    return await _trace(session, "backward", lot_ids, window, most, limits)


async def trace_lots(
    session: AsyncSession, direction: Direction, lot_ids: Sequence[int], *, most: int | None = None
) -> tuple[TracedLot, ...]:
    """Only the lots of a trace: roots first, then by genealogy steps. Cycles end where they meet a lot again.

    Raises:
        TraceTooLarge: there are more than `most`.
    """
    roots = sorted(set(lot_ids))
    if not roots:
        return ()
    connection = await session.connection()
    await connection.execute(text(trace_sql.TUNE))
    # One more than may come shows that there are more.
    binds = {"lot_ids": roots, "most": None if most is None else most + 1}
    rows = (await connection.execute(text(f"{trace_sql.lots(direction)} {_LIMIT}"), binds)).all()
    _check(rows, most)
    return tuple(TracedLot(*row) for row in rows)


async def trace_sites(
    session: AsyncSession, lot_ids: Sequence[int], *, window: Window | None = None
) -> tuple[TracedSite, ...]:
    """What exactly these lots did, per lot and location."""
    rows = await _select(session, f"{trace_sql.SITES} ORDER BY p.lot_id, p.location_id", lot_ids, window, {})
    return _sites(rows, window)


def _sites(rows: Iterable[Any], window: Window | None) -> tuple[TracedSite, ...]:
    if window is None:
        return tuple(map(TracedSite._make, rows))
    sites = map(TracedSite._make, rows)
    return tuple(site if site.is_counted else site._replace(on_hand=None) for site in sites)


async def trace_gaps(
    session: AsyncSession,
    lot_ids: Sequence[int],
    *,
    window: Window | None = None,
    stale_after: timedelta = STALE_AFTER,
    arrival_margin: timedelta = ARRIVAL_MARGIN,
) -> tuple[Gap, ...]:
    """What is not known about exactly these lots."""
    limits = {"stale_after": stale_after, "arrival_margin": arrival_margin}
    windowed = window is not None
    select = f", {trace_gaps_sql.period(windowed=windowed)} {trace_gaps_sql.gaps(windowed=windowed)}"
    rows = await _select(session, select, lot_ids, window, limits)
    return tuple(Gap(row.kind, row.detail) for row in rows)


async def _trace(
    session: AsyncSession,
    direction: Direction,
    lot_ids: Sequence[int],
    window: Window | None,
    most: int | None,
    limits: dict[str, timedelta],
) -> TraceResult:
    lots = await trace_lots(session, direction, lot_ids, most=most)
    reached = [lot.lot_id for lot in lots]
    # One statement for both: what every lot did everywhere is worked out once.
    windowed = window is not None
    both = _BOTH.format(sites=trace_sql.SITES, gaps=trace_gaps_sql.gaps(windowed=windowed))
    both = f",{trace_gaps_sql.period(windowed=windowed)}{both} {_LIMIT}"
    rows = await _select(session, both, reached, window, limits | {"most": None if most is None else most + 1})
    _check(rows, most)
    places = len(rows)
    while places and rows[places - 1].kind is not None:
        places -= 1
    gaps = tuple(Gap(row.kind, row.detail) for row in rows[places:])
    return TraceResult(direction, lots, _sites((row[:-2] for row in rows[:places]), window), gaps)


def _check(rows: Sequence[Any], most: int | None) -> None:
    if most is not None and len(rows) > most:
        raise TraceTooLarge


_LIMIT = "LIMIT CAST(:most AS bigint)"
_NO_SITE = ", ".join(["NULL"] * len(TracedSite._fields))
_BOTH = f"""
SELECT *, NULL AS kind, CAST(NULL AS jsonb) AS detail FROM ({{sites}}) AS site
UNION ALL
SELECT {_NO_SITE}, kind, detail FROM ({{gaps}}) AS gap
ORDER BY kind NULLS FIRST, lot_id, location_id
"""  # noqa: S608 - constants


async def _select(
    session: AsyncSession, select: str, lot_ids: Sequence[int], window: Window | None, binds: Mapping[str, Any]
) -> Sequence[Any]:
    if not lot_ids:
        return ()
    values = {**binds, "lot_ids": list(lot_ids)}
    if window is not None:
        values |= {"window_start": window.start, "window_end": window.end}
    ctes = trace_sql.positions(trace_sql.SCOPE_OF_IDS, windowed=window is not None)
    statement = text(f"WITH {ctes} {select}")
    connection = await session.connection()
    await connection.execute(text(trace_sql.TUNE))
    return (await connection.execute(statement, values)).all()


__all__ = [
    "ARRIVAL_MARGIN",
    "STALE_AFTER",
    "Direction",
    "Gap",
    "TraceResult",
    "TracedLot",
    "TracedSite",
    "materialise_scope",
    "resolve_roots",
    "trace_backward",
    "trace_forward",
    "trace_gaps",
    "trace_lots",
    "trace_sites",
]
