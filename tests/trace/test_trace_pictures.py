"""The picture of a trace: every lot and place is in it or counted in a box, gaps are marked, texts are escaped."""

from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest

from documents.trace_graph import MOST_BOXES, graph_of
from documents.trace_svg import svg_of
from domain.trace_result import Direction, Gap, TracedLot, TracedSite, TraceResult

pytestmark = pytest.mark.unit
SVG = "{http://www.w3.org/2000/svg}"


def lot(number: int, depth: int = 0, name: str = "", site_code: str | None = None) -> TracedLot:
    return TracedLot(
        lot_id=number, number=name or f"N{number}", product_code="P", site_code=site_code, supplier_lot=None,
        quantity_made=Decimal(100), depth=depth, root=not depth, parent_id=None,
    )  # fmt: skip


def site(number: int, of: int, custody: str = "customer", quantity: int = 5, name: str = "") -> TracedSite:
    figures = dict.fromkeys(
        ("received", "in_transit", "returned_in", "shipped_out", "returned_out", "consumed", "destroyed", "adjusted"),
        Decimal(0),
    )
    return TracedSite(
        lot_id=of, location_id=number, location_code=f"L{number}", location_name=name or f"Ward {number}",
        custody=custody, partner_id=number, partner_code=f"T{number}", partner_kind="hospital", country="US",
        shipped_to=Decimal(quantity), on_hand=Decimal(quantity), is_counted=False, net=Decimal(quantity), last_at=None,
        **figures,
    )  # fmt: skip


def drawn(result: TraceResult, edges: list[tuple[int, int]]) -> ET.Element:
    return ET.fromstring(svg_of(graph_of(result, edges, "Trace")))  # noqa: S314 - our own


def boxes(picture: ET.Element) -> dict[str, ET.Element]:
    return {str(box.get("id")): box for box in picture.iter(f"{SVG}g")}


def left(box: ET.Element) -> int:
    frame = box.find(f"{SVG}rect")
    assert frame is not None
    return int(str(frame.get("x")))


def texts(picture: ET.Element) -> list[str]:
    return [str(text.text) for text in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_goods_go_from_left_to_right_in_both_directions(direction: Direction) -> None:
    if direction == "forward":
        lots, edges = (lot(1), lot(2, 1), lot(3, 2)), [(1, 2), (2, 3), (3, 2)]
    else:
        lots, edges = (lot(3), lot(2, 1), lot(1, 2)), [(1, 2), (2, 3), (3, 2)]
    picture = drawn(TraceResult(direction, lots, (site(7, 3),)), edges)
    found = boxes(picture)
    assert set(found) == {"lot1", "lot2", "lot3", "site3-7"}
    assert left(found["lot1"]) < left(found["lot2"]) < left(found["lot3"]) < left(found["site3-7"])
    lines = [path for path in picture.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(lines) == 4
    assert sum(path.get("stroke-dasharray") is not None for path in lines) == 1, "the way back is a rework loop"


def test_gaps_are_marked_where_they_are_and_told_where_nothing_is_drawn() -> None:
    gaps = (
        Gap("stale_site", {"site": "L7", "on_hand": "5"}),
        Gap("unbalanced", {"check": "produced_differs", "lot_id": 1, "difference": "3"}),
        Gap("recall_period", {"site": "L99", "product": "P", "quantity": "8"}),
    )
    picture = drawn(TraceResult("forward", (lot(1),), (site(7, 1), site(8, 1)), gaps), [])
    marked = {key for key, box in boxes(picture).items() if "gap" in str(box.get("class")).split()}
    assert marked == {"lot1", "site1-7"}
    assert "Gap: recall period L99 8" in texts(picture)


def test_fifty_thousand_places_are_one_box_that_says_so() -> None:
    sites = tuple(site(number, 1, quantity=number) for number in range(1, 50_001))
    gaps = (Gap("stale_site", {"site": "L9"}),)
    picture = drawn(TraceResult("forward", (lot(1),), sites, gaps), [])
    found = boxes(picture)
    assert len(found) == 1 + 12
    words = [str(text.text) for text in found["rest1"].iter(f"{SVG}text")]
    assert words == ["49,989 further places", f"{sum(range(1, 49_990))} units", "\u26a0 gaps at 1 of them"]
    assert "site1-50000" in found, "the largest are drawn"
    assert "Lot N1: 49,989 of 50,000 places are drawn as one box." in texts(picture)


def test_many_lots_stay_within_what_can_be_read_and_all_are_counted() -> None:
    lots = (lot(1), *(lot(number, 1) for number in range(2, 1_001)))
    sites = tuple(site(number, number) for number in range(2, 1_001))
    picture = drawn(TraceResult("forward", lots, sites), [(1, number) for number in range(2, 1_001)])
    found = boxes(picture)
    assert len(found) <= MOST_BOXES
    assert "700 further lots" in texts(picture)
    assert any("700 of 1,000 lots" in text for text in texts(picture))
    width, height = (float(str(picture.get(side))) for side in ("width", "height"))
    for box in found.values():
        frame = box.find(f"{SVG}rect")
        assert frame is not None
        assert float(str(frame.get("x"))) + float(str(frame.get("width"))) <= width
        assert float(str(frame.get("y"))) + float(str(frame.get("height"))) <= height


def test_hostile_names_stay_text() -> None:
    name = "<script>alert(1)</script> & \u202e\x07\uffff \"'"
    picture = drawn(TraceResult("forward", (lot(1, name=name),), (site(7, 1, name=name),)), [])
    assert {element.tag for element in picture.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "title", "defs", "marker", "path", "rect", "text", "g")
    }
    assert any(text.startswith("<script>alert(1)</script>") for text in texts(picture))
