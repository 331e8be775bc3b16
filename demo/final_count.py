"""The end of the story counted by hand: what lies where, what every lot's mass balance must come to."""

from collections.abc import Mapping
from decimal import Decimal

from demo.truth import Figures, LotKey, Placed, Told, Truth, by_lot

ZERO = Decimal(0)
NOTHING = ("returned_to_maker", "implanted", "corrected", "released", "replaced", "retained")
"""Terms that this story gives no reason for."""


def all_told(truth: Truth) -> list[Told]:
    """Every answer, those typed in by staff included."""
    return [*truth.told, *truth.doings.phone]


def latest(truth: Truth) -> dict[str, Mapping[LotKey, Figures]]:
    """Consignee -> the statement that counts: the last one, and what staff typed in over what the page said."""
    return {told.consignee: told.lines for told in all_told(truth) if told.kind == "statement"}


def stock_at_end(truth: Truth) -> Placed:
    """(place of ours, lot) -> what must lie there; positions with nothing are left out."""
    doings, end = truth.doings, dict[tuple[str, LotKey], Decimal]()
    arrived = {(lot[2], lot): quantity for (_, lot), quantity in doings.to_factory.items() if lot[2] in truth.ours}
    counted = {key: quantity for key, quantity in truth.on_hand.items() if key[0] in truth.ours}
    changes = [(counted, 1), (doings.docked, 1), (arrived, 1), (doings.to_factory, -1), (doings.destroyed, -1)]
    for placed, sign in changes:
        for key, quantity in placed.items():
            end[key] = end.get(key, ZERO) + sign * quantity
    return {key: quantity for key, quantity in end.items() if quantity}


def other_claims(truth: Truth) -> dict[tuple[str, str, LotKey], Decimal]:
    """(number, place, lot) -> what the story's other recalls must still claim: what neither left nor was released."""
    left = {key: quantity - truth.doings.released.get(key, ZERO) for key, quantity in stock_at_end(truth).items()}
    return {
        (number, place, lot): quantity
        for number, claimed in truth.doings.second
        for (place, lot), quantity in left.items()
        if lot == claimed and quantity
    }


def disposed(truth: Truth) -> dict[tuple[str, str, LotKey], Decimal]:
    """(kind, place or consignee, lot) -> what was carried out."""
    doings = truth.doings
    kinds = (
        ("release", doings.released),
        ("return_to_factory", doings.to_factory),
        ("destroy", doings.destroyed),
        ("destroy", doings.destroyed_in_place),
    )
    return {(kind, place, lot): quantity for kind, placed in kinds for (place, lot), quantity in placed.items()}


def balances(truth: Truth) -> dict[str, dict[LotKey, Decimal]]:
    """Term of the mass balance -> lot -> units of use."""
    doings, before = truth.doings, truth.before
    stated = latest(truth)
    used, pending = dict[tuple[str, LotKey], Decimal](), dict[tuple[str, LotKey], Decimal]()
    for site, lines in stated.items():
        for lot, (on_hand, consumed, _, _) in lines.items():
            key = (site, lot)
            gone = doings.returned.get(key, ZERO) + doings.destroyed_in_place.get(key, ZERO)
            used[key], pending[key] = consumed, max(ZERO, on_hand - gone)
    for key, quantity in before.used.items():
        used.setdefault(key, quantity)
    ours = {key: quantity for key, quantity in before.destroyed.items() if key[0] in truth.ours}
    theirs = {key: quantity for key, quantity in before.destroyed.items() if key[0] not in truth.ours}
    under_way = {
        key: quantity - truth.on_hand.get(key, ZERO) for key, quantity in truth.held.items() if key[0] in truth.ours
    }
    terms: dict[str, list[Mapping[LotKey, Decimal]]] = {
        "distributed": [truth.distributed],
        "returned": [by_lot(doings.returned), by_lot(before.returned)],
        "destroyed_in_place": [by_lot(doings.destroyed_in_place), by_lot(theirs)],
        "used": [by_lot(used)],
        "held_pending": [by_lot(pending)],
        "own_stock": [by_lot(stock_at_end(truth)), by_lot(under_way)],
        "scrapped": [by_lot(doings.destroyed), by_lot(ours)],
        **{name: [] for name in NOTHING},
    }
    return {
        name: {lot: sum((part.get(lot, ZERO) for part in parts), ZERO) for lot in truth.lots}
        for name, parts in terms.items()
    }


def missing(truth: Truth) -> dict[LotKey, Decimal]:
    """Lot -> units nobody can account for: all that the silent sites received and neither sent back nor on."""
    before, lost = truth.before, dict[tuple[str, LotKey], Decimal]()
    for key, quantity in truth.received.items():
        if key[0] in truth.doings.documented:
            gone = (placed.get(key, ZERO) for placed in (before.returned, before.passed, before.used, before.destroyed))
            lost[key] = quantity - sum(gone, ZERO)
    return {lot: quantity for lot, quantity in by_lot(lost).items() if quantity}
