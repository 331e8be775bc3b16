"""Notices: golden files, what the law wants in them, and values that try to be more than values."""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.notice_body import ApprovedBody, BodyError, combined_sha256, fill
from activities.notice_rendering import TEMPLATES, NoticeRenderer, NoticeTemplateError
from domain.channels import Channel
from domain.levels import MarketAction, RecallClass
from domain.notice_content import (
    LADDER_KINDS,
    NoticeContext,
    NoticeKind,
    RecipientValues,
    best_language,
)
from domain.sms_segments import SmsEncoding, sms_size
from tests.messaging.notices import AMENDED, CONTEXT, PRODUCT, RECIPIENT, facts_of

pytestmark = pytest.mark.unit
GOLDEN = Path(__file__).parent / "golden"
RENDERER = NoticeRenderer()
EVERY = RENDERER.available()
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "⟦link⟧ ⟦#lots⟧x⟦/lots⟧ ⟦?link⟧",
    "⟦⟦link⟧⟧⟦",
    "${7*7} #{7*7} %(link)s {link}",
    "a\r\nBcc: all@x.example\r\n\r\nbody",
    "\u202edesrever\u202c \u2066hidden\u2069 zero\u200bwidth \ufeff",
    "&lt;b&gt; &amp; ' \" <",
]


def changed(model: Any, **changes: Any) -> Any:
    return type(model).model_validate({**model.model_dump(), **changes})


def context_with(name: str) -> NoticeContext:
    product = {**PRODUCT.model_dump(), "name": name, "manufacturer": name, "lots": [name]}
    product |= {"code": name, "gtin": name, "udi_di": name, "expiry": {name: PRODUCT.expiry["SCMS-10-IE"]}}
    texts = {"reason": name, "hazard": name, "instructions": [name]}
    context: NoticeContext = changed(CONTEXT, products=[product], texts=texts, translations={}, firm_name=name)
    return context


def recipient_with(name: str) -> RecipientValues:
    own = {"product": name, "lot": name, "unit": name, "gtin": name, "udi_di": name}
    lots = [{**lot.model_dump(), **own, "serials": (name,) * len(lot.serials)} for lot in RECIPIENT.lots]
    recipient: RecipientValues = changed(RECIPIENT, recipient_name=name, contact_name=name, lots=lots)
    return recipient


@pytest.mark.parametrize(("kind", "channel", "language"), EVERY)
def test_the_rendered_notice_equals_its_golden_file(kind: NoticeKind, channel: Channel, language: str) -> None:
    out = RENDERER.preview(kind, channel, language, *facts_of(kind))
    for part, content in (("subject", out.subject), ("txt", out.text), ("html", out.html)):
        if content is None:
            continue
        path = GOLDEN / f"{kind}.{channel}.{language}.{part}"
        if os.environ.get("RECALL_WRITE_GOLDEN"):
            path.write_text(content)
        expected = path.read_text()
        diff = difflib.unified_diff(expected.splitlines(), content.splitlines(), "golden", "now", lineterm="")
        assert content == expected, "\n".join(diff)


LANGUAGES = sorted({language for _, _, language in EVERY})
WHOLE = (*LADDER_KINDS, NoticeKind.AMENDMENT, NoticeKind.RETRACTION)
"""Kinds that need every channel; the others are letters, the end of a recall on every channel too."""
LETTERS = (NoticeKind.CLOSURE, NoticeKind.SUB_RECALL, NoticeKind.REGULATOR, NoticeKind.PATIENT)


def test_every_language_has_every_kind_for_every_channel() -> None:
    assert {"en", "zh-CN", "es"} <= set(LANGUAGES)
    wanted = {(kind, channel) for kind in WHOLE for channel in Channel} | {(kind, Channel.EMAIL) for kind in LETTERS}
    wanted |= {(NoticeKind.CLOSURE, each) for each in Channel}
    wanted |= {(NoticeKind.SUB_RECALL, each) for each in (Channel.SMS, Channel.WEBHOOK)}
    for language in LANGUAGES:
        assert {(kind, channel) for kind, channel, lang in EVERY if lang == language} == wanted, language


# A call has no link and a push only says that there is one: they have tests of their own.
WRITTEN = [
    one
    for one in EVERY
    if one[0] in (*LADDER_KINDS, NoticeKind.AMENDMENT) and one[1] not in (Channel.VOICE, Channel.PUSH)
]


