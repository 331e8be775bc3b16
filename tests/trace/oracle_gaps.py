"""The gaps once more, row by row: what kind, about which lot and site, and how much."""

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tests.support.chain import Chain
from tests.trace import oracle

ZERO = Decimal(0)
Essence = tuple[Any, ...]


def essence(kind: str, detail: dict[str, Any]) -> Essence:
    """What of a reported gap the oracle can state as well."""
    if kind == "no_lot_receipt":
        return kind, detail["movement_id"], Decimal(detail["quantity"])
    if kind == "recall_period":
        since, until = detail["from"], detail["to"]
        return (
            *(kind, detail["product"], detail["site"], Decimal(detail["quantity"]), detail["receipts"]),
            *(datetime.fromisoformat(since), datetime.fromisoformat(until) if until else None),
        )
    if kind == "stale_site":
        return kind, detail["site"], Decimal(detail["on_hand"])
    if kind == "unbalanced":
        return kind, detail["check"], detail["lot_id"], detail.get("site"), Decimal(detail["difference"])
    if "movement_id" in detail:
        return kind, detail["link"], detail["movement_id"]
    return kind, detail["link"], detail["lot_id"], detail["site"], detail["document_no"], Decimal(detail["quantity"])


def gaps(chain: Chain, lots: set[int], stale: timedelta, margin: timedelta) -> Counter[Essence]:
    """Every gap of these lots."""
    found: Counter[Essence] = Counter()
    for part in (
        _no_lot(chain, lots, margin),
        _periods(chain, lots, margin),
        _stale(chain, lots, stale),
        _sites(chain, lots),
    ):
        found.update(part)
    found.update(_lots(chain, lots))
    found.update(_links(chain, lots))
    return found


def _period(chain: Chain, lots: set[int], margin: timedelta, product: int) -> tuple[datetime, datetime | None] | None:
    """First and last instant at which a unit of these lots of a product can have come to anybody."""
    times = sorted(m.at for m in chain.moves if m.lot in lots)
    starts = []
    for lot in (chain.lots[each] for each in lots if chain.lots[each].product == product):
        if lot.made_on is None:
            starts += times[:1]
        else:
            own = [m.at for m in chain.moves if m.lot == lot.id]
            starts.append(min([datetime.combine(lot.made_on, time(), UTC), *own]))
    if not starts:
        return None
    return min(starts), times[-1] + margin if times else None


def _suspicious(chain: Chain, lots: set[int], margin: timedelta) -> list[tuple[Any, datetime, datetime | None]]:
    """Movements without a lot that may have been of one of these, with the period."""
    found = []
    for product in {chain.lots[lot].product for lot in lots}:
        span = _period(chain, lots, margin, product)
        if span is not None:
            for m in chain.moves:
                if m.lot is None and m.product == product and span[0] <= m.at and (span[1] is None or m.at <= span[1]):
                    found.append((m, *span))
    return found


def _no_lot(chain: Chain, lots: set[int], margin: timedelta) -> list[Essence]:
    return [("no_lot_receipt", m.id, m.quantity) for m, _, _ in _suspicious(chain, lots, margin)]


def _periods(chain: Chain, lots: set[int], margin: timedelta) -> list[Essence]:
    came: dict[tuple[Any, ...], dict[Any, list[Any]]] = {}
    for m, since, until in _suspicious(chain, lots, margin):
        if m.kind in {"receipt", "shipment", "return"} and m.target is not None:
            key = (f"P{m.product}", chain.places[m.target].code, since, until)
            came.setdefault(key, {}).setdefault(m.document or m.id, []).append(m)
    result: list[Essence] = []
    for (product, site, since, until), documents in came.items():
        # One paper says of the same goods that they were sent and that they came.
        quantity = sum(
            (
                max(sum((m.quantity for m in moves if (m.kind == "receipt") is got), ZERO) for got in (True, False))
                for moves in documents.values()
            ),
            ZERO,
        )
        result.append(("recall_period", product, site, quantity, sum(map(len, documents.values())), since, until))
    return result


def _stale(chain: Chain, lots: set[int], stale: timedelta) -> list[Essence]:
    there = oracle.on_hand(chain, lots)
    last = {}
    for place in chain.places:
        seen = [c.as_of for (lot, where), c in chain.counts.items() if where == place and lot in lots]
        for m in chain.moves:
            if m.lot in lots and place in _places_of(m):
                seen.append(m.at)
        # Receipts without a shipment are one event of their document: its newest date counts for the source.
        for lot, target, document, _, source in oracle.spots(chain, lots).received_unsent:
            if source == place:
                seen += [
                    m.at
                    for m in chain.moves
                    if (m.lot, m.target, m.document) == (lot, target, document)
                    and m.kind in {"shipment", "receipt", "return"}
                ]
        if seen:
            last[place] = max(seen)
    if not last:
        return []
    newest = max(last.values())
    result: list[Essence] = []
    for place, at in last.items():
        held = sum((q for (_, where), q in there.items() if where == place), ZERO)
        if held > 0 and at < newest - stale:
            result.append(("stale_site", chain.places[place].code, held))
    return result


