"""Counts beside what this product books itself: a late or repeated count never loses a booking, nor counts it twice."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from db.repositories import ledger
from db.repositories.ledger import Booking
from tests.imports.office import Office, movement
from tests.imports.test_chain_files import STOCK, count
from tests.imports.test_reverse import reverse

pytestmark = pytest.mark.db


async def book_out(office: Office, quantity: int) -> None:
    """Ten units are destroyed by a disposition on 1 March."""
    (lot, place) = office.sql("SELECT lot_id, location_id FROM stock")[0]
    at = datetime(2026, 3, 1, tzinfo=UTC)
    async with office.sessions.begin() as session:
        await ledger.lock(session, [], [lot])
        await ledger.book(session, Booking("destruction", lot, Decimal(quantity), at, "test:1", source=place))


def stock(office: Office) -> tuple[int, int]:
    """What the row shows, and what was counted."""
    on_hand, booked = office.sql("SELECT on_hand, booked FROM stock")[0]
    return int(on_hand), int(on_hand - booked)


async def balance(office: Office) -> int:
    """What the trace says lies there."""
    (lot, place) = office.sql("SELECT lot_id, location_id FROM stock")[0]
    async with office.sessions() as session:
        return int((await ledger.balances(session, [lot]))[lot, place].on_hand)


async def test_counts_before_and_after_a_booking_in_any_order_of_arrival(office: Office) -> None:
    await office.movements([movement(1)])
    first = office.file([count(40)])
    await office.load("stock", first, STOCK)
    await book_out(office, 10)
    assert (stock(office), await balance(office)) == ((30, 40), 30)
    again = await office.load("stock", first, STOCK)
    assert again.batch_id is None or stock(office) == (30, 40), "the same count again is the same count"
    late = await office.load("stock", office.file([count(38, Counted="2026-02-15")]), STOCK)
    assert (stock(office), await balance(office)) == ((28, 38), 28)
    newer = await office.load("stock", office.file([count(25, Counted="2026-04-01")]), STOCK)
    assert (stock(office), await balance(office)) == ((25, 25), 25)
    await reverse(office, newer)
    assert (stock(office), await balance(office)) == ((28, 38), 28)
    await reverse(office, late)
    assert (stock(office), await balance(office)) == ((30, 40), 30)


async def test_a_count_dated_after_the_booking_that_does_not_know_of_it_shrinks_with_it(office: Office) -> None:
    await office.movements([movement(1)])
    await office.load("stock", office.file([count(40, Counted="2026-05-01")]), STOCK)
    await book_out(office, 10)
    assert (stock(office), await balance(office)) == ((30, 30), 30)
