"""Suggestions over HTTP: any text is answered, nothing is stored, and what is on record can be read."""

import psycopg
import pytest

from domain.roles import Role
from tests.support.api import Callers
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow
URL = "/v1/suggestions"
STERILITY = {
    "reason": "Lack of assurance of sterility: the seal of the pouch may be open.",
    "product_description": "Prefilled saline flush syringe, sterile, Rx only",
}


async def test_a_text_is_answered_with_class_chances_words_and_model(api: Callers) -> None:
    answer = await api.post(URL, STERILITY, role=Role.MEDICAL)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["recall_class"] in {"I", "II", "III"}
    assert sum(found["confidence"].values()) == pytest.approx(1, abs=1e-3)
    assert any("sterility" in word["text"] for word in found["words_for"] + found["words_against"])
    assert found["model_version"].startswith("fda-until-")
    assert found["no_suggestion"] is None


@pytest.mark.parametrize(
    ("reason", "why"),
    [("", "no reason is given"), ("无菌包装破损", "text is not English"), ("zzzz", "knows no word")],
)
async def test_what_cannot_be_judged_is_answered_with_the_reason_why(api: Callers, reason: str, why: str) -> None:
    answer = await api.post(URL, {"reason": reason}, role=Role.QA)
    assert answer.status_code == 200, answer.text
    assert answer.json()["recall_class"] is None
    assert why in answer.json()["no_suggestion"]
    assert answer.json()["needs_review"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": None},
        {"reason": ["x"]},
        {"reason": "x" * 20_001},
        {"reason": "a\x00b"},
        {"reason": "x", "class": "I"},
    ],
)
async def test_a_body_that_is_no_text_is_refused_by_field(api: Callers, body: dict[str, object]) -> None:
    answer = await api.post(URL, body, role=Role.QA)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


async def test_half_a_character_is_refused_by_field(api: Callers) -> None:
    headers = api.headers(Role.QA) | {"Content-Type": "application/json"}
    answer = await api.client.post(URL, content=b'{"reason": "seal \\ud800 open"}', headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


async def test_nobody_asks_without_a_token(api: Callers) -> None:
    assert (await api.post(URL, STERILITY, role=None)).status_code == 401


async def test_the_newest_advice_on_record_is_read_per_product_line(api: Callers, postgres: PostgresForTests) -> None:
    number = write_recall(postgres.owner_url, "RC-2026-000041")
    with psycopg.connect(postgres.owner_url) as owner:
        for version, recall_class, hours in (("one", "III", 0), ("two", "I", 1)):
            owner.execute(
                "INSERT INTO class_suggestion (recall_number, product_line, scope_version, text_sha256, recall_class,"
                " confidence, words, notes, needs_review, model_version, suggested_at) VALUES (%s, 'Infusion sets', 1,"
                ' repeat(\'0\', 64), %s, \'{"I": 0.5, "II": 0.3, "III": 0.2}\', \'{"for": [{"text": "sterility",'
                ' "field": "reason", "effect": 0.4}], "against": []}\', \'[]\', false, %s,'
                " timestamptz '2026-11-20 08:00+00' + %s * interval '1 hour')",
                [number, recall_class, version, hours],
            )
    answer = await api.get(f"/v1/recalls/{number}/suggestions", role=Role.AUDITOR)
    assert answer.status_code == 200, answer.text
    [found] = answer.json()
    assert (found["product_line"], found["recall_class"], found["model_version"]) == ("Infusion sets", "I", "two")
    assert found["words_for"] == [{"text": "sterility", "field": "reason", "effect": 0.4}]
    shown = await api.get(f"/v1/recalls/{number}/assessment", role=Role.AUDITOR)
    assert shown.status_code == 200, shown.text
    assert shown.json()["suggestions"] == [found]


async def test_a_recall_nobody_knows_has_no_advice(api: Callers) -> None:
    answer = await api.get("/v1/recalls/RC-2026-999999/suggestions", role=Role.QA)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:recall:problem:recall-unknown")
