"""What people wrote: unambiguous words are refused, doubtful passages go to a reviewer, ordinary text to nobody."""

from typing import Any

import pytest

from domain.channels import Channel
from domain.notice_content import NoticeContext, NoticeKind, NoticeTexts
from domain.notice_free_text import Passage, passages, refused_words, unread
from tests.notice_content.facts import CHANGED, FACTS, OTHERS, RENDERER, RULES, changed, check_all

pytestmark = pytest.mark.unit
ORDINARY = [
    (
        "Cracked luer connectors found in two complaints; moulding parameters of one tool drifted.",
        "Leakage of medication; delayed or reduced dose.",
    ),
    (
        "Retained samples read negative on weakly reactive specimens: 4 of 60.",
        "A false negative result: the infection is missed and treatment is delayed.",
    ),
    ("False negative results", "Missed infection"),
    ("r", "h"),
]
"""Reasons and hazards of the demonstration, the examples of the API and the tests."""


def written(
    reason: str = "Cracked connectors.", hazard: str = "Death.", **translations: tuple[str, str]
) -> NoticeContext:
    """A recall with these texts; translations by language, `_` for `-`."""
    others = {
        language.replace("_", "-"): {"reason": one, "hazard": two} for language, (one, two) in translations.items()
    }
    return changed(FACTS, texts={"reason": reason, "hazard": hazard}, translations=others)


def doubts(context: NoticeContext) -> list[Passage]:
    """Passages for a reviewer."""
    return list(passages(context, RULES.languages, RULES, OTHERS))


@pytest.mark.parametrize(("reason", "hazard"), ORDINARY)
def test_ordinary_texts_ask_for_no_review(reason: str, hazard: str) -> None:
    assert doubts(written(reason, hazard)) == []


def test_a_faithful_translation_asks_for_no_review() -> None:
    assert doubts(FACTS) == []


@pytest.mark.parametrize(
    ("texts", "element", "word"),
    [
        ({"hazard": "There is NO  risk to patients."}, "no_reassurance", "no risk"),
        ({"hazard": "Burns. This recall is precautionary only."}, "no_reassurance", "precautionary only"),
        ({"reason": "We voluntarily recall it; no reports of injury."}, "no_reassurance", "voluntarily"),
        ({"reason": "Cracks. Our award-winning new line has none."}, "no_promotion", "award-winning"),
        ({"zh_CN": ("接头开裂。", "死亡。本次召回仅为预防。")}, "no_reassurance", "仅为预防"),
        ({"zh_CN": ("接头开裂。新产品优惠供应。", "死亡。")}, "no_promotion", "优惠"),
        ({"es": ("Conectores agrietados.", "Muerte. Sin riesgo.")}, "no_reassurance", "sin riesgo"),
    ],
)
def test_unambiguous_words_in_peoples_texts_are_refused(texts: dict[str, Any], element: str, word: str) -> None:
    context = written(**texts)
    bodies = [
        RENDERER.render_for_approval(*each, context) for each in RENDERER.available() if each[0] is NoticeKind.INITIAL
    ]
    found = check_all(bodies, context, ["us-fda", "eu-mdr"]).refusals
    assert {each.element for each in found} == {element}
    assert all(each.body.startswith("texts.") and each.source for each in found)
    assert any(repr(word) in each.text and word in each.text_zh for each in found)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({"hazard": "A minor burn."}, "may weaken the hazard: 'minor'"),
        ({"reason": "High quality steel broke."}, "may be promotional: 'high quality'"),
        ({"reason": "Lot R2-0099 was tested and conforms."}, "a lot that is not in the scope: R2-0099"),
        ({"reason": "Found in batch no. QX-17."}, "a lot that is not in the scope: QX-17"),
        ({"reason": "See www.firm.example/news for more."}, "another address"),
        ({"hazard": "Class III: death is not expected."}, "names a class: Class III"),
        ({"hazard": "死亡。"}, "does not look like en"),
        (
            {"reason": "4 of 60 failed.", "zh_CN": ("60 份中 3 份不合格。", "死亡。")},
            "numbers differ from the original: 3, 4",
        ),
        ({"zh_CN": ("接头开裂。", "可能需要更换。")}, "the original speaks of death"),
        ({"es": ("Conectores agrietados.", "Posible retraso.")}, "the original speaks of death"),
        (
            {"hazard": "Death. " + "It can stop a heart at once. " * 8, "zh_CN": ("接头开裂。", "死亡。")},
            "much shorter",
        ),
    ],
)
def test_doubtful_passages_are_put_to_a_reviewer_with_the_reason(texts: dict[str, Any], why: str) -> None:
    found = doubts(written(**texts))
    assert any(why in each for passage in found for each in passage.why), found
    assert all(len(passage.why) == len(passage.why_zh) for passage in found)


