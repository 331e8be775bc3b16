"""Pages of PDFs: A4, one embedded font, lines wrapped here, number and title on every page.

Shared by the documents for authorities and by the notices that go out as attachments.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from documents.font import drawable

FAMILY: Final = "noto"
SIZE: Final = 9.0
SMALL: Final = 7.0
LINE: Final = 1.35
"""Line height in font sizes."""
POINTS: Final = 72 / 25.4
GREY, RED, BLACK = (90, 90, 90), (176, 0, 32), (0, 0, 0)


class Page(FPDF):
    """A4 pages with the recall number, the title and page numbers; a drill says so on every page."""

    def __init__(self, title: str, number: str, font: Path, *, drill: str | None = None) -> None:
        super().__init__(format="A4")
        self._title, self._number, self._drill = title, number, drill
        self.widths: dict[str, float] = {}
        self.add_font(FAMILY, "", str(font))
        self.set_font(FAMILY, size=SIZE)
        self.set_margin(15)
        self.set_auto_page_break(auto=True, margin=18)

    def header(self) -> None:
        """The drill mark."""
        if self._drill:
            self.set_text_color(*RED)
            self.cell(text=drawable(self._drill), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self.set_text_color(*BLACK)

    def footer(self) -> None:
        """Which document, which page."""
        self.set_y(-14)
        self.set_font(FAMILY, size=SMALL)
        self.set_text_color(*GREY)
        self.cell(text=drawable(f"{self._number}  {self._title}  {self.page_no()}"))
        self.set_text_color(*BLACK)
        self.set_font(FAMILY, size=SIZE)

    def width(self, text: str) -> float:
        """Width in mm at the current size, from widths of single characters measured once."""
        total = 0.0
        for each in text:
            if each not in self.widths:
                self.widths[each] = self.get_string_width(each) / self.font_size_pt
            total += self.widths[each]
        return total * self.font_size_pt


def heading(pdf: Page, text: str, size: float, *, colour: tuple[int, int, int] = BLACK) -> None:
    """A heading in points, never alone at the foot of a page."""
    keep_together(pdf, 20)
    pdf.ln(3)
    pdf.set_font(FAMILY, size=size)
    paragraph(pdf, text, colour=colour)
    pdf.set_font(FAMILY, size=SIZE)


def keep_together(pdf: Page, room: float) -> None:
    """A new page where less than `room` mm are left."""
    if pdf.get_y() + room > pdf.page_break_trigger:
        pdf.add_page()


def paragraph(pdf: Page, text: str, *, colour: tuple[int, int, int] = BLACK) -> None:
    """Wrapped text at the current size."""
    height = pdf.font_size_pt / POINTS * LINE
    pdf.set_text_color(*colour)
    for line in wrapped(pdf, drawable(text), pdf.epw):
        if line:
            pdf.cell(text=line, h=height, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        else:
            pdf.ln(height)
    pdf.set_text_color(*BLACK)


def wrapped(pdf: Page, text: str, width: float) -> Iterator[str]:
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


def _fits(pdf: Page, line: str, width: float) -> int:
    """How many characters fit; one at least."""
    room = width / pdf.font_size_pt
    for index, each in enumerate(line):
        room -= pdf.widths[each]
        if room < 0:
            return max(index, 1)
    return len(line)


__all__ = [
    "BLACK",
    "FAMILY",
    "GREY",
    "LINE",
    "POINTS",
    "RED",
    "SIZE",
    "SMALL",
    "Page",
    "heading",
    "keep_together",
    "paragraph",
    "wrapped",
]
