"""Every way out of a hold, tried against a lot that two recalls hold: stock counted before and after each.

A way that is refused changes nothing. One that is taken leaves no unit usable and none uncounted: what left for good is
told by its way, everything else lies at our places and is locked under both recalls.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from adapters.inventory.base import InventoryError
from db.repositories import allocations, holds
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_parts import ResultLotFacts
from domain.disposition import DispositionKind as K
from domain.inventory import Disposal, Position, PositionState
from models.disposition import Allocation
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals, who

pytestmark = pytest.mark.db
REFUSED = (DisposalRefused, InventoryError)
GOOD = 950
"""A lot of the product that no recall is about, 10 units at the warehouse."""


@dataclass(frozen=True)
class Stock:
    """Units of the recalled lot, and of what was made of it, at places that are no customer's."""

    there: Decimal
    usable: Decimal
    """Under no hold."""
    first: Decimal
    other: Decimal
    """Locked under each recall."""


class Attempts:
    """The ways, by name; the lot at the warehouse (100 units) and at the carrier (20), held by both recalls."""

    def __init__(self, disposals: Disposals, clinic: int) -> None:
        self.disposals, self.yard, self.clinic = disposals, disposals.yard, clinic
        self.ledger = self.yard.inventory()
        self.day = 200

    def count(self) -> Stock:
        """By the tables alone."""
        family = (
            "SELECT s.*, coalesce((SELECT sum(c.quantity) FROM stock_claim c WHERE c.lot_id = s.lot_id AND"
            " c.location_id = s.location_id AND c.released_at IS NULL AND c.position <> 'in_transit'"
            " AND c.claimant = %s), 0) AS mine FROM stock s JOIN location l ON l.id = s.location_id"
            " WHERE l.custody <> 'customer'"
            " AND (s.lot_id = %s OR s.lot_id IN (SELECT output_lot_id FROM lot_genealogy))"
        )
        sums = f"SELECT sum(on_hand), sum(on_hand - held), sum(least(mine, on_hand)) FROM ({family}) AS f"  # noqa: S608
        found = [self.yard.rows(sums, each, self.yard.lot)[0] for each in (NUMBER, OTHER)]
        (there, usable, first), (_, _, other) = found
        return Stock(there, usable, first, other)

    async def tried(self, name: str, way: Callable[[], Awaitable[object]], why: str) -> None:
        """The way is refused for this reason, and nothing moved."""
        before = self.count()
        said = "it was not refused"
        try:
            await way()
        except REFUSED as refusal:
            said = str(refusal)
        assert why in said, name
        assert self.count() == before, name
        assert self.disposals.broken() == [], name

    async def taken(self, name: str, way: Callable[[], Awaitable[object]], more: float = 0) -> None:
        """The way changed the units at our places by `more` and freed none of them of either recall."""
        before = self.count().there
        await way()
        assert self.disposals.broken() == [], name
        units = before + D(str(more))
        assert self.count() == Stock(units, D(0), units, units), name

    async def do(self, kind: K, units: float, *, number: str = NUMBER, **facts: Any) -> object:
        """A disposition with every approval, carried out under one recall."""
        where = {each: facts.pop(each) for each in ("lot", "place", "consignee") if each in facts}
        found = await self.disposals.approved(kind, units, number=number, **where)
        return await self.disposals.carry_out(found, units, number=number, **facts)

    async def one_signature(self) -> object:
        found = await self.disposals.propose(K.release, 10)
        await self.disposals.approve(found)
        return await self.disposals.carry_out(found, 10)

    async def own_signature(self) -> object:
        found = await self.disposals.propose(K.release, 10, by="Ada")
        return await self.disposals.approve(found)

    async def no_evidence(self) -> object:
        return await self.do(K.release, 10, evidence_ids=())

    async def allocate(self) -> object:
        """A promise of held units, as somebody wrote it before they were held."""
        self.yard.run(
            "INSERT INTO shortage (id, recall_number, consignee_id, product_id, removed, used, quantity, computed_at) "
            "SELECT 1, %s, %s, product_id, 5, 0, 5, %s FROM lot WHERE id = %s ON CONFLICT DO NOTHING",
            *(NUMBER, self.clinic, NOW, self.yard.lot),
        )
        ((promise,),) = self.yard.rows(
            "INSERT INTO allocation (recall_number, shortage_id, lot_id, location_id, quantity, state, proposed_at) "
            "VALUES (%s, 1, %s, %s, 5, 'approved', %s) RETURNING id",
            *(NUMBER, self.yard.lot, self.disposals.place, NOW),
        )
        async with self.yard.sessions.begin() as session:
            found: Allocation = await allocations.ship(session, NUMBER, promise, "SHIP-1", who("Wanda", "warehouse"))
        return found

    async def exchange(self) -> object:
        place, held = self.disposals.place, self.yard.lot
        swap: dict[str, Any] = {"location_id": place, "replacement_from_id": place, "replacement_lot_id": held}
        return await self.do(K.replace_, 2, consignee=self.clinic, **swap)

    async def ledger_disposes(self, kind: str, units: float) -> object:
        return await self.ledger.dispose(
            f"leak:{kind}:{units}", Disposal(kind, self.yard.lot, self.disposals.place, D(str(units)))
        )

    async def other_key(self) -> object:
        """The key of a hold, asked for another place: it would move the lock."""
        ((key,),) = self.yard.rows("SELECT key FROM stock_claim WHERE location_id = %s LIMIT 1", self.disposals.place)
        there = Position(self.yard.lot, self.yard.carrier, "logistics", PositionState.ON_HAND, D(1))
        return await self.ledger.hold(key, NUMBER, there)

    async def moved_by_import(self, kind: str, units: float, source: int | None, target: int | None) -> None:
        """Somebody moved held goods all the same, and the books say so; the watch looks again."""
        batch = self.yard.batch()
        self.day += 1
        self.yard.move(kind, units, source, target, day=self.day, delivered=True, batch=batch)
        async with self.yard.sessions.begin() as session:
            await holds.claim_late_stock(session, batch)
        await self.watch()

    async def watch(self) -> None:
        for number in (NUMBER, OTHER):
            await self.yard.request(number)
            await self.yard.execute(number)

    async def end(self, number: str) -> None:
        """The recall is cancelled; quality holds what it held."""
        async with self.yard.sessions.begin() as session:
            await holds.to_nonconformity(session, number, NOW)
        self.yard.run("UPDATE recall SET phase = 'cancelled' WHERE number = %s", number)


