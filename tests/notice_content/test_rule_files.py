"""Files of rules that are not what they should be are refused with file, path and what was expected."""

from pathlib import Path

import pytest

from activities.notice_content_rules import FOLDER, load_rules
from domain.levels import MarketAction
from domain.notice_rules import parse_rules
from domain.policy_text import PolicyError
from tests.notice_content.facts import RULES

pytestmark = pytest.mark.unit
CONTENTS = {file.name: file.read_text() for file in FOLDER.glob("*.yaml")}
WORDS = {file.name: file.read_text() for file in (FOLDER / "words").glob("*.yaml")}


def refused(name: str, old: str, new: str) -> str:
    """What is said of the shipped files with one place changed."""
    folder = WORDS if name in WORDS else CONTENTS
    assert old in folder[name]
    spoilt = {**folder, name: folder[name].replace(old, new, 1)}
    with pytest.raises(PolicyError) as caught:
        parse_rules(*((CONTENTS, spoilt) if name in WORDS else (spoilt, WORDS)))
    return str(caught.value)


def test_every_law_that_ships_has_a_list_of_its_own() -> None:
    shipped = {file.stem for file in FOLDER.parent.glob("*.yaml")}
    assert set(RULES.jurisdictions) == shipped
    assert RULES.content("xx-unknown").jurisdiction == "default"


def test_every_element_says_what_it_is_in_both_languages_and_where_it_comes_from() -> None:
    for law in RULES.jurisdictions:
        for element in RULES.content(law).elements:
            assert element.text.isascii()
            assert not element.text_zh.isascii()
            assert element.basis != "law" or any(mark in element.source for mark in ("CFR", "MDR Art.", "Art. ")), (
                element
            )


def test_every_language_names_every_action() -> None:
    for language in RULES.languages:
        words = RULES.words(language)
        assert words is not None
        assert set(words.actions) == {each.value for each in MarketAction} - {"none"}


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("us-fda.yaml", "rule: marking", "rule: shouting", "us-fda.yaml: elements[0].rule: "),
        ("us-fda.yaml", "fact: recall_no", "fact: recall_number", "us-fda.yaml: elements["),
        (
            "us-fda.yaml",
            "rule: marking",
            "rule: marking\n    phrase: urgent",
            "expected exactly one of fact, phrase, slot, rule",
        ),
        ("us-fda.yaml", "    rule: marking\n", "", "expected exactly one of fact, phrase, slot, rule; got none"),
        ("us-fda.yaml", "phrase: pass_on", "phrase: pass_out", "words/en.yaml: phrases: expected pass_out"),
        ("us-fda.yaml", "channels: [email, webhook, sms, push, voice]", "channels: [fax]", "channels[0]"),
        ("us-fda.yaml", "jurisdiction: us-fda", "jurisdiction: eu-mdr", "'eu-mdr' has two files"),
        ("default.yaml", "jurisdiction: default", "jurisdiction: xx-house", "expected one list for `default`"),
        ("us-fda.yaml", "id: issue_date", "id: recall_number", "is there twice for one channel and kind"),
        ("us-fda.yaml", "version: 1", "version: 1\nverison: 2", "us-fda.yaml: verison: "),
        ("us-fda.yaml", "elements:", "elements: [", "us-fda.yaml: line "),
        ("en.yaml", 'script: "[A-Za-z]"', 'script: "[A-Za-z"', "script: expected a regular expression"),
        ("en.yaml", "  stop_use:", "  stop_using:", "words/en.yaml: phrases: expected stop_use"),
        ("zh-CN.yaml", "language: zh-CN", "language: en", "'en' has two files"),
    ],
)
def test_a_faulty_file_is_refused_with_its_place(name: str, old: str, new: str, said: str) -> None:
    assert said in refused(name, old, new)


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "us-fda.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match=r"us-fda\.yaml: file: expected UTF-8"):
        load_rules(tmp_path)


def test_other_rules_have_another_identity() -> None:
    spoilt = {**WORDS, "en.yaml": WORDS["en.yaml"].replace("- minor\n", "- minimal\n")}
    assert parse_rules(CONTENTS, spoilt).sha256 != RULES.sha256 == parse_rules(CONTENTS, WORDS).sha256
