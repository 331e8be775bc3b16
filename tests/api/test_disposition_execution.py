"""Several dispositions carried out in one call: one document for all of them, and all of them or none."""

import asyncio
from time import perf_counter
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.quarantine import QuarantineActivities
from adapters.inventory.ledger import LedgerInventory
from db.engine import SessionFactory
from db.repositories import audit
from db.repositories.stock import StockLedger
from domain.roles import Role
from models.messages import RecallScopeRef
from tests.api.warehouse import NUMBER, URL, Warehouse, warehouse
from tests.inventory.conftest import only
from tests.support.api import write_consignee
from tests.support.chain import day
from tests.support.stock_invariants import violations

__all__ = ["warehouse"]
pytestmark = pytest.mark.db

_LOTS = """
WITH made AS (
    INSERT INTO lot (product_id, number) SELECT product_id, 'X' || n FROM lot, generate_series(1, %s) n
    WHERE lot.id = %s RETURNING id),
scoped AS (INSERT INTO scope_lot SELECT %s, 1, id, true, 0 FROM made)
INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of)
SELECT made.id, place.id, 12, 0, 0, '2026-01-02' FROM made, location place
WHERE place.custody <> 'customer'
RETURNING lot_id, location_id
"""
_STATEMENT = """
WITH told AS (
    INSERT INTO reply (recall_number, consignee_id, channel, kind, affected, findings, received_at)
    VALUES (%s, %s, 'page', 'statement', true, '[]', '2026-02-01') RETURNING id)
INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on)
SELECT told.id, lot.id, 8, 2, 8, 0 FROM told, lot WHERE lot.id = %s
"""


class Everywhere:
    """More recalled lots, 12 units of each at every place of ours, and two hospitals that state 8 of the first lot."""

    def __init__(self, found: Warehouse, positions: list[tuple[int, int]]) -> None:
        self.warehouse = found
        self.positions = positions
        self.consignees = [write_consignee(found.url, NUMBER, hospital=each) for each in (0, 1)]
        for consignee in self.consignees:
            found.run(_STATEMENT, NUMBER, consignee, found.lot)

    def on_hand(self) -> list[int]:
        rows = self.warehouse.rows(
            "SELECT on_hand FROM stock ORDER BY lot_id <> %s, lot_id, location_id", self.warehouse.lot
        )
        return [int(on_hand) for (on_hand,) in rows]

    async def approved(self, kind: str, *, consignees: bool = True) -> list[int]:
        """Everything that is open, proposed and approved in bulk; the numbers."""
        api = self.warehouse.api
        bulk = {"kind": kind, "reason": "Cracked"}
        made = await api.post(f"{URL}/dispositions", {"bulk": bulk}, Role.QA)
        assert made.status_code == 201, made.text
        rows = [row for row in made.json()["items"] if consignees or row["consignee_id"] is None]
        # What lies at the warehouse of the first lot comes first.
        rows.sort(key=lambda row: (row["lot_id"] != self.warehouse.lot or row["location_id"] is None, row["sequence"]))
        sequences = [row["sequence"] for row in rows]
        for role in (Role.APPROVER, Role.HEAD_OF_QUALITY) if kind == "release" else (Role.APPROVER,):
            done = await api.post(f"{URL}/dispositions/approve", {"sequences": sequences}, role)
            assert done.status_code == 200, done.text
        return sequences

    async def body(self, sequences: list[int], **more: Any) -> dict[str, Any]:
        """A destruction of all that is left of these, unless told otherwise."""
        parts = [{"sequence": sequence} for sequence in sequences]
        given = {"parts": parts, "document_no": "CERT-9", "witness": "Wilma"} | more
        given.setdefault("evidence_ids", [await self.warehouse.file()])
        return {name: value for name, value in given.items() if value is not None}

    async def execute(self, body: dict[str, Any], key: str | None = None) -> Any:
        return await self.warehouse.api.post(f"{URL}/dispositions/execute", body, Role.WAREHOUSE, key)

    def parts(self) -> int:
        return int(self.warehouse.rows("SELECT count(*) FROM disposition_part")[0][0])


async def _spread(found: Warehouse, db: SessionFactory, lots: int) -> Everywhere:
    positions = found.rows(_LOTS, lots, found.lot, NUMBER)
    quarantine = QuarantineActivities(db, only(LedgerInventory(StockLedger(db))))
    ref = RecallScopeRef(number=NUMBER, now=day(1), scope_version=1)
    await ActivityEnvironment().run(quarantine.request_holds, ref)
    await ActivityEnvironment().run(quarantine.execute_holds, ref)
    assert found.rows("SELECT count(*) FROM stock WHERE held < on_hand") == [(0,)]
    return Everywhere(found, [(int(lot), int(place)) for lot, place in positions])


