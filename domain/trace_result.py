"""What a trace answers: lots with their way from a root, what each did where, and what could not be known."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, NamedTuple

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


class TracedSite(NamedTuple):
    """What one lot did at one location, in units of use. A tuple: a trace makes them by the hundred thousand.

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
    net: Decimal | None
    """What the movements alone leave there; negative when they do not balance. None in a frozen result: it keeps the
    figures, not every movement."""
    last_at: datetime | None
    """Newest data on this lot at this location."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing the trace could not know; `detail` holds codes, dates and quantities (decimals as text)."""

    kind: str
    detail: dict[str, Any]


class TraceTooLarge(Exception):  # noqa: N818 - what the answer is
    """A trace found more rows than were asked for at most."""


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


__all__ = ["Direction", "Gap", "TraceResult", "TracedLot", "TracedSite"]
