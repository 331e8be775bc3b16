"""A code scanned or typed on the recipient page, read as far as it can be: which product, which lot.

Scanners that act as keyboards often lose the separator (FNC1) behind a lot number, so that an expiry date sticks to
it. Every reading that is possible is tried; "not affected" is said only where no reading is affected.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.hibc import HibcError, check_character, parse_hibc
from domain.identifiers import IdentifierError, parse_device_code

_SEPARATORS: Final = ("<GS>", "{GS}", "[GS]", "␝", "<FNC1>", "\\x1d")
"""How people and scanners write the separator when they cannot send it."""
# What may follow a lot number whose separator was lost: dates, a serial, a count, more of the item's data.
_FOLLOWS: Final = re.compile(r"(?:1[1-7]\d{6}|21[!-z]|240[!-z]|30\d|71\d[!-z])")
# HIBC (ANSI/HIBC 2.6): primary +, labeler, product; secondary +$ lot, +$$ expiry and lot, or + Julian date and lot.
# Printed in Code 39 it stands between asterisks; a scanner may put its symbology identifier in front.
_HIBC: Final = re.compile(
    r"(?:\][A-Z]\d)?\*?(\+(?:[A-Z][A-Z0-9]{3}|\${1,2}|(\d{5}))[A-Z0-9/$+.%\- ]{2,})\*?", re.IGNORECASE | re.ASCII
)
# ISBT 128 (ICCBBA): =/ =, => =+ and &, begin its data structures.
_ISBT: Final = re.compile(r"(?:\][A-Z]\d)?(?:=[/,>+%<A-Z]|&,1)\S{3,}")
_LONGEST_LOT: Final = 100


@dataclass(frozen=True, slots=True)
class ScannedCode:
    """What a code says."""

    gtin: str | None = None
    """14 digits; None: a lot number without its product."""
    lots: tuple[str, ...] = ()
    """Possible readings of the lot number, the likeliest (longest) first; empty: the code names no lot."""
    serial: str | None = None
    expiry: date | None = None
    hibc: bool = False
    """A product by another system's number: never a bare lot number that somebody typed."""


class UnreadableCode(ValueError):  # noqa: N818 - what it is
    """Neither a known code nor something that could be a lot number; `kind` is `hibc` (misread) or `unreadable`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def read_code(text: str) -> ScannedCode:
    """Read a GS1 element string (with or without separators or brackets), a Digital Link, HIBC, or a bare lot number.

    Raises:
        UnreadableCode: none of them.
    """
    raw = text.strip()
    for written in _SEPARATORS:
        raw = raw.replace(written, "\x1d")
    try:
        code = parse_device_code(raw)
    except IdentifierError as error:
        if symbol := _hibc(raw):
            return _of_hibc(symbol)
        if not 0 < len(raw) <= _LONGEST_LOT or not raw.isprintable() or _is_code(raw):
            raise UnreadableCode("unreadable") from error
        return ScannedCode(lots=(raw,))
    return ScannedCode(code.gtin, readings(code.lot or ""), code.serial, code.expiry)


def readings(lot: str) -> tuple[str, ...]:
    """The lot number as read, and each shorter one behind which another field may have stuck to it."""
    cuts = [index for index in range(len(lot) - 1, 0, -1) if _FOLLOWS.match(lot, index)]
    return (lot, *(lot[:index] for index in cuts)) if lot else ()


def same_lot(one: str, other: str) -> bool:
    """Whether two writings may be one lot number: case, spaces and dashes are what people change."""
    return _plain(one) == _plain(other) != ""


def _hibc(raw: str) -> str | None:
    """The HIBC symbol in what was scanned; None where it is none."""
    found = _HIBC.fullmatch(raw)
    if found is None:
        return None
    symbol = found[1].upper()
    # Digits behind the plus might as well be a telephone number: only the check character tells.
    return None if found[2] is not None and check_character(symbol[:-1]) != symbol[-1] else symbol


def _of_hibc(symbol: str) -> ScannedCode:
    try:
        code = parse_hibc(symbol)
    except HibcError as error:
        raise UnreadableCode("hibc") from error
    lots = (code.lot,) if code.lot else ()
    return ScannedCode(lots=lots, serial=code.serial, expiry=code.expiry, hibc=True)


def _is_code(raw: str) -> bool:
    """Whether it is a code of some system rather than a lot number that somebody typed."""
    return raw.startswith(("http://", "https://", "(", "]")) or "\x1d" in raw or _ISBT.fullmatch(raw) is not None


def _plain(lot: str) -> str:
    return "".join(char for char in lot.casefold() if char.isalnum())


__all__ = ["ScannedCode", "UnreadableCode", "read_code", "readings", "same_lot"]
