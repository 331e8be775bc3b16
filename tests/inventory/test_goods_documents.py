"""Goods documents of our own ledger: found, stopped by claims, freed, done by movements; disposals and the feed."""

import asyncio
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from adapters.inventory.base import InventoryAdapter, InventoryError
from adapters.inventory.ledger import LedgerInventory
from db.repositories.stock import StockLedger
from domain.inventory import Disposal, Document, DocumentKind, DocumentState, Position, PositionState
from tests.inventory.conftest import NUMBER, OTHER, Yard

pytestmark = pytest.mark.db
D = Decimal


def document(yard: Yard, number: str, kind: str, source: int | None, target: int | None, *lines: Any) -> int:
    """A document with lines (lot or None, quantity) of the yard's product."""
    with psycopg.connect(yard.postgres.owner_url) as db:
        row = db.execute(
            "INSERT INTO goods_document (source_system, kind, number, state, from_location_id, to_location_id)"
            " VALUES ('erp', %s, %s, 'open', %s, %s) RETURNING id",
            [kind, number, source, target],
        ).fetchone()
        assert row is not None
        for at, (lot, quantity) in enumerate(lines):
            db.execute(
                "INSERT INTO goods_document_line (document_id, product_id, lot_id, quantity, source_system, source_id)"
                " SELECT %s, product_id, %s, %s, 'erp', %s FROM lot WHERE id = %s",
                [row[0], lot, quantity, f"{kind}-{number}-{at}", yard.lot],
            )
        return int(row[0])


@pytest.fixture(autouse=True)
def _free_ids(yard: Yard) -> None:
    for table in ("movement", "lot"):  # the chain's rows brought ids of their own
        yard.rows("SELECT setval(pg_get_serial_sequence(%s, 'id'), 100000)", table)


def ledger(yard: Yard) -> InventoryAdapter:
    return LedgerInventory(StockLedger(yard.sessions))


async def found(yard: Yard) -> dict[str, Document]:
    return {each.number: each for each in await ledger(yard).documents([yard.lot])}


async def test_documents_of_the_lot_and_of_its_product_without_a_lot_are_found_until_they_are_done(yard: Yard) -> None:
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    document(yard, "SO-2", "order", yard.warehouse, yard.clinic, (None, 4))
    document(yard, "PO-1", "receipt", None, yard.warehouse, (yard.lot, 50))
    document(yard, "SO-9", "shipment", yard.warehouse, yard.clinic, (yard.lot, 6))
    have = await found(yard)
    assert set(have) == {"SO-1", "SO-2", "PO-1", "SO-9"}
    assert (have["SO-1"].location_id, have["SO-1"].other_location_id) == (yard.warehouse, yard.clinic)
    assert (have["PO-1"].location_id, have["PO-1"].kind) == (yard.warehouse, DocumentKind.RECEIPT)
    assert have["SO-2"].lines[0].lot_id is None
    yard.move("shipment", 2, yard.warehouse, yard.clinic, document="SO-9", day=90)
    yard.move("shipment", 9, yard.carrier, yard.clinic, document="SO-1", day=90)
    have = await found(yard)
    assert [line.quantity for line in have["SO-9"].lines] == [4], "what is left of it"
    assert [line.quantity for line in have["SO-1"].lines] == [10], "goods of another place under the same number"
    yard.move("shipment", 4, yard.warehouse, yard.clinic, document="SO-9", day=91)
    yard.move("receipt", 50, None, yard.warehouse, document="PO-1", day=91)
    assert set(await found(yard)) == {"SO-1", "SO-2"}


async def test_a_document_moves_again_when_the_last_of_its_claims_has_gone(yard: Yard) -> None:
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    keeper = ledger(yard)
    order = (await found(yard))["SO-1"]
    for _ in range(2):
        assert (await keeper.block("a", NUMBER, order)).state is DocumentState.BLOCKED
    await keeper.block("b", OTHER, order)
    assert (await found(yard))["SO-1"].state is DocumentState.BLOCKED
    for _ in range(2):
        answer = await keeper.unblock("a")
        assert answer is not None
        assert answer.state is DocumentState.BLOCKED, "the other recall still means it"
    freed = await keeper.unblock("b")
    assert freed is not None
    assert freed.state is DocumentState.OPEN
    assert await keeper.unblock("never") is None
    with pytest.raises(InventoryError, match="ended"):
        await keeper.block("a", NUMBER, order)
    with pytest.raises(InventoryError, match="no such document"):
        await keeper.block("c", NUMBER, Document("SO-0", order.kind, order.state, order.location_id, None, ()))


