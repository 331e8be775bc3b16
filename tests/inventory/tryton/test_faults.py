"""What goes wrong between us and Tryton: lost answers, killed servers, two at once, forgotten sessions, no rights."""

import asyncio
import base64
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from adapters.inventory.base import CursorLost, InventoryError
from adapters.inventory.tryton import TrytonInventory
from adapters.inventory.tryton_rpc import TrytonClient, TrytonConfig, decode, encode
from domain.inventory import Change, Disposal
from tests.inventory.tryton.goods import WAREHOUSE, Goods, Names, at
from tests.support.tryton import DATABASE, PASSWORDS, TrytonForTests, model

pytestmark = pytest.mark.e2e
A, B = "RC-2026-000001", "RC-2026-000002"


@dataclass
class Line:
    """A line to Tryton that loses answers: whatever is asked is carried out there, and nobody hears of it."""

    port: int
    losing: int = 0
    """Answers still to be lost."""
    busy: int = 0
    """Calls still to be turned away, as Tryton does where others hold the rows too long."""


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    host, port = url.removeprefix("http://").split(":")
    line = Line(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(host, int(port))
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = next(
                    int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")
                )
                if line.busy:
                    line.busy -= 1
                    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    await writer.drain()
                    return
                head = head.replace(b"keep-alive", b"close")
                out.write(head + await reader.readexactly(size))
                await out.drain()
                answer = await there.read()
                if line.losing and b"common.db" not in head:
                    line.losing -= 1
                    return
                writer.write(answer)
                await writer.drain()
                return
        except asyncio.IncompleteReadError:
            return
        finally:
            out.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()


async def test_what_was_done_while_its_answer_got_lost_is_found_under_the_same_key(
    tryton: TrytonForTests, names: Names, goods: Goods
) -> None:
    lot = goods.lot()
    goods.receive(lot, 100)
    async with line_to(tryton.url) as line:
        config = TrytonConfig(f"http://127.0.0.1:{line.port}", DATABASE, "recall", PASSWORDS["recall"])
        client = TrytonClient(config)
        far = TrytonInventory("erp", client, names)
        assert [p.quantity for p in await far.locate([lot])] == [100]
        line.losing = 1
        first = await far.hold(f"{lot}:a", A, at(lot, 60))
        line.losing = 9
        with pytest.raises(InventoryError):
            await far.hold(f"{lot}:a", A, at(lot, 80))
        line.losing = 0
        assert await far.hold(f"{lot}:a", A, at(lot, 80)) == first
        line.busy = 2
        assert await far.hold(f"{lot}:a", A, at(lot, 80)) == first
        destroyed = Disposal("destroy", lot, WAREHOUSE, Decimal(30), "CERT-1")
        line.losing = 1
        await far.dispose(f"{lot}:d", destroyed)
        line.losing = 1
        await far.release(f"{lot}:a", Decimal(10))
        await client.close()
    assert goods.quarantined(lot) == 10
    assert [(quantity, target) for quantity, _, target in goods.moves(lot)] == [
        (60, "WH1-QUARANTINE"),
        (20, "WH1-QUARANTINE"),
        (30, None),
        (40, "WH1-A"),
    ]
    assert len(model("recall.hold").find([("lot", "=", goods.lots[lot].id)])) == 1


async def test_a_server_killed_in_the_middle_carries_each_hold_out_once(
    tryton: TrytonForTests, keeper: TrytonInventory, goods: Goods
) -> None:
    lots = [goods.lot(f"K{number}") for number in range(4)]
    for lot in lots:
        goods.receive(lot, 10)
    asked = [asyncio.create_task(keeper.hold(f"{lot}:k", A, at(lot, 10))) for lot in lots]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    tryton.kill()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert all(not isinstance(each, BaseException) or isinstance(each, InventoryError) for each in outcomes)
    await asyncio.to_thread(tryton.start)
    for lot in lots:
        await keeper.hold(f"{lot}:k", A, at(lot, 10))
        assert goods.moves(lot) == [(10, "WH1-A", "WH1-QUARANTINE")]


async def test_two_at_once_make_one_hold_and_two_recalls_share_the_units(keeper: TrytonInventory, goods: Goods) -> None:
    lot = goods.lot()
    goods.receive(lot, 50)
    same = [keeper.hold(f"{lot}:a", A, at(lot, 50)) for _ in range(3)]
    receipts = await asyncio.gather(*same, keeper.hold(f"{lot}:b", B, at(lot, 50)))
    assert len({receipt.reference for receipt in receipts}) == 2
    assert goods.moves(lot) == [(50, "WH1-A", "WH1-QUARANTINE")]


async def test_a_forgotten_session_is_renewed_and_refusals_say_why(
    tryton: TrytonForTests, keeper: TrytonInventory, names: Names, goods: Goods
) -> None:
    lot = goods.lot()
    keeper._client._session = base64.b64encode(b"recall:2:forgotten").decode()
    assert await keeper.locate([lot]) == []

    async def refusal(
        user: str, password: str, database: str = DATABASE, method: str = "recall.positions.units"
    ) -> str:
        client = TrytonClient(TrytonConfig(tryton.url, database, user, password, timeout_seconds=20))
        with pytest.raises(InventoryError) as error:
            await client.call(f"model.{method}", [])
        await client.close()
        return str(error.value)

    assert await refusal("recall", "wrong") == 'Tryton does not accept the password of "recall"'
    assert "not in the group" in await refusal("admin", PASSWORDS["admin"])
    assert await refusal("recall", PASSWORDS["recall"], "other") == "Tryton has no such database"
    assert "not active" in await refusal("recall", PASSWORDS["recall"], method="recall.unheard.of")
    assert "module recall_hold" in await refusal("recall", PASSWORDS["recall"], method="stock.move.unheard")
    dead = TrytonInventory("erp", TrytonClient(TrytonConfig("http://127.0.0.1:9", DATABASE, "recall", "x")), names)
    with pytest.raises(InventoryError, match="cannot be reached"):
        await dead.locate([lot])
    names.places[77] = "NOWHERE"
    with pytest.raises(InventoryError, match='no locations have the code "NOWHERE"'):
        await keeper.hold(f"{lot}:x", A, at(lot, 1, 77))
    with pytest.raises(CursorLost):
        await keeper.changes("yesterday")


async def test_the_feed_tells_every_change_since_the_cursor_page_by_page(
    tryton: TrytonForTests, keeper: TrytonInventory, goods: Goods
) -> None:
    lot, other, old = goods.lot("F1"), goods.lot("F2"), goods.lot("F0")
    with closing(sqlite3.connect(tryton.folder / "db" / f"{DATABASE}.sqlite")) as database, database:
        long_ago = ("2020-01-01 00:00:00", goods.lots[old].id)
        database.execute("UPDATE stock_lot SET create_date = ?, write_date = NULL WHERE id = ?", long_ago)
    cursor: str | None = None
    while True:
        page = await keeper.changes(cursor, 50)
        cursor = page.cursor
        assert old not in {change.lot_id for change in page.changes}, "a feed begins now, not with the first move"
        if not page.more:
            break
    goods.receive(lot, 10)
    goods.receive(other, 10)
    await keeper.hold(f"{lot}:a", A, at(lot, 10))
    await keeper.dispose(f"{lot}:d", Disposal("destroy", lot, WAREHOUSE, Decimal(4)))
    goods.customer_shipment(other, 3, "wait")
    found: set[Change] = set()
    pages = 0
    while True:
        page = await keeper.changes(cursor, 3)
        assert cursor != page.cursor
        found |= set(page.changes)
        cursor, pages = page.cursor, pages + 1
        if not page.more:
            break
    assert pages > 1
    for lot_id, what in ((lot, "stock"), (lot, "hold"), (lot, "disposal"), (other, "stock"), (other, "document")):
        assert any((c.lot_id, c.what) == (lot_id, what) for c in found), (lot_id, what)
    assert Change(lot, WAREHOUSE, "hold") in found
    again = await keeper.changes(cursor, 500)
    assert {c.lot_id for c in again.changes} >= {lot, other}, "what might still have been in flight is told again"


VALUES = [
    Decimal("0.10"), Decimal("1E+3"), date(2026, 2, 28), datetime(2026, 2, 28, 13, 5, 9, 123456),  # noqa: DTZ001
    time(1, 2, 3, 4), timedelta(days=1, seconds=1.5), b"\x00\xff", None, True, "漢", [1, {"a": Decimal("2.5")}],
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_pass_to_trytons_own_coder_and_back_unchanged(value: object) -> None:
    from trytond.protocols.jsonrpc import JSONDecoder, JSONEncoder

    assert json.loads(encode(value), object_hook=JSONDecoder()) == value
    assert decode(json.dumps(value, cls=JSONEncoder)) == value


def test_numbers_with_a_fraction_keep_their_digits() -> None:
    assert decode("[0.1, 12345678.901, 7]") == [Decimal("0.1"), Decimal("12345678.901"), 7]
    with pytest.raises(ValueError, match="JSON"):
        encode(float("nan"))
    with pytest.raises(TypeError, match="no form for object"):
        encode(object())
