"""Forward and backward trace through genealogy and movements: lots, sites, quantities, paths and gaps.

All work is done by set-based SQL (`trace_sql`, `trace_gaps_sql`); a trace reads, it never writes. What it could not
know comes with the answer (design promise 5). `trace_scope` stores the result as a recall's scope.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import trace_gaps_sql, trace_sql
from db.repositories.trace_limits import ARRIVAL_MARGIN, STALE_AFTER
from db.repositories.trace_roots import resolve_roots
from db.repositories.trace_scope import materialise_scope
from domain.scope import Window

Direction = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True)
class TracedLot:
    """A lot the trace reached; `parent_id` is the lot one genealogy step nearer to a root (None for a root)."""

    lot_id: int
    number: str
    product_code: str
    site_code: str | None
    supplier_lot: str | None
    quantity_made: Decimal | None
    depth: int
    root: bool
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class TracedSite:
    """What one lot did at one location, in units of use.

    `shipped_to` was sent there (arrived or not), `received` has arrived, `in_transit` is the part still under way.
    `on_hand` is the last count plus later movements, or what the movements leave where nobody has counted.
    """

    lot_id: int
    location_id: int
    location_code: str
    location_name: str
    custody: str
    partner_id: int
    partner_code: str
    partner_kind: str
    country: str | None
    shipped_to: Decimal
    received: Decimal
    in_transit: Decimal
    returned_in: Decimal
    shipped_out: Decimal
    returned_out: Decimal
    consumed: Decimal
    destroyed: Decimal
    adjusted: Decimal
    on_hand: Decimal | None
    """None when only a window of movements was asked for and nobody has counted."""
    is_counted: bool
    net: Decimal
    """What the movements alone leave there; negative when they do not balance."""
    last_at: datetime | None
    """Newest data on this lot at this location."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing the trace could not know; `detail` holds codes, dates and quantities (decimals as text)."""

    kind: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class TraceResult:
    """Answer of one trace."""

    direction: Direction
    lots: tuple[TracedLot, ...]
    sites: tuple[TracedSite, ...]
    gaps: tuple[Gap, ...] = field(default=())

    @cached_property
    def _by_id(self) -> dict[int, TracedLot]:
        return {lot.lot_id: lot for lot in self.lots}

    def path(self, lot_id: int) -> tuple[int, ...]:
        """Lot ids from a root to this lot along a shortest chain of genealogy steps.

        Raises:
            KeyError: the trace did not reach the lot.
        """
        steps = [lot_id]
        while (parent := self._by_id[steps[-1]].parent_id) is not None:
            steps.append(parent)
        return tuple(reversed(steps))

    def gap_counts(self) -> dict[str, int]:
        """Number of gaps by kind."""
        return dict(sorted(Counter(gap.kind for gap in self.gaps).items()))


async def trace_forward(
    session: AsyncSession,
    lot_ids: Sequence[int],
    *,
    window: Window | None = None,
    stale_after: timedelta = STALE_AFTER,
    arrival_margin: timedelta = ARRIVAL_MARGIN,
) -> TraceResult:
    """Every lot made from `lot_ids` at any depth, and where all of them went.

    With `window` only movements inside it count: quantities are then those of the window, and neither balances nor
    uncounted stock can be stated.
    """
    return await _trace(session, "forward", lot_ids, window, stale_after=stale_after, arrival_margin=arrival_margin)


async def trace_backward(
    session: AsyncSession,
    lot_ids: Sequence[int],
    *,
    window: Window | None = None,
    stale_after: timedelta = STALE_AFTER,
    arrival_margin: timedelta = ARRIVAL_MARGIN,
) -> TraceResult:
    """Every lot that went into `lot_ids` at any depth, and where it came from and lies. `window` as in forward."""
    return await _trace(session, "backward", lot_ids, window, stale_after=stale_after, arrival_margin=arrival_margin)


async def trace_lots(session: AsyncSession, direction: Direction, lot_ids: Sequence[int]) -> tuple[TracedLot, ...]:
    """Only the lots of a trace: roots first, then by genealogy steps. Cycles end where they meet a lot again."""
    roots = sorted(set(lot_ids))
    if not roots:
        return ()
    connection = await session.connection()
    await connection.execute(text(trace_sql.TUNE))
    rows = (await connection.execute(text(trace_sql.lots(direction)), {"lot_ids": roots})).all()
    return tuple(TracedLot(*row) for row in rows)


async def trace_sites(
    session: AsyncSession, lot_ids: Sequence[int], *, window: Window | None = None
) -> tuple[TracedSite, ...]:
    """What exactly these lots did, per lot and location."""
    rows = await _select(session, f"{trace_sql.SITES} ORDER BY p.lot_id, p.location_id", lot_ids, window, {})
    return _sites(rows, window)


def _sites(rows: Iterable[Any], window: Window | None) -> tuple[TracedSite, ...]:
    if window is None:
        return tuple(TracedSite(*row) for row in rows)
    sites = (TracedSite(*row) for row in rows)
    return tuple(site if site.is_counted else replace(site, on_hand=None) for site in sites)


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
    session: AsyncSession, direction: Direction, lot_ids: Sequence[int], window: Window | None, **limits: timedelta
) -> TraceResult:
    lots = await trace_lots(session, direction, lot_ids)
    reached = [lot.lot_id for lot in lots]
    # One statement for both: what every lot did everywhere is worked out once.
    windowed = window is not None
    both = _BOTH.format(sites=trace_sql.SITES, gaps=trace_gaps_sql.gaps(windowed=windowed))
    both = f",{trace_gaps_sql.period(windowed=windowed)}{both}"
    rows = await _select(session, both, reached, window, dict(limits))
    gaps = tuple(Gap(row.kind, row.detail) for row in rows if row.kind is not None)
    return TraceResult(direction, lots, _sites((row[:-2] for row in rows if row.kind is None), window), gaps)


_NO_SITE = ", ".join(["NULL"] * len(fields(TracedSite)))
_BOTH = f"""
SELECT *, NULL AS kind, CAST(NULL AS jsonb) AS detail FROM ({{sites}}) AS site
UNION ALL
SELECT {_NO_SITE}, kind, detail FROM ({{gaps}}) AS gap
ORDER BY kind NULLS FIRST, lot_id, location_id
"""  # noqa: S608 - constants


async def _select(
    session: AsyncSession, select: str, lot_ids: Sequence[int], window: Window | None, binds: dict[str, Any]
) -> Sequence[Any]:
    if not lot_ids:
        return ()
    binds = binds | {"lot_ids": list(lot_ids)}
    if window is not None:
        binds |= {"window_start": window.start, "window_end": window.end}
    ctes = trace_sql.positions(trace_sql.SCOPE_OF_IDS, windowed=window is not None)
    statement = text(f"WITH {ctes} {select}")
    connection = await session.connection()
    await connection.execute(text(trace_sql.TUNE))
    return (await connection.execute(statement, binds)).all()


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
