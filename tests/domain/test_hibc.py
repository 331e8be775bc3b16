"""HIBC labels: the examples of ANSI/HIBC 2.6 and of real labels, and everything that is none."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.hibc import ALPHABET, HibcCode, HibcError, check_character, parse_hibc

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        # Figures 2 and 6 of the standard: a primary, and the secondary that its check character G links.
        ("+A123BJC5D6E71G", HibcCode(labeler="A123", product="BJC5D6E7", unit=1)),
        ("+$$52001510X3GD", HibcCode(lot="10X3", expiry=date(2020, 1, 15), link="G")),
        # Both in one symbol, and with day of manufacture and serial number behind them.
        (
            "+A99912345/$$52001510X33",
            HibcCode(labeler="A999", product="1234", unit=5, lot="10X3", expiry=date(2020, 1, 15)),
        ),
        (
            "+A99912345/$$52001510X3/16D20111212/S77DEFG457",
            HibcCode(labeler="A999", product="1234", unit=5, lot="10X3", serial="77DEFG45", expiry=date(2020, 1, 15)),
        ),
        # Real labels, as open readers test with them.
        ("+$$0624J139276%5", HibcCode(lot="J139276", expiry=date(2024, 6, 30), link="%")),
        (
            "+A99912349/$10X3/16D20111231/14D20200131/Q500Z",
            HibcCode(labeler="A999", product="1234", unit=9, lot="10X3", expiry=date(2020, 1, 31), quantity=500),
        ),
        ("+83278F8G9H0J2G%", HibcCode(lot="F8G9H0J2", expiry=date(1983, 10, 5), link="G")),
    ],
)
def test_published_symbols_are_read_as_they_are_meant(symbol: str, code: HibcCode) -> None:
    assert parse_hibc(symbol) == code


EXPIRY = date(2005, 9, 28)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("05271", HibcCode(expiry=EXPIRY)),
        ("$3C001", HibcCode(lot="3C001")),
        ("$$09053C001", HibcCode(lot="3C001", expiry=date(2005, 9, 30))),
        ("$$20928053C001", HibcCode(lot="3C001", expiry=EXPIRY)),
        ("$$30509283C001", HibcCode(lot="3C001", expiry=EXPIRY)),
        ("$$4050928223C001", HibcCode(lot="3C001", expiry=EXPIRY)),
        ("$$5052713C001", HibcCode(lot="3C001", expiry=EXPIRY)),
        ("$$605271223C001", HibcCode(lot="3C001", expiry=EXPIRY)),
        ("$$73C001", HibcCode(lot="3C001")),
        ("$+0001", HibcCode(serial="0001")),
        ("$$+09050001", HibcCode(serial="0001", expiry=date(2005, 9, 30))),
        ("$$+20928050001", HibcCode(serial="0001", expiry=EXPIRY)),
        ("$$+30509280001", HibcCode(serial="0001", expiry=EXPIRY)),
        ("$$+4050928200001", HibcCode(serial="0001", expiry=EXPIRY)),
        ("$$+5052710001", HibcCode(serial="0001", expiry=EXPIRY)),
        ("$$+605271200001", HibcCode(serial="0001", expiry=EXPIRY)),
        ("$$+70001", HibcCode(serial="0001")),
        ("$$82409053C001", HibcCode(lot="3C001", expiry=date(2005, 9, 30), quantity=24)),
        ("$$91234573C001/16D20160101/14D20200101", HibcCode(lot="3C001", expiry=date(2020, 1, 1), quantity=12345)),
        ("$10X3/16D20111231/14D20200131/Q500", HibcCode(lot="10X3", expiry=date(2020, 1, 31), quantity=500)),
        ("$$73C001/S0001", HibcCode(lot="3C001", serial="0001")),
        # The first and the last month.
        ("$$01053C001", HibcCode(lot="3C001", expiry=date(2005, 1, 31))),
        ("$$12053C001", HibcCode(lot="3C001", expiry=date(2005, 12, 31))),
        # A quantity that is none is passed over, as what we do not know.
        ("$10X3/Q5A", HibcCode(lot="10X3")),
    ],
)
def test_each_data_format_of_the_standard_is_read_alone_and_behind_a_primary(data: str, code: HibcCode) -> None:
    """Table F1 with its example data; L is its link character."""
    alone = f"+{data}L"
    read = parse_hibc(alone + check_character(alone))
    assert read == HibcCode(lot=code.lot, serial=code.serial, expiry=code.expiry, quantity=code.quantity, link="L")
    together = f"+A123BJC5D6E71/{data}"
    both = parse_hibc(together + check_character(together))
    assert (both.labeler, both.product, both.unit, both.link) == ("A123", "BJC5D6E7", 1, None)
    assert (both.lot, both.serial, both.expiry, both.quantity) == (code.lot, code.serial, code.expiry, code.quantity)


def test_a_serial_number_may_follow_the_primary_at_once() -> None:
    symbol = "+A99912345/S77DEFG45"
    read = parse_hibc(symbol + check_character(symbol))
    assert read == HibcCode(labeler="A999", product="1234", unit=5, serial="77DEFG45")


@pytest.mark.parametrize("symbol", ["+A123BJC5D6E71G", "+A99912345/$$52001510X33"])
def test_no_single_wrong_character_is_read(symbol: str) -> None:
    for index in range(len(symbol)):
        for other in set(ALPHABET) - {symbol[index]}:
            with pytest.raises(HibcError):
                parse_hibc(symbol[:index] + other + symbol[index + 1 :])


@pytest.mark.parametrize(
    "data",
    ["$$21302053C001", "$$13053C001", "$$5053663C001", "$$5050003C001", "$$8X", "A12", "a123x1", "$$7" + "X" * 19],
)
def test_data_of_no_format_are_refused(data: str) -> None:
    symbol = f"+{data}L"
    with pytest.raises(HibcError):
        parse_hibc(symbol + ("0" if any(each not in ALPHABET for each in symbol) else check_character(symbol)))


@given(st.text(alphabet=ALPHABET, max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    symbol = f"+{text}"
    try:
        parse_hibc(symbol + check_character(symbol))
    except HibcError:
        return