@pytest.fixture
async def attempts(disposals: Disposals) -> Attempts:
    yard = disposals.yard
    yard.run(
        "INSERT INTO lot (id, product_id, number, site_id) SELECT %s, product_id, 'GOOD', %s FROM lot WHERE id = %s",
        *(GOOD, disposals.place, yard.lot),
    )
    yard.run(
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) VALUES (%s, %s, 10, 0, 0, %s)",
        *(GOOD, disposals.place, NOW),
    )
    yard.run(
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) VALUES (%s, %s, 20, 0, 0, %s)",
        *(yard.lot, yard.carrier, NOW),
    )
    await yard.request()
    await yard.execute()
    await disposals.held(OTHER)
    clinic = disposals.consignee(stated=20)
    disposals.consignee(stated=20, number=OTHER)
    return Attempts(disposals, clinic)


async def test_no_way_around_the_gate_moves_or_frees_a_unit(attempts: Attempts) -> None:
    yard, do = attempts.yard, attempts.do
    assert attempts.count() == Stock(D(120), D(0), D(120), D(120))
    ways: list[tuple[str, Callable[[], Awaitable[object]], str]] = [
        ("release by one signature", attempts.one_signature, "not approved yet"),
        ("release signed by its proposer", attempts.own_signature, "another person must decide"),
        ("release without evidence", attempts.no_evidence, "at least one evidence file"),
        ("release of more than is held", lambda: do(K.release, 101), "open there and not planned"),
        ("shipment as a replacement", attempts.allocate, "a recall claims its lot"),
        ("exchange for held units", attempts.exchange, "a lot that no recall claims"),
        (
            "return to a customer as factory",
            lambda: do(K.return_to_factory, 5, destination_id=yard.clinic),
            "a place of ours, or one of a manufacturer",
        ),
        ("destruction without a witness", lambda: do(K.destroy, 5, witness=None), "who witnessed"),
        ("rework without the lot it made", lambda: do(K.rework, 5), "the number of the new lot"),
        ("rename to a good lot", lambda: do(K.rework, 5, result_lot=ResultLotFacts("GOOD")), "a new lot number"),
        ("correction at our own place", lambda: do(K.field_correction, 5), "for units at a consignee"),
        ("keeper: correction", lambda: attempts.ledger_disposes("field_correction", 5), "not a disposal of stock"),
        ("keeper: more than lies there", lambda: attempts.ledger_disposes("destroy", 101), "100 lie there"),
        ("keeper: the lock put elsewhere", attempts.other_key, "belongs to another position"),
    ]
    for name, way, why in ways:
        await attempts.tried(name, way, why)
    assert yard.rows("SELECT on_hand, held FROM stock WHERE lot_id = %s", GOOD) == [(D(10), D(0))]
    assert yard.rows("SELECT count(*) FROM disposition_part") == [(0,)]


async def test_every_way_that_is_open_leaves_the_rest_locked_under_both_recalls(attempts: Attempts) -> None:
    disposals, yard, do = attempts.disposals, attempts.yard, attempts.do
    place, maker = disposals.place, disposals.maker()
    mixed = ResultLotFacts("MIX")
    steps: list[tuple[str, Callable[[], Awaitable[object]], float]] = [
        ("destroyed", lambda: do(K.destroy, 5), -5),
        ("destroyed under the other", lambda: do(K.destroy, 5, number=OTHER), -5),
        ("sent to our other place", lambda: do(K.return_to_factory, 10, destination_id=yard.carrier), 0),
        ("sent to the maker", lambda: do(K.return_to_factory, 5, destination_id=maker), -5),
        ("split off by a rework", lambda: do(K.rework, 10, result_lot=mixed), 0),
        ("merged under the other", lambda: do(K.rework, 10, number=OTHER, result_lot=mixed), 0),
        ("counted in at the dock", lambda: disposals.count_in(attempts.clinic, 7), 7),
        ("found at the carrier", lambda: attempts.moved_by_import("receipt", 3, None, yard.carrier), 3),
        ("carried to another place", lambda: attempts.moved_by_import("shipment", 8, place, yard.carrier), 0),
        ("sold all the same", lambda: attempts.moved_by_import("shipment", 4, place, yard.clinic), -4),
        ("the first recall cancelled", lambda: attempts.end(NUMBER), 0),
        ("looked again", attempts.watch, 0),
        ("the other cancelled too", lambda: attempts.end(OTHER), 0),
    ]
    for name, way, more in steps:
        await attempts.taken(name, way, more)
    await do(K.release, 30, place=yard.carrier)
    assert attempts.count() == Stock(D(111), D(0), D(81), D(111))
    await do(K.release, 20, number=OTHER, place=yard.carrier)
    assert attempts.count() == Stock(D(111), D(20), D(81), D(91))
    assert disposals.broken() == []
