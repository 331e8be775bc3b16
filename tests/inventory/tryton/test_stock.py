"""Stock kept in a real Tryton: held, released, disposed of, and looked at with Tryton's own client."""

from decimal import Decimal

import pytest

from adapters.inventory.base import InventoryError
from adapters.inventory.tryton import TWIN, TrytonInventory
from domain.inventory import Change, Confirmation, Disposal, Located, Position, PositionState
from tests.inventory.tryton.goods import SECOND, WAREHOUSE, Goods, Names, Press, at, made
from tests.support.tryton import TrytonForTests, model

pytestmark = pytest.mark.e2e
A, B = "RC-2026-000001", "RC-2026-000002"
STORE = 4
"""The storage zone of the first warehouse, in a test whose record knows it as a place of its own."""


def total(found: list[Position]) -> dict[tuple[int, str], int]:
    return {(p.location_id, p.state.value): int(p.quantity) for p in found}


async def test_a_hold_puts_what_lies_on_hand_into_quarantine_and_the_lot_says_so(
    keeper: TrytonInventory, goods: Goods
) -> None:
    lot = goods.lot()
    goods.receive(lot, 100)
    (found,) = await keeper.locate([lot])
    assert found == at(lot, 100)

    await keeper.hold(f"{lot}:first", A, found)
    confirmed = await keeper.confirm(f"{lot}:first")

    assert confirmed is not None
    assert confirmed == Confirmation(f"{lot}:first", Decimal(100), "erp")
    assert (goods.quarantined(lot), goods.stock(lot, "WH1-A"), goods.state(lot)) == (100, 0, "held")
    assert await keeper.locate([lot]) == [found], "held units still count where they were found"


async def test_the_same_key_moves_nothing_twice_and_a_larger_quantity_raises_the_same_hold(
    keeper: TrytonInventory, goods: Goods
) -> None:
    lot = goods.lot()
    goods.receive(lot, 100)
    first = await keeper.hold(f"{lot}:hold", A, at(lot, 60))
    assert await keeper.hold(f"{lot}:hold", A, at(lot, 60)) == first
    assert goods.quarantined(lot) == 60
    assert await keeper.hold(f"{lot}:hold", A, at(lot, 90)) == first
    assert goods.quarantined(lot) == 90
    assert await keeper.hold(f"{lot}:hold", A, at(lot, 10)) == first
    assert goods.quarantined(lot) == 90
    with pytest.raises(InventoryError, match="belongs to another position"):
        await keeper.hold(f"{lot}:hold", B, at(lot, 10))


async def test_a_hold_breaks_reservations_and_what_needs_the_lot_waits_again(
    keeper: TrytonInventory, goods: Goods, press: Press
) -> None:
    lot = goods.lot()
    goods.receive(lot, 50)
    documents = [
        goods.customer_shipment(lot, 20, "wait", "assign_try"),
        goods.production(lot, 6, "wait", "assign_try"),
        goods.sent_back(lot, 4, "wait"),
    ]
    await press(documents[2], "assign_try")
    assert [document.state for document in documents] == ["assigned"] * 3
    assert total(await keeper.locate([lot])) == {(WAREHOUSE, "reserved"): 30, (WAREHOUSE, "on_hand"): 20}

    for number, position in enumerate(await keeper.locate([lot])):
        await keeper.hold(f"{lot}:hold:{number}", A, position)

    assert goods.quarantined(lot) == 50
    for document in documents:
        document.reload()
        assert document.state == "waiting"
        document.click("assign_try")
        document.reload()
        assert document.state == "waiting", "held units are not assigned again"


