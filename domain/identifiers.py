"""GS1 identifiers: GTIN, GLN and the element string on a label (GTIN, lot, serial, expiry).

`biip` knows the application identifiers and check digits; this module turns its results into one
value or one clear error. A lot alone is not unique: the key of a lot is GTIN and lot together. Used
from the API and activities, not from workflow code.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from biip import BiipException
from biip.gln import Gln
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString, GS1ElementStrings
from biip.gs1_messages import GS1Message
from biip.gtin import Gtin
from biip.symbology import SymbologyIdentifier

from domain.recall_number import RecallNumber, RecallNumberError, build_recall_number

__all__ = [
    "DeviceCode",
    "IdentifierError",
    "RecallNumber",
    "RecallNumberError",
    "build_recall_number",
    "lot_text",
    "normalise_gln",
    "normalise_gtin",
    "parse_device_code",
]

_MAX_CODE: Final = 512
_MAX_LOT: Final = 100


class IdentifierError(ValueError):
    """An identifier that cannot be right; the message quotes it and says what was expected."""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a label's code says. `gtin` has 14 digits; lot and serial keep their case."""

    raw: str
    gtin: str
    lot: str | None = None
    serial: str | None = None
    expiry: date | None = None
    """Last day of the month where the label gives day 00."""
    produced: date | None = None
    count: int | None = None
    contained: bool = False
    """True when the GTIN names the goods inside a logistic unit (AI 02), not the unit itself."""


def normalise_gtin(text: str) -> str:
    """A GTIN-8, -12, -13 or -14 as 14 digits, its check digit verified.

    Raises:
        IdentifierError: for a wrong length, other characters or a wrong check digit.
    """
    digits = _digits(text, "GTIN", (8, 12, 13, 14))
    try:
        return Gtin.parse(digits).as_gtin_14()
    except BiipException as error:
        raise IdentifierError(str(error)) from error


def normalise_gln(text: str) -> str:
    """A GLN as 13 digits, its check digit verified.

    Raises:
        IdentifierError: for a wrong length, other characters or a wrong check digit.
    """
    digits = _digits(text, "GLN", (13,))
    try:
        return Gln.parse(digits).value
    except BiipException as error:
        raise IdentifierError(str(error)) from error


def lot_text(text: str) -> str:
    """A lot number as it is kept: outer spaces removed, case unchanged.

    Raises:
        IdentifierError: when it is empty, longer than 100 characters or has control characters.
    """
    lot = text.strip()
    if not lot:
        raise IdentifierError("lot: expected a lot number, got nothing")
    if len(lot) > _MAX_LOT:
        raise IdentifierError(f"lot: expected at most {_MAX_LOT} characters, got {len(lot)}")
    if not lot.isprintable():
        raise IdentifierError(f"lot {lot!r}: control characters are not part of a lot number")
    return lot


def parse_device_code(text: str) -> DeviceCode:
    """Read a scanned element string, its printed form "(01)...(10)..." or a GS1 Digital Link.

    Raises:
        IdentifierError: when it is no GS1 code, a check digit or date is wrong, or no GTIN is in it.
    """
    raw = text.strip(" \t\r\n")
    if not raw or len(raw) > _MAX_CODE:
        raise IdentifierError(f"code: expected 1 to {_MAX_CODE} characters, got {len(raw)}")
    fields = _fields(raw)
    if "01" not in fields and "02" not in fields:
        found = ", ".join(f"({ai})" for ai in fields) or "nothing"
        raise IdentifierError(f"code {raw[:60]!r}: no GTIN (01) in it, found {found}")
    if "01" in fields and "02" in fields:
        raise IdentifierError(f"code {raw[:60]!r}: both (01) and (02) in it, so it is unclear which goods are meant")
    contained = "02" in fields
    count = fields.get("37" if contained else "30")
    return DeviceCode(
        raw=raw,
        gtin=normalise_gtin(fields["02" if contained else "01"].value),
        lot=_value(fields, "10"),
        serial=_value(fields, "21"),
        expiry=_date(fields, "17"),
        produced=_date(fields, "11"),
        count=int(count.value) if count else None,
        contained=contained,
    )


def _digits(text: str, name: str, lengths: tuple[int, ...]) -> str:
    digits = text.strip().replace(" ", "").replace("-", "")
    # str.isdigit also accepts other scripts' digits, which no scanner or registry emits.
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in lengths:
        expected = ", ".join(str(length) for length in lengths)
        raise IdentifierError(f"{name} {text[:40]!r}: expected {expected} digits")
    return digits


def _elements(raw: str) -> GS1ElementStrings:
    if raw.lower().startswith(("http://", "https://")):
        return GS1DigitalLinkURI.parse(raw).element_strings
    if raw.startswith("("):
        return GS1Message.parse_hri(raw).element_strings
    if raw.startswith("]"):
        raw = raw[len(SymbologyIdentifier.extract(raw)) :]
    return GS1Message.parse(raw.lstrip("\x1d")).element_strings


def _fields(raw: str) -> dict[str, GS1ElementString]:
    try:
        elements = _elements(raw)
    except (BiipException, ValueError, IndexError) as error:  # biip raises IndexError on a lone "]"
        raise IdentifierError(f"code {raw[:60]!r}: {error}") from error
    fields: dict[str, GS1ElementString] = {}
    for element in elements:
        problem = element.gtin_error or element.gln_error or element.sscc_error
        if problem:
            raise IdentifierError(f"code {raw[:60]!r}, field ({element.ai.ai}): {problem}")
        known = fields.setdefault(element.ai.ai, element)
        if known.value != element.value:
            raise IdentifierError(f"code {raw[:60]!r}: field ({element.ai.ai}) is given twice and differs")
    return fields


def _value(fields: dict[str, GS1ElementString], ai: str) -> str | None:
    element = fields.get(ai)
    return element.value if element else None


def _date(fields: dict[str, GS1ElementString], ai: str) -> date | None:
    element = fields.get(ai)
    return element.date if element else None
