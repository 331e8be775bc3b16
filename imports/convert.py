"""Text of a file becomes a value of ours, exactly or not at all: no rounding, no guessing between two readings.

Every converter takes the text of one cell and returns the value in PostgreSQL's text form; it raises `ValueError`
with what was expected. Converters keep no state, so their results may be cached by text.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from babel import Locale

from domain.channels import Channel
from domain.money import currencies
from domain.web_addresses import checked_url
from imports.mapping_parts import DateOptions, NumberOptions

Cell = str | datetime | date
"""Text as written, or a date cell of a worksheet."""

Convert = Callable[[Cell], str]

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_KEY_NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")
_NOT_COUNTRIES = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
_TRUE, _FALSE = {"true", "yes", "y", "1"}, {"false", "no", "n", "0"}
_WHOLE_DIGITS, _DECIMALS = 14, 6


def plain(value: Cell) -> str:
    """A cell as text; date cells of worksheets in ISO form."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def text(limit: int) -> Convert:
    """Text of at most `limit` characters on one line."""

    def convert(value: Cell) -> str:
        value = plain(value)
        if len(value) > limit:
            raise ValueError(f"{len(value)} characters, at most {limit} are kept")
        if _CONTROL.search(value):
            raise ValueError("contains a line break, tab or other control character")
        return value

    return convert


def one_of(names: Sequence[str]) -> Convert:
    """One of our own words, as they are."""
    known = frozenset(names)

    def convert(value: Cell) -> str:
        if value not in known:
            raise ValueError(f"expected one of {', '.join(names)}")
        return str(value)

    return convert


def boolean(value: Cell) -> str:
    """yes/no, true/false, 1/0."""
    word = plain(value).casefold()
    if word in _TRUE:
        return "true"
    if word in _FALSE:
        return "false"
    raise ValueError("expected yes or no")


def integer(least: int, most: int) -> Convert:
    """A whole number in plain digits."""

    def convert(value: Cell) -> str:
        value = plain(value)
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return str(int(value))

    return convert


def currency(value: Cell) -> str:
    """An ISO 4217 code of money that can be paid with."""
    code = plain(value).upper()
    if code not in currencies():
        raise ValueError("expected an ISO 4217 code such as EUR")
    return code


def number(options: NumberOptions, *, zero: bool = False, negative: bool = False) -> Convert:
    """An exact decimal with at most 14 digits before and 6 after the point."""
    point = re.escape(options.decimal)
    whole = "[0-9]+"
    if options.thousands:
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(options.thousands)}[0-9]{{3}})+|[0-9]+)"
    pattern = re.compile(rf"([+-]?)({whole})(?:{point}([0-9]+))?")
    thousands = options.thousands or ""
    form = f"expected a number like 1234{options.decimal}5" + (
        f" or 1{thousands}234{options.decimal}5" if thousands else ""
    )

    def convert(value: Cell) -> str:
        value = plain(value)
        match = pattern.fullmatch(value)
        if match is None:
            raise ValueError(form)
        sign, digits, decimals = match[1], match[2], (match[3] or "").rstrip("0")
        if thousands:
            digits = digits.replace(thousands, "")
        digits = digits.lstrip("0") or "0"
        if len(digits) > _WHOLE_DIGITS or len(decimals) > _DECIMALS:
            raise ValueError(f"at most {_WHOLE_DIGITS} digits and {_DECIMALS} decimals are kept exactly")
        is_zero = digits == "0" and not decimals
        if is_zero and not zero:
            raise ValueError("expected a quantity other than zero")
        if sign == "-" and not negative and not is_zero:
            raise ValueError("expected a quantity above zero" if not zero else "expected a quantity of zero or more")
        result = f"{digits}.{decimals}" if decimals else digits
        return f"-{result}" if sign == "-" and not is_zero else result

    return convert


def _readings(value: Cell, formats: Sequence[str]) -> set[datetime]:
    """Every different reading of a date text."""
    if isinstance(value, datetime):
        return {value}
    if isinstance(value, date):
        return {datetime(value.year, value.month, value.day)}  # noqa: DTZ001 - its zone is given later
    found: set[datetime] = set()
    for name in formats:
        try:
            if name != "iso":
                found.add(datetime.strptime(value, name))  # noqa: DTZ007 - its zone is given later
            elif _ISO.fullmatch(value):
                found.add(datetime.fromisoformat(value))
        except ValueError:
            continue
    return found


def _read(value: Cell, formats: Sequence[str]) -> datetime:
    found = _readings(value, formats)
    if not found:
        raise ValueError(f"expected a date as {' or '.join(formats)}")
    if len(found) > 1:
        dates = " or ".join(sorted(reading.date().isoformat() for reading in found))
        raise ValueError(f"ambiguous: may be {dates}")
    return found.pop()