def _places_of(m: Any) -> set[int]:
    if m.kind in {"consumption", "destruction"}:
        return {m.source if m.source is not None else m.target}
    if m.kind == "receipt":
        return {m.target} - {None}
    return {m.source, m.target} - {None}


def _sites(chain: Chain, lots: set[int]) -> list[Essence]:
    full = oracle.spots(chain, lots)
    made = oracle.born(chain, lots, full)
    result: list[Essence] = []
    for lot, place in oracle.on_hand(chain, lots):
        where, spot, count = chain.places[place], full.spots[lot, place], chain.counts.get((lot, place))
        here = made.get(lot, ZERO) if chain.lots[lot].site == place else ZERO
        total = oracle.net(spot, here)
        if count is None:
            sender_only = where.custody != "customer" or where.kind in {"supplier", "manufacturer"}
            if total < 0 and not (sender_only and spot.received == 0 and here <= 0):
                result.append(("unbalanced", "more_out_than_in", lot, where.code, -total))
            continue
        if chain.lots[lot].site == place and chain.lots[lot].made is None:
            continue
        expected = total - oracle.later(chain, lot, place, full)
        built, eaten = oracle.uses(chain, lot)
        slack = max(built - eaten, ZERO) if where.custody != "customer" else ZERO
        if not ZERO <= expected - count.on_hand <= slack:
            result.append(("unbalanced", "count_differs", lot, where.code, count.on_hand - expected))
    return result


def _lots(chain: Chain, lots: set[int]) -> list[Essence]:
    full, there = oracle.spots(chain, lots), oracle.on_hand(chain, lots)
    born = oracle.born(chain, lots, full)
    result: list[Essence] = []
    for lot in lots:
        made = chain.lots[lot].made
        built, eaten = oracle.uses(chain, lot)
        entered = sum(
            (
                quantity
                for other, place, _, quantity, source in full.received_unsent
                if other == lot
                and source is None
                and chain.places[place].custody != "customer"
                and place != chain.lots[lot].site
            ),
            ZERO,
        )
        limit = made if made is not None else (entered or None)
        if limit is not None and built > limit:
            result.append(("unbalanced", "used_more_than_made", lot, None, limit - built))
        if made is None:
            continue
        rest = made - max(built, eaten)
        for (other, place), spot in full.spots.items():
            if other != lot:
                continue
            if chain.places[place].custody == "customer":
                rest -= spot.shipped_to + spot.returned_in - spot.shipped_out - spot.returned_out
            else:
                rest += spot.adjusted - spot.destroyed - spot.in_transit
                if (lot, place) not in chain.counts and spot.received + spot.returned_in > 0:
                    here = born.get(lot, ZERO) if chain.lots[lot].site == place else ZERO
                    rest -= max(there[lot, place] - here, ZERO)
        rest -= sum(
            (there[key] for key in chain.counts if key[0] == lot and chain.places[key[1]].custody != "customer"), ZERO
        )
        rest -= sum(
            (
                m.quantity
                for m in chain.moves
                if m.lot == lot
                and m.kind == "shipment"
                and m.target is None
                and chain.places[m.source].custody != "customer"  # type: ignore[index]
            ),
            ZERO,
        )
        if rest:
            result.append(("unbalanced", "produced_differs", lot, None, rest))
    return result


def _links(chain: Chain, lots: set[int]) -> list[Essence]:
    result: list[Essence] = []
    for lot, place, document, quantity, source in oracle.spots(chain, lots).received_unsent:
        entry = chain.places[place].custody != "customer" and (
            source is None
            or source == chain.lots[lot].site
            or chain.places[source].kind in {"supplier", "manufacturer"}
        )
        if not entry:
            code = chain.places[place].code
            result.append(("broken_link", "receipt_without_shipment", lot, code, document, quantity))
    for m in chain.moves:
        if m.lot in lots and m.kind in {"shipment", "return"}:
            if m.target is None:
                result.append(("broken_link", f"{m.kind}_to_unknown", m.id))
            elif m.source is None and m.kind == "return":
                result.append(("broken_link", "return_from_unknown", m.id))
    return result
