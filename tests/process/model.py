"""What the test itself did to the goods, kept in plain Python: the other side of every balance that is checked.

It knows nothing of the product: units lie at places, are on their way, were used, destroyed or made into other lots,
and everything the test does is booked here by the plainest rule there is. Quantities are units of use.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

ZERO = Decimal(0)
OURS = frozenset({"own", "logistics"})
Spot = tuple[int, int]
"""(lot, place)."""


def numbers() -> "defaultdict[Spot, Decimal]":
    """Zero wherever nothing was booked."""
    return defaultdict(lambda: ZERO)


@dataclass
class Goods:
    """Every unit of every lot, wherever it is."""

    custody: dict[int, str]
    """Place -> own, logistics or customer."""
    partner: dict[int, int]
    """Place -> partner."""
    made: dict[int, Decimal] = field(default_factory=dict)
    there: defaultdict[Spot, Decimal] = field(default_factory=numbers)
    """What movements and counts leave at a place; below zero where more left than was known to be there."""
    counted_at: dict[Spot, datetime] = field(default_factory=dict)
    seen: set[Spot] = field(default_factory=set)
    """Spots about which anything is on record; the first booking of ours at any other one is a count."""
    under_way: dict[tuple[int, int, str], Decimal] = field(default_factory=dict)
    """(lot, destination, document) -> units sent and not received."""
    shipped: defaultdict[Spot, Decimal] = field(default_factory=numbers)
    """(lot, partner) -> units that left us for it."""
    shipped_last: dict[Spot, datetime] = field(default_factory=dict)
    returned: defaultdict[Spot, Decimal] = field(default_factory=numbers)
    """(lot, partner) -> units that came back to us."""
    gone: list[tuple[int, int, datetime, Decimal]] = field(default_factory=list)
    """(lot, partner, at, units) that left a consignee."""
    scrapped: defaultdict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    destroyed_there: defaultdict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    used_by_us: defaultdict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    """Built into other lots, consumed or reworked."""
    unexplained: defaultdict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    """Units that counts found missing (or, below zero, too many)."""
    children: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def is_ours(self, place: int | None) -> bool:
        """Whether we or our logistics partners have a place."""
        return place is not None and self.custody.get(place) in OURS

    def make(self, lot: int, site: int, units: Decimal) -> None:
        """A lot comes into being where it is made."""
        self.made[lot] = self.made.get(lot, ZERO) + units
        self.there[lot, site] += units
        self.seen.add((lot, site))

    def build_in(self, lot: int, site: int, units: Decimal, into: int) -> None:
        """Units of a lot become another lot."""
        self.used_by_us[lot] += units
        self.there[lot, site] -= units
        self.children[lot].add(into)

    def count(self, lot: int, place: int, units: Decimal, at: datetime) -> None:
        """Somebody counted: from here on this is what lies there."""
        if self.is_ours(place):
            self.unexplained[lot] += self.there[lot, place] - units
        self.there[lot, place] = units
        self.counted_at[lot, place] = at
        self.seen.add((lot, place))

    def _take(self, lot: int, place: int, units: Decimal, at: datetime) -> None:
        self.seen.add((lot, place))
        if at > self.counted_at.get((lot, place), datetime.min.replace(tzinfo=at.tzinfo)):
            self.there[lot, place] -= units
        elif self.is_ours(place):
            # The count was made later and has seen that they were gone.
            self.unexplained[lot] -= units

    def _put(self, lot: int, place: int, units: Decimal, at: datetime) -> None:
        self._take(lot, place, -units, at)

    def ship(
        self, lot: int, source: int, target: int, units: Decimal, at: datetime, *, document: str, delivered: bool = True
    ) -> None:
        """From a place of ours to any place."""
        self._take(lot, source, units, at)
        if delivered:
            self._put(lot, target, units, at)
        else:
            key = (lot, target, document)
            self.seen.add((lot, target))
            self.under_way[key] = self.under_way.get(key, ZERO) + units
        if not self.is_ours(target):
            spot = (lot, self.partner[target])
            self.shipped[spot] += units
            self.shipped_last[spot] = max(at, self.shipped_last.get(spot, at))

    def move(self, lot: int, source: int, target: int, units: Decimal, at: datetime) -> None:
        """Between places of ours, by our own booking."""
        self._take(lot, source, units, at)
        self.book_in(lot, target, units, at)

    def receive(self, lot: int, target: int, units: Decimal, at: datetime, *, document: str) -> None:
        """What was under way has arrived."""
        key = (lot, target, document)
        self.under_way[key] -= units
        if not self.under_way[key]:
            del self.under_way[key]
        self._put(lot, target, units, at)
        if not self.is_ours(target):
            spot = (lot, self.partner[target])
            self.shipped_last[spot] = max(at, self.shipped_last.get(spot, at))

    def book_in(self, lot: int, place: int, units: Decimal, at: datetime) -> None:
        """We count units in at a place of ours; where nothing was on record, that is the first count."""
        first = (lot, place) not in self.seen
        self._put(lot, place, units, at)
        if first:
            self.counted_at[lot, place] = at

    def come_back(self, lot: int, source: int, target: int, units: Decimal, at: datetime) -> None:
        """Counted in at our dock."""
        self._take(lot, source, units, at)
        self.book_in(lot, target, units, at)
        self.returned[lot, self.partner[source]] += units
        self.gone.append((lot, self.partner[source], at, units))

    def destroy(self, lot: int, place: int, units: Decimal, at: datetime) -> None:
        """Destroyed where it lies."""
        self._take(lot, place, units, at)
        if self.is_ours(place):
            self.scrapped[lot] += units
        else:
            self.destroyed_there[lot] += units
            self.gone.append((lot, self.partner[place], at, units))

    def use(self, lot: int, place: int, units: Decimal, at: datetime) -> None:
        """Used by us at a place of ours."""
        self._take(lot, place, units, at)
        self.used_by_us[lot] += units

    def rework(self, lot: int, place: int, units: Decimal, into: int, at: datetime) -> None:
        """Units of a lot become units of another at the same place."""
        self.use(lot, place, units, at)
        self.children[lot].add(into)
        self.made[into] = self.made.get(into, ZERO) + units
        self.there[into, place] += units
        self.seen.add((into, place))
        self.counted_at.setdefault((into, place), at)

    # ------------------------------------------------------------------ looking

    def at(self, lot: int, place: int) -> Decimal:
        """What lies of a lot at a place; never less than nothing."""
        return max(self.there.get((lot, place), ZERO), ZERO)

    def own_stock(self, lot: int) -> Decimal:
        """At our places and on the way between them."""
        lying = sum((self.at(*spot) for spot in self.there if spot[0] == lot and self.is_ours(spot[1])), ZERO)
        moving = sum((u for (each, to, _), u in self.under_way.items() if each == lot and self.is_ours(to)), ZERO)
        return lying + moving

    def sent_out(self, lot: int) -> Decimal:
        """Left us for customers."""
        return sum((units for (each, _), units in self.shipped.items() if each == lot), ZERO)

    def came_back(self, lot: int) -> Decimal:
        """Came back from customers."""
        return sum((units for (each, _), units in self.returned.items() if each == lot), ZERO)

    def residual(self, lot: int) -> Decimal:
        """Made and not to be found on our side: what counts found missing, less what left without having been there."""
        below = sum(
            (min(units, ZERO) for (each, place), units in self.there.items() if each == lot and self.is_ours(place)),
            ZERO,
        )
        return self.unexplained[lot] + below

    def left_since(self, lot: int, partner: int, at: datetime) -> Decimal:
        """What left a consignee after an instant."""
        return sum((u for each, who, when, u in self.gone if (each, who) == (lot, partner) and when > at), ZERO)

    def descends(self, lots: set[int], without: set[int] | None = None) -> set[int]:
        """Lots and whatever was made of them, not through `without`."""
        found, frontier = set(lots) - (without or set()), list(set(lots) - (without or set()))
        while frontier:
            for child in self.children[frontier.pop()] - found - (without or set()):
                found.add(child)
                frontier.append(child)
        return found


@dataclass
class Statement:
    """What a consignee stated, and whether it counts."""

    reply: int
    at: datetime
    lines: dict[int, tuple[Decimal, Decimal]]
    """Lot -> (on hand, used)."""
    counts: bool
    query: bool


@dataclass
class Consignee:
    """A consignee of one recall as the test knows it."""

    id: int
    partner: int
    place: int
    state: str = "open"
    stated: list[Statement] = field(default_factory=list)
    passed_on: dict[int, Decimal] = field(default_factory=dict)
    """Lot -> units others say they passed on to it, by their latest statements."""

    @property
    def latest(self) -> Statement | None:
        """The statement that counts."""
        return next((each for each in reversed(self.stated) if each.counts), None)

    @property
    def queried(self) -> Statement | None:
        """The statement with an open query: only the newest one can have it."""
        return self.stated[-1] if self.stated and self.stated[-1].query else None


@dataclass
class Case:
    """One recall as the test knows it."""

    number: str
    phase: str
    roots: set[int]
    scope: set[int]
    evidence: str
    version: int = 1
    excluded: set[int] = field(default_factory=set)
    consignees: dict[int, Consignee] = field(default_factory=dict)
    """By their id."""
    campaign: int = 0
    corrected: defaultdict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    corrected_at: list[tuple[int, int, datetime, Decimal]] = field(default_factory=list)
    reworked: defaultdict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    retained: defaultdict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    samples: dict[int, tuple[int, int, Decimal]] = field(default_factory=dict)
    """Open samples: id -> (lot, place, units)."""
    complaints: int = 0
    """Not closed."""
    waiting: bool = False
    """An amendment waits for its notice."""

    @property
    def ended(self) -> bool:
        """Whether the recall is over."""
        return self.phase in ("rejected", "cancelled", "terminated")


__all__ = ["OURS", "ZERO", "Case", "Consignee", "Goods", "Spot", "Statement"]
