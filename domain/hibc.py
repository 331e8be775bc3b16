"""HIBC supplier labels (ANSI/HIBC 2.6): which product, which lot or serial number, which expiry date.

A label is one symbol (`+` primary `/` secondary) or two: the primary alone, and a secondary whose last but one
character links it to its primary. The last character checks the whole (modulo 43); a symbol whose check fails is not
read at all.
"""

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
"""Characters in the order of their values (section 4.1)."""
# Labeler (a letter, then three), product or catalogue number, unit of measure.
_PRIMARY: Final = re.compile(r"([A-Z][A-Z0-9]{3})([A-Z0-9]{1,18})([0-9])")
# Quantity by its flag, expiry date by its flag, then the lot or serial number (Appendix F).
_SECONDARY: Final = re.compile(
    r"\$\$(?P<serial>\+?)(?:8(?P<few>\d{2})|9(?P<many>\d{5}))?"
    r"(?:2(?P<mdy>\d{6})|3(?P<ymd>\d{6})|4(?P<ymdh>\d{8})|5(?P<julian>\d{5})|6(?P<julianh>\d{7})|7|(?P<my>[01]\d{3})|$)"
    r"(?P<number>[A-Z0-9.\- ]{0,18})"
)
_PLAIN: Final = re.compile(r"\$(?P<serial>\+?)(?P<number>[A-Z0-9.\- ]{0,18})")
_JULIAN: Final = re.compile(r"(?P<julian>\d{5})(?P<number>[A-Z0-9.\- ]{0,18})")
_CENTURY: Final = 80
"""Two digits of a year from here on are of the last century: the standard began in 1983."""


class HibcError(ValueError):
    """No HIBC symbol, or one that was misread; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class HibcCode:
    """What a symbol says; a primary alone has no lot, a secondary alone no product."""

    labeler: str | None = None
    product: str | None = None
    """Product or catalogue number."""
    unit: int | None = None
    """Unit of measure (package level), 0 for the unit of use."""
    lot: str | None = None
    serial: str | None = None
    expiry: date | None = None
    quantity: int | None = None
    link: str | None = None
    """Check character of the primary that a secondary symbol belongs to."""


def check_character(text: str) -> str:
    """The character that closes a symbol, over everything before it.

    Raises:
        HibcError: a character that the code has not.
    """
    try:
        return ALPHABET[sum(map(ALPHABET.index, text)) % len(ALPHABET)]
    except ValueError:
        raise HibcError("expected capitals, digits and -. $/+% only") from None


def parse_hibc(text: str) -> HibcCode:
    """Read a symbol, without symbology identifier and asterisks, in capitals.

    Raises:
        HibcError: no such symbol, its check character is wrong, or its data have no format of the standard.
    """
    if len(text) < 4 or text[0] != "+":
        raise HibcError("expected a symbol that begins with +")
    if check_character(text[:-1]) != text[-1]:
        raise HibcError("the check character does not fit: misread")
    body = text[1:-1]
    if body[0].isalpha():
        first, *more = body.split("/")
        found = _PRIMARY.fullmatch(first)
        if found is None:
            raise HibcError("expected labeler, product and unit of measure behind +")
        code = HibcCode(labeler=found[1], product=found[2], unit=int(found[3]))
    else:
        code, more = HibcCode(link=body[-1]), body[:-1].split("/")
    for position, part in enumerate(more):
        code = _secondary(code, part) if position == 0 and part[:1] not in "SQ1" else _further(code, part)
    return code


def _secondary(code: HibcCode, part: str) -> HibcCode:
    for pattern in (_SECONDARY, _PLAIN, _JULIAN):
        found = pattern.fullmatch(part)
        if found is not None:
            break
    else:
        raise HibcError("expected lot, serial number or expiry date in a format of the standard")
    read = found.groupdict()
    number = read["number"] or None
    many = read.get("few") or read.get("many")
    code = replace(code, expiry=_expiry(read), quantity=int(many) if many else None)
    return replace(code, serial=number) if read.get("serial") else replace(code, lot=number)


def _further(code: HibcCode, part: str) -> HibcCode:
    """Supplemental data by its identifier; what is none of ours (day of manufacture) is passed over."""
    if part.startswith("14D"):
        return replace(code, expiry=_day(part[3:7], part[7:9], part[9:]))
    if part.startswith("S"):
        return replace(code, serial=part[1:] or None)
    if part.startswith("Q") and part[1:].isdigit():
        return replace(code, quantity=int(part[1:]))
    return code


def _expiry(read: dict[str, str | None]) -> date | None:
    if my := read.get("my"):
        year, month = _year(my[2:]), int(my[:2])
        if not 1 <= month <= 12:
            raise HibcError("expected a month from 01 to 12")
        return date(year, month, monthrange(year, month)[1])
    if mdy := read.get("mdy"):
        return _day(str(_year(mdy[4:])), mdy[:2], mdy[2:4])
    if ymd := read.get("ymd") or read.get("ymdh"):
        return _day(str(_year(ymd[:2])), ymd[2:4], ymd[4:6])
    if julian := read.get("julian") or read.get("julianh"):
        year, day = _year(julian[:2]), int(julian[2:5])
        found = date(year, 1, 1) + timedelta(days=day - 1)
        if day == 0 or found.year != year:
            raise HibcError("expected a day of the year")
        return found
    return None


def _year(digits: str) -> int:
    return int(digits) + (1900 if int(digits) >= _CENTURY else 2000)


def _day(year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise HibcError("expected a date of the calendar") from None


__all__ = ["ALPHABET", "HibcCode", "HibcError", "check_character", "parse_hibc"]