def day(options: DateOptions) -> Convert:
    """A calendar date."""
    return lambda value: _read(value, options.formats).date().isoformat()


def instant(options: DateOptions, latest: datetime) -> Convert:
    """An instant; times without an offset are in the mapping's zone, and none may lie after `latest`."""
    zone = ZoneInfo(options.time_zone) if options.time_zone else None

    def convert(value: Cell) -> str:
        moment = _read(value, options.formats)
        if moment.tzinfo is None:
            if zone is None:
                raise ValueError("has no UTC offset, and the mapping names no dates.time_zone")
            moment = _in_zone(moment, zone)
        if moment > latest:
            raise ValueError("lies in the future")
        return moment.isoformat()

    return convert


def _in_zone(moment: datetime, zone: tzinfo) -> datetime:
    first, second = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second.utcoffset():
        raise ValueError(f"ambiguous: the clocks of {zone} change at that time")
    return first


def latest_plausible(now: datetime) -> datetime:
    """End of the day that is already today somewhere on Earth."""
    return now + timedelta(hours=14)


@cache
def countries() -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes (CLDR's list without groupings and exceptional reservations)."""
    codes = Locale("en").territories
    return frozenset(str(code) for code in codes if re.fullmatch("[A-Z]{2}", str(code))) - _NOT_COUNTRIES


def country(value: Cell) -> str:
    """ISO 3166-1 alpha-2."""
    if value not in countries():
        raise ValueError("expected an ISO 3166 country code of two capital letters")
    return str(value)


def language(value: Cell) -> str:
    """BCP 47 tag such as en or zh-CN."""
    value = plain(value)
    if not _LANGUAGE.fullmatch(value) or value.split("-")[0] not in Locale("en").languages:
        raise ValueError("expected a language tag such as en or zh-CN")
    return value


def time_zone(value: Cell) -> str:
    """IANA name."""
    if value not in available_zones():
        raise ValueError("expected an IANA time zone such as Europe/Dublin")
    return str(value)


@cache
def available_zones() -> frozenset[str]:
    """Names of the IANA zones this system knows."""
    return frozenset(available_timezones())


def gtin(value: Cell) -> str:
    """GTIN-8, -12, -13 or -14 with a right check digit, as 14 digits (GS1 General Specifications 7.9)."""
    value = plain(value)
    if not re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", value):
        raise ValueError("expected a GTIN of 8, 12, 13 or 14 digits")
    _check_digit(value)
    return value.zfill(14)


def gln(value: Cell) -> str:
    """GLN of 13 digits with a right check digit."""
    value = plain(value)
    if not re.fullmatch(r"[0-9]{13}", value):
        raise ValueError("expected a GLN of 13 digits")
    _check_digit(value)
    return value


def _check_digit(digits: str) -> None:
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits[:-1])))
    expected = -weighted % 10
    if int(digits[-1]) != expected:
        raise ValueError(f"wrong check digit {digits[-1]}, expected {expected}")


def email(value: Cell) -> str:
    """An address as RFC 5321 allows it without quoting."""
    value = plain(value)
    local = value.partition("@")[0]
    if not _EMAIL.fullmatch(value) or ".." in local or local.startswith(".") or local.endswith("."):
        raise ValueError("expected an e-mail address")
    return value


def phone(value: Cell, region: str | None) -> str:
    """E.164; national numbers need the region the mapping names."""
    value = plain(value)
    if not value.startswith("+") and region is None:
        raise ValueError("expected an international number (+ and country code)")
    try:
        parsed = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        raise ValueError("expected a phone number") from None
    if parsed.extension or not phonenumbers.is_possible_number(parsed):
        raise ValueError("not a possible phone number of its country")
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not _E164.fullmatch(number):  # some countries leave the length open
        raise ValueError("expected a phone number of 7 to 15 digits with its country code")
    return number


def channels(value: Cell) -> str:
    """`email;sms` in the order of preference, as a PostgreSQL array."""
    names = [name.strip() for name in plain(value).split(";")]
    if not names or len(set(names)) != len(names) or not set(names) <= set(Channel):
        raise ValueError(f"expected each once, in order of preference, separated by semicolons: {', '.join(Channel)}")
    return "{" + ",".join(names) + "}"


def web_address(value: Cell) -> str:
    """Address of a system that takes notices: https, without credentials, at most 500 characters."""
    return checked_url(plain(value).strip())


def key_name(value: Cell) -> str:
    """Name of a key: letters, digits, `.`, `_` and `-`, at most 60."""
    name = plain(value).strip()
    if not _KEY_NAME.fullmatch(name):
        raise ValueError("expected the name of a key: letters, digits, . _ -, at most 60")
    return name
