"""Costs, retained samples and shortages over HTTP: exact money, evidence that stays, replacements that arrive."""

from typing import Any

import pytest

from domain.roles import Role
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.support.api import write_consignee
from tests.support.stock_invariants import violations

__all__ = ["warehouse"]
pytestmark = pytest.mark.db


async def test_costs_are_exact_reversed_once_and_summed_per_currency(warehouse: Warehouse) -> None:
    url = f"{URL}/costs"
    sequence = await warehouse.approved("destroy", "5")
    cost = {"kind": "destruction", "amount": "1250.40", "currency": "EUR", "disposition": sequence}
    first = await warehouse.api.post(url, cost, Role.WAREHOUSE)
    assert first.status_code == 201, first.text
    await warehouse.api.post(url, {"kind": "credit", "amount": "-0.40", "currency": "EUR"}, Role.QA)
    await warehouse.api.post(url, {"kind": "logistics", "amount": "900", "currency": "CNY"}, Role.QA)
    listed = (await warehouse.api.get(url)).json()
    assert listed["totals"] == {"CNY": "900", "EUR": "1250"}
    reverse = f"{url}/{first.json()['id']}/reverse"
    assert (await warehouse.api.post(reverse, {"reason": "typed twice"}, Role.QA)).json()["amount"] == "-1250.4"
    twice = await warehouse.api.post(reverse, {"reason": "again"}, Role.QA)
    assert (twice.status_code, twice.json()["type"]) == (409, "urn:recall:problem:already-decided")
    assert (await warehouse.api.get(url)).json()["totals"] == {"CNY": "900", "EUR": "-0.4"}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount": 12.5}, "#/amount"),
        ({"amount": "12.505"}, "#/amount"),
        ({"amount": "0"}, "#/amount"),
        ({"amount": "ten"}, "#/amount"),
        ({"currency": "eur"}, "#/currency"),
        ({"currency": "XYZ"}, "#/currency"),
        ({"disposition": 99}, "#/disposition"),
        ({"kind": "bribe"}, "#/kind"),
    ],
)
async def test_money_that_cannot_be_is_refused_by_field(
    warehouse: Warehouse, change: dict[str, Any], pointer: str
) -> None:
    cost = {"kind": "material", "amount": "12.50", "currency": "EUR"} | change
    answer = await warehouse.api.post(f"{URL}/costs", cost, Role.QA)
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_retained_samples_are_settled_with_the_authoritys_reference(warehouse: Warehouse) -> None:
    url = f"{URL}/retained-samples"
    body = {
        "lot_id": warehouse.lot,
        "location_id": warehouse.place,
        "quantity": "3",
        "evidence_ids": [await warehouse.file()],
    }
    kept = await warehouse.api.post(url, body, Role.QA)
    assert kept.status_code == 201, kept.text
    (position,) = (await warehouse.api.get(f"{URL}/positions")).json()
    assert (position["retained"], position["available"]) == ("3", "47")
    too_much = await warehouse.api.post(url, body | {"quantity": "48"}, Role.QA)
    assert too_much.json()["type"] == "urn:recall:problem:quantity-exceeded"
    settle = f"{url}/{kept.json()['id']}/settle"
    warehouse.run("UPDATE signing_session SET closed_at = now() WHERE principal = 'Rafael'")
    unsigned = await warehouse.api.post(settle, {"reference": "FDA-2026-17"}, Role.REGULATORY)
    assert (unsigned.status_code, unsigned.json()["type"]) == (401, "urn:recall:problem:signature-required")
    warehouse.run("UPDATE signing_session SET closed_at = NULL WHERE principal = 'Rafael'")
    settled = await warehouse.api.post(settle, {"reference": "FDA-2026-17"}, Role.REGULATORY)
    assert settled.json()["settled_reference"] == "FDA-2026-17"
    (position,) = (await warehouse.api.get(f"{URL}/positions")).json()
    assert position["available"] == "50"
    ((role, data),) = warehouse.rows("SELECT role, data FROM audit_event WHERE action = 'sample.settled'")
    ((document,),) = warehouse.rows("SELECT document FROM signature WHERE id = %s", data["signature"])
    assert document["stated"] == {"sample": kept.json()["id"], "reference": "FDA-2026-17"}
    assert document["refers_to"]["sample"][0]["quantity"] == "3"
    assert (role, document["meaning"]) == ("regulatory", "I confirm the authority's answer about this sample")


