"""A trace drawn as SVG: boxes in columns, lines in the direction goods went, gaps in red with what is not known.

The file stands alone (no script, no font, no link) and every text is escaped by the XML writer.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from unicodedata import east_asian_width
from xml.etree import ElementTree as ET

from documents.trace_graph import Box, Graph
from domain.visible_text import visible

_WIDTH, _GAP_X, _GAP_Y, _LINE, _PAD, _HEAD = 210, 90, 14, 15, 8, 84
_COLOURS: Final = {
    "root": ("#fde9c8", "#9a5b00"),
    "lot": ("#e3edf9", "#2a5b94"),
    "own": ("#e4f3e6", "#2f6e3b"),
    "logistics": ("#eaf3d9", "#5d6e1f"),
    "customer": ("#f2eefb", "#5b4392"),
    "more": ("#f1f1f1", "#555555"),
}
_LEGEND: Final = (
    ("root", "lot the trace starts from"),
    ("lot", "lot"),
    ("own", "our place"),
    ("logistics", "carrier or warehouse"),
    ("customer", "customer's place"),
    ("more", "many in one box"),
)
_GAP: Final = "#b00020"
_FONT: Final = "system-ui, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', sans-serif"
_CHARACTERS: Final = 30
"""Half-width characters of a line in a box."""
_ROWS: Final = 40
"""Boxes below each other; a column of more stands in several strands side by side."""
_STRAND: Final = 24
"""Between two strands of one column."""


def svg_of(graph: Graph) -> bytes:
    """The picture as a file."""
    at, width, height = _placed(graph)
    width = max(width, 960)
    height += _HEAD + 20 + _LINE * len(graph.notes)
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": _FONT} | size)
    ET.SubElement(root, "title").text = _printable(graph.title, 200)
    marker = ET.SubElement(
        ET.SubElement(root, "defs"),
        "marker",
        {"id": "to", "viewBox": "0 0 8 8", "refX": "8", "refY": "4", "markerWidth": "7", "markerHeight": "7"}
        | {"orient": "auto"},
    )
    ET.SubElement(marker, "path", {"d": "M0 0 L8 4 L0 8 z", "fill": "#777777"})
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    _text(root, 20, 28, graph.title, size=18, bold=True)
    _legend(root)
    for number, note in enumerate(graph.notes):
        gap = note.startswith("Gap")
        _text(root, 20, height - 14 - _LINE * (len(graph.notes) - 1 - number), note, colour=_GAP if gap else "#333333")
    for a, b, _ in graph.lines:
        _line(root, at[a], at[b])
    for boxes in graph.columns:
        for box in boxes:
            _box(root, box, at[box.key])
    ET.indent(root)
    picture: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{picture}\n'.encode()


def _placed(graph: Graph) -> tuple[dict[str, tuple[float, float, float]], int, int]:
    """Left, top and height of each box; width and height of the picture. Short columns stand in the middle."""
    heights = {box.key: _height(box) for boxes in graph.columns for box in boxes}
    columns = [_strands(boxes) for boxes in graph.columns]
    totals = [[sum(heights[box.key] + _GAP_Y for box in strand) for strand in strands] for strands in columns]
    tallest = max((total for each in totals for total in each), default=0)
    at = {}
    x = 20
    for strands, sums in zip(columns, totals, strict=True):
        for strand in strands:
            y = _HEAD + (tallest - max(sums)) / 2
            for box in strand:
                at[box.key] = (float(x), y, float(heights[box.key]))
                y += heights[box.key] + _GAP_Y
            x += _WIDTH + _STRAND
        x += _GAP_X - _STRAND
    return at, x - _GAP_X + 20, int(tallest)


def _strands(boxes: Sequence[Box]) -> list[Sequence[Box]]:
    """Row by row through the strands, so that each box stays at about the height the order gave it."""
    number = max((len(boxes) + _ROWS - 1) // _ROWS, 1)
    return [boxes[first::number] for first in range(number)]


def _height(box: Box) -> int:
    return 2 * _PAD + _LINE * (len(box.lines) + len(box.gaps))


def _legend(root: ET.Element) -> None:
    x = 20
    for kind, words in _LEGEND:
        fill, stroke = _COLOURS[kind]
        square = {"x": str(x), "y": "44", "width": "14", "height": "14", "fill": fill, "stroke": stroke}
        ET.SubElement(root, "rect", square)
        _text(root, x + 20, 56, words)
        x += 34 + 7 * len(words)
    _text(root, x, 56, "\u26a0 not known", colour=_GAP, bold=True)


def _line(root: ET.Element, a: tuple[float, float, float], b: tuple[float, float, float]) -> None:
    x1, y1 = a[0] + _WIDTH, a[1] + a[2] / 2
    x2, y2 = b[0], b[1] + b[2] / 2
    if x2 < x1:  # back to an earlier column, or within one: rework
        d = f"M{x1:.0f} {y1:.0f} C{x1 + 60:.0f} {y1:.0f} {b[0] + _WIDTH + 60:.0f} {y2:.0f} {b[0] + _WIDTH:.0f} {y2:.0f}"
        style = {"stroke": "#9a5b00", "stroke-dasharray": "4 3"}
    else:
        bend = (x2 - x1) / 2
        d = f"M{x1:.0f} {y1:.0f} C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
        style = {"stroke": "#999999"}
    ET.SubElement(root, "path", {"d": d, "fill": "none", "marker-end": "url(#to)"} | style)


def _box(root: ET.Element, box: Box, at: tuple[float, float, float]) -> None:
    x, y, height = at
    fill, stroke = _COLOURS.get(box.kind, _COLOURS["more"])
    group = ET.SubElement(root, "g", {"id": box.key, "class": box.kind + (" gap" if box.gaps else "")})
    ET.SubElement(group, "title").text = _printable("; ".join((*box.lines, *box.gaps)), 1000)
    frame = {"x": f"{x:.0f}", "y": f"{y:.0f}", "width": str(_WIDTH), "height": f"{height:.0f}", "rx": "5"}
    edge = {"stroke": _GAP, "stroke-width": "2"} if box.gaps else {"stroke": stroke}
    ET.SubElement(group, "rect", frame | {"fill": fill} | edge)
    for number, (text, gap) in enumerate(_lines(box), 1):
        top = y + _PAD + _LINE * number - 4
        shown = f"\u26a0 {text}" if gap else text
        _text(group, x + 9, top, _cut(shown), bold=number == 1, colour=_GAP if gap else "#222222")


def _lines(box: Box) -> Iterator[tuple[str, bool]]:
    yield from ((text, False) for text in box.lines)
    yield from ((text, True) for text in box.gaps)


def _cut(text: str) -> str:
    """As much as fits into a box; wide characters count twice, and the whole text is the box's title."""
    used = 0
    kept: list[str] = []
    for character in text:
        used += 2 if east_asian_width(character) in "WF" else 1
        if used > _CHARACTERS:
            return "".join(kept[:-1]) + "\u2026"
        kept.append(character)
    return text


def _printable(text: str, limit: int) -> str:
    """What XML may hold of a text."""
    return visible(text, limit).translate({0xFFFE: None, 0xFFFF: None})


def _text(
    parent: ET.Element, x: float, y: float, text: str, *, size: int = 12, bold: bool = False, colour: str = "#222222"
) -> None:
    attributes = {"x": f"{x:.0f}", "y": f"{y:.0f}", "font-size": str(size), "fill": colour}
    if bold:
        attributes["font-weight"] = "600"
    ET.SubElement(parent, "text", attributes).text = _printable(text, 300)


__all__ = ["svg_of"]
