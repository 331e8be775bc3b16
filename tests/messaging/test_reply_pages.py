"""The recipient page: markup a phone and a screen reader can use, both languages, hostile values."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

from api.reply_fields import LANGUAGES, FieldError, PageChange, PageLot, ReplyStep
from api.reply_form import read_form
from api.reply_pages import (
    REFUSALS,
    ReplyPage,
    catalogue,
    page_language,
    placeholders,
    render_refused_page,
    render_reply_page,
)

pytestmark = pytest.mark.unit
LOTS = (
    PageLot("7", "HIV kit", "SCMS-10-IE", Decimal("100.000"), "test", "05391516740012", date(2026, 3, 4)),
    PageLot("9", "HIV kit", "SCMS-31-IE", Decimal("40.5"), "test", stated=True),
)
PAGE = ReplyPage(
    action="/r/TOKEN",
    csp_nonce="NONCE",
    form_id="form-1",
    recall_no="RC-2026-000012",
    firm_name="Example Diagnostics Ltd.",
    firm_phone="+1 202 555 0100",
    firm_email="recall@firm.example",
    recipient_name="Hôpital Général",
    products=("HIV, Uni-Gold HIV Kit, 20 Tests",),
    reason="Control line without sample.",
    hazard="False negative result.",
    lots=LOTS,
    reference="4711",
)
FIGURES = {
    "acknowledged": "yes",
    "affected": "yes",
    **{f"{name}-{key}": "1" for name in ("on_hand", "held", "used", "passed_on") for key in "79"},
}
VOID = {"meta", "input", "br"}


class Markup(HTMLParser):
    """Checks nesting and collects ids, fields and references."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} repeats an attribute"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def values(self, name: str) -> list[str | None]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def render(step: ReplyStep, lang: str = "en", **changes: Any) -> tuple[str, Markup]:
    page = replace(PAGE, **{"values": FIGURES, **changes})
    source = render_reply_page(step, lang, page)
    return source, Markup(source)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("step", list(ReplyStep))
def test_every_page_is_well_formed_and_accessible(step: ReplyStep, lang: str) -> None:
    errors = (FieldError("on_hand-7", "error_required", lot_key="7"), FieldError("responder_name", "error_name"))
    source, markup = render(step, lang, errors=errors if step in {ReplyStep.LOTS, ReplyStep.PERSON} else ())
    ids = markup.values("id")
    assert len(set(ids)) == len(ids)
    labelled = set(markup.values("for"))
    for tag in ("input", "select", "textarea"):
        for control in markup.all(tag):
            if control.get("type") != "hidden":
                assert control["id"] in labelled, control
    for reference in markup.values("aria-describedby"):
        for one in str(reference).split():
            assert one in ids
    assert markup.all("html")[0]["lang"] == lang
    assert len(markup.all("h1")) == len(markup.all("main")) == 1
    assert markup.all("style") == [{"nonce": "NONCE"}]
    scripts = [{"src": "/r/assets/reply.js", "defer": None}] if step is ReplyStep.LOTS else []
    assert markup.all("script") == scripts, "nothing inline, and only where there is something to add up"
    assert not [name for _, attributes in markup.tags for name in attributes if name.startswith("on")]
    assert "style" not in {name for _, attributes in markup.tags for name in attributes}
    assert "+1 202 555 0100" in source


@pytest.mark.parametrize("lang", LANGUAGES)
def test_errors_are_summed_up_linked_and_tied_to_their_fields(lang: str) -> None:
    reading = read_form({"step": "lots", **FIGURES, "on_hand-7": "", "held-9": "5"}, LOTS)
    source, markup = render(reading.step, lang, values=reading.values, errors=reading.errors)
    assert [link["href"] for link in markup.all("a")] == ["#on_hand-7", "#held-9"]
    bad = {field["id"]: field for field in markup.all("input") if field.get("aria-invalid")}
    assert set(bad) == {"on_hand-7", "held-9"}
    assert str(bad["held-9"]["aria-describedby"]).split() == ["held-9-hint", "held-9-error"]
    assert "SCMS-10-IE" in source[source.index('id="errors"') : source.index("<h1>")]
    assert catalogue(lang)["error_title"] in source[: source.index("</title>")]