def test_a_language_without_rules_is_read_by_a_person() -> None:
    context = changed(
        FACTS, texts={"reason": "Raccord fissuré.", "hazard": "Mort."}, texts_language="fr", translations={}
    )
    assert {(each.language, each.field) for each in doubts(context)} == {
        ("fr", "reason"),
        ("fr", "hazard"),
    }


def test_texts_that_reach_readers_of_another_language_untranslated_are_read_by_a_reviewer() -> None:
    context = written(zh_CN=("接头开裂。", "死亡。"))
    found = list(unread(context, ["en", "es", "zh-CN"], {"en", "en-GB", "es", "zh-CN", "fr"}))
    assert [(each.language, each.field) for each in found] == [("es", "reason"), ("es", "hazard"), ("fr", "hazard")]
    assert "not translated to es" in found[0].why[0]
    assert "read fr and get the notice in en" in found[2].why[0]


@pytest.mark.parametrize("hazard", ["There is no r\u200disk.", "Ｎｏ　ｒｉｓｋ here.", "no\u00ad risk", "NO\nRISK"])
def test_refused_words_are_found_in_every_disguise(hazard: str) -> None:
    found = list(refused_words(changed(FACTS, texts={"reason": "Cracks.", "hazard": hazard}), ["en"], RULES))
    assert [each.word for each in found] == ["no risk"]


def test_look_alike_letters_are_read_by_a_reviewer() -> None:
    assert any(
        "is not what it looks like" in why for each in doubts(written(hazard="N\u043e risk.")) for why in each.why
    )


@pytest.mark.parametrize("kind", [NoticeKind.RETRACTION, NoticeKind.CLOSURE])
def test_the_last_word_of_a_recall_does_not_hang_on_texts_that_nobody_can_correct_any_more(kind: NoticeKind) -> None:
    context = changed(CHANGED, texts={"reason": "We voluntarily recall it.", "hazard": "Death."}, translations={})
    laws = ["us-fda", "cn-nmpa"]
    bodies = [RENDERER.render_for_approval(*each, context) for each in RENDERER.available() if each[0] is kind]
    last = check_all(bodies, context, laws)
    assert last.refusals == ()
    assert any("'voluntarily'" in why for each in last.passages for why in each.why), "a named reviewer decides"
    amended = RENDERER.render_for_approval(NoticeKind.AMENDMENT, Channel.EMAIL, "zh-CN", context)
    found = {(each.element, each.body) for each in check_all([*bodies, amended], context, laws).refusals}
    assert {("no_reassurance", "texts.en"), ("language", "texts.zh-CN")} <= found


@pytest.mark.parametrize(
    "texts",
    [
        {"hazard": "Do not continue to use the pump: its motor may stop and the patient may die."},
        {"hazard": "The implant is not safe to use. Death."},
        {"hazard": "It can no longer be assumed to be safe for use. Death."},
        {"hazard": "An empty filter can still be used by mistake, which causes death."},
        {"zh_CN": ("接头开裂。", "不可继续使用，否则可能致命。")},
        {"zh_CN": ("接头开裂。", "不可以继续使用，可能死亡。")},
        {"es": ("Conectores agrietados.", "No se puede seguir usando: riesgo de muerte.")},
        {"es": ("Conectores agrietados.", "No es seguro para su uso: riesgo de muerte.")},
    ],
)
def test_a_warning_is_not_refused_for_the_words_that_it_denies_but_read_by_a_reviewer(texts: dict[str, Any]) -> None:
    context = written(**texts)
    assert list(refused_words(context, RULES.languages, RULES)) == []
    assert any("may weaken the hazard" in why for each in doubts(context) for why in each.why)


@pytest.mark.parametrize("hazard", ["Up to 5 μg/mL is left: death.", "Leaks of 10 μL; 3 kΩ. Death."])
def test_units_with_greek_letters_are_what_they_look_like(hazard: str) -> None:
    assert [each for each in doubts(written(hazard=hazard)) if each.language == "en"] == []


def test_the_products_own_name_raises_no_doubt() -> None:
    name = "Minor Injury Set (Premium)"
    context = changed(written(reason=f"The {name} was mislabelled."), products=[{"name": name, "lots": ["1"]}])
    assert doubts(context) == []


def test_a_passage_keeps_its_id_until_its_text_changes() -> None:
    first, again, other = (
        doubts(written(hazard=text))[0].id for text in ("A minor burn.", "A minor burn.", "A minor cut.")
    )
    assert first == again != other


def test_further_instructions_are_read_as_well() -> None:
    texts = NoticeTexts(reason="Cracks.", hazard="Death.", instructions=("Call www.other.example first.",))
    [found] = doubts(FACTS.model_copy(update={"texts": texts, "translations": {}}))
    assert found.field == "instructions[0]"
