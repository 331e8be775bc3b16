"""The trace once more, by brute force over plain rows: slow, sequential, and written without looking at the SQL.

It handles one movement after the other and one unit group after the other, where the product sums in sets.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from tests.support.chain import Chain, Move

ZERO = Decimal(0)


def reach(chain: Chain, roots: list[int], *, backward: bool = False) -> dict[int, int]:
    """Lot -> fewest genealogy steps from a root."""
    edges = [(s.head, s.tail) if backward else (s.tail, s.head) for s in chain.steps]
    depth = dict.fromkeys(roots, 0)
    changed = True
    while changed:  # relax until nothing gets shorter
        changed = False
        for a, b in edges:
            if a in depth and depth.get(b, 1 << 30) > depth[a] + 1:
                depth[b] = depth[a] + 1
                changed = True
    return depth


@dataclass
class Spot:
    """What one lot did at one place."""

    shipped_to: Decimal = ZERO
    received: Decimal = ZERO
    in_transit: Decimal = ZERO
    returned_in: Decimal = ZERO
    shipped_out: Decimal = ZERO
    returned_out: Decimal = ZERO
    consumed: Decimal = ZERO
    destroyed: Decimal = ZERO
    adjusted: Decimal = ZERO


@dataclass
class Answer:
    """Everything the oracle says."""

    spots: dict[tuple[int, int], Spot] = field(default_factory=lambda: defaultdict(Spot))
    received_unsent: list[tuple[int, int, str | None, Decimal, int | None]] = field(default_factory=list)
    """lot, place, document, quantity, source: receipts without a shipment."""


def _documents(chain: Chain, lots: set[int]) -> dict[tuple[int, int, str | None], list[Move]]:
    found: dict[tuple[int, int, str | None], list[Move]] = defaultdict(list)
    for move in chain.moves:
        if move.lot in lots and move.target is not None and move.kind in {"shipment", "receipt", "return"}:
            found[move.lot, move.target, move.document].append(move)
    return found


def spots(chain: Chain, lots: set[int]) -> Answer:
    """Walk all movements of `lots`."""
    answer = Answer()
    at = answer.spots
    for (lot, place, document), moves in _documents(chain, lots).items():
        open_sent = sum((m.quantity for m in moves if m.kind == "shipment" and not m.delivered), ZERO)
        already_here = sum((m.quantity for m in moves if m.kind == "return" or m.delivered), ZERO)
        spot = at[lot, place]
        spot.shipped_to += sum((m.quantity for m in moves if m.kind == "shipment"), ZERO)
        spot.received += sum((m.quantity for m in moves if m.kind == "shipment" and m.delivered), ZERO)
        spot.returned_in += sum((m.quantity for m in moves if m.kind == "return"), ZERO)
        unsent = ZERO
        sources = [m.source for m in moves if m.kind == "receipt" and m.source is not None]
        for receipt in (m for m in moves if m.kind == "receipt"):
            left = receipt.quantity
            if document is not None:
                take = min(left, open_sent)
                open_sent, left, spot.received = open_sent - take, left - take, spot.received + take
                take = min(left, already_here)
                already_here, left = already_here - take, left - take
            unsent += left
        spot.in_transit += open_sent
        if unsent:
            spot.shipped_to += unsent
            spot.received += unsent
            source = min(sources) if sources else None
            answer.received_unsent.append((lot, place, document, unsent, source))
            if source is not None:
                at[lot, source].shipped_out += unsent
    for move in chain.moves:
        if move.lot in lots:
            _leave(at, move)
    return answer


def _leave(at: dict[tuple[int, int], Spot], move: Move) -> None:
    assert move.lot is not None
    here = move.source if move.source is not None else move.target
    assert here is not None
    if move.kind == "consumption":
        at[move.lot, here].consumed += move.quantity
    elif move.kind == "destruction":
        at[move.lot, here].destroyed += move.quantity
    elif move.kind == "adjustment":
        place = move.target if move.target is not None else move.source
        assert place is not None
        at[move.lot, place].adjusted += move.quantity
        if None not in {move.source, move.target} and move.source != move.target:
            assert move.source is not None
            at[move.lot, move.source].adjusted -= move.quantity
    elif move.kind in {"shipment", "return"} and move.source is not None:
        if move.kind == "shipment":
            at[move.lot, move.source].shipped_out += move.quantity
        else:
            at[move.lot, move.source].returned_out += move.quantity


def born(chain: Chain, lots: set[int], answer: Answer) -> dict[int, Decimal]:
    """Lot -> what was made of it and has not entered another place of ours out of nowhere."""
    made: dict[int, Decimal] = {}
    for lot in lots:
        row = chain.lots[lot]
        if row.made is not None and row.site is not None:
            entered = sum(
                (
                    quantity
                    for other, place, _, quantity, source in answer.received_unsent
                    if other == lot
                    and source is None
                    and place != row.site
                    and chain.places[place].custody != "customer"
                ),
                ZERO,
            )
            made[lot] = row.made - entered
    return made


def uses(chain: Chain, lot: int) -> tuple[Decimal, Decimal]:
    """Genealogy use of a lot, and consumption recorded at places of ours."""
    built = sum((s.quantity for s in chain.steps if s.tail == lot), ZERO)
    eaten = sum(
        (
            m.quantity
            for m in chain.moves
            if m.lot == lot
            and m.kind == "consumption"
            and chain.places[m.source if m.source is not None else m.target].custody != "customer"  # type: ignore[index]
        ),
        ZERO,
    )
    return built, eaten


def net(spot: Spot, made: Decimal = ZERO) -> Decimal:
    """What movements leave at a place."""
    came = spot.received + spot.returned_in + made
    return came + spot.adjusted - spot.shipped_out - spot.returned_out - spot.consumed - spot.destroyed


def on_hand(chain: Chain, lots: set[int]) -> dict[tuple[int, int], Decimal]:
    """Lot and place -> units there: the count plus later movements, or what all movements leave."""
    full = spots(chain, lots)
    made = born(chain, lots, full)
    result: dict[tuple[int, int], Decimal] = {}
    keys = set(full.spots) | {key for key in chain.counts if key[0] in lots}
    keys |= {(lot, site) for lot in made if (site := chain.lots[lot].site) is not None}
    for lot, place in keys:
        count = chain.counts.get((lot, place))
        if count is None:
            here = made.get(lot, ZERO) if chain.lots[lot].site == place else ZERO
            built, eaten = uses(chain, lot)
            hidden = max(built - eaten, ZERO) if lot in made and chain.lots[lot].site == place else ZERO
            result[lot, place] = max(net(full.spots[lot, place], here) - hidden, ZERO)
        else:
            result[lot, place] = max(count.on_hand + later(chain, lot, place, full), ZERO)
    return result


def later(chain: Chain, lot: int, place: int, full: Answer) -> Decimal:
    """What movements after the count at a place have added (or taken)."""
    as_of = chain.counts[lot, place].as_of
    total = ZERO
    for (other, target, document), moves in _documents(chain, {lot}).items():
        if target == place:
            new = sum((m.quantity for m in moves if m.at > as_of and (m.kind != "shipment" or m.delivered)), ZERO)
            sent = sum((m.quantity for m in moves if m.kind == "shipment" and not m.delivered), ZERO)
            got = sum((m.quantity for m in moves if m.kind == "receipt"), ZERO)
            twice = sum((m.quantity for m in moves if m.kind == "return" or m.delivered), ZERO)
            repeated = min(twice, max(got - sent, ZERO)) if document is not None else ZERO
            total += max(new - repeated, ZERO)
        for unsent_lot, unsent_place, unsent_document, quantity, source in full.received_unsent:
            same = (unsent_lot, unsent_place, unsent_document) == (other, target, document)
            if same and source == place and max(m.at for m in moves) > as_of:
                total -= quantity
    scratch: dict[tuple[int, int], Spot] = defaultdict(Spot)
    for move in chain.moves:
        if move.lot == lot and move.at > as_of:
            _leave(scratch, move)
    return total + net(scratch[lot, place])


def consignees(chain: Chain, lots: set[int]) -> dict[tuple[int, int], tuple[Decimal, Decimal]]:
    """Partner and lot -> shipped to the partner by others, returned by it to others."""
    full, there = spots(chain, lots), on_hand(chain, lots)
    result: dict[tuple[int, int], list[Decimal]] = {}
    owner = {place.id: place.partner for place in chain.places.values()}
    for lot, place in set(full.spots) | set(there):
        where, spot = chain.places[place], full.spots[lot, place]
        if where.custody != "customer":
            continue
        had = [spot.returned_in, spot.shipped_out, spot.returned_out, spot.consumed, spot.destroyed, spot.adjusted]
        maker = where.kind in {"supplier", "manufacturer", "regulator"}
        if spot.shipped_to > 0 or (not maker and (any(had) or there.get((lot, place), ZERO) > 0)):
            row = result.setdefault((where.partner, lot), [ZERO, ZERO])
            row[0] += spot.shipped_to
            row[1] += spot.returned_out
    customer = {place.id for place in chain.places.values() if place.custody == "customer"}
    inside = [
        (m.kind, m.lot, m.source, m.target, m.quantity)
        for m in chain.moves
        if m.lot in lots and m.kind in {"shipment", "return"}
    ] + [("shipment", lot, source, place, quantity) for lot, place, _, quantity, source in full.received_unsent]
    for kind, moved, source, target, quantity in inside:
        if source in customer and target in customer and owner[source] == owner[target]:
            assert moved is not None
            if (owner[source], moved) in result:
                result[owner[source], moved][0 if kind == "shipment" else 1] -= quantity
    return {key: (shipped, returned) for key, (shipped, returned) in result.items()}