@pytest.fixture
async def everywhere(warehouse: Warehouse, db: SessionFactory) -> Everywhere:
    return await _spread(warehouse, db, 3)


async def test_one_certificate_covers_several_places_and_consignees(everywhere: Everywhere, db: SessionFactory) -> None:
    sequences = await everywhere.approved("destroy")
    assert len(sequences) == 1 + len(everywhere.positions) + 2
    before = everywhere.warehouse.rows("SELECT seq FROM audit_head WHERE stream = %s", NUMBER)[0][0]
    body = await everywhere.body(sequences)
    body["parts"][0]["quantity"] = "20"
    answer = await everywhere.execute(body)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [each["disposition"]["sequence"] for each in items] == sequences
    assert [each["disposition"]["state"] for each in items] == ["approved"] + ["done"] * (len(sequences) - 1)
    assert {(each["part"]["document_no"], each["part"]["witness"]) for each in items} == {("CERT-9", "Wilma")}
    assert everywhere.on_hand() == [30] + [0] * len(everywhere.positions)
    moved = everywhere.warehouse.rows(
        "SELECT count(*), count(DISTINCT from_location_id) FROM movement WHERE kind = 'destruction'"
    )
    places = {place for _, place in everywhere.positions} | {everywhere.warehouse.place}
    assert moved == [(len(sequences), len(places) + 2)]
    linked = everywhere.warehouse.rows("SELECT count(*) FROM evidence_link WHERE subject LIKE 'disposition:%%'")
    assert linked == [(len(sequences),)]
    events = everywhere.warehouse.rows(
        "SELECT action, count(*) FROM audit_event WHERE stream = %s AND seq > %s GROUP BY action ORDER BY action",
        NUMBER,
        before,
    )
    assert {("disposition.executed", len(sequences)), ("evidence.linked", len(sequences))} <= set(events)
    async with db() as session:
        assert await audit.first_broken_link(session, NUMBER) is None
    left = (await everywhere.warehouse.api.get(f"{URL}/positions")).json()
    assert [(row["quantity"], row["consignee_id"]) for row in left] == [("30", None)]
    assert violations(everywhere.warehouse.url) == []


@pytest.mark.parametrize(("quantity", "kind"), [("12.5", "quantity-exceeded"), ("99", "quantity-exceeded")])
async def test_one_bad_part_refuses_all_and_is_named(everywhere: Everywhere, quantity: str, kind: str) -> None:
    sequences = await everywhere.approved("destroy")
    before = everywhere.on_hand()
    body = await everywhere.body(sequences)
    body["parts"][3]["quantity"] = quantity
    answer = await everywhere.execute(body, "corrected-later")
    assert (answer.status_code, answer.json()["type"]) == (409, f"urn:recall:problem:{kind}")
    assert f"Disposition {sequences[3]}:" in answer.json()["detail"]
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/parts/3"]
    assert (everywhere.on_hand(), everywhere.parts()) == (before, 0)
    assert everywhere.warehouse.rows("SELECT count(*) FROM movement WHERE kind = 'destruction'") == [(0,)]
    body["parts"][3]["quantity"] = "12"
    assert (await everywhere.execute(body, "corrected-later")).status_code == 200
    assert sum(everywhere.on_hand()) == 0


async def test_units_that_are_gone_when_the_last_part_is_counted_refuse_all(everywhere: Everywhere) -> None:
    sequences = await everywhere.approved("destroy")
    lot, place = everywhere.positions[-1]
    everywhere.warehouse.run(
        "UPDATE hold SET confirmed_at = NULL, confirmed_by = NULL, state = 'requested' WHERE lot_id = %s "
        "AND location_id = %s",
        lot,
        place,
    )
    answer = await everywhere.execute(await everywhere.body(sequences))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:recall:problem:conflict")
    assert "confirm the hold first" in answer.json()["detail"]
    assert everywhere.parts() == 0


async def test_two_dispositions_of_one_position_are_counted_one_after_the_other(everywhere: Everywhere) -> None:
    found = everywhere.warehouse
    first, second = await found.approved("destroy", "30"), await found.approved("destroy", "20")
    found.run("UPDATE stock SET on_hand = 40, held = 40, as_of = '2026-03-01' WHERE lot_id = %s", found.lot)
    answer = await everywhere.execute(await everywhere.body([first, second]))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:recall:problem:quantity-exceeded")
    assert f"Disposition {second}:" in answer.json()["detail"]
    body = await everywhere.body([first, second])
    body["parts"][1]["quantity"] = "10"
    answer = await everywhere.execute(body)
    assert answer.status_code == 200, answer.text
    assert found.rows("SELECT on_hand, held FROM stock WHERE lot_id = %s", found.lot) == [(0, 0)]
    assert violations(found.url) == []


