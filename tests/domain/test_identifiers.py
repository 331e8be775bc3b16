"""GS1 identifiers: check digits, element strings in every form, and one clear error otherwise."""

import gzip
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identifiers import IdentifierError, lot_text, normalise_gln, normalise_gtin, parse_device_code
from tests.domain.factories import ROOT

pytestmark = pytest.mark.unit

SHARED = ROOT.parent / "shared" / "data" / "udi"
GTIN = "09506000134352"


def with_check_digit(digits: str) -> str:
    """The GS1 modulo-10 check digit, written apart from the product."""
    weights = [3 if index % 2 == 0 else 1 for index in range(len(digits))]
    total = sum(int(digit) * weight for digit, weight in zip(reversed(digits), weights, strict=True))
    return digits + str(-total % 10)


@given(st.integers(0, 10**13 - 1))
def test_a_gtin_with_its_right_check_digit_is_taken_and_with_any_other_refused(number: int) -> None:
    gtin = with_check_digit(f"{number:013d}")
    assert normalise_gtin(gtin) == gtin
    wrong = gtin[:-1] + str((int(gtin[-1]) + 1) % 10)
    with pytest.raises(IdentifierError, match="check digit"):
        normalise_gtin(wrong)


@pytest.mark.parametrize("text", ["9506000134352", "0 9506000-134352", GTIN])
def test_a_shorter_or_spaced_gtin_becomes_fourteen_digits(text: str) -> None:
    assert normalise_gtin(text) == GTIN


@pytest.mark.parametrize("text", ["", "123", "9506000134353x", "٩٥٠٦٠٠٠١٣٤٣٥٢", "9" * 30])
def test_a_text_that_is_no_gtin_is_refused_with_the_expected_lengths(text: str) -> None:
    with pytest.raises(IdentifierError, match=r"GTIN .*expected 8, 12, 13, 14 digits"):
        normalise_gtin(text)


def test_a_gln_has_thirteen_digits_and_a_check_digit() -> None:
    gln = with_check_digit("123456789012")
    assert normalise_gln(f" {gln} ") == gln
    with pytest.raises(IdentifierError, match="check digit"):
        normalise_gln(gln[:-1] + str((int(gln[-1]) + 5) % 10))
    with pytest.raises(IdentifierError, match=r"GLN .*expected 13 digits"):
        normalise_gln(gln[:-1])


SCAN = f"01{GTIN}17261130" + "10aBc-1\x1d21S/9"


@pytest.mark.parametrize(
    "text",
    [
        SCAN,
        f"]d2{SCAN}",
        f"\x1d{SCAN}",
        f"(01){GTIN}(17)261130(10)aBc-1(21)S/9",
        f"https://id.gs1.org/01/{GTIN}/10/aBc-1/21/S%2F9?17=261130",
    ],
)
def test_a_label_reads_alike_as_scan_as_print_and_as_link(text: str) -> None:
    code = parse_device_code(text)
    assert (code.gtin, code.lot, code.serial, code.expiry) == (GTIN, "aBc-1", "S/9", date(2026, 11, 30))
    assert code.raw == text


def test_an_expiry_with_day_zero_is_the_last_day_of_its_month() -> None:
    assert parse_device_code(f"(01){GTIN}(17)260200").expiry == date(2026, 2, 28)


def test_a_logistic_label_gives_the_goods_inside_and_their_count() -> None:
    code = parse_device_code(f"(02){GTIN}(37)24(10)L1")
    assert (code.gtin, code.contained, code.count, code.lot) == (GTIN, True, 24, "L1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 1 to 512 characters"),
        ("x" * 600, "expected 1 to 512 characters"),
        ("(10)L1", r"no GTIN \(01\) in it, found \(10\)"),
        ("(01)09506000134353(10)L1", r"field \(01\).*check digit"),
        (f"01{GTIN}17261399", "17"),
        (f"(01){GTIN}(10)A(10)B", "given twice"),
        (f"(01){GTIN}(02){GTIN}(37)5", "unclear which goods"),
        ("hello", "hello"),
        (f"(01){GTIN}(10)" + "L" * 21, "code"),
        ("https://example.com/nothing", "code"),
        ("]", "code"),
        ("]d2", "code"),
        ("(", "code"),
    ],
)
def test_a_code_that_cannot_be_read_gives_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(IdentifierError, match=message):
        parse_device_code(text)


@given(st.text(max_size=60) | st.text(alphabet="()0123456789\x1dAB]d", max_size=40))
def test_any_scan_is_a_code_or_an_identifier_error(text: str) -> None:
    try:
        code = parse_device_code(text)
    except IdentifierError:
        return
    assert normalise_gtin(code.gtin) == code.gtin


def test_a_lot_keeps_its_case_and_loses_only_outer_spaces() -> None:
    assert lot_text("  aB 1 ") == "aB 1"
    for wrong in ("", "  ", "x" * 101, "a\tb"):
        with pytest.raises(IdentifierError, match="lot"):
            lot_text(wrong)


def test_real_gudid_devices_have_gtins_except_for_the_few_known_wrong_ones() -> None:
    path = SHARED / "gudid_25k.jsonl.gz"
    if not path.exists():
        pytest.skip(f"real data not there: {path.name} in shared/data/udi")
    good = wrong = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            for key in gs1_identifiers(json.loads(line)):
                try:
                    good += len(normalise_gtin(key)) == 14
                except IdentifierError:
                    wrong += 1
    assert good > 20_000
    assert wrong < good / 1000


def test_the_vectors_of_gs1_that_carry_a_gtin_are_read_or_refused_as_gs1_says() -> None:
    path = SHARED / "gs1_syntax_vectors.jsonl"
    if not path.exists():
        pytest.skip(f"vectors not there: {path.name} in shared/data/udi")
    single_fields = ("test_parseAIdata", "test_processAIdata", "test_testProcessScanData")
    read = refused = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        scan = vector["input"].replace("^", "\x1d")
        if not (scan.startswith(("(01)", "\x1d01")) or (scan.startswith("http") and "/01/" in scan)):
            continue
        if vector["should_succeed"]:
            assert parse_device_code(scan).gtin.lstrip("0") in scan
            read += 1
        elif vector["should_succeed"] is False and vector["test"] in single_fields:
            # Which fields may stand together, and the finer rules of links, are not ours to judge.
            with pytest.raises(IdentifierError):
                parse_device_code(scan)
            refused += 1
    assert read >= 20, (read, refused)
    assert refused >= 3, (read, refused)


def gs1_identifiers(record: dict[str, Any]) -> list[str]:
    return [item["id"] for item in record["identifiers"] if item["agency"] == "GS1"]