def test_answers_of_other_steps_are_carried_and_own_fields_are_not_doubled() -> None:
    values = {**FIGURES, "responder_name": 'A "quoted" <name>'}
    _, markup = render(ReplyStep.LOTS, values=values)
    fields = [field for field in markup.all("input") if field.get("name")]
    names = [field["name"] for field in fields]
    assert len(set(names)) == len(names)
    hidden = {str(field["name"]): field["value"] for field in fields if field["type"] == "hidden"}
    assert hidden == {
        "step": "lots",
        "form_id": "form-1",
        "lang": "en",
        "acknowledged": "yes",
        "affected": "yes",
        "responder_name": 'A "quoted" <name>',
    }


def test_what_a_page_shows_posts_back_to_the_next_step() -> None:
    values: dict[str, str] = dict(FIGURES)
    step = ReplyStep.ACKNOWLEDGE
    seen = [step]
    typed = {
        ReplyStep.ACKNOWLEDGE: {"acknowledged": "yes"},
        ReplyStep.AFFECTED: {"affected": "yes"},
        ReplyStep.LOTS: {},
        ReplyStep.PASSED_ON: {
            f"to-{i}-{name}": text
            for i in (0, 1)
            for name, text in {"quantity": "1", "name": "Clinic", "phone": "+41446681800"}.items()
        },
        ReplyStep.PERSON: {"responder_name": "A", "responder_role": "B"},
    }
    while step is not ReplyStep.DONE:
        _, markup = render(step, "zh-CN", values=values)
        shown = {
            str(field["name"]): field.get("value") or ""
            for field in markup.all("input")
            if field.get("name") and (field["type"] not in {"radio", "checkbox"} or "checked" in field)
        }
        options, selects = markup.all("option"), markup.all("select")
        chosen = [str(option["value"]) for option in options if "selected" in option]
        shown |= {str(select["name"]): lot for select, lot in zip(selects, chosen, strict=True)}
        reading = read_form({**shown, **typed[step]}, LOTS)
        assert reading.errors == ()
        step, values = reading.step, reading.values
        seen.append(step)
    assert seen == [step for step in ReplyStep if step is not ReplyStep.WITHDRAWN], (
        "nothing leads to a page that asks nothing"
    )
    assert reading.answer is not None
    assert [receiver.lot_key for receiver in reading.answer.receivers] == ["7", "9"]


@pytest.mark.parametrize("bad", ["<script>alert(1)</script>", '"><b onclick=x>', "{{ 7*7 }}", "{label}{0}", "%s"])
def test_hostile_values_stay_text(bad: str) -> None:
    lot = PageLot("7", bad, bad, Decimal(1), bad, bad)
    values = {**FIGURES, "responder_name": bad, "remark": bad, "on_hand-7": bad, "to-0-name": bad}
    clean_lot = PageLot("7", "x", "x", Decimal(1), "x", "x")
    for step in ReplyStep:
        errors = (FieldError("on_hand-7", "error_number", lot_key="7"),)
        hostile: dict[str, Any] = {
            "recipient_name": bad,
            "products": (bad,),
            "reason": bad,
            "hazard": bad,
            "firm_name": bad,
        }
        clean: dict[str, Any] = {**dict.fromkeys(hostile, "x"), "products": ("x",)}
        source, markup = render(step, lots=(lot,), values=values, errors=errors, **hostile)
        plain_values = {name: "x" if text == bad else text for name, text in values.items()}
        _, expected = render(step, lots=(clean_lot,), values=plain_values, errors=errors, **clean)
        assert [tag for tag, _ in markup.tags] == [tag for tag, _ in expected.tags]
        assert "49" not in source