async def test_a_cancelled_document_stays_cancelled_and_a_done_one_is_not_stopped(yard: Yard) -> None:
    document(yard, "SO-1", "order", yard.warehouse, yard.clinic, (yard.lot, 10))
    document(yard, "SO-9", "shipment", yard.warehouse, yard.clinic, (yard.lot, 6))
    keeper, have = ledger(yard), await found(yard)
    await keeper.block("a", NUMBER, have["SO-1"])
    assert (await keeper.block("a", NUMBER, have["SO-1"], cancel=True)).state is DocumentState.CANCELLED
    freed = await keeper.unblock("a")
    assert freed is not None
    assert freed.state is DocumentState.CANCELLED
    yard.move("shipment", 6, yard.warehouse, yard.clinic, document="SO-9", day=90)
    assert (await keeper.block("z", NUMBER, have["SO-9"])).state is DocumentState.DONE
    assert yard.rows("SELECT key FROM goods_document_block") == [("a",)]


async def test_a_disposal_leaves_the_locked_stock_once_per_key_and_never_more_than_lies_there(yard: Yard) -> None:
    keeper = ledger(yard)
    place = Position(yard.lot, yard.warehouse, "own", PositionState.ON_HAND, D(100))
    await keeper.hold("h", NUMBER, place)
    scrap = Disposal("destroy", yard.lot, yard.warehouse, D(30), "CERT-1")
    first, again = await keeper.dispose("d1", scrap), await keeper.dispose("d1", scrap)
    assert first == again
    assert yard.stock() == (D(70), D(0), D(70)), "locked stock is what is destroyed"
    await keeper.release("h", D(70))
    assert yard.stock() == (D(70), D(0), D(70))
    with pytest.raises(InventoryError, match="70 lie there"):
        await keeper.dispose("d2", Disposal("destroy", yard.lot, yard.warehouse, D(71)))
    with pytest.raises(InventoryError, match="not a disposal"):
        await keeper.dispose("d3", Disposal("field_correction", yard.lot, yard.warehouse, D(1)))
    booked = yard.rows("SELECT kind, quantity FROM movement WHERE source_system = 'recall:ledger'")
    assert booked == [("destruction", D(30))]


async def test_the_feed_misses_nothing_that_was_in_flight_when_it_was_read(yard: Yard) -> None:
    keeper = ledger(yard)
    note = "INSERT INTO ledger_change (xid, lot_id, what) VALUES (pg_current_xact_id()::text::bigint, %s, 'stock')"
    with psycopg.connect(yard.postgres.owner_url) as early, psycopg.connect(yard.postgres.owner_url) as late:
        early.execute(note, [yard.lot])
        late.execute(note, [yard.lot])
        late.commit()
        page = await keeper.changes(None)
        assert page.changes == (), "a row behind one that may still come is not handed out"
        early.commit()
        after = await keeper.changes(page.cursor)
        assert len(after.changes) == 2
    assert (await keeper.changes(after.cursor)).changes == ()
    with pytest.raises(InventoryError, match="cursor"):
        await keeper.changes("yesterday")


async def test_the_feed_is_read_in_pages_while_others_write_it(yard: Yard) -> None:
    keeper = ledger(yard)

    async def hold(turn: int) -> None:
        place = Position(yard.lot, yard.warehouse, "own", PositionState.ON_HAND, D(turn + 1))
        await keeper.hold(f"h{turn}", NUMBER, place)

    async def follow() -> int:
        cursor: str | None = None
        seen = 0
        while seen < 20:
            page = await keeper.changes(cursor, limit=3)
            cursor, seen = page.cursor, seen + len(page.changes)
            await asyncio.sleep(0)
        return seen

    count, *_ = await asyncio.wait_for(asyncio.gather(follow(), *(hold(turn) for turn in range(20))), 60)
    assert count == 20


async def test_a_batch_in_the_feed_is_read_lot_by_lot(yard: Yard) -> None:
    batch = yard.batch()
    lots = [yard.lot]
    for turn in range(4):
        with psycopg.connect(yard.postgres.owner_url) as db:
            row = db.execute(
                "INSERT INTO lot (product_id, number) SELECT product_id, %s FROM lot WHERE id = %s RETURNING id",
                [f"F{turn}", yard.lot],
            ).fetchone()
            assert row is not None
            lots.append(int(row[0]))
    for lot in lots:
        yard.run(
            "INSERT INTO movement (kind, product_id, lot_id, to_location_id, quantity, occurred_at, source_system,"
            " source_id, batch_id, delivered)"
            " SELECT 'receipt', product_id, id, %s, 1, now(), 'feed', id::text, %s, false FROM lot WHERE id = %s",
            yard.warehouse,
            batch,
            lot,
        )
    yard.run(
        "INSERT INTO ledger_change (xid, what, batch_id) VALUES (pg_current_xact_id()::text::bigint, 'stock', %s)",
        batch,
    )
    cursor: str | None = None
    seen: list[int] = []
    while True:
        page = await ledger(yard).changes(cursor, limit=2)
        seen += [each.lot_id for each in page.changes]
        cursor = page.cursor
        if not page.more:
            break
    assert sorted(seen) == sorted(lots)
