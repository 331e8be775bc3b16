"""Status of a lot over HTTP: it follows holds and decisions, and a full dock warns."""

import pytest

from db.engine import SessionFactory
from db.repositories import holds
from domain.lot_status import LotFacts, LotStatus, lot_status
from domain.roles import Role
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.disposition.conftest import NOW, D
from tests.support.api import write_consignee

__all__ = ["warehouse"]
pytestmark = pytest.mark.db


@pytest.mark.parametrize(
    ("phases", "held", "on_hand", "removed", "status"),
    [
        (("resolution", "assessment"), 5, 5, 0, LotStatus.recalled),
        (("assessment", "terminated"), 0, 5, 0, LotStatus.quarantined),
        (("cancelled",), 5, 9, 0, LotStatus.blocked),
        (("terminated",), 0, 0, 9, LotStatus.rejected),
        (("terminated",), 0, 3, 9, LotStatus.released),
        ((), 0, 0, 0, LotStatus.released),
    ],
)
def test_the_strictest_finding_is_the_status(
    phases: tuple[str, ...], held: int, on_hand: int, removed: int, status: LotStatus
) -> None:
    assert lot_status(LotFacts(phases, D(held), D(on_hand), D(removed))) is status


async def test_a_lots_status_follows_holds_releases_and_the_end_of_its_recall(
    warehouse: Warehouse, db: SessionFactory
) -> None:
    url = f"/v1/lots/{warehouse.lot}"
    first = (await warehouse.api.get(url, Role.AUDITOR)).json()
    (place,) = first["places"]
    assert first["status"] == "recalled"
    assert (place["on_hand"], place["held"], place["free"], place["held_by"]) == ("50", "50", "0", [NUMBER])
    assert first["keepers"] == []
    warehouse.run(
        "INSERT INTO keeper_lot_status (keeper, lot_id, status, recalls, state, attempts, last_error, changed_at) "
        "VALUES ('wms', %s, 'recalled', %s, 'due', 2, 'it cannot be reached', now())",
        warehouse.lot,
        f'["{NUMBER}"]',
    )
    (told,) = (await warehouse.api.get(url)).json()["keepers"]
    assert (told["keeper"], told["state"], told["recalls"], told["told_at"]) == ("wms", "due", [NUMBER], None)
    assert (told["attempts"], told["last_error"]) == (2, "it cannot be reached")
    await warehouse.execute(await warehouse.approved("release", "20"), "20")
    (place,) = (await warehouse.api.get(url)).json()["places"]
    assert (place["held"], place["free"]) == ("30", "20")
    async with db.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    warehouse.run("UPDATE recall SET phase = 'terminated'")
    ended = (await warehouse.api.get(url)).json()
    assert (ended["status"], ended["places"][0]["nonconforming"]) == ("blocked", True)
    await warehouse.execute(await warehouse.approved("release", "30"), "30")
    assert (await warehouse.api.get(url)).json()["status"] == "released"
    assert (await warehouse.api.get("/v1/lots/999999")).status_code == 404


async def test_a_dock_that_is_full_warns_and_takes_the_goods_all_the_same(warehouse: Warehouse) -> None:
    url = f"/v1/quarantine-places/{warehouse.place}/capacity"
    assert (await warehouse.api.put(url, {"units": "52"}, Role.AUDITOR)).status_code == 403
    assert (await warehouse.api.put(url, {"units": "52"}, Role.WAREHOUSE)).json()["room"] == "2"
    hospital = "/v1/quarantine-places/999999/capacity"
    assert (await warehouse.api.put(hospital, {"units": "5"}, Role.WAREHOUSE)).status_code == 404
    body = {
        "consignee_id": write_consignee(warehouse.url, NUMBER),
        "lot_id": warehouse.lot,
        "location_id": warehouse.place,
        "quantity": "5",
        "document_no": "PARCEL",
        "evidence_ids": [await warehouse.file()],
    }
    counted = await warehouse.api.post(f"{URL}/returns", body, Role.WAREHOUSE)
    assert (counted.status_code, counted.json()["beyond_capacity"]) == (201, "3")
    assert warehouse.stock() == (55, 55)
    (place,) = (await warehouse.api.get("/v1/quarantine-places")).json()["items"]
    assert (place["held"], place["capacity"], place["room"]) == ("55", "52", "-3")
    noted = warehouse.rows("SELECT count(*) FROM audit_event WHERE action = 'location.quarantine_capacity'")
    assert noted == [(1,)]
