"""What the shipped model answers to any text: a class with its chances and words, or plainly why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.class_suggestion import Model, Suggestion, suggest
from domain.levels import RecallClass
from domain.suggestion_language import not_english
from domain.suggestion_text import READ_AT_MOST, features
from suggestion.model_file import shipped_model

pytestmark = pytest.mark.unit
TAINTED = "Marketed without an approved NDA/ANDA: product is tainted with undeclared sildenafil."
IMPURE = "Failed Impurities/Degradation Specifications: out of specification result at the 18 month interval."


@pytest.fixture(scope="module")
def model() -> Model:
    return shipped_model()


def holds_together(found: Suggestion) -> None:
    """What is true of every answer."""
    assert (found.recall_class is None) == (found.no_suggestion is not None)
    if found.recall_class is None:
        assert found.needs_review
        assert not found.confidence
        assert found.words_for == found.words_against == ()
    else:
        assert sum(found.confidence.values()) == pytest.approx(1, abs=1e-3)
        assert all(0 <= chance <= 1 for chance in found.confidence.values())
        assert all(word.effect > 0 for word in found.words_for)
        assert all(word.effect < 0 for word in found.words_against)


def test_a_tainted_product_is_suggested_class_one_and_the_words_say_why(model: Model) -> None:
    found = suggest(model, TAINTED, "Sexual enhancement supplement capsules, 10-count bottle")
    assert found.recall_class is RecallClass.I
    assert {"undeclared", "sildenafil", "tainted"} & {word.text for word in found.words_for}
    assert found.confidence[RecallClass.I] == max(found.confidence.values())
    assert found.model_version == model.version


def test_a_small_deviation_is_not_suggested_class_one(model: Model) -> None:
    found = suggest(model, IMPURE, "Bupropion tablets, 100-count bottle, Rx only")
    assert found.recall_class is not RecallClass.I
    assert found.confidence[RecallClass.I] < 0.05


def test_what_cannot_be_ruled_out_is_raised_to_a_person(model: Model) -> None:
    limits = model.thresholds
    assert limits.review <= limits.class_i
    found = suggest(model, "Cross contamination with other products", "Tablets, 100-count bottle, Rx only")
    assert found.recall_class is not RecallClass.I
    assert found.needs_review == (found.confidence[RecallClass.I] >= limits.review)
    assert found.needs_review
    assert any("class I cannot be ruled out" in note for note in found.notes)


def test_class_one_suggested_although_another_is_likelier_is_raised_to_a_person(model: Model) -> None:
    found = suggest(model, "Defective container: leakage observed at the valve.", "Inhalation aerosol, 90 mcg, Rx only")
    assert found.recall_class is RecallClass.I
    assert found.confidence[RecallClass.I] < max(found.confidence.values())
    assert found.needs_review
    assert any("another class is likelier" in note for note in found.notes)


def test_a_reason_of_strange_words_is_raised_to_a_person(model: Model) -> None:
    found = suggest(model, "Firmware watchdog reboot latches gantry interlock; tablets")
    assert found.needs_review
    assert any("knows only" in note for note in found.notes)


def test_every_answer_says_what_the_model_has_read(model: Model) -> None:
    assert any("FDA recalls of drugs" in note for note in suggest(model, TAINTED).notes)


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("", "no reason is given"),
        (" \n\t ", "no reason is given"),
        ("产品无菌包装破损，可能导致感染", "text is not English"),
        ("Die Pumpe kann stehen bleiben und der Alarm ist nicht zu hören", "text is not English"),
        ("La bomba puede detenerse y la alarma no suena", "text is not English"),
        ("Помпа может остановиться", "text is not English"),
        ("qzxv wvutx", "knows no word"),
        ("12345 !!! 🙂", "knows no word"),
        ("\x00\x00", "knows no word"),
    ],
)
def test_a_text_that_says_nothing_gets_no_suggestion_and_the_reason_why(model: Model, reason: str, why: str) -> None:
    found = suggest(model, reason, "Infusion set")
    holds_together(found)
    assert why in (found.no_suggestion or "")


def test_short_english_reasons_without_little_words_are_english() -> None:
    assert not any(
        map(not_english, ("Non-sterility", "Subpotent drug", "CGMP Deviations", "α-amylase 5 µg: superpotent"))
    )


def test_a_product_named_in_another_language_is_said_and_the_reason_is_read(model: Model) -> None:
    found = suggest(model, TAINTED, "男性保健胶囊")
    assert found.recall_class is RecallClass.I
    assert any("not all English" in note for note in found.notes)


@given(reason=st.text(max_size=400), product=st.text(max_size=400))
def test_any_text_gets_an_answer_that_holds_together(reason: str, product: str) -> None:
    holds_together(suggest(_SHIPPED, reason, product))


@pytest.mark.parametrize(
    "piece", ["sterility ", "manufactured by ", "a", "未", "\x00", "mfg. for ", "e\u0301", "\ud800"]
)
def test_a_huge_text_is_answered_from_its_beginning(model: Model, piece: str) -> None:
    huge = piece * (1_000_000 // len(piece))
    found = suggest(model, huge, huge)
    holds_together(found)
    assert found == suggest(model, huge[: READ_AT_MOST + len(piece)], huge[:READ_AT_MOST])


def test_firms_and_numbers_are_no_features() -> None:
    named = features("Recalled by 3M", "Tablets, lot 4711, Manufactured by: Acme Pharma Inc., Newark; Rx only")
    assert not any("acme" in text or any(map(str.isdigit, text)) for block in named.values() for text in block)


_SHIPPED = shipped_model()