@pytest.mark.parametrize(("kind", "channel", "language"), WRITTEN)
def test_no_notice_lacks_what_the_law_wants_in_it(kind: NoticeKind, channel: Channel, language: str) -> None:
    out = RENDERER.preview(kind, channel, language, *facts_of(kind))
    chinese = "紧急：医疗器械召回范围及级别变更通知" if kind is NoticeKind.AMENDMENT else "紧急：医疗器械召回通知"
    spanish = "URGENTE: RETIRADA DE PRODUCTO SANITARIO"
    urgent = {"en": "URGENT: MEDICAL DEVICE RECALL", "zh-CN": chinese, "es": spanish}[language]
    for body in (out.text, out.html):
        if body is None:
            continue
        for fact in (urgent, "RC-2026-000012", "SCMS-10-IE", RECIPIENT.link, CONTEXT.firm_phone):
            assert fact in body
    if channel is Channel.EMAIL:
        assert out.subject is not None
        assert urgent in out.subject
        texts = CONTEXT.texts_in(language)
        for body in (out.text, str(out.html)):
            for fact in (
                *PRODUCT.lots,
                "05391516740012",
                "1200",
                "40.5",
                texts.reason.splitlines()[0],
                texts.hazard,
                texts.instructions[0],
                "2026-11-24 12:00 (Africa/Abidjan)",
                "2026-01-02",
                "2026-10-30",
                "Dr. Q. Safe",
                "2027-05-31",
                "2027-06-30",
                "SN-0001, SN-0002",
            ):
                assert fact in body
        assert f"<strong>{urgent}" in str(out.html)


@pytest.mark.parametrize(
    ("recall_class", "action", "expected"),
    [
        (RecallClass.I, MarketAction.CORRECTION, "URGENT: MEDICAL DEVICE CORRECTION"),
        (RecallClass.II, MarketAction.FSCA, "URGENT: FIELD SAFETY NOTICE"),
        (RecallClass.III, MarketAction.REMOVAL, "MEDICAL DEVICE RECALL"),
        (RecallClass.III, MarketAction.MARKET_WITHDRAWAL, "MEDICAL DEVICE MARKET WITHDRAWAL"),
    ],
)
def test_class_and_action_choose_the_marking(recall_class: RecallClass, action: MarketAction, expected: str) -> None:
    context = changed(CONTEXT, recall_class=recall_class, market_action=action)
    body = RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.EMAIL, "en", context)
    assert body.text.splitlines()[0] == expected


def test_texts_without_a_translation_are_printed_and_marked_as_the_original() -> None:
    context = changed(CONTEXT, translations={})
    body = RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.EMAIL, "zh-CN", context)
    assert "【以下为原文，语言：en】" in body.text
    assert CONTEXT.texts.hazard in body.text
    assert '<div lang="en">' in str(body.html)
    english = RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.EMAIL, "en", context)
    assert "Original text" not in english.text


@pytest.mark.parametrize(
    ("language", "mark"),
    [
        ("en", "[Original text, language: de]"),
        ("zh-CN", "【以下为原文，语言：de】"),
        ("es", "[Texto original, idioma: de]"),
    ],
)
@pytest.mark.parametrize("kind", [NoticeKind.INITIAL, NoticeKind.AMENDMENT, NoticeKind.SUB_RECALL])
def test_a_text_in_another_language_is_marked_in_the_text_and_in_the_html(
    kind: NoticeKind, language: str, mark: str
) -> None:
    context = changed(facts_of(kind)[0], translations={}, texts_language="de")
    body = RENDERER.render_for_approval(kind, Channel.EMAIL, language, context)
    assert (body.text.count(mark), str(body.html).count(mark)) == (1, 1)


def test_a_drill_says_so_first() -> None:
    out = RENDERER.preview(NoticeKind.INITIAL, Channel.SMS, "en", changed(CONTEXT, drill=True), RECIPIENT)
    assert out.text.startswith("DRILL")


