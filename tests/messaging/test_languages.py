"""A language is data: the same words, templates and pages in each, and nothing in the code that lists them."""

import ast
import json
import re
import string
from pathlib import Path

import pytest
import yaml

from activities.enclosures import sheet_words
from activities.notice_rendering import TEMPLATES, NoticeRenderer
from api import expert_pages, push_page, reply_fields, sms_answers
from api.page_languages import languages_in
from domain.harm import mentions_harm
from domain.notice_content import best_language
from domain.sms_replies import SmsIntent, parse_sms_reply
from domain.sms_segments import SmsEncoding, sms_size

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
NOTICES = sorted({language for _, _, language in NoticeRenderer().available()})
WORDS = [
    ("pages", "messages"),
    ("push", "messages"),
    ("sms", "answers"),
    ("notices/_base", "sheet"),
    ("calls", "script"),
    ("voice", "words"),
    ("answers", "columns"),
]
"""Folders of words for recipients, each with one file per language of the notices."""


def read(folder: str, name: str, language: str) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load((ROOT / "templates" / folder / f"{name}.{language}.yaml").read_text())
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", NOTICES)
@pytest.mark.parametrize(("folder", "name"), WORDS)
def test_every_language_of_the_notices_has_every_word_for_recipients(folder: str, name: str, language: str) -> None:
    assert languages_in(ROOT / "templates" / folder, name)[0] == "en"
    assert set(languages_in(ROOT / "templates" / folder, name)) == set(NOTICES)
    english, words = read(folder, name, "en"), read(folder, name, language)
    assert set(words) == set(english)
    for key, text in words.items():
        assert isinstance(text, str), key
        assert text.strip(), key
        assert placeholders(text) == placeholders(english[key]), key
    if language != "en" and folder != "notices/_base":
        same = [key for key in words if words[key] == english[key] and re.search(r"\w+ \w+ \w+", english[key])]
        assert same == [], "left untranslated"


def test_pages_and_answers_take_their_languages_from_the_files() -> None:
    for known in (reply_fields.LANGUAGES, push_page.LANGUAGES, sms_answers.LANGUAGES):
        assert set(known) == set(NOTICES)
    assert set(expert_pages.LANGUAGES) == set(languages_in(ROOT / "templates" / "expert"))
    assert all(sheet_words(TEMPLATES, language).title for language in NOTICES)


def test_the_api_document_names_no_language_of_the_page_that_the_next_file_would_make_wrong() -> None:
    paths = json.loads((ROOT / "openapi.json").read_text())["paths"]
    operations = [each for path, item in paths.items() if path.startswith("/r/") for each in item.values()]
    said = [
        one.get("description", "") for each in operations for one in each.get("parameters", ()) if one["name"] == "lang"
    ]
    assert len(said) > 5
    assert [text for text in said if "zh" in text] == []


def test_a_language_is_added_by_files_alone(tmp_path: Path) -> None:
    (tmp_path / "initial").mkdir()
    for language in ("en", "fr"):
        (tmp_path / "initial" / f"sms.{language}.txt.j2").write_text("{{ n.recall_no }} {{ slot('link') }}")
        (tmp_path / f"messages.{language}.yaml").write_text("a: b")
    assert [language for _, _, language in NoticeRenderer(tmp_path).available()] == ["en", "fr"]
    assert languages_in(tmp_path) == ("en", "fr")
    assert best_language("fr-CA", ["en", "fr"]) == "fr"


def test_no_code_lists_the_languages_recipients_may_have() -> None:
    """Tuples and lists of tags in code decide what exists; the staff's own texts may be two."""
    rooms = ("activities", "adapters", "api", "db", "documents", "domain", "models", "workflows")
    # Staff choose between two, and authority documents are written in the authority's language.
    staff = {
        "activities/staff_rendering.py",
        "domain/policy_diff.py",
        "models/schemas_tasks.py",
        "api/routers/documents.py",
    }
    found = []
    for path in (each for room in rooms for each in (ROOT / room).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple | ast.List | ast.Set) and name not in staff:
                texts = {each.value for each in node.elts if isinstance(each, ast.Constant)}
                if "en" in texts and texts & {"zh", "zh-CN", "es"}:
                    found.append((name, node.lineno))
    assert found == []


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("SÍ", SmsIntent.ACKNOWLEDGED),
        ("recibido", SmsIntent.ACKNOWLEDGED),
        ("Llámenme", SmsIntent.NEEDS_HELP),
        ("Parar", SmsIntent.STOP),
        ("ALTA", SmsIntent.START),
        ("herido", SmsIntent.HARM),
        ("Un paciente ha fallecido con el lote A1", SmsIntent.HARM),
        ("No hay heridos", SmsIntent.UNCLEAR),
        ("2 cajas", SmsIntent.UNCLEAR),
    ],
)
def test_a_spanish_answer_is_read(text: str, intent: SmsIntent) -> None:
    assert parse_sms_reply(text).intent is intent


@pytest.mark.parametrize(
    ("text", "harm"),
    [
        ("Una paciente sufrió lesiones", True),
        ("efectos adversos en dos pacientes", True),
        ("murió un paciente", True),
        ("Sin lesiones", False),
        ("No se han registrado efectos adversos", False),
        ("ningún paciente ha resultado herido", False),
        ("Nadie herido; un muerto", True),
    ],
)
def test_harm_is_found_in_spanish_and_a_plain_denial_is_none(text: str, harm: bool) -> None:
    assert mentions_harm(text) is harm


@pytest.mark.parametrize("key", list(sms_answers.answers("en")))
def test_a_spanish_answer_by_text_message_costs_no_more_than_an_english_one(key: str) -> None:
    spanish = sms_size(sms_answers.answer_text(key, "es-PE", "RC-2026-000012"))
    english = sms_size(sms_answers.answer_text(key, "en", "RC-2026-000012"))
    assert spanish.encoding is SmsEncoding.GSM_7
    assert spanish.segments <= english.segments
