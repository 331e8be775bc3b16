"""The picture of a trace as boxes in columns: lots by their depth, the places of each lot behind them.

What does not fit is drawn as one box that says how much it stands for; nothing is left out silently. Within a column
boxes follow the mean place of what leads to them, which keeps lines short and mostly free of crossings.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from domain.quantity_text import plain
from domain.trace_result import Gap, TracedLot, TracedSite, TraceResult

MOST_LOTS: Final = 300
MOST_BOXES: Final = 600
MOST_SITES: Final = 12
"""Places drawn one by one for a lot."""
_SWEEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Box:
    """One lot, one place of a lot, or many of either."""

    key: str
    kind: str
    """`lot`, `root`, `own`, `logistics`, `customer` or `more`."""
    column: int
    lines: tuple[str, ...]
    gaps: tuple[str, ...] = ()
    """What is not known here, in words."""


@dataclass(slots=True)
class Graph:
    """Boxes by column from left to right, lines between them in the direction goods went."""

    title: str
    notes: list[str] = field(default_factory=list)
    columns: list[list[Box]] = field(default_factory=list)
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    """From, to (keys), and what the line says."""


def graph_of(result: TraceResult, edges: Iterable[tuple[int, int]], title: str) -> Graph:
    """Lay the result out; `edges` are (input lot, output lot) of the genealogy."""
    graph = Graph(title)
    shown = _shown_lots(result)
    of_lot, elsewhere = _gaps_by_lot(result)
    depth_of = {lot.lot_id: lot.depth for lot in result.lots}
    deepest = max((lot.depth for lot in shown), default=0)
    forward = result.direction == "forward"
    boxes: dict[int, list[Box]] = defaultdict(list)
    key_of: dict[int, str] = {}
    for lot in shown:
        key_of[lot.lot_id] = f"lot{lot.lot_id}"
        boxes[_lot_column(lot.depth, deepest, forward=forward)].append(_lot_box(lot, deepest, of_lot, forward=forward))
    for depth, hidden in _hidden(result, shown).items():
        key = f"more{depth}"
        key_of |= dict.fromkeys((lot.lot_id for lot in hidden), key)
        column = _lot_column(min(depth, deepest), deepest, forward=forward)
        boxes[column].append(Box(key, "more", column, (f"{len(hidden):,} further lots", f"depth {depth}")))
    _add_sites(graph, result, boxes, key_of, shown, of_lot)
    drawn = {(key_of[a], key_of[b]) for a, b in edges if a in depth_of and b in depth_of}
    graph.lines += [(a, b, "") for a, b in sorted(drawn) if a != b]
    loops = sorted({key_of[a] for a, b in edges if a == b and a in key_of})
    if loops:
        graph.notes.append(f"{len(loops)} lots were reworked into themselves.")
    graph.columns = _ordered([boxes[column] for column in sorted(boxes)], graph.lines)
    graph.notes += [f"Gap: {text}" for text in elsewhere]
    if len(shown) < len(result.lots):
        graph.notes.append(
            f"{len(result.lots) - len(shown):,} of {len(result.lots):,} lots are drawn as one box each depth."
        )
    return graph


def _shown_lots(result: TraceResult) -> list[TracedLot]:
    return sorted(result.lots, key=lambda lot: (lot.depth, lot.lot_id))[:MOST_LOTS]


def _hidden(result: TraceResult, shown: Sequence[TracedLot]) -> dict[int, list[TracedLot]]:
    known = {lot.lot_id for lot in shown}
    hidden: dict[int, list[TracedLot]] = defaultdict(list)
    for lot in result.lots:
        if lot.lot_id not in known:
            hidden[lot.depth].append(lot)
    return hidden


def _lot_column(depth: int, deepest: int, *, forward: bool) -> int:
    """Goods go from left to right in both directions: of a backward trace the roots stand last."""
    return depth if forward else deepest - depth


def _lot_box(lot: TracedLot, deepest: int, gaps: Mapping[int, list[str]], *, forward: bool) -> Box:
    made = f"made {plain(lot.quantity_made)}" if lot.quantity_made is not None else ""
    lines = (lot.number, lot.product_code, *(each for each in (lot.site_code or "", made) if each))
    kind = "root" if lot.root else "lot"
    column = _lot_column(lot.depth, deepest, forward=forward)
    return Box(f"lot{lot.lot_id}", kind, column, lines, tuple(gaps.get(lot.lot_id, ())))


def _add_sites(
    graph: Graph,
    result: TraceResult,
    boxes: dict[int, list[Box]],
    key_of: Mapping[int, str],
    shown: Sequence[TracedLot],
    of_lot: Mapping[int, list[str]],
) -> None:
    by_lot: dict[int, list[TracedSite]] = defaultdict(list)
    for site in result.sites:
        by_lot[site.lot_id].append(site)
    at_site: dict[str, list[str]] = defaultdict(list)
    for gap in result.gaps:
        if "site" in gap.detail:
            at_site[str(gap.detail["site"])].append(_words(gap))
    column = max(boxes, default=0) + 1
    room = max((MOST_BOXES - len(shown)) // max(len(by_lot), 1), 1)
    for lot in shown:
        sites = sorted(by_lot.get(lot.lot_id, ()), key=lambda site: (-_figure(site), site.location_code))
        one_by_one = sites if len(sites) <= min(room, MOST_SITES) else sites[: min(room, MOST_SITES) - 1]
        for site in one_by_one:
            key = f"site{site.lot_id}-{site.location_id}"
            of = (f"of lot {lot.number}",) if len(shown) > 1 else ()
            lines = (site.location_code, site.location_name, _figures(site), *of)
            boxes[column].append(Box(key, site.custody, column, lines, tuple(at_site.get(site.location_code, ())[:3])))
            graph.lines.append((key_of[lot.lot_id], key, ""))
        rest = sites[len(one_by_one) :]
        if rest:
            key = f"rest{lot.lot_id}"
            unsure = sum(1 for site in rest if site.location_code in at_site)
            gaps = (f"gaps at {unsure:,} of them",) if unsure else ()
            said = f"{plain(sum((_figure(site) for site in rest), Decimal(0)))} units"
            boxes[column].append(Box(key, "more", column, (f"{len(rest):,} further places", said), gaps))
            graph.lines.append((key_of[lot.lot_id], key, ""))
            graph.notes.append(f"Lot {lot.number}: {len(rest):,} of {len(sites):,} places are drawn as one box.")
    del graph.notes[5:]


def _figure(site: TracedSite) -> Decimal:
    return site.shipped_to if site.shipped_to else (site.on_hand or Decimal(0))


def _figures(site: TracedSite) -> str:
    parts = [("got", site.shipped_to), ("under way", site.in_transit), ("has", site.on_hand or Decimal(0))]
    return ", ".join(f"{word} {plain(quantity)}" for word, quantity in parts if quantity) or "nothing left"


def _gaps_by_lot(result: TraceResult) -> tuple[dict[int, list[str]], list[str]]:
    """Words by lot for gaps of a lot as a whole; words for those that neither a lot nor a drawn place can carry."""
    places = {site.location_code for site in result.sites}
    of_lot: dict[int, list[str]] = defaultdict(list)
    elsewhere: list[str] = []
    for gap in result.gaps:
        if "site" not in gap.detail and "lot_id" in gap.detail:
            of_lot[int(gap.detail["lot_id"])].append(_words(gap))
        elif gap.detail.get("site") not in places:
            elsewhere.append(_words(gap))
    more = len(elsewhere) - 5
    return of_lot, [*elsewhere[:5], *([f"and {more:,} more"] if more > 0 else [])]


def _words(gap: Gap) -> str:
    named = [str(gap.detail[each]) for each in ("check", "link", "site", "quantity") if gap.detail.get(each)]
    return " ".join([gap.kind.replace("_", " "), *(name.replace("_", " ") for name in named)])


def _ordered(columns: list[list[Box]], lines: Sequence[tuple[str, str, str]]) -> list[list[Box]]:
    """Each column by the mean place of its neighbours in the other columns, a few times to and fro."""
    near: dict[str, list[str]] = defaultdict(list)
    for a, b, _ in lines:
        near[a].append(b)
        near[b].append(a)
    place = {box.key: float(row) for boxes in columns for row, box in enumerate(boxes)}
    for sweep in range(_SWEEPS):
        for boxes in columns if sweep % 2 == 0 else reversed(columns):
            wanted = {
                box.key: sum(place[other] for other in near[box.key]) / len(near[box.key])
                if near[box.key]
                else place[box.key]
                for box in boxes
            }
            boxes.sort(key=lambda box: (wanted[box.key], box.key))
            place |= {box.key: row * max(map(len, columns)) / len(boxes) for row, box in enumerate(boxes)}
    return columns


__all__ = ["MOST_BOXES", "MOST_LOTS", "MOST_SITES", "Box", "Graph", "graph_of"]