@pytest.mark.parametrize("kind", [*WHOLE, *LETTERS[:2]])
def test_a_text_message_takes_few_segments(kind: NoticeKind) -> None:
    english = sms_size(RENDERER.preview(kind, Channel.SMS, "en", *facts_of(kind)).text)
    chinese = sms_size(RENDERER.preview(kind, Channel.SMS, "zh-CN", *facts_of(kind)).text)
    spanish = sms_size(RENDERER.preview(kind, Channel.SMS, "es", *facts_of(kind)).text)
    assert (english.encoding, chinese.encoding) == (SmsEncoding.GSM_7, SmsEncoding.UCS_2)
    assert spanish.encoding is SmsEncoding.GSM_7
    assert spanish.segments <= (3 if kind in LADDER_KINDS else 4)
    # An amendment of lots and class at once is the longest there is.
    assert english.segments <= (3 if kind in LADDER_KINDS else 4)
    assert chinese.segments <= (4 if kind in LADDER_KINDS else 5)


def test_many_lots_are_counted_and_the_recipients_own_are_still_listed() -> None:
    product = {**PRODUCT.model_dump(), "lots": [f"L{n}" for n in range(501)]}
    context = changed(CONTEXT, products=[product])
    for language in ("en", "zh-CN"):
        out = RENDERER.preview(NoticeKind.INITIAL, Channel.EMAIL, language, context, RECIPIENT)
        assert "501" in out.text
        assert "L499" not in out.text
        assert "SCMS-10-IE" in out.text


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(("kind", "channel", "language"), [e for e in EVERY if e[0] in (NoticeKind.INITIAL, *LETTERS)])
def test_a_hostile_name_stays_a_name(kind: NoticeKind, channel: Channel, language: str, name: str) -> None:
    plain = RENDERER.preview(kind, channel, language, context_with("x"), recipient_with("x"))
    out = RENDERER.preview(kind, channel, language, context_with(name), recipient_with(name))
    if out.html is not None and plain.html is not None:
        for mark in ("<", ">", "href=", "</tr>"):
            assert out.html.count(mark) - plain.html.count(mark) == (name.count("href=") if mark == "href=" else 0)
    assert out.subject is None or len(out.subject.splitlines()) == 1
    assert out.text.count(RECIPIENT.link) == plain.text.count(RECIPIENT.link)
    shown = ((out.text, plain.text), (out.subject or "", plain.subject or ""), (out.html or "", plain.html or ""))
    for text, before in shown:
        assert text.replace("7*7", "").count("49") == before.count("49")
        assert not set("\u202e\u202c\u2066\u2069\u200b\ufeff") & set(text)
    if channel is Channel.EMAIL and "\n" not in name and name.isprintable():
        assert name in out.text


def test_html_is_made_only_of_templates_whose_values_are_escaped() -> None:
    """A macro of a plain file would hand its unescaped values to HTML as safe (it did for product codes)."""
    for path in TEMPLATES.rglob("*.html.j2"):
        for used in re.findall(r'(?:import|include|extends|from) "([^"]+)"', path.read_text()):
            assert used.endswith(".html.j2"), f"{path.name}: {used}"


@given(name=st.text(min_size=1, max_size=60).filter(lambda text: text.strip().isprintable() and text.strip()))
def test_any_printable_name_appears_unchanged_in_the_text(name: str) -> None:
    wanted = " ".join(name.split())
    for context, recipient in ((context_with(name), RECIPIENT), (CONTEXT, recipient_with(name))):
        out = RENDERER.preview(NoticeKind.INITIAL, Channel.EMAIL, "en", context, recipient)
        assert wanted in out.text


def test_filling_changes_nothing_but_the_slots() -> None:
    body = RENDERER.render_for_approval(NoticeKind.REMINDER, Channel.EMAIL, "en", CONTEXT)
    mine, other = fill(body, RECIPIENT), fill(body, recipient_with("Other"))
    mine_lines, other_lines = mine.text.splitlines(), other.text.splitlines()
    differing = [a for a, b in zip(mine_lines, other_lines, strict=True) if a != b]
    assert len(differing) == 7  # recipient, contact, two lines for each of two lots, serial numbers of one
    assert fill(body, RECIPIENT) == mine


def test_an_empty_value_hides_its_sentence() -> None:
    bare = changed(RECIPIENT, respond_by=None, contact_name="", first_notice_on=None, lots=[])
    out = RENDERER.preview(NoticeKind.REMINDER, Channel.EMAIL, "en", CONTEXT, bare)
    for gone in ("Please answer by", "Attention:", "to our notice of", "Our records show these deliveries"):
        assert gone not in out.text
        assert gone not in str(out.html)


def test_an_unknown_time_zone_falls_back_to_utc() -> None:
    for zone in ("Mars/Olympus", "../../etc/passwd", ""):
        out = RENDERER.preview(NoticeKind.INITIAL, Channel.EMAIL, "en", CONTEXT, changed(RECIPIENT, time_zone=zone))
        assert "2026-11-24 12:00 (UTC)" in out.text