async def test_a_shortage_from_the_figure_to_the_shipment(warehouse: Warehouse) -> None:
    consignee = write_consignee(warehouse.url, NUMBER)
    warehouse.run("UPDATE consignee SET state = 'answered'")
    warehouse.run(
        "INSERT INTO reply (recall_number, consignee_id, channel, kind, affected, findings, received_at) "
        "VALUES (%s, %s, 'page', 'statement', true, '[]', now())",
        NUMBER,
        consignee,
    )
    warehouse.run(
        "INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on) "
        "SELECT id, %s, 12, 18, 12, 0 FROM reply",
        warehouse.lot,
    )
    warehouse.run("INSERT INTO lot (id, product_id, number) SELECT 9901, product_id, 'FRESH' FROM lot LIMIT 1")
    warehouse.run(
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of) VALUES (9901, %s, 100, 0, 0, now())",
        warehouse.place,
    )
    computed = await warehouse.api.post(f"{URL}/shortages/compute", None, Role.QA)
    assert computed.json() == {"changed": 1, "proposed": 1}
    (short,) = (await warehouse.api.get(f"{URL}/shortages")).json()["items"]
    assert (short["removed"], short["used"], short["quantity"]) == ("12", "18", "12")
    (allocation,) = (await warehouse.api.get(f"{URL}/allocations")).json()["items"]
    url = f"{URL}/allocations/{allocation['id']}"
    assert (await warehouse.api.post(f"{url}/approve", None, Role.QA)).status_code == 403
    assert (await warehouse.api.post(f"{url}/approve", None, Role.HEAD_OF_SUPPLY)).json()["state"] == "approved"
    tasks = warehouse.rows("SELECT key, state FROM task WHERE key SIMILAR TO '(allocation|replacement)%%' ORDER BY id")
    assert tasks == [("allocation:1", "done"), (f"replacement:{consignee}", "offered")]
    warehouse.run(
        "INSERT INTO keeper_shipment (allocation_id, key, keeper, number, state, attempts, planned_at, asked_at) "
        "VALUES (%s, 'k', 'wms', 'SO-1', 'open', 1, now(), now())",
        allocation["id"],
    )
    (ordered,) = (await warehouse.api.get(f"{URL}/allocations")).json()["items"]
    assert (allocation["order"], ordered["order"]["keeper"], ordered["order"]["number"]) == (None, "wms", "SO-1")
    other = await warehouse.api.post(f"{url}/ship", {"document_no": "SHIP-9"}, Role.WAREHOUSE)
    assert (other.status_code, "has the order SO-1" in other.json()["detail"]) == (409, True)
    why = {"reason": "The WMS burnt down"}
    assert (await warehouse.api.post(f"{url}/order/abandon", why, Role.HEAD_OF_SUPPLY)).status_code == 409
    warehouse.run("UPDATE keeper_shipment SET last_error = 'it cannot be reached'")
    assert (await warehouse.api.post(f"{url}/order/abandon", why, Role.WAREHOUSE)).status_code == 403
    given_up = (await warehouse.api.post(f"{url}/order/abandon", why, Role.HEAD_OF_SUPPLY)).json()["order"]
    assert (given_up["abandon_reason"], given_up["shipped_twice"]) == ("The WMS burnt down", "possible")
    assert warehouse.rows("SELECT FROM keeper_shipment k JOIN signature s ON s.id = k.signature_id") == [()]
    shipped = await warehouse.api.post(f"{url}/ship", {"document_no": "SO-1"}, Role.WAREHOUSE, key="ship-order")
    assert (shipped.json()["state"], shipped.json()["document_no"]) == ("shipped", "SO-1")
    assert shipped.json()["order"]["state"] == "done"
    assert warehouse.rows("SELECT state FROM task WHERE key = %s", f"replacement:{consignee}") == [("done",)]
    assert violations(warehouse.url) == []