async def test_a_look_that_leaves_something_open_says_so(
    tryton: TrytonForTests, keeper: TrytonInventory, names: Names, goods: Goods
) -> None:
    lot, absent = goods.lot(), goods.lot("L2")
    twin = len(names.lots) + 1
    names.lots[twin] = names.lots[lot]
    goods.receive(lot, 10)
    lost = goods.elsewhere("Unmapped")
    goods.receive(lot, 3, lost)
    heap = Goods(tryton, names, "kg")
    weighed = heap.lot()
    heap.receive(weighed, 5)

    async def left_open() -> dict[int, list[str]]:
        found = await keeper.locate([lot, absent, twin, weighed])
        assert isinstance(found, Located)
        assert list(found) == [at(lot, 10)]
        reasons: dict[int, list[str]] = {}
        for each in found.unread:
            reasons.setdefault(each.lot_id, []).append(each.reason)
        return reasons

    assert await left_open() == {
        lot: [f"no place on record has the code of Tryton's location {lost}, or of one above it"],
        twin: [TWIN],
        weighed: [f'product "{heap.code}": our record has no package level "Kilogram", Tryton\'s unit'],
    }
    goods.move(None, 4, "Lost and Found", "WH1-A").click("do")
    assert set(await left_open()) == {lot, absent, twin, weighed}, "units without a lot may be of any"


async def test_another_companys_units_of_a_lot_are_not_this_keepers(keeper: TrytonInventory, goods: Goods) -> None:
    lot, theirs = goods.lot(), goods.lot("L2")

    def receive(number: int, units: int, place: str) -> None:
        line = goods.line(number, units, "Lost and Found", place) | {"company": goods.company("Sister firm").id}
        made("stock.move", line).click("do")

    goods.receive(lot, 10)
    receive(lot, 7, "WH1-A")
    receive(theirs, 7, "WH1-A")
    assert await keeper.locate([lot, theirs]) == [at(lot, 10)]
    await keeper.hold(f"{lot}:a", A, at(lot, 19))
    receive(lot, 2, "WH1-QUARANTINE")
    confirmed = await keeper.confirm(f"{lot}:a")
    assert confirmed is not None
    assert confirmed.quantity == 10
    assert await keeper.locate([lot, theirs]) == [at(lot, 10)]
    told = (await keeper.changes(None, 5000)).changes
    assert Change(lot, WAREHOUSE, "stock") in told
    assert Change(theirs, WAREHOUSE, "stock") not in told


async def test_units_leave_quarantine_only_when_no_recall_claims_them(keeper: TrytonInventory, goods: Goods) -> None:
    lot = goods.lot()
    goods.receive(lot, 100)
    await keeper.hold(f"{lot}:a", A, at(lot, 100))
    await keeper.hold(f"{lot}:b", B, at(lot, 40))
    assert goods.quarantined(lot) == 100, "overlapping claims lie on the same units"
    assert {(await keeper.confirm(f"{lot}:{who}")).quantity for who in "ab"} == {100, 40}  # type: ignore[union-attr]

    await keeper.release(f"{lot}:a")
    await keeper.release(f"{lot}:a")
    assert (goods.quarantined(lot), goods.stock(lot, "WH1-A")) == (40, 60)
    assert goods.state(lot) == "partly_released"
    assert await keeper.confirm(f"{lot}:a") is None
    await keeper.release(f"{lot}:b", Decimal(25))
    await keeper.release(f"{lot}:b", Decimal(30))
    assert goods.quarantined(lot) == 25, "a release never raises a hold"
    await keeper.release(f"{lot}:b")
    await keeper.release("never heard of")
    assert (goods.quarantined(lot), goods.stock(lot, "WH1-A"), goods.state(lot)) == (0, 100, None)
    with pytest.raises(InventoryError, match="was released"):
        await keeper.hold(f"{lot}:a", A, at(lot, 100))


async def test_claims_of_one_recall_add_up_and_less_is_confirmed_when_less_is_there(
    keeper: TrytonInventory, goods: Goods
) -> None:
    lot = goods.lot()
    goods.receive(lot, 70)
    await keeper.hold(f"{lot}:1", A, at(lot, 50))
    await keeper.hold(f"{lot}:2", A, at(lot, 50, state=PositionState.RESERVED))
    confirmed = [await keeper.confirm(f"{lot}:{number}") for number in (1, 2)]
    assert [each.quantity for each in confirmed if each] == [50, 20]


