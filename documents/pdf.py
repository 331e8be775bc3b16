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

from documents.font import drawable, truetype
from documents.page import (
    BLACK,
    FAMILY,
    GREY,
    LINE,
    POINTS,
    RED,
    SIZE,
    SMALL,
    Page,
    heading,
    keep_together,
    paragraph,
    wrapped,
)
from domain.documents.kinds import Draft
from domain.documents.layout import Layout, Table, layout

_PAD: Final = 1.0


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
    pdf = Page(page.title, draft.head.recall, font, drill=page.drill)
    pdf.set_creation_date(datetime.combine(draft.head.drafted_on, time(), UTC))
    pdf.set_title(drawable(f"{page.title} {draft.head.recall}"))
    pdf.set_author(drawable(draft.head.firm))
    pdf.set_lang(page.language)
    pdf.add_page()
    heading(pdf, page.title, 15)
    paragraph(pdf, page.subtitle, colour=GREY)
    _table(pdf, Table((), page.facts), shares=(0.25, 0.75))
    for block in page.blocks:
        if block.part:
            heading(pdf, block.part, 13)
        keep_together(pdf, 14)
        pdf.ln(2)
        paragraph(pdf, f"{block.title}  ({block.place})", colour=GREY)
        if block.table:
            _table(pdf, block.table)
        else:
            paragraph(pdf, block.text or "", colour=RED if block.open else BLACK)
    if page.missing:
        heading(pdf, page.missing_title, 13)
        paragraph(pdf, page.missing_intro)
        _table(pdf, page.missing, shares=(0.14, 0.3, 0.14, 0.28, 0.14))
    return bytes(pdf.output())


def _table(pdf: Page, table: Table, shares: Sequence[float] = ()) -> None:
    pdf.set_font(FAMILY, size=SMALL)
    count = len(table.titles) or len(table.rows[0])
    parts = [share * pdf.epw for share in shares or _shares(table, count)]
    if table.titles:
        _row(pdf, table.titles, parts, table.titles)
    for row in table.rows:
        _row(pdf, row, parts, table.titles)
    pdf.set_font(FAMILY, size=SIZE)


def _shares(table: Table, count: int) -> list[float]:
    """Column widths by what they hold, each with some room."""
    looked_at = (table.titles, *table.rows[:200])
    longest = [max(min(max(len(part) for part in row[i].split("\n")), 40) for row in looked_at) for i in range(count)]
    weights = [each + 4 for each in longest]
    return [each / sum(weights) for each in weights]


def _row(pdf: Page, cells: Sequence[str], widths: Sequence[float], titles: Sequence[str]) -> None:
    """One row; one too high for a page goes on over the next ones."""
    height = SMALL / POINTS * LINE
    lines = [list(wrapped(pdf, drawable(cell), width - 2 * _PAD)) for cell, width in zip(cells, widths, strict=True)]
    most, done = max(map(len, lines)), 0
    while done < most:
        room = int((pdf.page_break_trigger - pdf.get_y() - 2 * _PAD) // height)
        if room < min(most - done, 4):
            pdf.add_page()
            pdf.set_font(FAMILY, size=SMALL)
            if titles and cells is not titles:
                _row(pdf, titles, widths, titles)
            room = int((pdf.page_break_trigger - pdf.get_y() - 2 * _PAD) // height)
        part = min(room, most - done)
        _draw(pdf, [each[done : done + part] for each in lines], widths, part * height + 2 * _PAD, height)
        done += part


def _draw(pdf: Page, lines: Sequence[Sequence[str]], widths: Sequence[float], high: float, height: float) -> None:
    x, y = pdf.l_margin, pdf.get_y()
    for cell, width in zip(lines, widths, strict=True):
        pdf.rect(x, y, width, high)
        for index, line in enumerate(cell):
            if line:
                pdf.text(x + _PAD, y + _PAD + (index + 0.78) * height, line)
        x += width
    pdf.set_xy(pdf.l_margin, y + high)


__all__ = ["as_pdf"]