async def test_the_same_key_again_carries_nothing_out_again(everywhere: Everywhere) -> None:
    sequences = await everywhere.approved("destroy")
    body = await everywhere.body(sequences)
    body["parts"][0]["quantity"] = "20"
    answers = await asyncio.gather(*(everywhere.execute(body, "one-key") for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    first = await everywhere.execute(body, "one-key")
    assert (first.status_code, everywhere.parts()) == (200, len(sequences))
    everywhere.warehouse.run("UPDATE idempotency_key SET status = NULL, response = NULL WHERE key = 'one-key'")
    again = await everywhere.execute(body, "one-key")
    assert again.json() == first.json()
    assert (everywhere.parts(), everywhere.on_hand()[0]) == (len(sequences), 30)
    other = await everywhere.execute(body | {"witness": "Walter"}, "one-key")
    assert other.json()["type"] == "urn:recall:problem:idempotency-key-reused"


async def test_dispositions_of_different_kinds_are_refused_together(everywhere: Everywhere) -> None:
    destroy = await everywhere.warehouse.approved("destroy", "5")
    factory = await everywhere.warehouse.approved("return_to_factory", "5")
    answer = await everywhere.execute(await everywhere.body([destroy, factory]))
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "#/parts/1/sequence"
    assert error["detail"] == "a disposition of the kind destroy, not return_to_factory"
    assert everywhere.parts() == 0


async def test_a_kind_that_names_a_lot_with_each_part_needs_its_own_call(everywhere: Everywhere) -> None:
    rework = await everywhere.warehouse.approved("rework", "5")
    answer = await everywhere.execute(await everywhere.body([rework], witness=None))
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/parts/0/sequence"]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"witness": None}, ["#/witness"]),
        ({"witness": "Wanda"}, ["#/witness"]),
        ({"document_no": None}, ["#/document_no"]),
        ({"location_id": 1}, ["#/location_id"]),
        ({"destination_id": 1}, ["#/destination_id"]),
        ({"evidence_ids": []}, ["#/evidence_ids"]),
        ({"evidence_ids": ["7b0c1c52-5f4e-4f35-9d3f-0d1d6d0d6d0d"]}, ["#/evidence_ids/0"]),
        ({"parts": []}, ["#/parts"]),
        ({"parts": [{"sequence": 1}, {"sequence": 2, "quantity": "0"}]}, ["#/parts/1/quantity"]),
    ],
)
async def test_what_one_call_must_name_several_must_name_too(
    everywhere: Everywhere, change: dict[str, Any], pointers: list[str]
) -> None:
    sequences = await everywhere.approved("destroy")
    answer = await everywhere.execute(await everywhere.body(sequences, **change))
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == pointers
    assert everywhere.parts() == 0


async def test_unknown_repeated_proposed_and_done_dispositions_are_refused(everywhere: Everywhere) -> None:
    done, other = (
        await everywhere.warehouse.approved("destroy", "5"),
        await everywhere.warehouse.approved("destroy", "5"),
    )
    proposed = (await everywhere.warehouse.propose("destroy", "5")).json()["items"][0]["sequence"]
    assert (await everywhere.execute(await everywhere.body([done]))).status_code == 200
    for sequences, status, kind in (
        ([other, 999], 404, "not-found"),
        ([other, other], 422, "invalid"),
        ([other, proposed], 409, "wrong-phase"),
        ([other, done], 409, "already-decided"),
    ):
        answer = await everywhere.execute(await everywhere.body(sequences))
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:recall:problem:{kind}"), answer.text
        assert str(sequences[1]) in answer.json()["detail"] or kind == "invalid"
    assert everywhere.parts() == 1
    denied = await everywhere.warehouse.api.post(
        f"{URL}/dispositions/execute", await everywhere.body([other]), Role.APPROVER
    )
    assert (denied.status_code, denied.json()["type"]) == (403, "urn:recall:problem:not-permitted")


@pytest.mark.parametrize("turn", range(3))
async def test_a_single_execution_at_the_same_time_never_disposes_of_units_twice(
    everywhere: Everywhere, turn: int
) -> None:
    sequences = await everywhere.approved("destroy")
    several = everywhere.execute(await everywhere.body(list(reversed(sequences))))
    one = everywhere.warehouse.execute(sequences[turn], "12" if turn else "50", document_no="C-1", witness="Wilma")
    both = (several, one) if turn % 2 else (one, several)
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*both))
    assert statuses == [200, 409]
    assert everywhere.parts() in {1, len(sequences)}
    assert sum(everywhere.on_hand()) in {0, 50 + 12 * len(everywhere.positions) - (12 if turn else 50)}
    assert violations(everywhere.warehouse.url) == []