def test_a_stored_body_comes_back_and_any_change_is_noticed() -> None:
    body = RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.EMAIL, "zh-CN", CONTEXT)
    stored = body.as_json()
    assert ApprovedBody.from_json(stored) == body
    for field in ("subject", "text", "html", "kind", "language"):
        with pytest.raises(BodyError, match="changed after approval"):
            ApprovedBody.from_json({**stored, field: str(stored[field]) + " "})
    with pytest.raises(BodyError):
        ApprovedBody.from_json({"text": "x"})


def test_the_same_facts_give_the_same_hash_and_other_facts_another() -> None:
    def digest(context: NoticeContext) -> str:
        return combined_sha256([RENDERER.render_for_approval(*one, context) for one in EVERY])

    assert digest(AMENDED) == digest(AMENDED)
    assert digest(AMENDED) != digest(changed(AMENDED, version=3))
    bodies = [RENDERER.render_for_approval(*one, AMENDED) for one in EVERY]
    assert combined_sha256(bodies) == combined_sha256(bodies[::-1])


def custom(folder: Path, source: str) -> NoticeRenderer:
    (folder / "initial").mkdir()
    (folder / "initial" / "sms.en.txt.j2").write_text(source)
    return NoticeRenderer(folder)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{{ slot('salary') }}", "salary"),
        ("{{ slot('lot.number') }}", "lot.number"),
        ("{{ each('lots') }}{{ slot('lot.number') }}", "not closed"),
        ("{{ end('lots') }}", "not open"),
        ("{{ each('lots') }}{{ each('lots') }}{{ end('lots') }}{{ end('lots') }}", "misplaced"),
        ("{{ n.no_such_fact }}", "no_such_fact"),
        ("{{ missing }}", "missing"),
        ("{% if %}", "initial/sms.en.txt.j2"),
        ("{{ n.__class__.__init__.__globals__ }}", "unsafe"),
    ],
)
def test_a_broken_template_is_refused_when_it_is_rendered(tmp_path: Path, source: str, complaint: str) -> None:
    with pytest.raises(NoticeTemplateError, match=complaint):
        custom(tmp_path, source).render_for_approval(NoticeKind.INITIAL, Channel.SMS, "en", CONTEXT)


def test_a_missing_language_is_named() -> None:
    with pytest.raises(NoticeTemplateError, match="fr"):
        RENDERER.render_for_approval(NoticeKind.INITIAL, Channel.SMS, "fr", CONTEXT)


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("zh-CN", "zh-CN"),
        ("zh_cn", "zh-CN"),
        ("zh", "zh-CN"),
        ("fr-CI", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_nearest_there_is(tag: str, language: str) -> None:
    assert best_language(tag, RENDERER.languages(NoticeKind.INITIAL, Channel.EMAIL)) == language


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "http://x/ y", 'http://x/"onclick=', "http://x/\nBcc:", "//x", ""]
)
def test_only_a_web_address_can_be_the_link(link: str) -> None:
    with pytest.raises(ValueError, match="link"):
        changed(RECIPIENT, link=link)


def _sizes() -> Iterator[tuple[str, SmsEncoding, int, int]]:
    yield "", SmsEncoding.GSM_7, 0, 1
    yield "a" * 160, SmsEncoding.GSM_7, 160, 1
    yield "a" * 161, SmsEncoding.GSM_7, 161, 2
    yield "a" * 306, SmsEncoding.GSM_7, 306, 2
    yield "€" * 80, SmsEncoding.GSM_7, 160, 1
    yield "a" * 152 + "€" * 77, SmsEncoding.GSM_7, 306, 3  # an escape pair is never split
    yield "召" * 70, SmsEncoding.UCS_2, 70, 1
    yield "召" * 71, SmsEncoding.UCS_2, 71, 2
    yield "😀" * 35, SmsEncoding.UCS_2, 70, 1
    yield "a–b", SmsEncoding.UCS_2, 3, 1


@pytest.mark.parametrize(("text", "encoding", "units", "segments"), list(_sizes()))
def test_segments_are_counted_as_the_networks_count(
    text: str, encoding: SmsEncoding, units: int, segments: int
) -> None:
    size = sms_size(text)
    assert (size.encoding, size.units, size.segments) == (encoding, units, segments)
