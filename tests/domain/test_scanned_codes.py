"""Codes as scanners send them and people type them; a lost separator never makes an affected lot unaffected."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scanned_codes import UnreadableCode, read_code, readings, same_lot

pytestmark = pytest.mark.unit
GTIN = "05391516740012"


@pytest.mark.parametrize(
    "text",
    [
        f"(01){GTIN}(10)SCMS-10-IE(17)261231(21)77",
        f"01{GTIN}10SCMS-10-IE\x1d172612312177",
        f"]d201{GTIN}10SCMS-10-IE\x1d172612312177",
        f"01{GTIN}10SCMS-10-IE<GS>172612312177",
        f"01{GTIN}10SCMS-10-IE␝172612312177",
        f" https://id.gs1.org/01/{GTIN}/10/SCMS-10-IE/21/77?17=261231 ",
    ],
)
def test_every_writing_of_a_code_says_the_same(text: str) -> None:
    code = read_code(text)
    assert (code.gtin, code.lots[0], code.expiry, code.serial) == (GTIN, "SCMS-10-IE", date(2026, 12, 31), "77")


def test_a_lost_separator_leaves_both_readings() -> None:
    assert read_code(f"01{GTIN}10SCMS-10-IE17261231").lots == ("SCMS-10-IE17261231", "SCMS-10-IE")
    assert readings("A-2177") == ("A-2177", "A-")
    assert readings("") == ()


@given(st.text("ABCXYZ-/.0123456789", min_size=1, max_size=12), st.sampled_from(["17261231", "21SER", "30" + "5"]))
def test_the_lot_on_the_label_is_among_the_readings_whatever_sticks_to_it(lot: str, stuck: str) -> None:
    assert lot in readings(lot + stuck)


def test_a_code_without_a_lot_and_a_lot_without_a_code() -> None:
    assert read_code(f"01{GTIN}").lots == ()
    assert (read_code("scms 10 ie").gtin, read_code("scms 10 ie").lots) == (None, ("scms 10 ie",))
    assert same_lot("scms 10 ie", "SCMS-10-IE")
    assert not same_lot("SCMS-10-IE", "SCMS-11-IE")
    assert not same_lot("--", "..")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("+A123BJC5D6E71/$$52001510X3", "hibc"),
        ("+A123BJC5D6E71X", "hibc"),
        ("*+A123BJC5D6E71X*", "hibc"),
        ("]C0+A123BJC5D6E71X", "hibc"),
        ("+$$52001510X3G/", "hibc"),
        ("+$10X3G9", "hibc"),
        ("+a123bjc5d6e71x", "hibc"),
        ("=/W1234V5678", "unreadable"),
        ("=,000025", "unreadable"),
        ("&,1000000000000XYZ", "unreadable"),
        ("", "unreadable"),
        ("(01)05391516740013(10)A", "unreadable"),
        ("(10)no gtin", "unreadable"),
        ("https://example.org/page", "unreadable"),
        ("]", "unreadable"),
        ("x" * 101, "unreadable"),
        ("A\x00B", "unreadable"),
    ],
)
def test_what_cannot_be_read_is_said_to_be_unreadable(text: str, kind: str) -> None:
    with pytest.raises(UnreadableCode) as found:
        read_code(text)
    assert found.value.kind == kind


@pytest.mark.parametrize(
    ("text", "lots", "serial", "expiry"),
    [
        ("+A123BJC5D6E71G", (), None, None),
        ("*+A123BJC5D6E71G*", (), None, None),
        ("]C0+a123bjc5d6e71g", (), None, None),
        ("+$$52001510X3GD", ("10X3",), None, date(2020, 1, 15)),
        ("+A99912345/$$52001510X3/16D20111212/S77DEFG457", ("10X3",), "77DEFG45", date(2020, 1, 15)),
        ("+83278F8G9H0J2G%", ("F8G9H0J2",), None, date(1983, 10, 5)),
    ],
)
def test_an_hibc_label_tells_lot_serial_number_and_expiry(
    text: str, lots: tuple[str, ...], serial: str | None, expiry: date | None
) -> None:
    code = read_code(text)
    assert code.hibc
    assert (code.gtin, code.lots, code.serial, code.expiry) == (None, lots, serial, expiry)


@pytest.mark.parametrize("text", ["+254700000001", "+83278F8G9H0J2GX", "A+123", "=1", "L-26/0412"])
def test_what_only_looks_like_another_code_is_a_lot_number_to_compare(text: str) -> None:
    assert read_code(text).lots == (text,)


@given(st.text(max_size=80))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    try:
        read_code(text)
    except UnreadableCode:
        return
