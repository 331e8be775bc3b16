"""The goods at the end: what lies where and who still claims it, what was done to every unit, the mass balance."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from demo.checks import units
from demo.comparing import Comparison, holds, same, same_map
from demo.final_count import ZERO, balances, disposed, missing, other_claims, stock_at_end
from demo.final_facts import FinalFacts, Row
from demo.truth import LotKey, Truth, by_lot

_OPEN_HOLDS = frozenset({"requested", "confirmed", "failed", "nonconformity"})
_MARKET = ("returned", "returned_to_maker", "destroyed_in_place", "corrected", "released", "replaced", "used",
           "implanted", "held_pending", "unaccounted")  # fmt: skip
_HOUSE = ("distributed", "own_stock", "at_maker", "retained", "scrapped", "own_use", "reworked", "residual")
_CAME_BACK = ("returned", "returned_to_maker")


def goods(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """Every comparison of quantities."""
    yield from stock(truth, end)
    yield from claims(truth, end)
    yield from dispositions(truth, end)
    yield from balance(truth, end)


def stock(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """Imported counts and returns, less what was destroyed or sent to the factory; released units stay."""
    expected, dossier = stock_at_end(truth), end.dossier
    ours = [row for row in dossier.rows("stock") if row["location_id"] in dossier.ours]
    scope = [row for row in ours if dossier.lots[row["lot_id"]] in truth.lots]
    filed = {_spot(row, end): units(row["on_hand"]) for row in scope if units(row["on_hand"])}
    yield same_map("own stock by place and lot, in the dossier", expected, filed, "positions")
    traced: dict[tuple[str, LotKey], Decimal] = {}
    for row in end.traced:
        if row["custody"] != "customer" and units(row["on_hand"]):
            traced[row["location_code"], end.facts.lot_of(row)] = units(row["on_hand"])
    yield same_map("own stock by place and lot, by the trace", expected, traced, "positions")
    usable = {_spot(row, end): units(row["on_hand"]) - units(row["held"]) for row in scope}
    free = {key: quantity for key, quantity in usable.items() if quantity}
    yield same_map("recalled stock that may be used again: what was released", truth.doings.released, free, "positions")


def _spot(row: Row, end: FinalFacts) -> tuple[str, LotKey]:
    return end.dossier.places[row["location_id"]], end.dossier.lots[row["lot_id"]]


def claims(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """The recall claims nothing any more; what another recall claims is its own."""
    number, dossier = end.facts.detail["number"], end.dossier
    open_claims = [row for row in dossier.rows("stock_claim") if row["released_at"] is None]
    mine = [_claim_line(row, end) for row in open_claims if row["claimant"] == number]
    yield holds("nothing is claimed for the ended recall", f"none of {len(open_claims)} open claims", mine)
    held = [
        f"hold {row['id']} of {row['quantity']} at {'/'.join(map(str, _spot(row, end)))} is {row['state']}"
        for row in dossier.rows("hold")
        if row["state"] in _OPEN_HOLDS and units(row["quantity"])
    ]
    yield holds("no hold of the ended recall is left", f"{len(dossier.rows('hold'))} holds", held)
    expected = other_claims(truth)
    others: defaultdict[tuple[str, str, LotKey], Decimal] = defaultdict(Decimal)
    for row in open_claims:
        if row["claimant"] != number:
            others[row["claimant"], *_spot(row, end)] += units(row["quantity"])
    yield same_map("claims of the story's other recalls", expected, others, "claims")
    left = {(place, lot[0], lot[1]): quantity for (_, place, lot), quantity in expected.items()}
    kept: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in end.second_holds:
        if row["state"] in _OPEN_HOLDS and units(row["quantity"]):
            kept[row["location_code"], row["product_code"], row["lot_number"]] += units(row["quantity"])
    yield same_map("holds of the story's other recalls", left, kept, "holds")
    rows = [row for row in dossier.rows("stock") if units(row["held"])]
    stated = {_spot(row, end): units(row["held"]) for row in rows}
    claimed: defaultdict[tuple[str, LotKey], Counter[str]] = defaultdict(Counter)
    for row in open_claims:
        if row["position"] != "in_transit":
            claimed[_spot(row, end)][row["claimant"]] += units(row["quantity"])  # type: ignore[assignment] # decimals
    # Claims of several recalls are on the same units.
    locked = {spot: max(by_claimant.values()) for spot, by_claimant in claimed.items()}
    yield same_map("stock held: what open claims lock", locked, stated, "positions")
    waiting = [f"{row['place_code']}: {row['quantity']} of lot {row['lot_number']}" for row in end.positions]
    yield holds("no position waits for a disposition", "no open position", waiting)


def _claim_line(row: Row, end: FinalFacts) -> str:
    place, lot = _spot(row, end)
    return f"{row['claimant']} claims {row['quantity']} of {'/'.join(lot)} at {place}"


def dispositions(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """What was done to the goods, by whom it was witnessed, and what proves it."""
    dossier, known = end.dossier, truth.consignees()
    done: defaultdict[tuple[str, str, LotKey], Decimal] = defaultdict(Decimal)
    parts: defaultdict[int, list[Row]] = defaultdict(list)
    for part in dossier.rows("disposition_part"):
        parts[part["disposition_id"]].append(part)
    for row in dossier.rows("disposition"):
        place = _where(row, end, known)
        for part in parts[row["id"]]:
            done[row["kind"], place, dossier.lots[row["lot_id"]]] += units(part["quantity"])
    yield same_map("dispositions carried out, by kind, place and lot", disposed(truth), done, "dispositions")
    total = f"{len(dossier.rows('disposition'))} dispositions"
    undone, unproved, unwitnessed = [], [], []
    for row in dossier.rows("disposition"):
        name = f"disposition {row['sequence']} ({row['kind']})"
        if row["state"] != "done" or units(row["done"]) != units(row["quantity"]):
            undone.append(f"{name} is {row['state']}, {row['done']} of {row['quantity']} done")
        if not dossier.proofs(f"disposition:{row['id']}"):
            unproved.append(f"{name} has no evidence file")
        if row["decided_by"] in (None, row["proposed_by"]):
            undone.append(f"{name} was decided by {row['decided_by']}")
        for part in parts[row["id"]]:
            if row["kind"] == "destroy" and part["witness"] in (None, "", part["done_by"]):
                unwitnessed.append(f"{name}, part {part['sequence']} has the witness {part['witness']}")
    yield holds("every disposition is decided by a second person and done", total, undone)
    yield holds("every disposition has its evidence", total, unproved)
    yield holds("every destruction has a witness", total, unwitnessed)
    yield from _returns(truth, end)


def _where(row: Row, end: FinalFacts, known: set[str]) -> str:
    if row["location_id"] is not None:
        return end.dossier.places[row["location_id"]]
    return end.dossier.site(row["consignee_id"], known)


def _returns(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    dossier, known = end.dossier, truth.consignees()
    returned, docked = (
        defaultdict[tuple[str, LotKey], Decimal](Decimal),
        defaultdict[tuple[str, LotKey], Decimal](Decimal),
    )
    for row in dossier.rows("goods_return"):
        returned[dossier.site(row["consignee_id"], known), dossier.lots[row["lot_id"]]] += units(row["quantity"])
        docked[_spot(row, end)] += units(row["quantity"])
    yield same_map("units counted back, by consignee and lot", truth.doings.returned, returned, "returns")
    yield same_map("units counted back, by dock and lot", truth.doings.docked, docked, "returns")
    unproved = [
        f"return {row['id']} has no evidence file"
        for row in dossier.rows("goods_return")
        if not dossier.proofs(f"return:{row['id']}")
    ]
    yield holds("every return has its evidence", f"{len(dossier.rows('goods_return'))} returns", unproved)
    shipped = [units(row["quantity"]) for row in dossier.rows("allocation") if row["state"] == "shipped"]
    yield same("replacement units shipped to sites left short", truth.doings.replaced, sum(shipped, ZERO))


def balance(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """Each term of each lot counted by hand; nothing pending; nothing missing but what the silent sites have."""
    said = {(row["product_code"], row["lot_number"], row["site_code"] or ""): row["terms"] for row in end.balance}
    yield same_map("lots in the mass balance", dict.fromkeys(truth.lots, 1), dict.fromkeys(said, 1), "lots")
    for term, expected in balances(truth).items():
        found = {lot: units(terms[term]) for lot, terms in said.items()}
        yield same_map(f"mass balance, {term.replace('_', ' ')}", expected, found, "lots")
    pending = [
        f"{'/'.join(lot)}: {terms['held_pending']}" for lot, terms in said.items() if units(terms["held_pending"])
    ]
    yield holds("mass balance: nothing is pending", f"{len(said)} lots", pending)
    lost = {lot: units(terms["unaccounted"]) for lot, terms in said.items() if units(terms["unaccounted"])}
    yield same_map("mass balance: missing are the silent sites' units alone", missing(truth), lost, "lots")
    yield holds("mass balance: both identities add up", f"{len(said)} lots", _identity_faults(said))
    yield from _filed_terms(truth, end)


def _identity_faults(said: Mapping[LotKey, Mapping[str, Any]]) -> Iterator[str]:
    for lot, terms in said.items():
        market = sum((units(terms[name]) for name in _MARKET), ZERO)
        if market != units(terms["distributed"]):
            yield f"{'/'.join(lot)}: {terms['distributed']} distributed, {market} found again"
        if terms["produced"] is not None:
            house = sum((units(terms[name]) for name in _HOUSE), ZERO)
            house -= sum((units(terms[name]) for name in _CAME_BACK), ZERO)
            if house != units(terms["produced"]):
                yield f"{'/'.join(lot)}: {terms['produced']} produced, {house} found again"


def _filed_terms(truth: Truth, end: FinalFacts) -> Iterator[Comparison]:
    """What the dossier's own records come to, where they hold the units one by one."""
    dossier, counted = end.dossier, balances(truth)
    newest: dict[int, int] = {}
    for reply in sorted(dossier.rows("reply"), key=lambda row: int(row["id"])):
        if reply["kind"] == "statement":
            newest[reply["consignee_id"]] = reply["id"]
    used: defaultdict[LotKey, Decimal] = defaultdict(Decimal)
    for row in dossier.rows("reply_line"):
        if row["reply_id"] in newest.values():
            used[dossier.lots[row["lot_id"]]] += units(row["used"])
    stated = _some(counted["used"], by_lot(truth.before.used))
    yield same_map("units used, by the statements in the dossier", stated, _some(used, {}), "lots")
    moved: defaultdict[tuple[str, LotKey], Decimal] = defaultdict(Decimal)
    for row in dossier.rows("movement"):
        to_us = row["to_location_id"] in dossier.ours
        if row["kind"] == "destruction" or (row["kind"] == "return" and to_us):
            moved[row["kind"], dossier.lots[row["lot_id"]]] += units(row["quantity"])
    placeless = _without_place(end, truth.consignees())
    there = truth.doings.destroyed_in_place.items()
    nowhere = by_lot({key: quantity for key, quantity in there if key[0] in placeless})
    gone = {lot: counted["scrapped"][lot] + counted["destroyed_in_place"][lot] for lot in truth.lots}
    expected = {("destruction", lot): quantity for lot, quantity in _some(gone, nowhere).items()}
    expected |= {("return", lot): quantity for lot, quantity in _some(counted["returned"], {}).items()}
    yield same_map("movements in the dossier: destroyed and returned", expected, moved, "lots")


def _without_place(end: FinalFacts, known: set[str]) -> set[str]:
    """Sites known by name only: their disposal is its own record, no movement could leave a place."""
    with_place = {row["partner_id"] for row in end.dossier.rows("location")}
    rows = end.dossier.rows("consignee")
    return {end.dossier.site(row["id"], known) for row in rows if row["partner_id"] not in with_place}


def _some(counted: Mapping[LotKey, Decimal], less: Mapping[LotKey, Decimal]) -> dict[LotKey, Decimal]:
    left = {lot: quantity - less.get(lot, ZERO) for lot, quantity in counted.items()}
    return {lot: quantity for lot, quantity in left.items() if quantity}
