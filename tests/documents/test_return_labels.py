"""Return labels: what a scanner reads off the rendered page is what the dock needs, in every language."""

import io
from datetime import date

import pypdfium2
import pytest
import zxingcpp
from biip.gs1_messages import GS1Message
from pypdf import PdfReader

from documents.return_label import LANGUAGES, Dock, ReturnLabel, return_labels, words
from domain.return_authorization import RmaError, parse_rma, printed, rma_number

DOCK = Dock(
    "Acme Medical GmbH", "Central warehouse, door 7", "Werkstr. 1\n12345 Berlin\nGermany", "4012345000009", "+49 30 1"
)


def label(**changes: object) -> ReturnLabel:
    """A parcel of a return of 25 kits."""
    given: dict[str, object] = {
        "rma": rma_number(4711),
        "recall": "R-2026-0001",
        "drill": False,
        "sender": "St. Mary's Hospital",
        "product": "Test kit",
        "gtin": "09506000134352",
        "lot": "L-2026/07",
        "expires_on": date(2027, 6, 30),
        "quantity": "25 test",
        "language": "en",
    }
    return ReturnLabel(**(given | changes))  # type: ignore[arg-type]


def scanned(pdf: bytes) -> list[list[dict[str, str]]]:
    """What a scanner reads on each page, at the 203 dpi of a label printer."""
    pages = []
    for page in pypdfium2.PdfDocument(pdf):
        codes = zxingcpp.read_barcodes(page.render(scale=203 / 72).to_pil())
        assert all(code.symbology_identifier == "]C1" for code in codes)
        messages = [GS1Message.parse(code.bytes.decode().lstrip("\x1d")) for code in codes]
        pages.append([{each.ai.ai: each.value for each in message.element_strings} for message in messages])
    return pages


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_scanner_reads_rma_dock_and_goods_off_every_page(language: str) -> None:
    parcels = [label(parcel=n, parcels=2, language=language) for n in (1, 2)]
    pdf = return_labels(parcels, DOCK)
    for codes in scanned(pdf):
        assert {"410": "4012345000009", "90": rma_number(4711)} in codes
        assert {"01": "09506000134352", "17": "270630", "10": "L-2026/07"} in codes
    text = PdfReader(io.BytesIO(pdf)).pages[1].extract_text()
    for shown in (printed(rma_number(4711)), "25 test", "L-2026/07", "Berlin", "St. Mary's Hospital"):
        assert shown in text
    assert words(language)["parcel"].format(number=2, count=2) in text


def test_the_longest_lot_still_scans_and_one_gs1_cannot_say_is_printed_only() -> None:
    (codes,) = scanned(
        return_labels(
            [
                label(lot="ABCDEFGHIJKLMNOPQR-Z"),
            ],
            DOCK,
        )
    )
    assert {"01": "09506000134352", "17": "270630", "10": "ABCDEFGHIJKLMNOPQR-Z"} in codes
    for changed in ({"gtin": None}, {"lot": "批号七"}, {"lot": "X" * 21}):
        (codes,) = scanned(return_labels([label(**changed)], DOCK))
        assert codes == [{"410": "4012345000009", "90": rma_number(4711)}]


def test_every_language_has_the_same_words() -> None:
    assert len({frozenset(words(each)) for each in LANGUAGES}) == 1


@pytest.mark.parametrize("identity", [1, 4711, 999_999_999, 1_000_000_000, 2**40])
def test_one_wrong_or_two_exchanged_digits_are_never_taken_for_another_number(identity: int) -> None:
    rma = rma_number(identity)
    assert parse_rma(rma) == parse_rma(printed(rma).lower()) == identity
    for at in range(3, len(rma)):
        wrong = [rma[:at] + digit + rma[at + 1 :] for digit in "0123456789" if digit != rma[at]]
        if at + 1 < len(rma) and rma[at] != rma[at + 1]:
            wrong.append(rma[:at] + rma[at + 1] + rma[at] + rma[at + 2 :])
        for text in wrong:
            with pytest.raises(RmaError):
                parse_rma(text)


@pytest.mark.parametrize("text", ["", "RMA", "4711", "RMA12", "RMA-ABC", "RMA" + "9" * 40, "RMA٠٠٠٠٠٠٠٠١٢٣"])
def test_what_is_no_rma_is_refused(text: str) -> None:
    with pytest.raises(RmaError):
        parse_rma(text)