async def test_returns_of_several_consignees_are_counted_in_and_held_under_one_note(everywhere: Everywhere) -> None:
    found = everywhere.warehouse
    sequences = await everywhere.approved("return_to_us")
    body = await everywhere.body(sequences, witness=None, location_id=found.place)
    answer = await everywhere.execute(body)
    assert answer.status_code == 200, answer.text
    assert found.rows("SELECT on_hand, held FROM stock WHERE lot_id = %s", found.lot) == [(66, 66)]
    counted = (await found.api.get(f"{URL}/returns")).json()["items"]
    assert [(row["consignee_id"], row["quantity"]) for row in counted] == [
        (each, "8") for each in everywhere.consignees
    ]
    assert found.rows("SELECT count(DISTINCT part_id) FROM goods_return") == [(2,)]
    assert violations(found.url) == []


async def test_units_sent_to_the_factory_together_are_held_there(everywhere: Everywhere) -> None:
    found = everywhere.warehouse
    site = found.rows("SELECT site_id FROM lot WHERE id = %s", found.lot)[0][0]
    made = await everywhere.approved("return_to_factory")
    rows = (await found.api.get(f"{URL}/dispositions")).json()["items"]
    elsewhere = [row["sequence"] for row in rows if row["sequence"] in made and row["location_id"] != site]
    here = next(row["sequence"] for row in rows if row["location_id"] == site)
    body = await everywhere.body([elsewhere[0], here], witness=None, destination_id=site)
    refused = await everywhere.execute(body)
    assert refused.status_code == 422, refused.text
    assert f"Disposition {here}:" in refused.json()["detail"]
    answer = await everywhere.execute(await everywhere.body(elsewhere, witness=None, destination_id=site))
    assert answer.status_code == 200, answer.text
    at_site = found.rows("SELECT sum(on_hand), sum(held) FROM stock WHERE location_id = %s", site)
    assert at_site == [(50 + 12 * 2 * 3, 50 + 12 * 2 * 3)]
    assert found.rows("SELECT sum(on_hand) FROM stock WHERE location_id <> %s", site) == [(0,)]
    assert violations(found.url) == []


async def test_units_go_back_to_a_maker_or_to_a_place_of_ours_and_never_to_a_customer(everywhere: Everywhere) -> None:
    found = everywhere.warehouse
    hospital, kind = found.rows(
        "SELECT l.id, p.kind FROM location l JOIN partner p ON p.id = l.partner_id WHERE l.custody = 'customer' LIMIT 1"
    )[0]
    assert kind == "hospital"
    sequence = await found.approved("return_to_factory", "10")
    before = found.stock()
    given = {"document_no": "DN-1", "destination_id": hospital}
    refused = await found.execute(sequence, "4", **given)
    together = await everywhere.execute(await everywhere.body([sequence], witness=None, destination_id=hospital))
    for answer, pointer in ((refused, "#/destination_id"), (together, "#/destination_id")):
        assert answer.status_code == 422, answer.text
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert found.stock() == before
    found.run(
        "UPDATE partner SET kind = 'supplier' FROM location WHERE partner_id = partner.id AND location.id = %s",
        hospital,
    )
    assert (await found.execute(sequence, "4", **given)).status_code == 200
    found.run(
        "UPDATE partner SET kind = 'hospital' FROM location WHERE partner_id = partner.id AND location.id = %s",
        hospital,
    )
    found.run("UPDATE lot SET site_id = %s WHERE id = %s", hospital, found.lot)
    assert (await found.execute(sequence, "6", **given)).status_code == 200
    assert found.stock() == (before[0] - 10, before[1] - 10)
    assert violations(found.url) == []


async def test_releases_carried_out_together_say_what_each_left(everywhere: Everywhere) -> None:
    found = everywhere.warehouse
    sequences = await everywhere.approved("release")
    answer = await everywhere.execute(await everywhere.body(sequences, witness=None, document_no=None))
    assert answer.status_code == 200, answer.text
    usable = [(each["still_held_by"], each["usable"]) for each in answer.json()["items"]]
    assert usable == [([], "50")] + [([], "12")] * len(everywhere.positions)
    assert found.rows("SELECT sum(held) FROM stock") == [(0,)]
    assert violations(found.url) == []


async def test_two_hundred_parts_are_one_quick_request(warehouse: Warehouse, db: SessionFactory) -> None:
    everywhere = await _spread(warehouse, db, 100)
    sequences = await everywhere.approved("destroy")
    assert len(sequences) > 200
    body = await everywhere.body(sequences[:200])
    began = perf_counter()
    answer = await everywhere.execute(body)
    taken = perf_counter() - began
    assert answer.status_code == 200, answer.text
    assert everywhere.parts() == 200
    assert taken < 15, f"{taken:.1f} s"
    assert violations(warehouse.url) == []
