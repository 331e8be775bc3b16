"""The manifest of a sample chain: what a right trace, hold and notice list must find, read off the books."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from imports.sample_flow import Chain, Lot, Move
from imports.sample_world import Place

_FIGURES = ("got", "in_transit", "shipped", "returned", "returned_to", "used", "destroyed", "adjusted", "on_hand")


def named(lot: Lot) -> dict[str, str]:
    """A lot as the files name it."""
    return {"product": lot.product.code, "lot": lot.number, "site": lot.site}


def downstream(chain: Chain, start: Lot) -> set[Lot]:
    """The lot and everything made of it; loops end."""
    made_of: dict[Lot, set[Lot]] = defaultdict(set)
    for link in chain.links:
        made_of[link.source].add(link.target)
    found, todo = {start}, [start]
    while todo:
        new = made_of[todo.pop()] - found
        found |= new
        todo += new
    return found


def suspects(chain: Chain) -> Iterable[tuple[str, Lot]]:
    """Lots worth starting from: the widest raw lot, one in a rework loop, one in transit, plain ones."""
    raw = [lot for lot in chain.made if lot.product.code.startswith("RM-")]
    widest = max(raw, key=lambda lot: (len(downstream(chain, lot)), lot.number))
    yield "raw lot that reaches most lots", widest
    looped, bulk = chain.reworked[0]
    yield "finished lot in a rework loop", looped
    yield "bulk lot in a rework loop", bulk
    moving = sorted({lot.number for (_, lot), book in chain.books.items() if book["in_transit"]})
    yield (
        "finished lot in transit",
        next(lot for lot in chain.made if lot.number == moving[0] and lot.product.code[0] != "R"),
    )
    yield "a finished lot", [lot for lot in chain.made if lot.product.code == "KIT-RT20"][-1]


def truth(chain: Chain, why: str, start: Lot, places: dict[str, Place], stock: list[dict[str, Any]]) -> dict[str, Any]:
    """Lots, positions, consignees and stock to hold when `start` is suspect. Quantities in units of use."""
    lots = downstream(chain, start)
    positions: list[dict[str, Any]] = []
    for (place, lot), book in chain.books.items():
        if lot in lots and any(book[figure] for figure in _FIGURES):
            figures = {figure: book[figure] for figure in _FIGURES if book[figure]}
            positions.append({"place": place, **named(lot), **figures})
    reached = {p["place"] for p in positions if p.get("got") or p.get("in_transit") or p.get("returned_to")}
    keys = {(lot.product.code, lot.number, lot.site) for lot in lots}
    return {
        "why": why,
        "start": named(start),
        "supplier_lot": chain.made[start].supplier_lot or None,
        "lots": sorted((named(lot) for lot in lots), key=lambda lot: (lot["product"], lot["lot"], lot["site"])),
        "consignees": sorted(
            place for place in reached if places[place].custody == "customer" and places[place].kind != "supplier"
        ),
        "positions": sorted(positions, key=lambda p: (p["place"], p["product"], p["lot"], p["site"])),
        "stock": [row for row in stock if (row["product"], row["lot"], row["site"]) in keys],
    }


def lotless(moves: Iterable[Move]) -> list[dict[str, Any]]:
    """Receipts without a lot."""
    return [
        {
            "product": move.product.code,
            "place": move.end,
            "quantity": move.quantity,
            "document": move.document,
            "date": move.at.date().isoformat(),
        }
        for move in moves
        if move.lot is None
    ]