async def test_of_a_partly_released_lot_only_what_was_put_back_may_go(keeper: TrytonInventory, goods: Goods) -> None:
    lot = goods.lot()
    goods.receive(lot, 20)
    await keeper.hold(f"{lot}:a", A, at(lot, 20))
    await keeper.release(f"{lot}:a", Decimal(17))
    goods.receive(lot, 4)
    goods.receive(lot, 5, "Storage 2")
    steps = ("wait", "assign_try", "pack", "ship")
    goods.internal_shipment(lot, 1, *steps).click("do")  # three were released, seven lie there
    picked = goods.customer_shipment(lot, 3, "wait", "assign_try").inventory_moves
    assert sorted((m.quantity, m.state) for m in picked) == [(1, "draft"), (2, "assigned")]
    for units, source, target in ((3, "WH1-A", "Storage 2"), (2, "Storage 2", "WH1-A")):
        with pytest.raises(Exception, match=rf"a recall has released {units - 1} u of lot L1 at .*, no more"):
            goods.move(lot, units, source, target).click("do")
    await keeper.hold(f"{lot}:b", B, at(lot, 23))
    assert (goods.quarantined(lot), goods.stock(lot, "WH1-A")) == (23, 0), "the reservation is broken"
    goods.receive(lot, 2)
    with pytest.raises(Exception, match=r"released 0 u of lot L1 at .*, no more|held by a recall"):
        goods.move(lot, 1, "WH1-A", "Storage 2").click("do")
    for who in "ab":
        await keeper.release(f"{lot}:{who}")
    assert goods.state(lot) is None
    with pytest.raises(Exception, match='You can not call "do"'):  # Tryton's own rule: it wants it assigned first
        goods.move(lot, 25, "WH1-A", "Storage 2").click("do")


