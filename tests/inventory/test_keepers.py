"""The keepers of stock: the ledger adapter, one that fails, and a crash between its answer and our commit."""

import asyncio
from decimal import Decimal

import psycopg
import pytest

from adapters.inventory.base import InventoryError
from adapters.inventory.ledger import LedgerInventory
from domain.inventory import Confirmation, HoldReceipt, Position, PositionState
from models.messages import HoldFigures
from tests.inventory.conftest import NUMBER, OTHER, Yard

pytestmark = pytest.mark.db
D = Decimal


def units(*numbers: int) -> tuple[Decimal, ...]:
    return tuple(D(number) for number in numbers)


class Stubborn(LedgerInventory):
    """Refuses one place, fails at another by a fault of its own, and does not answer for documents."""

    name = "stubborn"

    def __init__(self, yard: Yard) -> None:
        self._inner, self._yard = yard.inventory(), yard
        super().__init__(self._inner._ledger)

    async def hold(self, key: str, claimant: str, position: Position) -> HoldReceipt:
        if position.location_id == self._yard.carrier and position.document_no is None:
            raise InventoryError("the carrier's dock is closed")
        if position.state is PositionState.RESERVED:
            raise ZeroDivisionError("a fault")
        return await super().hold(key, claimant, position)

    async def confirm(self, key: str) -> Confirmation | None:
        confirmation = await super().confirm(key)
        documents = self._yard.rows("SELECT document_no FROM stock_claim WHERE key = %s", key)
        return None if documents[0][0] else confirmation


async def test_a_position_that_fails_blocks_no_other_and_is_tried_again(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    beats: list[int] = []
    figures = await yard.execute(inventory=Stubborn(yard), beat=lambda *asked: beats.extend(asked))
    assert figures == HoldFigures(requested=2, confirmed=1, failed=2, owed={"ledger": 4})
    assert beats == [1, 2, 3, 4, 5]
    await yard.execute(inventory=Stubborn(yard))
    failed = yard.rows("SELECT attempts, last_error FROM hold WHERE state = 'failed' ORDER BY last_error")
    assert failed == [(2, "ZeroDivisionError: a fault"), (2, "the carrier's dock is closed")]
    assert await yard.execute() == HoldFigures(requested=0, confirmed=5, failed=0)
    assert yard.stock() == units(100, 0, 100)


class DiesAfterHolding(LedgerInventory):
    """The process ends right after the keeper has locked the stock."""

    def __init__(self, inner: LedgerInventory) -> None:
        super().__init__(inner._ledger)

    async def confirm(self, key: str) -> Confirmation | None:
        raise asyncio.CancelledError


async def test_a_crash_between_the_lock_and_our_commit_holds_nothing_twice(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    with pytest.raises(asyncio.CancelledError):
        await yard.execute(inventory=DiesAfterHolding(yard.inventory()))
    assert yard.rows("SELECT count(*) FROM stock_claim") == [(1,)]
    assert await yard.execute() == HoldFigures(requested=0, confirmed=5, failed=0)
    assert yard.rows("SELECT count(*), sum(quantity) FROM stock_claim") == [(5, D(140))]
    assert yard.stock() == units(100, 0, 100)


async def test_claims_of_two_recalls_on_part_of_a_place_overlap_instead_of_adding_up(yard: Yard) -> None:
    inventory = yard.inventory()
    for key, claimant, quantity in (("a", NUMBER, 40), ("b", NUMBER, 20), ("c", OTHER, 50)):
        place = Position(yard.lot, yard.warehouse, "own", PositionState.ON_HAND, D(quantity))
        await inventory.hold(key, claimant, place)
    assert yard.stock() == units(100, 30, 60)
    await inventory.release("a")
    assert yard.stock() == units(100, 30, 50)


async def test_the_same_key_for_another_position_is_refused(yard: Yard) -> None:
    inventory = yard.inventory()
    here = Position(yard.lot, yard.warehouse, "own", PositionState.ON_HAND, D(10))
    await inventory.hold("k", NUMBER, here)
    assert await inventory.confirm("k") == Confirmation("k", D(10), "ledger")
    with pytest.raises(InventoryError, match="belongs to another position"):
        await inventory.hold("k", OTHER, here)
    await inventory.release("k")
    assert await inventory.confirm("k") is None
    with pytest.raises(InventoryError, match="was released"):
        await inventory.hold("k", NUMBER, here)
    await inventory.release("never")


async def test_the_ledger_locates_what_would_be_claimed(yard: Yard) -> None:
    found = {(p.state, p.location_id, p.document_no): p.quantity for p in await yard.inventory().locate([yard.lot])}
    assert found == {
        (PositionState.ON_HAND, yard.warehouse, None): D(70),
        (PositionState.RESERVED, yard.warehouse, None): D(30),
        (PositionState.ON_HAND, yard.carrier, None): D(20),
        (PositionState.IN_TRANSIT, yard.clinic, "D1"): D(15),
        (PositionState.IN_TRANSIT, yard.carrier, "D2"): D(5),
    }
    assert await yard.inventory().locate([]) == []


async def test_held_units_cannot_be_taken_off_the_ledger_silently(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    await yard.execute()
    with pytest.raises(psycopg.errors.CheckViolation):
        yard.run("UPDATE stock SET on_hand = 99 WHERE location_id = %s", yard.warehouse)


async def test_a_release_says_what_is_left_so_repeating_it_is_harmless(yard: Yard) -> None:
    inventory = yard.inventory()
    await inventory.hold("k", NUMBER, Position(yard.lot, yard.warehouse, "own", PositionState.ON_HAND, D(60)))
    for left in (D(40), D(40), D(50)):
        await inventory.release("k", left)
        assert yard.stock() == units(100, 30, 40)
    await inventory.release("k")
    assert yard.stock() == units(100, 30, 0)