def test_the_confirmation_is_offered_only_where_figures_exceed_the_shipments() -> None:
    _, without = render(ReplyStep.LOTS)
    assert "confirm_quantities" not in without.values("name")
    reading = read_form({"step": "lots", **FIGURES, "used-9": "50"}, LOTS)
    source, asked = render(ReplyStep.LOTS, errors=reading.errors, values=reading.values)
    assert "confirm_quantities" in asked.values("name")
    assert "You state 52 units, we delivered 40.5" in source


def test_all_languages_have_the_same_messages_with_the_same_gaps() -> None:
    english = catalogue("en")
    for lang in LANGUAGES:
        words = catalogue(lang)
        assert set(words) == set(english)
        for key, text in words.items():
            assert text.strip()
            assert placeholders(text) == placeholders(english[key]), key


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_says_what_to_do_and_nothing_about_a_recall(reason: str, lang: str) -> None:
    source = render_refused_page(reason, lang, csp_nonce="N", firm_name="F & Co", firm_phone="+1 202", firm_email="a@b")
    Markup(source)
    assert catalogue(lang)[f"refused_{reason}"] in source
    assert "RC-" not in source


def test_texts_in_another_language_are_marked_for_readers_and_machines() -> None:
    source, _ = render(ReplyStep.ACKNOWLEDGE, "zh-CN")
    assert '<p class="free" lang="en">Control line without sample. （原文）</p>' in source
    own, _ = render(ReplyStep.ACKNOWLEDGE, "en")
    assert "original text" not in own


@pytest.mark.parametrize(
    ("asked", "partner", "expected"),
    [("zh-CN", "en", "zh-CN"), (None, "zh", "zh-CN"), ("xx", "fr", "en"), (None, "en-GB", "en"), ("../", "", "en")],
)
def test_the_visitor_chooses_the_language_else_the_partners(asked: str | None, partner: str, expected: str) -> None:
    assert page_language(asked, partner) == expected


def test_an_unknown_language_or_reason_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="lang"):
        render_reply_page(ReplyStep.DONE, "fr", PAGE)
    with pytest.raises(ValueError, match="reason"):
        render_refused_page("why", "en", csp_nonce="", firm_name="", firm_phone="", firm_email="")


@pytest.mark.parametrize("step", [ReplyStep.ACKNOWLEDGE, ReplyStep.AFFECTED, ReplyStep.DONE])
def test_what_changed_is_said_on_top_in_both_languages(step: ReplyStep) -> None:
    change = PageChange(added=("N3", "<N4>"), removed=("N1",), class_from="III", class_to="I")
    for lang, words in (
        ("en", ("Now also affected: N3, &lt;N4&gt;", "No longer affected: N1", "from Class III to Class I")),
        ("zh-CN", ("新增召回批号：N3, &lt;N4&gt;", "不再召回的批号：N1", "由 III 级调整为 I 级")),
    ):
        source, _ = render(step, lang, change=change)
        for word in words:
            assert word in source
        plain, _ = render(step, lang)
        assert catalogue(lang)["changed_heading"] not in plain
        again = catalogue(lang)["changed_answer"]
        assert (again in source) == (step is not ReplyStep.DONE)
        only_less, _ = render(step, lang, change=PageChange(removed=("N1",)))
        assert again not in only_less, "whoever has fewer lots need not answer again"


def test_the_page_of_a_withdrawn_recipient_asks_nothing_and_frees_nothing() -> None:
    for lang in LANGUAGES:
        source, markup = render(ReplyStep.WITHDRAWN, lang)
        assert not markup.all("form")
        assert not markup.all("input")
        assert catalogue(lang)["withdrawn_hold"] in source
        assert "SCMS-10-IE" in source
        assert catalogue(lang)["urgent"] not in source
