"""A draft as a PDF with its font embedded: Latin and Chinese by Noto Sans SC (SIL OFL 1.1, a data package).

Same draft, same bytes: the only date in the file is the draft's own. Cells are wrapped here and drawn as plain text,
because a report to FDA may list ten thousand consignees; a character the font lacks is written as its code point, so
that nothing disappears.
"""

import string
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from documents.font import drawable, truetype
from domain.documents.kinds import Draft
from domain.documents.layout import Layout, Table, layout

_FAMILY: Final = "noto"
_SIZE: Final = 9.0
_SMALL: Final = 7.0
_LINE: Final = 1.35
"""Line height in font sizes."""
_PAD: Final = 1.0
_POINTS: Final = 72 / 25.4
_GREY, _RED, _BLACK = (90, 90, 90), (176, 0, 32), (0, 0, 0)


class _Page(FPDF):
    """A4 pages with the recall number, the title and page numbers; a drill says so on every page."""

    def __init__(self, page: Layout, number: str, font: Path) -> None:
        super().__init__(format="A4")
        self._page, self._number = page, number
        self.widths: dict[str, float] = {}
        self.add_font(_FAMILY, "", str(font))
        self.set_font(_FAMILY, size=_SIZE)
        self.set_margin(15)
        self.set_auto_page_break(auto=True, margin=18)

    def header(self) -> None:
        """The drill mark."""
        if self._page.drill:
            self.set_text_color(*_RED)
            self.cell(text=drawable(self._page.drill), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self.set_text_color(*_BLACK)

    def footer(self) -> None:
        """Which document, which page."""
        self.set_y(-14)
        self.set_font(_FAMILY, size=_SMALL)
        self.set_text_color(*_GREY)
        self.cell(text=drawable(f"{self._number}  {self._page.title}  {self.page_no()}"))
        self.set_text_color(*_BLACK)
        self.set_font(_FAMILY, size=_SIZE)

    def width(self, text: str) -> float:
        """Width in mm at the current size, from widths of single characters measured once."""
        total = 0.0
        for each in text:
            if each not in self.widths:
                self.widths[each] = self.get_string_width(each) / self.font_size_pt
            total += self.widths[each]
        return total * self.font_size_pt


def as_pdf(draft: Draft, language: str | None = None) -> bytes:
    """PDF with the font embedded; the same bytes for the same draft and language."""
    page = layout(draft, language)
    characters = set(string.printable) - set(string.whitespace) | {" "}
    for text in _texts(page, draft.head.recall, draft.head.firm):
        characters.update(drawable(text))
    with TemporaryDirectory(prefix="recall-font-") as folder:
        font = Path(folder) / "font.ttf"
        font.write_bytes(truetype(frozenset(characters - {"\n"})))
        return _drawn(draft, page, font)


def _texts(page: Layout, *more: str) -> Iterator[str]:
    """Everything that is drawn."""
    yield from (page.title, page.subtitle, page.drill or "", page.missing_title, page.missing_intro, *more)
    for pair in page.facts:
        yield from pair
    tables = [page.missing] if page.missing else []
    for block in page.blocks:
        yield from (block.place, block.title, block.text or "", block.part)
        tables += [block.table] if block.table else []
    for table in tables:
        yield from table.titles
        for row in table.rows:
            yield from row


def _drawn(draft: Draft, page: Layout, font: Path) -> bytes:
    pdf = _Page(page, draft.head.recall, font)
    pdf.set_creation_date(datetime.combine(draft.head.drafted_on, time(), UTC))
    pdf.set_title(drawable(f"{page.title} {draft.head.recall}"))
    pdf.set_author(drawable(draft.head.firm))
    pdf.set_lang(page.language)
    pdf.add_page()
    _heading(pdf, page.title, 15)
    _paragraph(pdf, page.subtitle, colour=_GREY)
    _table(pdf, Table((), page.facts), shares=(0.25, 0.75))
    for block in page.blocks:
        if block.part:
            _heading(pdf, block.part, 13)
        _keep_together(pdf, 14)
        pdf.ln(2)
        _paragraph(pdf, f"{block.title}  ({block.place})", colour=_GREY)
        if block.table:
            _table(pdf, block.table)
        else:
            _paragraph(pdf, block.text or "", colour=_RED if block.open else _BLACK)
    if page.missing:
        _heading(pdf, page.missing_title, 13)
        _paragraph(pdf, page.missing_intro)
        _table(pdf, page.missing, shares=(0.14, 0.3, 0.14, 0.28, 0.14))
    return bytes(pdf.output())


def _heading(pdf: _Page, text: str, size: float) -> None:
    _keep_together(pdf, 20)
    pdf.ln(3)
    pdf.set_font(_FAMILY, size=size)
    _paragraph(pdf, text)
    pdf.set_font(_FAMILY, size=_SIZE)


def _keep_together(pdf: _Page, room: float) -> None:
    if pdf.get_y() + room > pdf.page_break_trigger:
        pdf.add_page()


def _paragraph(pdf: _Page, text: str, *, colour: tuple[int, int, int] = _BLACK) -> None:
    height = pdf.font_size_pt / _POINTS * _LINE
    pdf.set_text_color(*colour)
    for line in wrapped(pdf, drawable(text), pdf.epw):
        if line:
            pdf.cell(text=line, h=height, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        else:
            pdf.ln(height)
    pdf.set_text_color(*_BLACK)


def wrapped(pdf: _Page, text: str, width: float) -> Iterator[str]:
    """Lines no wider than `width`, broken at spaces, or anywhere in text without any (Chinese, hashes)."""
    for paragraph in text.split("\n"):
        line = paragraph
        while pdf.width(line) > width:
            cut = _fits(pdf, line, width)
            space = line.rfind(" ", 0, cut + 1)
            at = space if space > cut // 2 else cut
            yield line[:at]
            line = line[at:].lstrip(" ")
        yield line


def _fits(pdf: _Page, line: str, width: float) -> int:
    """How many characters fit; one at least."""
    room = width / pdf.font_size_pt
    for index, each in enumerate(line):
        room -= pdf.widths[each]
        if room < 0:
            return max(index, 1)
    return len(line)


def _table(pdf: _Page, table: Table, shares: Sequence[float] = ()) -> None:
    pdf.set_font(_FAMILY, size=_SMALL)
    count = len(table.titles) or len(table.rows[0])
    parts = [share * pdf.epw for share in shares or _shares(table, count)]
    if table.titles:
        _row(pdf, table.titles, parts, table.titles)
    for row in table.rows:
        _row(pdf, row, parts, table.titles)
    pdf.set_font(_FAMILY, size=_SIZE)


def _shares(table: Table, count: int) -> list[float]:
    """Column widths by what they hold, each with some room."""
    looked_at = (table.titles, *table.rows[:200])
    longest = [max(min(max(len(part) for part in row[i].split("\n")), 40) for row in looked_at) for i in range(count)]
    weights = [each + 4 for each in longest]
    return [each / sum(weights) for each in weights]


def _row(pdf: _Page, cells: Sequence[str], widths: Sequence[float], titles: Sequence[str]) -> None:
    """One row; one too high for a page goes on over the next ones."""
    height = _SMALL / _POINTS * _LINE
    lines = [list(wrapped(pdf, drawable(cell), width - 2 * _PAD)) for cell, width in zip(cells, widths, strict=True)]
    most, done = max(map(len, lines)), 0
    while done < most:
        room = int((pdf.page_break_trigger - pdf.get_y() - 2 * _PAD) // height)
        if room < min(most - done, 4):
            pdf.add_page()
            pdf.set_font(_FAMILY, size=_SMALL)
            if titles and cells is not titles:
                _row(pdf, titles, widths, titles)
            room = int((pdf.page_break_trigger - pdf.get_y() - 2 * _PAD) // height)
        part = min(room, most - done)
        _draw(pdf, [each[done : done + part] for each in lines], widths, part * height + 2 * _PAD, height)
        done += part


def _draw(pdf: _Page, lines: Sequence[Sequence[str]], widths: Sequence[float], high: float, height: float) -> None:
    x, y = pdf.l_margin, pdf.get_y()
    for cell, width in zip(lines, widths, strict=True):
        pdf.rect(x, y, width, high)
        for index, line in enumerate(cell):
            if line:
                pdf.text(x + _PAD, y + _PAD + (index + 0.78) * height, line)
        x += width
    pdf.set_xy(pdf.l_margin, y + high)


__all__ = ["as_pdf"]
