"""The goods: a second recall on one lot, returns, what becomes of every unit, what it costs, who is left short."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.office import Office
from demo.truth import LotKey
from demo.waiting import DemoError

LotOf = Callable[[Any], LotKey]
_ROUNDS = 5


def _units(quantity: Any) -> Decimal:
    return Decimal(str(quantity))


def own_positions(office: Office) -> list[Any]:
    """What lies in our own and our partners' places and waits for its disposition."""
    return [each for each in office.all("/positions") if each["location_id"] is not None]


def second_recall(office: Office, lot_of: LotOf) -> tuple[Office, Any]:
    """Another alarm on one of the lots: it claims the same stock for itself, and is then rejected."""
    shared = next(each for each in own_positions(office) if _units(each["available"]) > 0)
    product, number, site = lot_of(shared)
    qa = office.people["qa"]
    paper = office.paper("qa", "leaflet-complaint", f"Lot {number}: a leaflet in the wrong language was found.")
    started = qa.post(
        "/v1/recalls",
        {
            "title": f"Leaflet in the wrong language, lot {number}",
            "reason": "One pack with a foreign leaflet was found.",
            "hazard": "The user cannot read how to run the test.",
            "trigger": {"source": "complaint", "reference": "C-2026-088"},
            "awareness_at": (datetime.now(UTC) - timedelta(minutes=5)).isoformat(),
            "jurisdictions": ["us-fda"],
            "scope": {"lots": [{"product_code": product, "number": number, "site_code": site}]},
            "evidence_ids": [paper],
            "owner": qa.principal,
            "pace": office.read()["pace"],
        },
    )
    other = Office(office.people, started["number"], office.deadline, office.say)
    other.phase("assessment")

    def held() -> list[Any] | None:
        found = [hold for hold in other.all("/holds") if hold["state"] == "confirmed"]
        return found or None

    other.wait("the second recall's holds to be confirmed", held)
    office.say(f"{other.number} starts on lot {number} too and holds the same stock for itself")
    other.post("approver", "/assessment/reject", {"reason": "A single pack, found before it left the house."})
    other.phase("rejected")
    states = {hold["state"] for hold in other.all("/holds")}
    if states != {"nonconformity"}:
        raise DemoError(f"after its rejection the holds of {other.number} are {states}")
    mine = [
        hold for hold in office.all("/holds") if hold["lot_id"] == shared["lot_id"] and hold["state"] == "confirmed"
    ]
    if not mine:
        raise DemoError(f"the end of {other.number} took the hold of {office.number} with it")
    office.say(
        f"{other.number} is rejected: its claim is a nonconformity hold now, the claim of {office.number} stands"
    )
    office.note("second", [other.number, *lot_of(shared), shared["place_code"]])
    return other, shared


def release_shared_lot(office: Office, other: Office, shared: Any, lot_of: LotOf) -> None:
    """The shared lot is found conforming: two releases, one per claim, before anybody may use it."""
    quantity = shared["available"]
    for desk, still in ((office, [other.number]), (other, [])):
        done = _release(desk, shared, quantity)
        if sorted(done["still_held_by"]) != still or (_units(done["usable"]) > 0) != (not still):
            raise DemoError(f"after the release by {desk.number}: {done}")
        office.say(
            f"{desk.who('approver')} and {desk.who('head_of_quality')} sign the release of {quantity} of lot"
            f" {shared['lot_number']} for {desk.number}; "
            + (f"still held by {', '.join(still)}" if still else "now it is usable again")
        )
    office.note("released", [shared["place_code"], *lot_of(shared), str(quantity)])


