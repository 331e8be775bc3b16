"""Facts that were read wrongly are found by reading them again: the notice would agree with itself."""

from datetime import date
from typing import Any

import pytest

from domain.notice_content import NoticeContext
from domain.notice_record import Recorded, RecordedLot, RecordedProduct, record_faults
from tests.notice_content.facts import FACTS, changed

pytestmark = pytest.mark.unit
PRODUCTS = {
    str(product.code): RecordedProduct(
        product.name,
        product.gtin,
        product.udi_di,
        tuple(RecordedLot(lot, "Plant", product.expiry.get(lot)) for lot in product.lots),
    )
    for product in FACTS.products
}
RECORD = Recorded(
    PRODUCTS,
    FACTS.texts.reason,
    FACTS.texts.hazard,
    {language: texts.model_dump() for language, texts in FACTS.translations.items()},
    frozenset({"I", "II"}),
)


def drafted(**changes: Any) -> NoticeContext:
    """The facts with the first product read otherwise."""
    return changed(FACTS, products=[{**FACTS.products[0].model_dump(), **changes}, FACTS.products[1].model_dump()])


def test_facts_as_recorded_have_no_fault() -> None:
    assert list(record_faults(FACTS, RECORD)) == []


@pytest.mark.parametrize(
    ("context", "element", "said"),
    [
        (drafted(lots=["SCMS-10-IE", "SCMS-12-IE"]), "lots", "SCMS-31-IE"),
        (drafted(lots=[*FACTS.products[0].lots, "SCMS-99-IE"]), "lots", "SCMS-99-IE"),
        (drafted(gtin="05391516740999"), "gtin", "05391516740012"),
        (drafted(gtin=None), "gtin", "05391516740012"),
        (drafted(udi_di=None), "udi_di", "05391516740012"),
        (drafted(name="Another kit"), "product_name", "Uni-Gold"),
        (drafted(expiry={"SCMS-10-IE": date(2028, 5, 31), "SCMS-12-IE": date(2027, 6, 30)}), "expiry", "2027-05-31"),
        (drafted(expiry={"SCMS-10-IE": date(2027, 5, 31)}), "expiry", "2027-06-30"),
        (changed(FACTS, products=FACTS.products[:1]), "product_name", "RDR-2"),
        (changed(FACTS, recall_class="III"), "classification", "class III"),
        (changed(FACTS, texts={"reason": FACTS.texts.reason, "hazard": "Some delay."}), "hazard", "in en"),
        (changed(FACTS, translations={}), "hazard", "in zh-CN"),
    ],
)
def test_a_fact_that_was_read_wrongly_is_named(context: NoticeContext, element: str, said: str) -> None:
    found = [each for each in record_faults(context, RECORD) if each.element == element]
    assert any(said in each.text for each in found), list(record_faults(context, RECORD))


def test_a_number_of_two_sites_is_listed_with_both() -> None:
    twice = (RecordedLot("A1", "North", None), RecordedLot("A1", None, None))
    record = Recorded({"UNI-20": RecordedProduct("K", None, None, twice)}, "r", "h", {}, frozenset({"I"}))
    context = changed(
        FACTS,
        products=[{"name": "K", "code": "UNI-20", "lots": ["A1 (?)", "A1 (North)"]}],
        texts={"reason": "r", "hazard": "h"},
        translations={},
    )
    assert list(record_faults(context, record)) == []
