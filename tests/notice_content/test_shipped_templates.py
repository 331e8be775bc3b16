"""The shipped templates pass the check under every law, whatever real products, lots and firms are called."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.channels import Channel
from domain.levels import MarketAction, RecallClass
from domain.notice_check import check_notice
from domain.notice_content import Depth, NoticeContext, NoticeKind
from tests.messaging.notices import PRODUCT
from tests.messaging.test_notice_rendering import HOSTILE
from tests.notice_content.facts import CHANGED, FACTS, LAWS, RENDERER, RULES, changed, check_all

pytestmark = pytest.mark.unit
LONGEST = "Kit " + "für die quantitative Bestimmung von Troponin-T in Serum und Plasma, " * 5
REAL = [
    "Best Care Discount® Catheter 14 Fr – Special Offer pack, latex-free",
    "Minor Injury Set (Premium), 10 pcs",
    "No Risk™ safety lancet 28G",
    "一次性使用无菌注射器 带针，2.5 mL（特价装）",
    "Class III mesh “Lite”, lot size 50",
    "5% Glucose & <0.9%> NaCl; A/B, C; D: E",
    "Serial-Link 2000 / Batch 7 adapter",
    "Open-Ended Ureteral Catheter, 5 Fr",
    "Retracted needle syringe – Cánula anulada 召回结束 套件",
    "不锈钢骨钻（未灭菌，无需回复型）",
    LONGEST[:300],
    *HOSTILE,
]


def faults(context: NoticeContext, *, kinds: tuple[NoticeKind, ...] = tuple(NoticeKind)) -> list[str]:
    """What the check refuses in all bodies of these kinds."""
    bodies = [RENDERER.render_for_approval(*each, context) for each in RENDERER.available() if each[0] in kinds]
    found = check_all(bodies, context)
    return [f"{each.element} {each.body} {each.part}: {each.text}" for each in found.refusals]


def named(name: str) -> NoticeContext:
    """A recall of a product of this name, made by a firm of this name, with lots of this name."""
    product = {**PRODUCT.model_dump(), "name": name, "manufacturer": name, "code": name, "lots": ["A1", name]}
    other = {**PRODUCT.model_dump(), "lots": ["B-1"]}
    change = (
        {**CHANGED.change.model_dump(), "removed": [{"product": name, "lots": [name, "A0"]}]} if CHANGED.change else {}
    )
    return changed(CHANGED, products=[product, other], firm_name=name, contact_name=name, change=change)


@pytest.mark.parametrize("name", REAL)
def test_no_name_of_a_product_makes_a_good_notice_refused(name: str) -> None:
    assert faults(named(name), kinds=(NoticeKind.INITIAL, NoticeKind.AMENDMENT, NoticeKind.RETRACTION)) == []


@settings(max_examples=15, deadline=None)
@example(name="f")  # taken out of every word, it would make a class of "Classification"
@given(name=st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip()) and text.strip().isprintable()))
def test_any_printable_name_passes(name: str) -> None:
    assert faults(named(name), kinds=(NoticeKind.AMENDMENT,)) == []


@pytest.mark.parametrize("count", [1, 500, 501, 4000])
def test_lists_of_lots_of_any_length_pass(count: int) -> None:
    lots = [f"26-{number:05d}/K" for number in range(count)]
    product = {**PRODUCT.model_dump(), "lots": lots}
    change = (
        {**CHANGED.change.model_dump(), "added": [{"product": PRODUCT.name, "lots": lots}]} if CHANGED.change else {}
    )
    assert (
        faults(changed(CHANGED, products=[product], change=change), kinds=(NoticeKind.INITIAL, NoticeKind.AMENDMENT))
        == []
    )


@pytest.mark.parametrize("action", [each for each in MarketAction if each is not MarketAction.NONE])
def test_every_action_class_and_depth_passes(action: MarketAction) -> None:
    for recall_class, depth in zip(RecallClass, Depth, strict=True):
        context = changed(CHANGED, market_action=action, recall_class=recall_class, depth=depth, drill=True)
        assert faults(context, kinds=(NoticeKind.INITIAL, NoticeKind.AMENDMENT, NoticeKind.RETRACTION)) == []


def test_other_lots_that_are_called_by_a_bare_number_are_not_those_of_the_headings_and_keys() -> None:
    bodies = [RENDERER.render_for_approval(*each, CHANGED) for each in RENDERER.available()]
    assert check_all(bodies, CHANGED, others=frozenset({"1", "2", "3", "4", "I", "II"})).refusals == ()
    for language, said in {"en": "Lot 3 as well.", "es": "Lote 3 también.", "zh-CN": "批号 3 也在内。"}.items():
        body = RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.SMS, language, FACTS)
        found = check_all([replace(body, text=f"{body.text} {said}")], FACTS, others=frozenset({"3"})).refusals
        assert "not in the scope: 3" in [each.text for each in found]


def test_texts_without_a_translation_and_the_least_of_facts_pass() -> None:
    bare = {"name": "X", "lots": ["1"]}
    context = changed(
        FACTS,
        products=[bare],
        texts={"reason": "r", "hazard": "h"},
        translations={},
        contact_name=None,
        distributed_from=None,
        distributed_until=None,
        manufacturer_srn=None,
    )
    owing = {"srn", "language"}  # the MDR asks for a number, China for Chinese texts
    assert {each.split()[0] for each in faults(context, kinds=(NoticeKind.INITIAL,))} == owing


def test_a_law_that_names_a_language_refuses_texts_in_another() -> None:
    untranslated = changed(FACTS, translations={})
    bodies = [
        RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.SMS, language, untranslated)
        for language in ("en", "zh-CN")
    ]
    [found] = check_notice(bodies, untranslated, ["us-fda", "cn-nmpa"], RULES).refusals
    assert (found.element, found.body, found.jurisdictions) == ("language", "texts.zh-CN", ("cn-nmpa",))
    assert check_notice(bodies, untranslated, ["us-fda"], RULES).refusals == ()


def test_a_translation_under_the_base_of_its_language_is_printed() -> None:
    context = changed(FACTS, translations={"zh": FACTS.translations["zh-CN"]}, texts_language="en-US")
    assert context.texts_in("zh-CN") == FACTS.translations["zh-CN"]
    assert context.is_translated("en")
    assert not context.is_translated("es")


def test_a_european_notice_without_a_registration_number_is_refused() -> None:
    without = changed(FACTS, manufacturer_srn=None)
    bodies = [RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.WEBHOOK, "en", without)]
    found = [each for each in check_notice(bodies, without, LAWS, RULES).refusals if each.element == "srn"]
    assert [each.jurisdictions for each in found] == [("eu-mdr",)]
    assert "RECALL_EU_SRN" in found[0].text


def test_the_registration_number_is_printed_where_no_maker_is_on_record() -> None:
    products = [{**product.model_dump(), "manufacturer": None} for product in FACTS.products]
    assert faults(changed(FACTS, products=products), kinds=(NoticeKind.INITIAL, NoticeKind.CLOSURE)) == []


def test_a_law_whose_language_is_missing_says_so() -> None:
    bodies = [RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.EMAIL, "en", FACTS)]
    [found] = check_all(bodies, FACTS, ["us-fda", "cn-nmpa"]).refusals
    assert (found.element, found.jurisdictions) == ("language", ("cn-nmpa",))


@pytest.mark.parametrize("law", ["eu-mdr", "ca-hc", "us-fda", "cn-nmpa"])
def test_a_notice_cites_only_laws_that_the_recall_runs_under(law: str) -> None:
    context = changed(CHANGED, sub_recall_laws=RULES.sub_recall([law]), levels=[])
    bodies = [RENDERER.render_for_approval(*each, context) for each in RENDERER.available()]
    said = "\n".join(f"{body.text}\n{body.html}" for body in bodies)
    assert ("21 CFR" in said) is (law == "us-fda")
    assert ("第十五条" in said) is ("Order 29" in said) is (law == "cn-nmpa")