def _release(desk: Office, position: Any, quantity: Any) -> Any:
    proposal = {
        "kind": "release",
        "lot_id": position["lot_id"],
        "location_id": position["location_id"],
        "quantity": quantity,
        "reason": "Retested on the full panel: conforming.",
    }
    item = desk.post("qa", "/dispositions", {"dispositions": [proposal]})["items"][0]
    path = f"/dispositions/{item['sequence']}"
    desk.refused("qa", f"{path}/approve", {"reason": "by its proposer"}, "not-permitted")
    _inspect(desk, position, quantity)
    desk.post("approver", f"{path}/approve", {"reason": "Test record read."})
    desk.post("head_of_quality", f"{path}/approve", {"reason": "Test record read."})
    paper = desk.paper("warehouse", f"release-{desk.number}", "Retest 60 of 60 positive.")
    return desk.post("warehouse", f"{path}/execute", {"quantity": quantity, "evidence_ids": [paper]})


def _inspect(desk: Office, position: Any, quantity: Any) -> None:
    """The laboratory's report, without which some policies open no release gate."""
    report = desk.paper("qa", f"inspection-{desk.number}", "60 of 60 retained samples within specification.")
    inspection = {
        "lot_id": position["lot_id"],
        "location_id": position["location_id"],
        "kind": "laboratory",
        "passed": True,
        "criterion": "Every sample within specification.",
        "sampled": quantity,
        "report_no": f"LAB-{desk.number}",
        "inspected_by": "the laboratory of the Bray plant",
        "inspected_at": datetime.now(UTC).isoformat(),
        "evidence_ids": [report],
    }
    desk.post("qa", "/inspections", inspection)


def take_returns(office: Office, lot_of: LotOf) -> None:
    """One site sends packs back: counted at our dock, held at once, then returned to the factory."""
    place = own_positions(office)[0]
    dock, dock_code = place["location_id"], place["place_code"]
    source = max(
        (each for each in office.all("/positions") if each["consignee_id"] is not None),
        key=lambda each: (_units(each["available"]), each["lot_id"]),
    )
    quantity = min(Decimal(10), _units(source["available"]))
    paper = office.paper(
        "warehouse", "return-note", f"Counted at the dock: {quantity} packs of {source['lot_number']}."
    )
    body = {
        "consignee_id": source["consignee_id"],
        "lot_id": source["lot_id"],
        "location_id": dock,
        "quantity": str(quantity),
        "document_no": "RN-2026-0007",
        "evidence_ids": [paper],
    }
    answer = office.post("warehouse", "/returns", body)
    if office.number not in answer["held_by"]:
        raise DemoError(f"returned units are not held: {answer}")
    office.note("returned", [source["place_code"], *lot_of(source), str(quantity), dock_code])
    office.say(f"{office.who('warehouse')} counts {quantity} packs of {source['lot_number']} back from"
               f" {source['place_code']}; held on arrival")  # fmt: skip
    proposal = {
        "kind": "return_to_factory",
        "lot_id": source["lot_id"],
        "location_id": dock,
        "quantity": str(quantity),
        "reason": "For the maker's investigation.",
    }
    item = office.post("qa", "/dispositions", {"dispositions": [proposal]})["items"][0]
    office.post("approver", f"/dispositions/{item['sequence']}/approve", {})
    half = (quantity / 2).to_integral_value(rounding="ROUND_UP")
    for part in (half, quantity - half):
        if part > 0:
            done = {"quantity": str(part), "document_no": f"DN-{item['sequence']}", "evidence_ids": [paper]}
            office.post("warehouse", f"/dispositions/{item['sequence']}/execute", done)
    office.note("to_factory", [dock_code, *lot_of(source), str(quantity)])
    office.say(f"... and sends them to the factory in two parts ({half} and {quantity - half})")


def destroy_everything_else(office: Office, lot_of: LotOf) -> None:
    """All other units, ours and the consignees': round by round, until what came to a place of ours is gone too."""
    rounds = 0
    while any(_units(each["available"]) > 0 for each in office.all("/positions")):
        rounds += 1
        if rounds > _ROUNDS:
            raise DemoError(f"after {_ROUNDS} rounds of destruction there are still units to dispose of")
        _destroy_what_is_open(office, lot_of, rounds)


