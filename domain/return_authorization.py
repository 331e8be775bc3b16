"""RMA numbers: what a consignee writes on a parcel that comes back, and our dock scans.

An RMA is the number of one approved return or exchange: `RMA`, the nine digits of its record and two check digits (ISO
7064, MOD 97-10, as in an IBAN), so that a mistyped digit or two exchanged ones never name somebody else's goods. The
label's barcodes are GS1 element strings (GS1 General Specifications, section 3).
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.disposition import DispositionKind

RETURNING: Final = frozenset({DispositionKind.return_to_us, DispositionKind.replace_})
"""Kinds that bring a consignee's units to our dock."""
RMA_PATTERN: Final = r"^RMA[0-9]{11,17}$"
_SHAPE: Final = re.compile(r"RMA([0-9]{9,15})([0-9]{2})")
_LOT_AI: Final = re.compile(r"[!\"%-?A-Z_a-z]{1,20}")
"""Characters of GS1's set 82 that a lot number in AI (10) may have."""


class RmaError(ValueError):
    """Not an RMA number of ours; the text says what is wrong with it."""


def rma_number(disposition_id: int) -> str:
    """The RMA number of a return or exchange."""
    serial = f"{disposition_id:09d}"
    return f"RMA{serial}{98 - int(serial) * 100 % 97:02d}"


def parse_rma(text: str) -> int:
    """The record an RMA number stands for; spaces, dashes and small letters are forgiven, a wrong digit never is.

    Raises:
        RmaError: another shape, or the check digits do not fit.
    """
    plain = re.sub(r"[\s-]", "", text).upper()
    shape = _SHAPE.fullmatch(plain)
    if shape is None or not plain.isascii():
        raise RmaError("expected RMA and at least eleven digits, as printed on the label")
    if rma_number(int(shape[1])) != plain:
        raise RmaError("the check digits do not fit: a digit was misread or mistyped")
    return int(shape[1])


def printed(rma: str) -> str:
    """In groups, for people: `RMA 000 000 123 45`."""
    digits = rma.removeprefix("RMA")
    serial = digits[:-2]
    return " ".join(["RMA", *(serial[at : at + 3] for at in range(0, len(serial), 3)), digits[-2:]])


@dataclass(frozen=True, slots=True)
class Element:
    """One GS1 element: application identifier and value."""

    ai: str
    value: str


def rma_elements(rma: str, dock_gln: str | None) -> tuple[Element, ...]:
    """Whose parcel it is: where it goes, (410), where our dock has a GLN, and the RMA as agreed number, (90)."""
    return (*((Element("410", dock_gln),) if dock_gln else ()), Element("90", rma))


def goods_elements(gtin: str | None, lot: str, expires_on: date | None) -> tuple[Element, ...]:
    """What is in it: GTIN (01), expiry (17), lot (10); empty where GS1 has no way to say it (no GTIN, long lots)."""
    if gtin is None or not _LOT_AI.fullmatch(lot):
        return ()
    expiry = (Element("17", f"{expires_on:%y%m%d}"),) if expires_on else ()
    return (Element("01", gtin), *expiry, Element("10", lot))


def element_string(elements: tuple[Element, ...]) -> str:
    """What the barcode holds: fixed lengths first, so that no separator is needed before the last."""
    return "".join(each.ai + each.value for each in elements)


def readable(elements: tuple[Element, ...]) -> str:
    """What is printed below the barcode."""
    return "".join(f"({each.ai}){each.value}" for each in elements)


__all__ = [
    "RETURNING",
    "RMA_PATTERN",
    "Element",
    "RmaError",
    "element_string",
    "goods_elements",
    "parse_rma",
    "printed",
    "readable",
    "rma_elements",
    "rma_number",
]