async def test_what_lies_in_quarantine_counts_as_held_and_what_a_count_misses_there_does_not(
    keeper: TrytonInventory, names: Names, goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(names.places, STORE, "STO")
    lot = goods.lot()
    goods.receive(lot, 20)
    goods.receive(lot, 6, "IN")
    await keeper.hold(f"{lot}:store", A, at(lot, 20, STORE))
    await keeper.hold(f"{lot}:dock", A, at(lot, 6))

    async def counted(units: int) -> dict[str, int]:
        count = goods.count(lot, units, "WH1-QUARANTINE")
        for step in ("complete_lines", "confirm"):
            count.click(step)
        answers = {place: await keeper.confirm(f"{lot}:{place}") for place in ("store", "dock")}
        assert total(await keeper.locate([lot])) == {
            (place, "on_hand"): int(answer.quantity)
            for place, answer in ((STORE, answers["store"]), (WAREHOUSE, answers["dock"]))
            if answer and answer.quantity
        }, "located where it was taken, none of it twice"
        return {place: int(answer.quantity) for place, answer in answers.items() if answer}

    assert sum((await counted(17)).values()) == 17, "what is missing is not confirmed"
    assert await counted(26) == {"store": 20, "dock": 6}
    await keeper.hold(f"{lot}:dock", A, at(lot, 9))
    assert await counted(29) == {"store": 20, "dock": 9}, "what is found there is held"
    move = goods.move(lot, 1, "WH1-QUARANTINE", "STO")
    with pytest.raises(Exception, match="lies in quarantine"):
        move.click("do")
    for place in ("store", "dock"):
        await keeper.release(f"{lot}:{place}")
    assert (goods.quarantined(lot), goods.stock(lot, "WH1-A"), goods.stock(lot, "IN")) == (3, 20, 6)
    with pytest.raises(Exception, match='You can not call "do"'):
        move.click("do")  # Tryton's own rule: assign it first


async def test_tryton_itself_lets_no_held_unit_out(keeper: TrytonInventory, goods: Goods) -> None:
    lot = goods.lot()
    goods.receive(lot, 20)
    await keeper.hold(f"{lot}:a", A, at(lot, 15))
    for source in ("WH1-QUARANTINE", "WH1-A"):
        with pytest.raises(Exception, match=r"lies in quarantine|held by a recall"):
            goods.move(lot, 5, source, "Storage 2").click("do")
    for state in (None, "partly_released"):
        with pytest.raises(Exception, match=r"changed by a recall only|not allowed to modify"):
            model("stock.lot")._proxy.write([goods.lots[lot].id], {"recall_state": state}, {})
    with pytest.raises(Exception, match=r"changed by a recall only|not allowed to modify"):
        made("stock.lot", {"number": "L2", "product": goods.product.id, "recall_state": "held"})
    (ours,) = model("stock.move").find([("lot", "=", goods.lots[lot].id), ("origin", "like", "recall.hold,%")])
    with pytest.raises(Exception, match=r"moved by a recall|not allowed|readonly"):
        ours.click("cancel")
    with pytest.raises(Exception, match="belongs to a recall"):
        model("recall.hold").find([("lot", "=", goods.lots[lot].id)])[0].delete()
    assert goods.quarantined(lot) == 15
    await keeper.release(f"{lot}:a", Decimal(5))
    goods.internal_shipment(lot, 5, "wait", "assign_try", "pack", "ship").click("do")
    assert goods.stock(lot, "WH2") == 5, "what was released may be used"


async def test_goods_in_transit_are_confirmed_when_they_lie_in_quarantine(
    keeper: TrytonInventory, goods: Goods
) -> None:
    lot = goods.lot()
    goods.receive(lot, 40)
    sent = goods.internal_shipment(lot, 30, "wait", "assign_try", "pack", "ship")
    number = f"shipment.internal/{sent.number}"
    found = {p.document_no: p for p in await keeper.locate([lot])}
    assert found[number] == at(lot, 30, SECOND, state=PositionState.IN_TRANSIT, document_no=number)
    await keeper.hold(f"{lot}:t", A, found[number])
    assert await keeper.confirm(f"{lot}:t") is None

    sent.click("do")
    assert goods.stock(lot, "WH2-QUARANTINE") == 30, "it went into quarantine with its arrival"
    confirmed = await keeper.confirm(f"{lot}:t")
    assert confirmed is not None
    assert confirmed.quantity == 30


async def test_what_was_shipped_to_a_customer_is_seen_on_its_way(
    keeper: TrytonInventory, goods: Goods, press: Press
) -> None:
    lot = goods.lot()
    goods.receive(lot, 40)
    shipped = goods.customer_shipment(lot, 10, "wait", "assign_try", "pick")
    await press(shipped, "pack")
    shipped.click("ship")
    packed = goods.customer_shipment(lot, 5, "wait", "assign_try", "pick")
    await press(packed, "pack")
    assert (shipped.state, packed.state) == ("shipped", "packed")
    found = {(p.state, p.document_no): p for p in await keeper.locate([lot])}
    on_its_way = (PositionState.IN_TRANSIT, f"shipment.out/{shipped.number}")
    assert {key: (p.location_id, int(p.quantity)) for key, p in found.items()} == {
        (PositionState.ON_HAND, None): (WAREHOUSE, 25),
        (PositionState.RESERVED, None): (WAREHOUSE, 5),
        on_its_way: (WAREHOUSE, 10),
    }
    for number, position in enumerate(found.values()):
        await keeper.hold(f"{lot}:{number}", A, position)
    assert goods.quarantined(lot) == 30, "packed goods are stopped, goods on the road cannot be"
    packed.reload()
    assert packed.state == "waiting"
    await press(shipped, "do")
    answers = [await keeper.confirm(f"{lot}:{number}") for number in range(3)]
    assert sorted(a.quantity for a in answers if a) == [0, 5, 25], "delivered: nothing of it was found"


async def test_goods_that_are_announced_go_into_quarantine_as_they_arrive(
    keeper: TrytonInventory, goods: Goods, press: Press
) -> None:
    lot = goods.lot()
    supplied, returned = goods.announced(lot, 12), goods.returned(lot, 3)
    found = await keeper.locate([lot])
    assert {(p.document_no, p.location_id, p.quantity) for p in found} == {
        (f"shipment.in/{supplied.number}", WAREHOUSE, Decimal(12)),
        (f"shipment.out.return/{returned.number}", WAREHOUSE, Decimal(3)),
    }
    for number, position in enumerate(found):
        await keeper.hold(f"{lot}:{number}", A, position)
    await press(supplied, "receive")
    assert goods.quarantined(lot) == 12
    await press(supplied, "do")
    await press(returned, "receive")
    assert (goods.quarantined(lot), goods.stock(lot, "IN"), goods.stock(lot, "STO")) == (15, 0, 0)


async def test_units_are_disposed_of_out_of_quarantine_once(keeper: TrytonInventory, goods: Goods) -> None:
    lot, made = goods.lot(), goods.lot("L1-R")
    goods.receive(lot, 100)
    await keeper.hold(f"{lot}:a", A, at(lot, 100))
    destroyed = Disposal("destroy", lot, WAREHOUSE, Decimal(30), "CERT-1")
    first = await keeper.dispose(f"{lot}:d1", destroyed)
    assert await keeper.dispose(f"{lot}:d1", destroyed) == first
    await keeper.release(f"{lot}:a", Decimal(70))
    assert goods.quarantined(lot) == 70
    await keeper.dispose(f"{lot}:d2", Disposal("return_to_factory", lot, WAREHOUSE, Decimal(20), "DN-7"))
    await keeper.dispose(f"{lot}:d3", Disposal("rework", lot, WAREHOUSE, Decimal(10), "WO-1", result_lot_id=made))
    await keeper.release(f"{lot}:a", Decimal(40))
    assert (goods.quarantined(lot), goods.stock(lot, "WH1-A"), goods.stock(made, "STO")) == (40, 0, 10)
    assert (goods.state(lot), goods.state(made)) == ("held", "held"), "reworked units wait for their own release"
    with pytest.raises(InventoryError, match="only 40 u of lot L1"):
        await keeper.dispose(f"{lot}:d4", Disposal("destroy", lot, WAREHOUSE, Decimal(41)))
    with pytest.raises(InventoryError, match="field_correction"):
        await keeper.dispose(f"{lot}:d5", Disposal("field_correction", lot, WAREHOUSE, Decimal(1)))
    kinds = [(quantity, target) for quantity, source, target in goods.moves(lot) if source == "WH1-QUARANTINE"]
    assert kinds == [(30, None), (20, "SUP"), (10, "PROD")]
    assert model("recall.disposal").find([("key", "=", f"{lot}:d2")])[0].document == "DN-7"


async def test_packages_are_counted_in_units_of_use(
    keeper: TrytonInventory, tryton: TrytonForTests, names: Names
) -> None:
    boxes = Goods(tryton, names, "box")
    lot = boxes.lot()
    boxes.receive(lot, 7)
    assert [p.quantity for p in await keeper.locate([lot])] == [70], "Tryton's own conversion to single units"
    await keeper.hold(f"{lot}:a", A, at(lot, 25))
    confirmed = await keeper.confirm(f"{lot}:a")
    assert confirmed is not None
    assert (boxes.quarantined(lot), int(confirmed.quantity)) == (3, 30), "a broken box is held whole"
    with pytest.raises(InventoryError, match="by 10 units of use; 5 is no multiple"):
        await keeper.dispose(f"{lot}:d", Disposal("destroy", lot, WAREHOUSE, Decimal(5)))

    packs = Goods(tryton, names, "box")
    names.packages[packs.code, "u"] = Decimal(5)
    lot = packs.lot()
    packs.receive(lot, 2)
    assert [p.quantity for p in await keeper.locate([lot])] == [100], "a single piece of Tryton's is a pack of five"
