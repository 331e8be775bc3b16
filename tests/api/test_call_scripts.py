"""What a caller says: whole in every language, for every reason to call and every stage, and values never act."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from api.call_scripts import Firm, Script, language_for, languages, script_of, wording
from db.repositories.call_list import CallKind, CallRow
from domain.stages import Stage
from models.recall import Recall

pytestmark = pytest.mark.unit
FIRM = Firm(caller="Ann Example", name="Example Devices", phone="+44 20 7946 0018")
ROW = CallRow(
    task_id=1,
    kind=CallKind.CALL,
    consignee_id=2,
    partner_id=3,
    partner_code="H-3",
    partner_name="Mercy",
    partner_kind="hospital",
    country="ES",
    region=None,
    language="en",
    time_zone="Europe/Madrid",
    stage=Stage.OPEN,
    owed_since=None,
    first_notified_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
    units=Decimal("1200.50"),
    score=Decimal(1),
    due_at=None,
    assignee=None,
    reason="silence",
)


def said(row: CallRow, *, drill: bool = False, products: str = "Pump X") -> Script:
    return script_of(row, Recall.model_construct(number="RC-2026-000012", drill=drill), products, FIRM)


def whole(script: Script) -> str:
    return "\n".join((script.opening, script.owed, *script.asks, script.closing))


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("kind", list(CallKind))
def test_every_call_has_a_whole_script_in_every_language(kind: CallKind, stage: Stage, language: str) -> None:
    script = said(replace(ROW, kind=kind, stage=stage, language=language))
    assert script.language == language
    for fact in ("RC-2026-000012", "Pump X", FIRM.caller, FIRM.name):
        assert fact in script.opening
    assert FIRM.phone in script.closing
    assert script.owed.strip()
    assert wording(language)["ask_harm"] in script.asks, "harm is always asked about"
    assert not set(whole(script)) & set("{}")
    if kind is CallKind.CHECK:
        assert script.owed == wording(language)["owed_check"]
        assert wording(language)["ask_understood"] in script.asks


@pytest.mark.parametrize("language", languages())
def test_what_is_owed_is_said_with_its_figures(language: str) -> None:
    row = replace(ROW, language=language)
    assert {"2026-11-20", "1200.5"} <= set(re.findall(r"[\d.-]*\d", said(row).owed))
    unreached = said(replace(row, first_notified_at=None)).owed
    assert unreached != said(row).owed
    assert "1200.5" in unreached
    assert said(row, drill=True).opening.startswith(wording(language)["drill"])


def test_a_language_without_a_script_gets_one_of_the_same_tongue_or_english() -> None:
    assert [language_for(tag) for tag in ("es-PE", "zh", "zh-TW", "fr", "")] == ["es", "zh-CN", "zh-CN", "en", "en"]


@pytest.mark.parametrize("name", ["{{7*7}}", "{firm.__class__}", "{caller}", "%(number)s", "<b>x</b>", "{% raw %}"])
def test_a_name_of_a_product_is_read_out_as_it_is(name: str) -> None:
    assert name in said(ROW, products=name).opening
