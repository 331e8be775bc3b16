"""The files of a test message: those of the notice, each with the mark that its subject, text and HTML bear too."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from documents.font import drawable, truetype
from documents.page import FAMILY, RED, SIZE
from domain.attachment import Attachment
from domain.notice_test_mark import mark_of

_PREFIX: Final = "TEST-"
"""Before every name, in every language: names go through mail servers as ASCII."""
_PDF: Final = "application/pdf"
_TOP: Final = 4.0
"""Millimetres from the edge of the paper: above whatever the letter and the sheet print."""


def marked_files(files: Sequence[Attachment], language: str) -> tuple[Attachment, ...]:
    """The files with the mark in their names and, in a PDF, at the head of every page; a shown picture stays."""
    return tuple(_marked(file, language) if file.content_id is None else file for file in files)


def _marked(file: Attachment, language: str) -> Attachment:
    content = _stamped(file.content, language) if file.content_type == _PDF else file.content
    return replace(file, name=f"{_PREFIX}{file.name}", content=content)


def _stamped(content: bytes, language: str) -> bytes:
    writer = PdfWriter(clone_from=BytesIO(content))
    mark = PdfReader(BytesIO(_mark(language))).pages[0]
    for page in writer.pages:
        page.merge_page(mark)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@lru_cache(maxsize=8)
def _mark(language: str) -> bytes:
    """A page with nothing but the mark; the same bytes for the same language."""
    said = drawable(mark_of(language)[1])
    with TemporaryDirectory(prefix="recall-font-") as folder:
        font = Path(folder) / "font.ttf"
        font.write_bytes(truetype(frozenset(said)))
        pdf = FPDF(format="A4")
        pdf.add_font(FAMILY, "", str(font))
        pdf.set_creation_date(datetime(2000, 1, 1, tzinfo=UTC))
        pdf.add_page()
        pdf.set_font(FAMILY, size=SIZE)
        pdf.set_text_color(*RED)
        pdf.set_draw_color(*RED)
        pdf.set_xy(15, _TOP)
        pdf.cell(w=180, h=7, text=said, border=1, align="C")
        return bytes(pdf.output())


__all__ = ["marked_files"]
