"""Return labels: one A5 page for each parcel, to be stuck on its outside and scanned at our dock.

Two barcodes of GS1-128 (ISO/IEC 15417 with FNC1 first): the RMA with the dock's GLN, and the goods by GTIN, expiry and
lot. Both are drawn as vectors, with the quiet zones of ten modules the standard asks for.
"""

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import yaml
from barcode.codex import Gs1_128
from fpdf import FPDF

from documents.font import drawable, truetype
from documents.page import BLACK, FAMILY, GREY, RED
from domain.return_authorization import (
    Element,
    element_string,
    goods_elements,
    printed,
    readable,
    rma_elements,
)

_FOLDER: Final = Path(__file__).parents[1] / "templates" / "returns"
LANGUAGES: Final = tuple(sorted(file.name.split(".")[1] for file in _FOLDER.glob("label.*.yaml")))
"""Those the words are there in."""
_MARGIN, _BAR_HEIGHT, _LARGEST_MODULE = 10.0, 22.0, 0.495
"""Millimetres; the module is the GS1 General Specifications' for logistics labels where the code is short enough."""
_A5: Final = (148.0, 210.0)
_QUIET: Final = 10
"""Modules of quiet zone on each side."""


@dataclass(frozen=True, slots=True)
class Dock:
    """Where parcels go."""

    firm: str
    name: str
    address: str
    gln: str | None
    phone: str


@dataclass(frozen=True, slots=True)
class ReturnLabel:
    """One parcel of one RMA."""

    rma: str
    recall: str
    drill: bool
    sender: str
    product: str
    gtin: str | None
    lot: str
    expires_on: date | None
    quantity: str
    """With its unit of use, as announced for the whole RMA."""
    language: str
    parcel: int = 1
    parcels: int = 1


def return_labels(labels: Sequence[ReturnLabel], dock: Dock) -> bytes:
    """A PDF with one page for each label, in the label's own language.

    Raises:
        ValueError: there is no label, or a language without words.
    """
    if not labels:
        raise ValueError("labels: expected at least one")
    pages = [_Texts(label, dock, words(label.language)) for label in labels]
    characters = set(string.printable) - set(string.whitespace) | {" "}
    for page in pages:
        characters.update(drawable("".join(page.all())))
    with TemporaryDirectory(prefix="recall-font-") as folder:
        font = Path(folder) / "font.ttf"
        font.write_bytes(truetype(frozenset(characters - {"\n"})))
        pdf = FPDF(orientation="landscape", format=_A5)
        pdf.add_font(FAMILY, "", str(font))
        pdf.set_margin(_MARGIN)
        pdf.set_auto_page_break(auto=False)
        pdf.set_title(drawable(pages[0].words["title"]))
        pdf.set_author(drawable(dock.firm))
        for label, page in zip(labels, pages, strict=True):
            _draw(pdf, label, dock, page)
        return bytes(pdf.output())


@lru_cache(maxsize=len(LANGUAGES))
def words(language: str) -> Mapping[str, str]:
    """The label's words in a language.

    Raises:
        ValueError: there are none.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language: expected one of {', '.join(LANGUAGES)}")
    read = yaml.safe_load((_FOLDER / f"label.{language}.yaml").read_text(encoding="utf-8"))
    return {str(key): str(text) for key, text in read.items()}


@dataclass(frozen=True, slots=True)
class _Texts:
    label: ReturnLabel
    dock: Dock
    words: Mapping[str, str]

    def facts(self) -> list[tuple[str, str]]:
        say, label = self.words, self.label
        expires = [(say["expires"], label.expires_on.isoformat())] if label.expires_on else []
        return [
            (say["rma"], printed(label.rma)),
            (say["recall"], label.recall),
            (say["from"], label.sender),
            (say["product"], label.product),
            (say["lot"], label.lot),
            *expires,
            (say["quantity"], label.quantity),
        ]

    def address(self) -> list[str]:
        gln = [f"{self.words['gln']} {self.dock.gln}"] if self.dock.gln else []
        return [self.dock.firm, self.dock.name, *self.dock.address.split("\n"), self.dock.phone, *gln]

    def parcel(self) -> str:
        return self.words["parcel"].format(number=self.label.parcel, count=self.label.parcels)

    def all(self) -> Iterator[str]:
        yield from self.words.values()
        yield from self.address()
        yield self.parcel()
        for name, value in self.facts():
            yield from (name, value)


def _draw(pdf: FPDF, label: ReturnLabel, dock: Dock, texts: _Texts) -> None:
    say = texts.words
    pdf.add_page()
    right = _MARGIN + pdf.epw * 0.56
    _text(pdf, _MARGIN, 15, say["title"], 15, pdf.epw * 0.7)
    _text(pdf, pdf.w - _MARGIN - 45, 15, texts.parcel(), 11, 45)
    if label.drill:
        _text(pdf, _MARGIN, 20, say["drill"], 11, pdf.epw, RED)
    y = 27.0
    for name, value in texts.facts():
        _text(pdf, _MARGIN, y, name, 7, 38, GREY)
        _text(pdf, _MARGIN + 38, y, value, 10, right - _MARGIN - 42)
        y += 6.2
    _text(pdf, right, 27, say["to"], 7, 80, GREY)
    for index, line in enumerate(texts.address()[:8]):
        _text(pdf, right, 33 + index * 5.4, line, 10, pdf.w - _MARGIN - right)
    _barcode(pdf, rma_elements(label.rma, dock.gln), 76)
    if goods := goods_elements(label.gtin, label.lot, label.expires_on):
        _barcode(pdf, goods, 107)
    _text(pdf, _MARGIN, 138, say["hold"], 9, pdf.epw, RED)
    _text(pdf, _MARGIN, 143, say["instruction"], 7, pdf.epw, GREY)


def _text(
    pdf: FPDF, x: float, y: float, text: str, size: float, room: float, colour: tuple[int, int, int] = BLACK
) -> None:
    """One line; what is too long is set smaller, and what is too long for that ends with dots."""
    shown = drawable(text).replace("\n", " ")
    pdf.set_text_color(*colour)
    pdf.set_font(FAMILY, size=size)
    while size > 6 and pdf.get_string_width(shown) > room:
        size -= 0.5
        pdf.set_font(FAMILY, size=size)
    if pdf.get_string_width(shown) > room:
        while shown and pdf.get_string_width(shown + "...") > room:
            shown = shown[:-1]
        shown += "..."
    pdf.text(x, y, shown)
    pdf.set_text_color(*BLACK)


def _barcode(pdf: FPDF, elements: tuple[Element, ...], y: float) -> None:
    (bars,) = Gs1_128(element_string(elements)).build()
    module = min(_LARGEST_MODULE, pdf.epw / (len(bars) + 2 * _QUIET))
    x, start = _MARGIN + _QUIET * module, 0
    pdf.set_fill_color(*BLACK)
    while (start := bars.find("1", start)) >= 0:
        end = bars.find("0", start)
        end = len(bars) if end < 0 else end
        pdf.rect(x + start * module, y, (end - start) * module, _BAR_HEIGHT, style="F")
        start = end
    _text(pdf, x, y + _BAR_HEIGHT + 4, readable(elements), 8, pdf.epw)


__all__ = ["LANGUAGES", "Dock", "ReturnLabel", "return_labels", "words"]
