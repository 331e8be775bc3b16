"""The letter of a notice as a PDF: rendered once, approved, and the same bytes in every message.

A recipient's own lots and QR code go on a sheet that `own_sheet` appends behind these bytes without touching them. So
that the sheet can use the embedded font, the letter embeds the sheet's characters too and `Anchor` says where they are.
"""

import re
import string
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from fpdf import ViewerPreferences
from fpdf.enums import TextMode
from fpdf.fonts import TTFFont

from documents.font import drawable, truetype
from documents.page import BLACK, FAMILY, RED, SIZE, Page, heading, paragraph

_HEADING: Final = re.compile(r"(?:\d{1,2}\.|[一二三四五六七八九十]、) ?\S.{0,80}")
"""A line of its own paragraph that numbers a section, as the letters write it."""
_LATIN: Final = "".join(map(chr, range(0xA1, 0x100))) + "–—…“”‘’•"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is printed: the approved text without any recipient's values."""

    number: str
    language: str
    firm: str
    issued_on: date
    text: str
    """The first line is the heading; paragraphs are parted by empty lines."""
    urgent: bool
    """Printed bold and red (21 CFR 7.49(b))."""
    further: str = ""
    """Characters that own sheets need beside the letter's and the Latin ones."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where an own sheet is attached: object numbers and offsets of the letter, and the codes of its font."""

    size: int
    root: int
    info: int
    pages: int
    resources: int
    xref: int
    kids: tuple[int, ...]
    document_id: str
    codes: dict[str, int]
    """Character to two-byte code."""
    widths: dict[str, int]
    """Character to width in thousandths of the font size."""

    def as_json(self) -> dict[str, Any]:
        """What `Anchor(**...)` reads back."""
        return asdict(self) | {"kids": list(self.kids)}


def notice_pdf(letter: Letter) -> tuple[bytes, Anchor]:
    """The letter with its font embedded; the same letter gives the same bytes."""
    written = drawable(letter.text + letter.number + letter.firm + letter.further)
    characters = set(written) | set(string.printable) | set(drawable(_LATIN))
    characters = (characters - set(string.whitespace)) | {" "}
    with TemporaryDirectory(prefix="recall-font-") as folder:
        font = Path(folder) / "font.ttf"
        font.write_bytes(truetype(frozenset(characters)))
        pdf = _drawn(letter, font)
        embedded = pdf.fonts[FAMILY]
        if not isinstance(embedded, TTFFont):
            raise RuntimeError("the letter's font is not embedded")
        codes = {each: embedded.subset.pick(ord(each)) for each in sorted(characters)}
        widths = {each: round(embedded.cw[ord(each)]) for each in sorted(characters)}
        content = bytes(pdf.output())
    return content, _anchor(content, {each: code for each, code in codes.items() if code is not None}, widths)


def _drawn(letter: Letter, font: Path) -> Page:
    title, _, rest = letter.text.strip().partition("\n")
    pdf = Page(title, letter.number, font)
    pdf.set_creation_date(datetime.combine(letter.issued_on, time(), UTC))
    pdf.set_title(drawable(f"{title} {letter.number}"))
    pdf.set_author(drawable(letter.firm))
    pdf.set_lang(letter.language)
    pdf.viewer_preferences = ViewerPreferences(display_doc_title=True)
    pdf.add_page()
    colour = RED if letter.urgent else BLACK
    pdf.text_mode, pdf.line_width = TextMode.FILL_STROKE, 0.2
    pdf.set_draw_color(*colour)
    heading(pdf, title, 16, colour=colour)
    pdf.text_mode = TextMode.FILL
    pdf.set_draw_color(*BLACK)
    for part in (each.strip("\n") for each in rest.strip().split("\n\n")):
        if _HEADING.fullmatch(part):
            heading(pdf, part, 12)
        else:
            pdf.set_font(FAMILY, size=SIZE)
            paragraph(pdf, part)
        pdf.ln(1.5)
    return pdf


def _anchor(content: bytes, codes: dict[str, int], widths: dict[str, int]) -> Anchor:
    """Read from the file itself, by the library's fixed way of writing it.

    Raises:
        RuntimeError: the library writes its files in another way than this code knows.
    """

    def found(pattern: bytes) -> bytes:
        match = re.search(pattern, content, re.DOTALL)
        if match is None:
            raise RuntimeError(f"the PDF library has changed its way of writing: {pattern!r} not found")
        return match.group(1)

    pages = int(found(rb"/Pages (\d+) 0 R"))
    kids = found(rb"\n%d 0 obj\n<<\n/Count \d+\n/Kids \[([^\]]*)\]" % pages)
    found(rb"/Font <<(/F1) \d+ 0 R>>")
    return Anchor(
        size=int(found(rb"\ntrailer\n<<[^>]*?/Size (\d+)")),
        root=int(found(rb"/Root (\d+) 0 R")),
        info=int(found(rb"/Info (\d+) 0 R")),
        pages=pages,
        resources=int(found(rb"/Resources (\d+) 0 R")),
        xref=int(found(rb"startxref\n(\d+)\n%%EOF\s*$")),
        kids=tuple(int(each) for each in re.findall(rb"(\d+) 0 R", kids)),
        document_id=found(rb"/ID \[<([0-9A-F]+)>").decode(),
        codes=codes,
        widths=widths,
    )


__all__ = ["Anchor", "Letter", "notice_pdf"]
