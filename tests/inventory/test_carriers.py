"""Goods on their way under a recall: who moves them is asked without a person, by task or by the keeper's adapter."""

from decimal import Decimal

import pytest

from adapters.inventory.base import InventoryError
from db.repositories import holds, logistics, logistics_watch
from db.repositories.disposition_who import Who
from db.repositories.logistics import Answer
from tests.inventory.conftest import NOW, NUMBER, Yard
from tests.inventory.test_holds_at_keepers import partners

pytestmark = pytest.mark.db
D = Decimal
OF_PLACE = "SELECT p.name FROM partner p JOIN location l ON l.partner_id = p.id WHERE l.id = %s"
ASKED = (
    "SELECT h.document_no, l.kind, l.state, l.quantity, l.reference, l.ended_by FROM logistics_request l"
    " JOIN hold h ON h.id = l.hold_id WHERE l.asked_by = 'system' ORDER BY h.document_no, l.id"
)
TASKS = "SELECT what, state FROM task WHERE key LIKE 'logistics:%' ORDER BY what DESC, id"


async def turned(yard: Yard) -> tuple[int, bool]:
    async with yard.sessions.begin() as session:
        return await logistics_watch.turn(session, NUMBER, NOW)


async def test_each_shipment_is_asked_about_once_and_ends_by_its_number_or_its_arrival(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    await yard.execute()
    await yard.execute()
    assert yard.rows(ASKED) == [("D1", "stop", "asked", D(15), None, None), ("D2", "stop", "asked", D(5), None, None)]
    carrier = yard.rows(OF_PLACE, yard.carrier)
    assert yard.rows(TASKS) == [
        ("Whoever moves it: stop shipment D1 (15 units)", "offered"),
        (f"{carrier[0][0]}: stop shipment D2 (5 units)", "offered"),
    ]
    (first,) = yard.rows("SELECT id FROM logistics_request WHERE provider_id IS NULL")[0]
    async with yard.sessions.begin() as session:
        who = Who("Wanda", "warehouse", NOW, "r")
        await logistics.answer(session, NUMBER, first, Answer("ST-9", None, None), who)
    yard.move("receipt", 5, None, yard.carrier, day=101, document="D2")
    yard.move("shipment", 2, yard.warehouse, yard.clinic, day=102, document="D1")
    await yard.request()
    await yard.execute()
    assert yard.rows(ASKED) == [
        ("D1", "stop", "answered", D(15), "ST-9", "Wanda"),
        ("D1", "stop", "asked", D(17), None, None),
        ("D2", "stop", "withdrawn", D(5), None, "system"),
    ]
    assert sorted(state for _, state in yard.rows(TASKS)) == ["cancelled", "done", "offered"]
    assert await turned(yard) == (0, False)


async def test_a_keeper_that_carries_the_shipment_is_asked_by_its_adapter_and_its_refusal_makes_a_task(
    yard: Yard,
) -> None:
    wms, _ = partners(yard)

    def refuse(call: str) -> None:
        if call.startswith("hold"):
            raise InventoryError("stocktaking")

    wms.before = refuse
    yard.recall()
    await yard.request()
    await yard.execute()
    # The carrier's own system has stopped D2; the warehouse's would not stop what it has sent under D1.
    assert yard.rows(ASKED) == [
        ("D1", "stop", "asked", D(15), None, None),
        ("D2", "stop", "answered", D(5), "D2", "carrier"),
    ]
    assert yard.rows(TASKS) == [("Whoever moves it: stop shipment D1 (15 units)", "offered")]
    wms.before = None
    await yard.execute()
    assert yard.rows(ASKED)[0] == ("D1", "stop", "answered", D(15), "D1", "wms")
    assert [state for _, state in yard.rows(TASKS)] == ["done"]
    assert await turned(yard) == (0, False)


async def test_the_number_under_which_a_keeper_stopped_the_shipment_answers_at_once(yard: Yard) -> None:
    yard.recall()
    await yard.request()
    yard.run(
        "INSERT INTO recall_document (recall_number, keeper, source, kind, document_no, location_id, lines, lot_ids,"
        " state, reference, attempts, turn, late, requested_at) VALUES (%s, 'tms', '', 'shipment', 'D1', %s, '[]',"
        " ARRAY[%s]::bigint[], 'confirmed', 'TMS-7', 1, 0, false, %s)",
        NUMBER,
        yard.warehouse,
        yard.lot,
        NOW,
    )
    assert await turned(yard) == (2, True)
    assert yard.rows(ASKED)[0] == ("D1", "stop", "answered", D(15), "TMS-7", "tms")
    assert len(yard.rows(TASKS)) == 1


async def test_drills_and_recalls_that_have_ended_ask_nobody(yard: Yard) -> None:
    yard.recall()
    yard.run("UPDATE recall SET drill = true")
    await yard.request()
    assert await turned(yard) == (0, False)
    yard.run("UPDATE recall SET drill = false, phase = 'rejected'")
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    assert await turned(yard) == (0, False)
