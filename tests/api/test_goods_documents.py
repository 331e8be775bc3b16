"""Goods documents over HTTP: what is stopped is shown with its age, and signed decisions free or cancel it."""

from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.quarantine import QuarantineActivities
from db.engine import SessionFactory
from db.repositories import checklist
from domain.roles import Role
from models.messages import RecallScopeRef
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.support.chain import day
from worker_keepers import keepers_of

__all__ = ["warehouse"]
pytestmark = pytest.mark.db
GOODS = f"{URL}/goods-documents"


async def look(db: SessionFactory, days: int = 2) -> None:
    """One turn of the recall's watch."""
    ref = RecallScopeRef(number=NUMBER, now=day(1) + timedelta(days=days), scope_version=1)
    await ActivityEnvironment().run(QuarantineActivities(db, keepers_of(db)).execute_holds, ref)


async def test_stopped_documents_are_listed_and_decided_on_by_signature(
    warehouse: Warehouse, db: SessionFactory
) -> None:
    api = warehouse.api
    for number in ("SO-1", "SO-2", "SO-3"):
        warehouse.run(
            "WITH made AS (INSERT INTO goods_document (source_system, kind, number, state, from_location_id)"
            " VALUES ('erp', 'order', %s, 'open', %s) RETURNING id)"
            " INSERT INTO goods_document_line (document_id, product_id, lot_id, quantity, source_system, source_id)"
            " SELECT made.id, product_id, lot.id, 2, 'erp', %s FROM made, lot WHERE lot.id = %s",
            number,
            warehouse.place,
            number,
            warehouse.lot,
        )
    await look(db)
    listed = (await api.get(GOODS, limit=2)).json()
    assert [(each["document_no"], each["state"]) for each in listed["items"]] == [
        ("SO-1", "confirmed"),
        ("SO-2", "confirmed"),
    ]
    assert (listed["items"][0]["keeper"], listed["items"][0]["age_seconds"]) == ("ledger", 0)
    third = (await api.get(GOODS, limit=2, cursor=listed["next_cursor"])).json()["items"][0]
    ids = [each["id"] for each in listed["items"]]
    body = {"reason": "The customer takes another lot."}
    refused = await api.post(f"{GOODS}/{ids[0]}/release", body, Role.WAREHOUSE)
    assert refused.json()["type"] == "urn:recall:problem:not-permitted"
    unknown = await api.post(f"{GOODS}/release", {"ids": [ids[0], 999_999], **body}, Role.APPROVER)
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/ids/1")
    released = await api.post(f"{GOODS}/release", {"ids": ids, **body}, Role.APPROVER, key="k1")
    assert [each["state"] for each in released.json()["items"]] == ["releasing", "releasing"], released.text
    again = await api.post(f"{GOODS}/release", {"ids": ids, **body}, Role.APPROVER, key="k1")
    assert again.json() == released.json()
    cancelled = await api.post(f"{GOODS}/{third['id']}/cancel", body, Role.APPROVER)
    assert cancelled.json()["items"][0]["state"] == "cancelling"
    async with db() as session:
        held = next(each for each in await checklist.checklist(session, NUMBER, day(4)) if each.key == "holds")
    assert (held.ok, held.total) == (False, 3)
    await look(db, days=3)
    counts = "SELECT (SELECT count(*) FROM signature), (SELECT count(*) FROM audit_event WHERE stream = %s)"
    before = warehouse.rows(counts, NUMBER)
    warehouse.run("UPDATE idempotency_key SET status = NULL, response = NULL WHERE key = 'k1'")
    crashed = await api.post(f"{GOODS}/release", {"ids": ids, **body}, Role.APPROVER, key="k1")
    assert [each["state"] for each in crashed.json()["items"]] == ["released", "released"]
    assert warehouse.rows(counts, NUMBER) == before, "neither signed nor audited twice"
    states = [each["state"] for each in (await api.get(GOODS)).json()["items"]]
    assert states == ["released", "released", "cancelled"]
    late = await api.post(f"{GOODS}/{third['id']}/release", body, Role.APPROVER)
    assert late.json()["type"] == "urn:recall:problem:wrong-state"
    async with db() as session:
        held = next(each for each in await checklist.checklist(session, NUMBER, day(4)) if each.key == "holds")
    assert held.ok
    signed = warehouse.rows(
        "SELECT document #>> '{refers_to,documents,0,document_no}' FROM signature ORDER BY signed_at"
    )
    assert ("SO-1",) in signed
