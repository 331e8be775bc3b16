"""Conversion: exact or refused, never rounded, never a guess between two readings."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imports import convert as c
from imports.mapping_parts import DateOptions, NumberOptions

pytestmark = pytest.mark.unit

ENGLISH = NumberOptions(thousands=",")
GERMAN = NumberOptions(decimal=",", thousands=".")
LATEST = datetime(2026, 6, 1, tzinfo=UTC)


def exact(places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(min_value=Decimal(0), max_value=Decimal(10) ** 13, places=places, allow_nan=False)


@given(st.integers(0, 6).flatmap(exact), st.sampled_from([ENGLISH, GERMAN]))
def test_a_number_written_in_the_files_style_comes_back_exactly(value: Decimal, style: NumberOptions) -> None:
    written = f"{value:,f}"
    if style is GERMAN:
        written = written.translate(str.maketrans(",.", ".,"))
    assert Decimal(c.number(style, zero=True)(written)) == value


@given(st.text(max_size=20))
def test_a_text_is_read_as_its_exact_number_or_refused(text: str) -> None:
    try:
        read = c.number(NumberOptions(), zero=True, negative=True)(text)
    except ValueError:
        return
    assert Decimal(read) == Decimal(text)
    assert text.isascii()


@pytest.mark.parametrize(
    "text", ["1,5", "1.234.5", "12,34", "1e5", "NaN", "Infinity", "１２", "", "+-1", "1 000", "0x1"]
)
def test_what_is_no_number_in_this_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        c.number(NumberOptions())(text)


def test_thousands_separators_must_stand_where_thousands_are() -> None:
    assert c.number(ENGLISH)("1,234,567.50") == "1234567.5"
    with pytest.raises(ValueError, match="expected a number"):
        c.number(ENGLISH)("12,34")


def test_digits_that_cannot_be_kept_are_not_rounded() -> None:
    assert c.number(NumberOptions())("1.5000000000") == "1.5", "trailing zeros are no digits"
    for text in ("0.1234567", "123456789012345"):
        with pytest.raises(ValueError, match="kept exactly"):
            c.number(NumberOptions())(text)


@given(st.dates(date(1970, 1, 1), date(2026, 5, 30)))
def test_a_day_month_order_that_could_be_either_is_rejected_unless_both_agree(day: date) -> None:
    both = DateOptions(formats=("%d/%m/%Y", "%m/%d/%Y"), time_zone="UTC")
    text = day.strftime("%d/%m/%Y")
    if day.day <= 12 and day.day != day.month:
        with pytest.raises(ValueError, match="ambiguous: may be"):
            c.day(both)(text)
    else:
        assert c.day(both)(text) == day.isoformat()


@given(
    st.datetimes(*(datetime.fromisoformat(day) for day in ("1980-01-01", "2026-05-30"))),
    st.sampled_from(["UTC", "Africa/Nairobi"]),
)
def test_a_local_time_becomes_the_instant_it_names(moment: datetime, zone: str) -> None:
    moment = moment.replace(second=0, microsecond=0)
    options = DateOptions(formats=("%Y-%m-%d %H:%M",), time_zone=zone)
    read = datetime.fromisoformat(c.instant(options, LATEST)(moment.strftime("%Y-%m-%d %H:%M")))
    offset = timedelta(hours=3 if zone == "Africa/Nairobi" else 0)
    assert read == (moment - offset).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["2025-03-30 01:30", "2025-10-26 01:30"])
def test_a_time_at_which_the_clocks_change_is_not_guessed(text: str) -> None:
    options = DateOptions(formats=("%Y-%m-%d %H:%M",), time_zone="Europe/Dublin")
    with pytest.raises(ValueError, match="ambiguous: the clocks"):
        c.instant(options, LATEST)(text)


def test_a_time_without_any_zone_is_refused_and_an_offset_is_honoured() -> None:
    instant = c.instant(DateOptions(), LATEST)
    assert instant("2026-01-05T10:00:00+02:00") == "2026-01-05T10:00:00+02:00"
    assert instant("2026-01-05T10:00:00Z") == "2026-01-05T10:00:00+00:00"
    with pytest.raises(ValueError, match="no UTC offset"):
        instant("2026-01-05")
    with pytest.raises(ValueError, match="in the future"):
        instant("2026-07-01T00:00:00Z")


@pytest.mark.parametrize("text", ["20130401", "2013-W01", "2013-4-1", "2013-02-30", "1-4-2013", "2013-04-01T25:00"])
def test_iso_means_iso_in_full(text: str) -> None:
    with pytest.raises(ValueError, match="expected a date as iso"):
        c.day(DateOptions())(text)


@given(st.integers(0, 10**13 - 1), st.integers(1, 9))
def test_a_gtin_with_one_wrong_digit_is_refused(body: int, shift: int) -> None:
    digits = f"{body:013d}"
    [right] = [end for end in "0123456789" if _accepted(digits + end)]
    assert c.gtin(digits + right) == digits + right
    assert not _accepted(digits + str((int(right) + shift) % 10))


def _accepted(text: str) -> bool:
    try:
        c.gtin(text)
    except ValueError:
        return False
    return True


def test_shorter_gtins_are_padded_and_other_lengths_refused() -> None:
    assert c.gtin("4006381333931") == "04006381333931"
    with pytest.raises(ValueError, match="8, 12, 13 or 14 digits"):
        c.gtin("40063813339")


@given(st.text(max_size=40))
def test_an_email_address_that_passes_holds_nothing_that_could_break_a_mail_header(text: str) -> None:
    try:
        address = c.email(text)
    except ValueError:
        return
    assert address == text
    assert address.count("@") == 1
    assert not any(sign in address for sign in '\r\n\t ,;<>()"')


@pytest.mark.parametrize(
    "text", ["a@b", "a b@c.example", "@c.example", "a@c..example", "a@c.example\nBcc: x@y.example"]
)
def test_what_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an e-mail address"):
        c.email(text)


def test_a_national_phone_number_needs_its_region() -> None:
    assert c.phone("+353 1 234 5678", None) == "+35312345678"
    assert c.phone("(01) 234 5678", "IE") == "+35312345678"
    with pytest.raises(ValueError, match="international"):
        c.phone("01 234 5678", None)
    with pytest.raises(ValueError, match="phone"):
        c.phone("+1", None)
    for beyond in ("+49 211 1234567 12345", "+49 1234"):  # Germany leaves the length open
        with pytest.raises(ValueError, match="7 to 15 digits"):
            c.phone(beyond, None)


@given(st.text(max_size=30))
def test_text_is_kept_as_it_is_or_refused(text: str) -> None:
    assume(text == text.strip())
    try:
        assert c.text(20)(text) == text
    except ValueError:
        assert len(text) > 20 or any(ord(sign) < 32 or sign in "\x7f\x85\u2028\u2029" for sign in text)


def test_words_of_the_world_are_checked_against_their_lists() -> None:
    assert (c.country("CI"), c.language("zh-CN"), c.time_zone("Africa/Lome")) == ("CI", "zh-CN", "Africa/Lome")
    for convert, wrong in ((c.country, "UK"), (c.country, "ci"), (c.language, "chinese"), (c.time_zone, "GMT+25")):
        with pytest.raises(ValueError, match="expected"):
            convert(wrong)
