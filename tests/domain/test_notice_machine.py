"""The notice for machines: what each kind asks, what it changes, and its bounds."""

from uuid import UUID

import pytest

from domain.levels import MarketAction, RecallClass
from domain.notice_content import NoticeContext, NoticeKind
from domain.notice_machine import MAX_LOTS, Ask, MachineNotice, asks_of, facts_of, machine_notice
from tests.messaging.notices import AMENDED, CONTEXT, PRODUCT, RECIPIENT

pytestmark = pytest.mark.unit
DELIVERY = UUID("00000000-0000-4000-8000-000000000001")


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_only_what_asks_for_an_answer_says_so(kind: NoticeKind) -> None:
    asks = asks_of(kind, MarketAction.REMOVAL)
    silent = {NoticeKind.RETRACTION, NoticeKind.CLOSURE, NoticeKind.REGULATOR, NoticeKind.PATIENT}
    assert (Ask.ANSWER in asks) is (kind not in silent)
    assert (Ask.STOP_USE in asks) is (kind not in silent)


@pytest.mark.parametrize(
    ("action", "handling"),
    [
        (MarketAction.REMOVAL, Ask.AWAIT_RETURN),
        (MarketAction.CORRECTION, Ask.AWAIT_CORRECTION),
        (MarketAction.FSCA, Ask.AWAIT_INSTRUCTIONS),
    ],
)
def test_the_market_action_says_what_becomes_of_the_units(action: MarketAction, handling: Ask) -> None:
    every = {Ask.AWAIT_RETURN, Ask.AWAIT_CORRECTION, Ask.AWAIT_INSTRUCTIONS}
    assert every & set(asks_of(NoticeKind.INITIAL, action)) == {handling}


def test_each_line_has_its_own_class_and_urgency() -> None:
    mild = PRODUCT.model_copy(update={"name": "Mild", "recall_class": RecallClass.III})
    context = CONTEXT.model_copy(update={"products": (PRODUCT, mild)})
    facts = facts_of(NoticeKind.INITIAL, "en", context)
    assert [(line.recall_class, line.urgent) for line in facts.products] == [("I", True), ("III", False)]
    assert facts.urgent


def test_a_change_names_the_lots_and_classes_it_changes() -> None:
    change = facts_of(NoticeKind.AMENDMENT, "en", AMENDED).change
    assert change is not None
    assert (change.lots_added, change.lots_removed) == (("SCMS-31-IE",), ("SCMS-07-IE", "SCMS-08-IE"))
    assert (change.class_from, change.class_to, change.replaces_version, change.whole) == ("II", "I", 1, False)
    assert facts_of(NoticeKind.INITIAL, "en", CONTEXT).change is None


@pytest.mark.parametrize(("count", "listed"), [(MAX_LOTS, MAX_LOTS), (MAX_LOTS + 1, 0)])
def test_a_long_list_of_lots_is_counted_and_never_cut(count: int, listed: int) -> None:
    product = PRODUCT.model_copy(update={"lots": tuple(f"L{n}" for n in range(count)), "expiry": {}})
    context: NoticeContext = CONTEXT.model_copy(update={"products": (product,)})
    line = facts_of(NoticeKind.INITIAL, "en", context).products[0]
    assert (line.lot_count, len(line.lots)) == (count, listed)


def test_a_text_that_nobody_translated_is_named_by_its_own_language() -> None:
    context = CONTEXT.model_copy(update={"translations": {}})
    facts = facts_of(NoticeKind.INITIAL, "es", context)
    assert (facts.language, facts.texts_language, facts.hazard) == ("es", "en", CONTEXT.texts.hazard)


def test_the_document_comes_back_whole_and_is_the_same_bytes() -> None:
    facts = facts_of(NoticeKind.INITIAL, "zh-CN", CONTEXT)
    notice = machine_notice(facts, RECIPIENT, DELIVERY, "text")
    raw = notice.canonical()
    assert MachineNotice.model_validate_json(raw) == notice
    assert MachineNotice.model_validate_json(raw).canonical() == raw
    assert "假阴性".encode() in raw, "UTF-8, no escapes"
    assert b": " not in raw.split(b'"text"')[0][:40]
