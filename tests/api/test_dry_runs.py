"""Dry runs over HTTP: a case, faults with their paths, and a recall by its record under another version."""

from typing import Any

import pytest

from db.engine import SessionFactory
from domain.roles import Role
from tests.api.test_policies import NEXT, V, edited, seeded, submitted
from tests.domain.test_dry_run import CASE
from tests.support.api import Callers

pytestmark = pytest.mark.db
URL = "/v1/policies/dry-run"


async def ran(api: Callers, **body: Any) -> Any:
    answer = await api.post(URL, body, Role.AUDITOR)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_case_is_run_under_what_is_in_force_and_compared_with_a_draft(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    await submitted(api, edited())
    plain = await ran(api, case=CASE)
    assert plain["versions"][0] == f"us-fda@{V}"
    assert {ask["kind"] for ask in plain["asks"]} >= {"task", "signature", "gate", "ladder", "report", "notice"}
    both = await ran(api, case=CASE, compare={"us-fda": NEXT})
    assert both["compared_with"][0] == f"us-fda@{NEXT}"
    assert [(each["key"], each["fields"]) for each in both["differences"]] == [
        ("notice:us-fda:notify", ["limit", "due_at"])
    ]


async def test_a_faulty_case_or_an_unknown_version_is_a_clear_error(api: Callers, db: SessionFactory) -> None:
    await seeded(db)
    bad = await api.post(URL, {"case": CASE.replace("us-fda: I,", "us-fda: IX,")})
    assert bad.status_code == 422
    assert "levels.us-fda: no level 'IX'" in bad.json()["errors"][0]["detail"]
    unknown = await api.post(URL, {"case": CASE, "versions": {"us-fda": 99}})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "There is no version 99 of us-fda.")
    assert (await api.post(URL, {"recall": "RC-2026-999999"})).status_code == 404
    for both in ({}, {"case": CASE, "recall": "RC-2026-000001"}):
        assert (await api.post(URL, both)).status_code == 422