def _destroy_what_is_open(office: Office, lot_of: LotOf, turn: int) -> None:
    """Proposed in bulk, approved in bulk, destroyed place by place: one certificate and one call for each place."""
    bulk = {"kind": "destroy", "reason": "False negative results: not to be used again."}
    proposed = office.post("qa", "/dispositions", {"bulk": bulk})["items"]
    sequences = [item["sequence"] for item in proposed]
    positions = {(p["lot_id"], p["location_id"], p["consignee_id"]): p for p in office.all("/positions")}
    office.post("approver", "/dispositions/approve", {"sequences": sequences, "reason": "Read and agreed."})
    by_place: defaultdict[str, list[Any]] = defaultdict(list)
    for item in proposed:
        position = positions[item["lot_id"], item["location_id"], item["consignee_id"]]
        by_place[position["place_code"]].append((item, position))
    certificates = {
        place: office.paper("warehouse", f"certificate-{turn}-{n}", f"Incinerated under supervision: all of {place}.")
        for n, place in enumerate(sorted(by_place), start=1)
    }

    def carry_out(place: str) -> None:
        done = {
            "parts": [{"sequence": item["sequence"], "quantity": item["quantity"]} for item, _ in by_place[place]],
            "document_no": f"CD-{by_place[place][0][0]['sequence']}",
            "witness": "Ms Ife Bello, environmental health officer",
            "evidence_ids": [certificates[place]],
        }
        office.post("warehouse", "/dispositions/execute", done)
        for item, position in by_place[place]:
            kind = "destroyed" if position["location_id"] is not None else "destroyed_in_place"
            office.note(kind, [place, *lot_of(position), str(item["quantity"])])

    office.each(list(by_place), carry_out)
    total = sum((_units(item["quantity"]) for item in proposed), Decimal(0))
    office.say(f"{len(proposed)} positions at {len(by_place)} places proposed, approved and destroyed with witness and"
               f" certificate: {total:,.0f} units")  # fmt: skip


def book_costs(office: Office) -> None:
    """Money in two currencies, and a wrong entry reversed by a new one."""
    for kind, amount, currency in (
        ("destruction", "18250.40", "EUR"),
        ("logistics", "6120.00", "USD"),
        ("labour", "990.00", "EUR"),
        ("labour", "-990.00", "EUR"),
    ):
        office.post("qa", "/costs", {"kind": kind, "amount": amount, "currency": currency})
    totals = office.get("/costs")["totals"]
    if totals != {"EUR": "18250.4", "USD": "6120"}:
        raise DemoError(f"the costs add up to {totals}")
    office.say(f"costs: {', '.join(f'{amount} {currency}' for currency, amount in sorted(totals.items()))}")


def supply_sites_left_short(office: Office) -> None:
    """Unaffected lots are proposed for the sites left short, approved, shipped; the rest is settled by decision."""
    office.post("qa", "/shortages/compute", {})
    short = office.all("/shortages")
    proposed = [each for each in office.all("/allocations") if each["state"] == "proposed"]

    def ship(allocation: Any) -> None:
        path = f"/allocations/{allocation['id']}"
        paper = office.paper("warehouse", f"delivery-{allocation['id']}", "Delivery note of the replacement.")
        body = {"document_no": f"RP-{allocation['id']}", "evidence_ids": [paper]}
        office.post("warehouse", f"{path}/ship", body)

    office.each(proposed, lambda each: office.post("approver", f"/allocations/{each['id']}/approve", {}))
    office.each(proposed, ship)
    units = sum((_units(each["quantity"]) for each in proposed), Decimal(0))
    office.say(f"{len(short)} shortages by site and product; {len(proposed)} allocations of unaffected lots proposed,"
               f" approved and shipped: {units:,.0f} units")  # fmt: skip
    supplied: defaultdict[int, Decimal] = defaultdict(Decimal)
    for each in office.all("/allocations"):
        if each["state"] == "shipped":
            supplied[each["shortage_id"]] += _units(each["quantity"])
    for each in office.all("/shortages"):
        if supplied[each["id"]] < _units(each["quantity"]) and each["settled_at"] is None:
            office.post("approver", f"/shortages/{each['id']}/settle", {"reason": "Served from the national reserve."})
    office.note("replaced", str(units))
