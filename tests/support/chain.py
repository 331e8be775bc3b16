"""A supply chain in memory, written into Postgres as it is: what trace and hold tests start from.

Nothing here knows how the product reads a chain; tests and oracles work on the same plain rows.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    """An instant `number` days after the start of the test's year."""
    return START + timedelta(days=number)


@dataclass(frozen=True)
class Place:
    """A location with a partner of its own, or of `partner`."""

    id: int
    code: str
    custody: str
    kind: str
    partner: int
    country: str | None


@dataclass(frozen=True)
class LotRow:
    """One lot."""

    id: int
    product: int
    number: str
    site: int | None = None
    made: Decimal | None = None
    made_on: date | None = None
    supplier_lot: str | None = None


@dataclass(frozen=True)
class Step:
    """One genealogy edge."""

    tail: int
    head: int
    quantity: Decimal


@dataclass(frozen=True)
class Move:
    """One movement; ids are given in the order of the list."""

    id: int
    kind: str
    product: int
    lot: int | None
    source: int | None
    target: int | None
    quantity: Decimal
    at: datetime
    document: str | None = None
    delivered: bool = False


@dataclass
class Count:
    """One stock row."""

    lot: int
    place: int
    on_hand: Decimal
    reserved: Decimal
    as_of: datetime


@dataclass
class Chain:
    """Builds rows with ids above `base`, so that several chains fit into one database."""

    base: int = 0
    places: dict[int, Place] = field(default_factory=dict)
    products: dict[int, tuple[str, str | None, str | None]] = field(default_factory=dict)
    lots: dict[int, LotRow] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    counts: dict[tuple[int, int], Count] = field(default_factory=dict)
    serials: list[tuple[int, int, str, int | None]] = field(default_factory=list)
    """id, lot, number, place."""
    _next: int = 0

    def _id(self) -> int:
        self._next += 1
        return self.base + self._next

    def place(
        self,
        custody: str = "customer",
        kind: str = "hospital",
        *,
        partner: int | None = None,
        country: str | None = "US",
    ) -> int:
        """A location; of a new partner unless one is named (a location's id)."""
        own = self._id()
        owner = own
        if partner:  # kind and country are the partner's
            known = self.places[partner]
            owner, kind, country = known.partner, known.kind, known.country
        self.places[own] = Place(own, f"L{own}", custody, kind, owner, country)
        return own

    def product(self, family: str | None = None, brand: str | None = None) -> int:
        """A product."""
        own = self._id()
        self.products[own] = (f"P{own}", family, brand)
        return own

    def lot(self, product: int, **facts: object) -> int:
        """A lot; `made`, `site`, `made_on`, `supplier_lot` as known."""
        own = self._id()
        number = str(facts.pop("number", f"N{own}"))
        self.lots[own] = LotRow(own, product, number, **facts)  # type: ignore[arg-type]
        return own

    def step(self, tail: int, head: int, quantity: float = 1) -> None:
        """`quantity` of lot `tail` went into lot `head`."""
        self.steps.append(Step(tail, head, Decimal(str(quantity))))

    def move(
        self,
        kind: str,
        lot: int | None,
        quantity: float,
        source: int | None = None,
        target: int | None = None,
        **facts: object,
    ) -> int:
        """A movement; `day` (days after the start), `document`, `delivered`, `product` where the lot is not known."""
        product = facts.pop("product", None) or self.lots[lot].product  # type: ignore[index]
        at = day(float(facts.pop("day", len(self.moves) + 1)))  # type: ignore[arg-type]
        own = self._id()
        self.moves.append(Move(own, kind, product, lot, source, target, Decimal(str(quantity)), at, **facts))  # type: ignore[arg-type]
        return own

    def count(self, lot: int, place: int, on_hand: float, reserved: float = 0, at: float = 1000) -> None:
        """What somebody counted of a lot at a place."""
        self.counts[lot, place] = Count(lot, place, Decimal(str(on_hand)), Decimal(str(reserved)), day(at))

    def serial(self, lot: int, number: str, place: int | None = None) -> int:
        """A serialised unit of a lot, at a place if that is known."""
        own = self._id()
        self.serials.append((own, lot, number, place))
        return own

    def write(self, url: str) -> None:
        """Copy every row into the database behind `url`."""
        with psycopg.connect(url) as db:
            partners = {p.partner: p for p in self.places.values() if p.partner == p.id}
            _copy(
                db,
                "partner (id, code, name, kind, country, language, time_zone)",
                [(p.id, f"T{p.id}", f"Partner {p.id}", p.kind, p.country, "en", "UTC") for p in partners.values()],
            )
            _copy(
                db,
                "location (id, partner_id, code, name, custody)",
                [(p.id, p.partner, p.code, p.code, p.custody) for p in self.places.values()],
            )
            _copy(
                db,
                "product (id, code, name, family, brand, unit_of_use, implantable, life_supporting, sterile)",
                [(i, c, c, f, b, "unit", False, False, False) for i, (c, f, b) in self.products.items()],
            )
            _copy(
                db,
                "lot (id, product_id, number, site_id, quantity_made, made_on, supplier_lot)",
                [(t.id, t.product, t.number, t.site, t.made, t.made_on, t.supplier_lot) for t in self.lots.values()],
            )
            _copy(
                db,
                "lot_genealogy (input_lot_id, output_lot_id, quantity, source_system, source_id)",
                [(s.tail, s.head, s.quantity, "test", f"{self.base}-{n}") for n, s in enumerate(self.steps)],
            )
            self.write_moves(db, self.moves)
            _copy(db, "serial (id, lot_id, number, location_id)", list(self.serials))
            _copy(
                db,
                "stock (lot_id, location_id, on_hand, reserved, held, as_of)",
                [(c.lot, c.place, c.on_hand, c.reserved, 0, c.as_of) for c in self.counts.values()],
            )

    @staticmethod
    def write_moves(db: psycopg.Connection, moves: list[Move]) -> None:
        """Copy movements, with their own ids."""
        _copy(
            db,
            "movement (id, kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered, "
            "occurred_at, document_no, source_system, source_id)",
            [
                (
                    m.id,
                    m.kind,
                    m.product,
                    m.lot,
                    m.source,
                    m.target,
                    m.quantity,
                    m.delivered,
                    m.at,
                    m.document,
                    "test",
                    str(m.id),
                )
                for m in moves
            ],
        )


def _copy(db: psycopg.Connection, into: str, rows: list[tuple[object, ...]]) -> None:
    with db.cursor().copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
