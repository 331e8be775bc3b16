"""The forms people read: values never become markup, Chinese is embedded, the same draft is the same bytes."""

import io
import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from pypdf import PdfReader

from documents.font import drawable
from documents.html import as_html
from documents.pdf import as_pdf
from domain.documents.kinds import KINDS, as_json, draft
from domain.documents.layout import layout
from tests.documents.factories import rich
from tests.documents.test_kinds import SUBJECTS

pytestmark = pytest.mark.unit
HOSTILE = "<script>alert(1)</script> {{ 7*7 }} {% raw %} ${x} **bold** & \" ' \u202eevil\u202c \U0001f600 </td>"


def text_of(pdf: bytes) -> str:
    """All text of a PDF without spaces: extraction guesses those from positions."""
    return re.sub(r"\s", "", "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_all_three_forms_and_they_say_the_same(kind: str) -> None:
    found = draft(KINDS[kind], rich(SUBJECTS[kind]))
    page = layout(found)
    html, pdf = unescape(as_html(found).decode()), text_of(as_pdf(found))
    assert f'<html lang="{page.language}">' in html
    for block in page.blocks:
        assert block.title in html
        assert re.sub(r"\s", "", block.title) in pdf


def test_the_language_of_the_authority_and_another_on_request() -> None:
    found = draft(KINDS["cn_event_form"], rich("cn-nmpa:event_form"))
    assert (layout(found).title, layout(found, "en").title) == (
        "医疗器械召回事件报告表",
        "Medical device recall event form",
    )
    assert "召回原因" in as_html(found).decode()
    assert "Reason for the recall" in as_html(found, "en").decode()


def test_chinese_glyphs_are_embedded_in_the_pdf() -> None:
    content = as_pdf(draft(KINDS["cn_event_form"], rich("cn-nmpa:event_form")))
    assert "医疗器械召回事件报告表" in text_of(content)
    assert "假阴性结果" in text_of(content)
    fonts = [
        font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        for page in PdfReader(io.BytesIO(content)).pages
        for font in page["/Resources"].get_object()["/Font"].values()  # type: ignore[index]
    ]
    assert fonts
    assert all("NotoSansSC" in str(font["/FontName"]) and "/FontFile2" in font for font in fonts)


@pytest.mark.parametrize("form", [as_json, as_html, as_pdf])
def test_the_same_draft_is_the_same_bytes(form: object) -> None:
    first, second = (draft(KINDS["cn_summary"], rich("cn-nmpa:closure")) for _ in range(2))
    assert form(first) == form(second)  # type: ignore[operator]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, _: object) -> None:
        self.tags.add(tag)


@pytest.mark.parametrize("kind", KINDS)
def test_markup_and_template_syntax_in_names_stay_text(kind: str) -> None:
    plain = rich(SUBJECTS[kind])
    hostile = replace(
        plain,
        firm=replace(plain.firm, name=HOSTILE),
        products=tuple(replace(each, name=HOSTILE) for each in plain.products),
        harms=tuple(replace(each, description=HOSTILE) for each in plain.harms),
    )
    found = draft(KINDS[kind], hostile)
    tags = _Tags()
    tags.feed(as_html(found).decode())
    known = _Tags()
    known.feed(as_html(draft(KINDS[kind], plain)).decode())
    assert tags.tags == known.tags
    assert "49" not in as_html(found).decode().split("alert(1)")[1][:40]
    assert "\u202e" not in as_html(found).decode()
    assert re.sub(r"\s", "", "{{7*7}}") in text_of(as_pdf(found))
    assert json.loads(as_json(found))["head"]["firm"] == HOSTILE


def test_a_character_the_font_lacks_is_written_as_its_code_point() -> None:
    assert drawable("a\U0001f600医") == "a[U+1F600]医"
    assert drawable("a\tb\nc") == "a    b\nc", "a tab is a gap"


def test_a_drill_says_so_on_every_page() -> None:
    found = draft(KINDS["us_806_report"], rich(drill=True, consignees=200))
    assert "DRILL" in as_html(found).decode()
    pages = PdfReader(io.BytesIO(as_pdf(found))).pages
    assert len(pages) > 2
    assert all("DRILL" in page.extract_text().replace(" ", "") for page in pages)


def test_open_fields_stand_in_their_place_and_in_the_list_at_the_end() -> None:
    found = draft(KINDS["us_806_report"], rich())
    html = as_html(found).decode()
    assert html.count("[MISSING]") == len(found.missing)
    assert "Missing information" in html
    assert "Missinginformation" in text_of(as_pdf(found))
