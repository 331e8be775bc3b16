"""Documents in a real Tryton: found by lot or product, stopped, cancelled and freed again."""

from decimal import Decimal
from typing import Any

import pytest

from adapters.inventory.base import InventoryError
from adapters.inventory.tryton import TrytonInventory
from domain.inventory import Document, DocumentKind, DocumentLine, Documents, DocumentState
from tests.inventory.tryton.goods import SECOND, WAREHOUSE, Goods, Press, at

pytestmark = pytest.mark.e2e
A, B = "RC-2026-000001", "RC-2026-000002"


async def listed(keeper: TrytonInventory, lot: int) -> dict[str, Document]:
    return {document.number: document for document in await keeper.documents([lot])}


async def test_every_kind_of_open_document_is_listed_with_its_lines(
    keeper: TrytonInventory, goods: Goods, press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot = goods.lot()
    goods.receive(lot, 100)
    picking = goods.customer_shipment(lot, 10, "wait", "assign_try")
    packed = goods.customer_shipment(lot, 11, "wait", "assign_try", "pick")
    await press(packed, "pack")
    unnamed = goods.customer_shipment(None, 4, "wait")
    transfer = goods.internal_shipment(lot, 12, "wait")
    offer = goods.order("sale", 5, "quote")
    bought = goods.order("purchase", 6, "quote", "confirm")
    supplied, returned = goods.announced(lot, 7), goods.returned(lot, 8)
    work, makes = goods.production(lot, 9, "wait", "assign_try"), goods.production(lot, 14, "wait", makes=True)
    back, refund, resent = (
        goods.sent_back(lot, 13),
        goods.order("sale", -2, "quote"),
        goods.order("purchase", -3, "quote"),
    )
    later = goods.order("sale", 1, "quote", "confirm", "process", shipment_method="manual")
    count = goods.count(lot, 90)

    def line(quantity: int, ours: int | None = lot) -> tuple[DocumentLine, ...]:
        return (DocumentLine(goods.code, ours, Decimal(quantity)),)

    kind, start = DocumentKind, DocumentState.OPEN
    expected = [
        Document(f"shipment.out/{picking.number}", kind.PICK, start, WAREHOUSE, WAREHOUSE, line(10)),
        Document(f"shipment.out/{packed.number}", kind.SHIPMENT, start, WAREHOUSE, 3, line(11)),
        Document(f"shipment.out/{unnamed.number}", kind.PICK, start, WAREHOUSE, WAREHOUSE, line(4, None)),
        Document(f"shipment.internal/{transfer.number}", kind.PICK, start, WAREHOUSE, SECOND, line(12)),
        Document(f"sale/{offer.number}", kind.ORDER, start, WAREHOUSE, None, line(5, None)),
        Document(f"purchase/{bought.number}", kind.RECEIPT, start, WAREHOUSE, None, line(6, None)),
        Document(f"shipment.in/{supplied.number}", kind.RECEIPT, start, WAREHOUSE, None, line(7)),
        Document(f"shipment.out.return/{returned.number}", kind.RETURN, start, WAREHOUSE, 3, line(8)),
        Document(f"production/{work.number}", kind.ORDER, start, WAREHOUSE, None, line(9)),
        Document(f"production/{makes.number}", kind.ORDER, start, WAREHOUSE, None, line(14)),
        Document(f"shipment.in.return/{back.number or f'#{back.id}'}", kind.RETURN, start, WAREHOUSE, None, line(13)),
        Document(f"sale/{refund.number}", kind.RETURN, start, WAREHOUSE, None, line(2, None)),
        Document(f"purchase/{resent.number}", kind.RETURN, start, WAREHOUSE, None, line(3, None)),
        Document(f"sale/{later.number}", kind.ORDER, start, WAREHOUSE, None, line(1, None)),
        Document(f"inventory/{count.number}", kind.RECEIPT, start, WAREHOUSE, None, line(90)),
    ]
    assert await listed(keeper, lot) == {document.number: document for document in expected}
    monkeypatch.setattr(goods.names, "places", {})
    found = await keeper.documents([lot])
    assert isinstance(found, Documents)
    assert {each.number for each in found.unread} == {each.number for each in expected}, "of no place on record"


async def blocked(keeper: TrytonInventory, lot: int, number: str, **how: Any) -> DocumentState:
    document = (await listed(keeper, lot))[number]
    return (await keeper.block(f"{number}:{lot}", A, document, **how)).state


async def test_a_blocked_document_moves_nothing_until_everybody_has_freed_it(
    keeper: TrytonInventory, goods: Goods, press: Press
) -> None:
    lot = goods.lot()
    goods.receive(lot, 50)
    shipment = goods.customer_shipment(None, 10, "wait")
    number = f"shipment.out/{shipment.number}"
    document = (await listed(keeper, lot))[number]
    first = await keeper.block(f"{lot}:a", A, document)
    assert await keeper.block(f"{lot}:a", A, document) == first
    await keeper.block(f"{lot}:b", B, document)
    assert first.state is DocumentState.BLOCKED
    assert (await listed(keeper, lot))[number].state is DocumentState.BLOCKED
    with pytest.raises(Exception, match=f"{number} is blocked by a recall"):
        shipment.click("assign_try")

    answer = await keeper.unblock(f"{lot}:a")
    assert answer is not None
    assert answer.state is DocumentState.BLOCKED
    answer = await keeper.unblock(f"{lot}:b")
    assert answer is not None
    assert answer.state is DocumentState.OPEN
    assert await keeper.unblock(f"{lot}:never") is None
    shipment.click("assign_try")
    shipment.reload()
    assert shipment.state == "assigned"
    with pytest.raises(InventoryError, match="was lifted"):
        await keeper.block(f"{lot}:a", A, document)


async def test_orders_receipts_returns_and_productions_stand_still_too(
    keeper: TrytonInventory, goods: Goods, press: Press
) -> None:
    lot = goods.lot()
    goods.receive(lot, 50)
    offer, bought = goods.order("sale", 5, "quote"), goods.order("purchase", 6, "quote")
    supplied, returned = goods.announced(lot, 7), goods.returned(lot, 8)
    work, back = goods.production(lot, 9, "wait"), goods.sent_back(lot, 4, "wait")
    for record, label, button in (
        (offer, "sale", "confirm"),
        (bought, "purchase", "confirm"),
        (supplied, "shipment.in", "receive"),
        (returned, "shipment.out.return", "receive"),
        (work, "production", "assign_try"),
        (back, "shipment.in.return", "assign_try"),
    ):
        number = f"{label}/{record.number or f'#{record.id}'}"
        assert await blocked(keeper, lot, number) is DocumentState.BLOCKED
        with pytest.raises(InventoryError, match=f"{number} is blocked by a recall"):
            await press(record, button)
        await keeper.unblock(f"{number}:{lot}")
        await press(record, button)


async def test_cancelling_ends_a_document_where_tryton_still_can(
    keeper: TrytonInventory, goods: Goods, press: Press
) -> None:
    lot = goods.lot()
    goods.receive(lot, 50)
    await keeper.hold(f"{lot}:h", A, at(lot, 20))
    picked = goods.customer_shipment(None, 10, "wait")
    offer = goods.order("sale", 5, "quote")
    bought = goods.order("purchase", 6, "quote", "confirm")
    assert await blocked(keeper, lot, f"shipment.out/{picked.number}", cancel=True) is DocumentState.CANCELLED
    assert await blocked(keeper, lot, f"sale/{offer.number}", cancel=True) is DocumentState.CANCELLED
    stays = await blocked(keeper, lot, f"purchase/{bought.number}", cancel=True)
    assert stays is DocumentState.BLOCKED, "in process it can only be stopped"
    for record in (picked, offer, bought):
        record.reload()
    assert [picked.state, offer.state, bought.state] == ["cancelled", "cancelled", "processing"]

    shipped = goods.customer_shipment(None, 3, "wait", "assign_try", "pick")
    document = (await listed(keeper, lot))[f"shipment.out/{shipped.number}"]
    await press(shipped, "pack")
    await press(shipped, "do")
    answer = await keeper.block(f"{lot}:late", A, document)
    assert answer.state is DocumentState.DONE
