"""The sample chain at work: lots are made, merged, split, reworked, moved, returned, used and lost.

The simulation keeps its own books (what each place got, sent, used, still has). Files are written from its events,
truths from its books; neither is derived from the other.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from imports.sample_world import (
    BULK,
    DISTRIBUTORS,
    FINISHED,
    LOGISTICS,
    RAW,
    SITES,
    SUPPLIERS,
    WAREHOUSES,
    Place,
    Product,
)

START = date(2025, 1, 6)
SHANGHAI_SITE = "MFG-SUZHOU"


@dataclass(frozen=True)
class Lot:
    """A lot by product, number and manufacturing site."""

    product: Product
    number: str
    site: str


@dataclass
class Made:
    """What is known of a lot when it is made."""

    on: date
    expires: date
    quantity: int = 0
    supplier_lot: str = ""


@dataclass(frozen=True)
class Move:
    """One line of the movements file, quantity in units of use."""

    kind: str
    product: Product
    lot: Lot | None
    start: str
    end: str
    quantity: int
    delivered: bool
    at: datetime
    document: str


@dataclass(frozen=True)
class Link:
    """One line of the genealogy file."""

    source: Lot
    target: Lot
    quantity: int
    at: datetime


@dataclass
class Chain:
    """Events and books of one run."""

    random: Random
    served: dict[str, list[Place]]
    moves: list[Move] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    made: dict[Lot, Made] = field(default_factory=dict)
    books: dict[tuple[str, Lot], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """(place, lot) -> got, in_transit, shipped, returned, returned_to, used, destroyed, adjusted, on_hand."""
    reworked: list[tuple[Lot, Lot]] = field(default_factory=list)
    documents: Counter[str] = field(default_factory=Counter)

    def document(self, prefix: str) -> str:
        """Next document number of a series."""
        self.documents[prefix] += 1
        return f"{prefix}-{self.documents[prefix]:05d}"

    def on_hand(self, place: str, lot: Lot) -> int:
        """Units of use the place has by the books."""
        return self.books[place, lot]["on_hand"]

    def record(self, move: Move) -> None:
        """Write a movement down."""
        self.moves.append(move)

    def make(self, lot: Lot, quantity: int, inputs: list[tuple[Lot, int]], day: date) -> None:
        """Make (or add to) a lot at its site out of parts of others."""
        at = _at(day, 10)
        order = self.document("WO")
        for source, amount in inputs:
            self.links.append(Link(source, lot, amount, at))
            self.record(Move("consumption", source.product, source, lot.site, "", amount, False, at, order))
            self.books[lot.site, source].update(used=amount, on_hand=-amount)
        made = self.made.setdefault(lot, Made(day, day + timedelta(days=730)))
        made.quantity += quantity
        self.books[lot.site, lot].update(made=quantity, on_hand=quantity)

    def ship(self, lot: Lot, start: str, end: str, quantity: int, day: date, *, proof: bool, arrives: bool) -> None:
        """Ship; `proof` is one delivered line, otherwise shipment and receipt are lines of their own."""
        document = self.document("SHP")
        self.record(Move("shipment", lot.product, lot, start, end, quantity, proof, _at(day, 9), document))
        self.books[start, lot].update(shipped=quantity, on_hand=-quantity)
        if not proof and not arrives:
            self.books[end, lot].update(in_transit=quantity)
            return
        if not proof:
            arrival = _at(day + timedelta(days=2), 14)
            self.record(Move("receipt", lot.product, lot, start, end, quantity, False, arrival, document))
        self.books[end, lot].update(got=quantity, on_hand=quantity)

    def give_back(self, lot: Lot, start: str, end: str, quantity: int, day: date) -> None:
        """Return goods."""
        document = self.document("RET")
        self.record(Move("return", lot.product, lot, start, end, quantity, False, _at(day, 11), document))
        self.books[start, lot].update(returned=quantity, on_hand=-quantity)
        self.books[end, lot].update(returned_to=quantity, on_hand=quantity)

    def remove(self, kind: str, lot: Lot, place: str, quantity: int, day: date) -> None:
        """Use up, destroy, or write off goods at a place."""
        document = self.document({"consumption": "USE", "destruction": "DST", "adjustment": "ADJ"}[kind])
        signed = -quantity if kind == "adjustment" else quantity
        start, end = ("", place) if kind == "adjustment" else (place, "")
        self.record(Move(kind, lot.product, lot, start, end, signed, False, _at(day, 16), document))
        name = {"consumption": "used", "destruction": "destroyed", "adjustment": "adjusted"}[kind]
        self.books[place, lot].update({name: signed if kind == "adjustment" else quantity})
        self.books[place, lot].update(on_hand=-quantity)


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001 - the files' times are in the mapping's zone


def simulate(seed: int, size: int, served: dict[str, list[Place]]) -> Chain:
    """Run the chain for `size` finished lots."""
    chain = Chain(Random(seed), served)  # noqa: S311 - sample data, repeatable on purpose
    raw = _receive_raw(chain, max(6, size // 4))
    bulk = _make_bulk(chain, raw, max(4, size // 3))
    finished = _make_finished(chain, raw, bulk, size)
    _rework(chain, finished, bulk, max(1, size // 20))
    for number, lot in enumerate(finished):
        _distribute(chain, lot, number, len(finished))
    _lose_lots(chain, 1 + size // 50)
    return chain


def _receive_raw(chain: Chain, count: int) -> dict[str, list[Lot]]:
    """Raw material goes to both sites, so that a supplier lot can reach everything."""
    lots: dict[str, list[Lot]] = defaultdict(list)
    for number in range(count):
        product, supplier = RAW[number % 3], SUPPLIERS[number % 3]
        lot = Lot(product, f"R{number + 1:04d}", supplier.code)
        day = START + timedelta(days=number % 40)
        chain.made[lot] = Made(day - timedelta(days=20), day + timedelta(days=700), supplier_lot=f"S-{7300 + number}")
        for site in SITES:
            document = chain.document("GRN")
            chain.record(Move("receipt", product, lot, supplier.code, site.code, 40_000, False, _at(day, 8), document))
            chain.books[supplier.code, lot].update(shipped=40_000)
            chain.books[site.code, lot].update(got=40_000, on_hand=40_000)
        lots[product.code].append(lot)
    return lots


def _part(chain: Chain, lots: list[Lot], site: str, most: int) -> tuple[Lot, int] | None:
    lot = chain.random.choice(lots)
    amount = min(chain.random.randint(1, most), chain.on_hand(site, lot))
    return (lot, amount) if amount > 0 else None


def _make_bulk(chain: Chain, raw: dict[str, list[Lot]], count: int) -> list[Lot]:
    """Each bulk lot merges two or three raw lots; each raw lot is split over many bulk lots."""
    lots = []
    for number in range(count):
        product = BULK[number % 2]
        site = SITES[number % 4 // 2].code
        wanted = ("RM-ANTIBODY", "RM-MEMBRANE") if product.code == "WIP-STRIP" else ("RM-RESIN", "RM-RESIN")
        parts = [part for code in wanted if (part := _part(chain, raw[code], site, 300)) is not None]
        inputs = list(dict(parts).items())
        # Bulk lot numbers repeat across sites and products: a number alone identifies nothing.
        lot = Lot(product, f"B{number // 4 + 1:04d}", site)
        chain.make(lot, 20_000, inputs, START + timedelta(days=45 + number % 60))
        lots.append(lot)
    return lots


def _make_finished(chain: Chain, raw: dict[str, list[Lot]], bulk: list[Lot], count: int) -> list[Lot]:
    lots = []
    for number in range(count):
        product = FINISHED[number % 3]
        kind = "WIP-TUBING" if product.code == "SET-INF" else "WIP-STRIP"
        fitting = [lot for lot in bulk if lot.product.code == kind]
        site = chain.random.choice(fitting).site
        here = [lot for lot in fitting if lot.site == site]
        parts = [part for _ in range(chain.random.randint(1, 3)) if (part := _part(chain, here, site, 400)) is not None]
        parts += [part for part in [_part(chain, raw["RM-RESIN"], site, 50)] if part is not None]
        lot = Lot(product, f"L{number // 2 + 1:04d}" + ("" if number % 2 else "A"), site)
        quantity = product.per_box * chain.random.randint(60, 160)
        chain.make(lot, quantity, list(dict(parts).items()), START + timedelta(days=110 + number % 120))
        lots.append(lot)
    return lots


def _rework(chain: Chain, finished: list[Lot], bulk: list[Lot], count: int) -> None:
    """Part of a finished lot is taken apart into a bulk lot, which goes into the same lot again: a cycle."""
    for lot in chain.random.sample(finished, count):
        into = next(b for b in bulk if b.site == lot.site)
        quantity = lot.product.per_box
        day = chain.made[lot].on + timedelta(days=2)
        chain.make(into, quantity, [(lot, quantity)], day)
        chain.make(lot, quantity, [(into, quantity)], day + timedelta(days=1))
        chain.reworked.append((lot, into))


def _distribute(chain: Chain, lot: Lot, number: int, count: int) -> None:
    random = chain.random
    day = chain.made[lot].on + timedelta(days=4)
    box = lot.product.per_box
    first = WAREHOUSES[1] if lot.site == SHANGHAI_SITE else WAREHOUSES[0]
    total = chain.on_hand(lot.site, lot) // box * box
    chain.ship(lot, lot.site, first.code, total - box * 2, day, proof=False, arrives=True)
    chain.ship(lot, lot.site, first.code, box, day + timedelta(days=9), proof=False, arrives=number % 7 != 3)
    day += timedelta(days=4)
    if number < count // 2 and number % 3 == 0:
        chain.ship(lot, first.code, WAREHOUSES[2].code, box * 4, day, proof=False, arrives=True)
    hub = first.code
    if number % 2 == 0:
        chain.ship(lot, first.code, LOGISTICS.code, box * 20, day, proof=False, arrives=True)
        hub = LOGISTICS.code
    for distributor in random.sample(DISTRIBUTORS, random.randint(1, 3)):
        start = random.choice((hub, first.code))
        quantity = box * random.randint(3, 9)
        if chain.on_hand(start, lot) < quantity:
            continue
        lost = number % 11 == 5
        chain.ship(lot, start, distributor.code, quantity, day + timedelta(days=5), proof=not lost, arrives=not lost)
        if not lost:
            _serve(chain, lot, distributor, start, day + timedelta(days=9))
    if number % 9 == 4:
        chain.remove("destruction", lot, first.code, min(7, chain.on_hand(first.code, lot)), day + timedelta(days=30))
    if number % 13 == 6:
        chain.remove("adjustment", lot, first.code, min(2, chain.on_hand(first.code, lot)), day + timedelta(days=31))


def _serve(chain: Chain, lot: Lot, distributor: Place, origin: str, day: date) -> None:
    """A distributor passes on to hospitals; hospitals use, and send some back; the distributor sends some back too."""
    random = chain.random
    for hospital in random.sample(chain.served[distributor.code], min(2, len(chain.served[distributor.code]))):
        quantity = min(random.randint(1, 3) * lot.product.per_box, chain.on_hand(distributor.code, lot))
        if quantity == 0:
            continue
        chain.ship(lot, distributor.code, hospital.code, quantity, day, proof=True, arrives=True)
        chain.remove("consumption", lot, hospital.code, random.randint(1, quantity), day + timedelta(days=12))
        left = chain.on_hand(hospital.code, lot)
        if left and random.random() < 0.3:
            chain.give_back(lot, hospital.code, distributor.code, random.randint(1, left), day + timedelta(days=20))
    left = chain.on_hand(distributor.code, lot)
    if left and random.random() < 0.25 and origin != WAREHOUSES[2].code:
        chain.give_back(lot, distributor.code, origin, random.randint(1, left), day + timedelta(days=25))


def _lose_lots(chain: Chain, count: int) -> None:
    """Hospitals book receipts without a lot number: they are gaps of every trace of that product."""
    for number in range(count):
        distributor = DISTRIBUTORS[number % len(DISTRIBUTORS)]
        hospital = chain.random.choice(chain.served[distributor.code])
        product = FINISHED[number % len(FINISHED)]
        at = _at(START + timedelta(days=200 + number), 15)
        document = chain.document("DLV")
        chain.record(Move("receipt", product, None, distributor.code, hospital.code, 6 + number, False, at, document))
