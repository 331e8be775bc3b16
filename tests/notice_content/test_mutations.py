"""Every element of every law, taken out of a good notice or falsified in it, is refused by its own name."""

from dataclasses import replace

import pytest

from domain.channels import Channel
from domain.notice_content import NoticeKind
from domain.notice_machine import facts_of
from domain.notice_rules import Element
from tests.notice_content.facts import LAWS, RENDERER, RULES, changed, checked, context_of, rendered
from tests.notice_content.mutations import applied, spoil_of

pytestmark = pytest.mark.unit
LADDER_IN_TURN = {
    NoticeKind.REMINDER: "en",
    NoticeKind.ESCALATION: "zh-CN",
    NoticeKind.QUANTITIES: "es",
    NoticeKind.ACTION: "en",
    NoticeKind.CLOSURE: "zh-CN",
    NoticeKind.SUB_RECALL: "es",
    NoticeKind.REGULATOR: "en",
    NoticeKind.PATIENT: "zh-CN",
}
EVERY = [each for each in RENDERER.available() if LADDER_IN_TURN.get(each[0], each[2]) == each[2]]
"""Whole for the first notice, the amendment and the retraction; the others in one language each."""


def elements(kind: NoticeKind, channel: Channel) -> dict[tuple[object, ...], tuple[Element, set[str]]]:
    """Each test with the laws that ask for it."""
    found: dict[tuple[object, ...], tuple[Element, set[str]]] = {}
    for law in LAWS:
        for element in RULES.content(law).elements:
            if channel in element.channels and kind in element.kinds:
                found.setdefault(element.test, (element, set()))[1].add(law)
    return found


@pytest.mark.parametrize(("kind", "channel", "language"), EVERY)
def test_an_element_taken_out_or_falsified_is_refused_by_its_name(
    kind: NoticeKind, channel: Channel, language: str
) -> None:
    words = RULES.words(language)
    assert words is not None
    context = changed(context_of(kind), drill=True)
    body = rendered(kind, channel, language, context)
    assert checked(body, context).refusals == ()
    survived = []
    for element, laws in elements(kind, channel).values():
        for number, spoil in enumerate(spoil_of(element, words, context, language, channel)):
            spoilt = applied(body, spoil)
            there = {name for name in element.parts if getattr(body, name) is not None}
            touched = {name for name in there if getattr(spoilt, name) != getattr(body, name)}
            found = [each for each in checked(spoilt, context).refusals if each.element == element.id]
            refused_in = {each.part for each in found}
            if not touched or not touched <= refused_in:
                survived.append((element.id, number, sorted(touched - refused_in) or "nothing was spoilt"))
            named = {law for each in found for law in each.jurisdictions}
            if touched and not laws <= named:
                survived.append((element.id, number, f"not under {sorted(laws - named)}"))
    assert survived == []


def test_a_body_hidden_from_the_reader_does_not_count() -> None:
    context = context_of(NoticeKind.INITIAL)
    body = rendered(NoticeKind.INITIAL, Channel.EMAIL, "en")
    page = body.html or ""
    for hidden in ('style="display:none"', 'style="font-size:0"', "hidden", 'style="visibility: hidden"'):
        spoilt = replace(
            body, html=page.replace('<p style="white-space:pre-line"><strong>Hazard', f"<p {hidden}><strong>Hazard")
        )
        assert {"hazard", "readable"} == {each.element for each in checked(spoilt, context).refusals}, hidden


def test_a_link_that_shows_one_address_and_leads_to_another_is_refused() -> None:
    context = context_of(NoticeKind.INITIAL)
    body = rendered(NoticeKind.INITIAL, Channel.EMAIL, "en")
    spoilt = replace(body, html=(body.html or "").replace('href="⟦link⟧"', 'href="https://elsewhere.example/x"'))
    assert {"answer", "readable"} == {each.element for each in checked(spoilt, context).refusals}


def test_words_put_around_the_hazard_do_not_soften_it() -> None:
    context = context_of(NoticeKind.INITIAL)
    body = rendered(NoticeKind.INITIAL, Channel.EMAIL, "en")
    hazard = context.texts.hazard
    for instead in (f"Hardly ever: {hazard}", f"{hazard} But this has not happened.", hazard.replace(" or death", "")):
        spoilt = replace(body, text=body.text.replace(hazard, instead))
        assert "hazard" in {each.element for each in checked(spoilt, context).refusals}, instead


def test_lots_of_one_product_under_another_are_refused() -> None:
    context = context_of(NoticeKind.INITIAL)
    body = rendered(NoticeKind.INITIAL, Channel.EMAIL, "en")
    one, two = (", ".join(product.lots) for product in context.products)
    swapped = body.text.replace(one, "~").replace(two, one).replace("~", two)
    swapped = swapped.replace(f"(3): {two}", f"(2): {two}").replace(f"(2): {one}", f"(3): {one}")
    assert "lots" in {each.element for each in checked(replace(body, text=swapped), context).refusals}


def test_a_stranger_in_a_list_of_lots_is_named() -> None:
    context = context_of(NoticeKind.INITIAL)
    body = rendered(NoticeKind.INITIAL, Channel.EMAIL, "en")
    spoilt = replace(body, text=body.text.replace("SCMS-31-IE", "SCMS-31-IE, SCMS-32-IE"))
    [found] = checked(spoilt, context).refusals
    assert (found.element, found.part) == ("no_foreign_lot", "text")
    assert "SCMS-32-IE" in found.text
    assert "SCMS-32-IE" in found.text_zh
    assert "21 CFR 7.49" in found.source


def test_facts_for_machines_that_are_not_the_record_s_are_refused() -> None:
    context = context_of(NoticeKind.INITIAL)
    body = rendered(NoticeKind.INITIAL, Channel.WEBHOOK, "en")
    facts = facts_of(NoticeKind.INITIAL, "en", context).model_dump(mode="json")
    assert checked(replace(body, enclosed={"facts": facts}), context).refusals == ()
    for field, value in (("hazard", "None."), ("urgent", False), ("products", facts["products"][:1]), ("more", 1)):
        [found] = checked(replace(body, enclosed={"facts": {**facts, field: value}}), context).refusals
        assert (found.element, found.part) == ("machine_facts", "enclosed")
        assert field in found.text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Class 1"),
        ("en", "class iii"),
        ("en", "Class-II"),
        ("es", "clase 1"),
        ("es", "Tipo II"),
        ("zh-CN", "1级召回"),
        ("zh-CN", "Ⅲ级召回"),
        ("zh-CN", "二级"),
        ("zh-CN", "召回级别：三"),
    ],
)
def test_a_class_that_is_not_on_record_is_refused_whatever_it_is_written_with(language: str, said: str) -> None:
    context = context_of(NoticeKind.INITIAL)
    numbered = changed(context, products=[{**context.products[0].model_dump(), "code": "1", "lots": ["1"]}])
    body = rendered(NoticeKind.INITIAL, Channel.SMS, language, numbered)
    assert numbered.version == 1
    assert checked(body, numbered).refusals == ()
    found = checked(replace(body, text=f"{body.text} {said}"), numbered).refusals
    assert "classification" in {each.element for each in found}
