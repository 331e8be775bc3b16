"""Starting a recall over HTTP: once per key, whatever crashes in between."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import psycopg
import pytest
from sqlmodel import func, select
from temporalio.testing import WorkflowEnvironment

from api import recall_start
from api.problems import Problem
from db.engine import SessionFactory
from db.repositories import idempotency
from domain.roles import Role
from models.audit import AuditEvent
from models.recall import Recall
from tests.support.api import Callers, intake
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow


async def count_recalls(db: SessionFactory) -> int:
    async with db() as session:
        return (await session.exec(select(func.count()).select_from(Recall))).one()


async def test_a_started_recall_is_recorded_audited_and_running_in_temporal(
    api: Callers, db: SessionFactory, temporal: WorkflowEnvironment
) -> None:
    answer = await api.post("/v1/recalls", intake())
    assert answer.status_code == 202
    number = answer.json()["number"]
    assert answer.headers["Location"] == f"/v1/recalls/{number}"
    description = await temporal.client.get_workflow_handle(f"recall:{number}").describe()
    assert description.status is not None
    assert description.status.name == "RUNNING"
    assert await description.static_summary() == "Infusion sets · Infusion set: connector may crack"
    async with db() as session:
        opened = (await session.exec(select(AuditEvent).where(AuditEvent.stream == number))).one()
    assert (opened.actor, opened.role, opened.action) == ("Quinn", "qa", "recall.opened")
    shown = (await api.get(f"/v1/recalls/{number}")).json()
    assert shown["phase"] == "intake"
    assert shown["scope"]["criteria"] == {"families": ["Infusion sets"]}


async def test_a_drill_has_its_own_number_range(api: Callers) -> None:
    answer = await api.post("/v1/recalls", intake(drill=True))
    assert answer.status_code == 202
    assert answer.json()["number"].startswith("RD-")
    assert (await api.get(f"/v1/recalls/{answer.json()['number']}")).json()["drill"] is True


async def test_reason_and_hazard_are_kept_in_every_language_given(api: Callers, db: SessionFactory) -> None:
    chinese = {"reason": "接头可能开裂", "hazard": "药液泄漏"}
    answer = await api.post("/v1/recalls", intake(translations={"zh-CN": chinese}))
    async with db() as session:
        recall = (await session.exec(select(Recall))).one()
    assert (recall.number, recall.translations) == (answer.json()["number"], {"zh-CN": chinese})


async def test_a_recall_names_whose_holidays_and_days_count_where_the_profile_says_otherwise(
    api: Callers, db: SessionFactory
) -> None:
    places = {"eu-mdr": {"state": "FR", "zone": "Europe/Paris"}, "us-fda": {"zone": "America/Los_Angeles"}}
    answer = await api.post("/v1/recalls", intake(jurisdictions=["us-fda", "eu-mdr"], places=places))
    assert answer.status_code == 202, answer.text
    async with db() as session:
        recall = (await session.exec(select(Recall))).one()
    assert recall.places == places


@pytest.mark.parametrize(
    ("places", "pointer", "words"),
    [
        ({"cn-nmpa": {"zone": "Asia/Shanghai"}}, "#/places/cn-nmpa", "is none of the recall's jurisdictions"),
        ({"us-fda": {"state": "DE"}}, "#/places/us-fda/state", "does not count by the holidays of a member state"),
        ({"us-fda": {"zone": "America/Atlantis"}}, "#/places/us-fda/zone", "is no time zone"),
    ],
)
async def test_a_place_that_does_not_fit_its_profile_is_refused(
    api: Callers, db: SessionFactory, places: dict[str, Any], pointer: str, words: str
) -> None:
    answer = await api.post("/v1/recalls", intake(jurisdictions=["us-fda"], places=places))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert words in answer.json()["errors"][0]["detail"]
    assert await count_recalls(db) == 0


async def test_a_repeat_with_the_same_key_gives_the_same_recall(api: Callers, db: SessionFactory) -> None:
    first = await api.post("/v1/recalls", intake(), key="start-1")
    second = await api.post("/v1/recalls", intake(), key="start-1")
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"]
    assert await count_recalls(db) == 1


async def test_the_same_key_with_another_body_is_refused(api: Callers, db: SessionFactory) -> None:
    await api.post("/v1/recalls", intake(), key="start-1")
    other = await api.post("/v1/recalls", intake(title="Something else"), key="start-1")
    assert other.status_code == 422
    assert other.json()["type"] == "urn:recall:problem:idempotency-key-reused"
    assert await count_recalls(db) == 1


async def test_one_persons_key_does_not_give_another_person_the_answer(api: Callers, db: SessionFactory) -> None:
    await api.post("/v1/recalls", intake(), key="start-1")
    refused = await api.post("/v1/recalls", intake(), role=Role.WAREHOUSE, key="start-1")
    assert refused.status_code == 403
    assert await count_recalls(db) == 1


async def test_simultaneous_repeats_open_one_recall(api: Callers, db: SessionFactory) -> None:
    answers = await asyncio.gather(*(api.post("/v1/recalls", intake(), key="start-1") for _ in range(6)))
    assert await count_recalls(db) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    numbers = {answer.json()["number"] for answer in answers if answer.status_code == 202}
    assert len(numbers) == 1


async def test_a_repeat_after_a_crash_between_record_and_start_continues_with_the_same_recall(
    api: Callers, db: SessionFactory, temporal: WorkflowEnvironment
) -> None:
    crash = mock.AsyncMock(side_effect=SystemError("the process died here"))
    with mock.patch("api.routers.recalls.start_workflow", crash):
        broken = await api.post("/v1/recalls", intake(), key="start-1")
    assert broken.status_code == 500
    assert await count_recalls(db) == 1
    again = await api.post("/v1/recalls", intake(), key="start-1")
    assert again.status_code == 202
    assert await count_recalls(db) == 1
    await temporal.client.get_workflow_handle(again.json()["workflow_id"]).describe()


async def test_while_temporal_is_down_the_answer_is_503_and_the_record_is_kept(
    offline: Callers, db: SessionFactory
) -> None:
    first = await offline.post("/v1/recalls", intake(), key="start-1")
    second = await offline.post("/v1/recalls", intake(), key="start-1")
    assert (first.status_code, second.status_code) == (503, 503)
    assert "same Idempotency-Key" in first.json()["detail"]
    assert first.headers["Retry-After"] == "5"
    assert await count_recalls(db) == 1


async def test_a_recorded_recall_whose_starter_never_came_back_is_started(
    api: Callers, temporal: WorkflowEnvironment, postgres: PostgresForTests
) -> None:
    with mock.patch("api.routers.recalls.start_workflow", mock.AsyncMock(side_effect=Problem("not_ready", "down"))):
        await api.post("/v1/recalls", intake())
    number = (await api.get("/v1/recalls")).json()["items"][0]["number"]
    state = api.client._transport.app.state.api  # type: ignore[attr-defined]
    assert await recall_start.start_forgotten(state) == 0, "a start under way is left to its client"
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE recall SET awareness_at = awareness_at, created_at = created_at - interval '2 minutes'")
    assert await recall_start.start_forgotten(state) == 1
    await temporal.client.get_workflow_handle(f"recall:{number}").describe()


async def test_a_recall_that_temporal_refuses_does_not_hold_up_the_next(
    api: Callers, temporal: WorkflowEnvironment, postgres: PostgresForTests
) -> None:
    with mock.patch("api.routers.recalls.start_workflow", mock.AsyncMock(side_effect=Problem("not_ready", "down"))):
        await api.post("/v1/recalls", intake())
        await api.post("/v1/recalls", intake())
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE recall SET created_at = created_at - interval '2 minutes'")
        # A number no workflow id can be made of is what Temporal's side refuses for good.
        owner.execute("ALTER TABLE recall DROP CONSTRAINT ck_recall_number_format")
        try:
            owner.execute("DELETE FROM provisional_account")
            owner.execute("UPDATE recall SET number = 'broken' WHERE number = (SELECT min(number) FROM recall)")
            owner.commit()
            state = api.client._transport.app.state.api  # type: ignore[attr-defined]
            assert await recall_start.start_forgotten(state) == 1
        finally:
            owner.execute("DELETE FROM recall WHERE number = 'broken'")
            check = r"CHECK (number ~ '^R[CD]-[0-9]{4}-[0-9]{6}$')"
            owner.execute(f"ALTER TABLE recall ADD CONSTRAINT ck_recall_number_format {check}")


async def test_every_unknown_name_in_the_scope_is_named(api: Callers, db: SessionFactory) -> None:
    scope = {
        "lots": [
            {"product_code": "P1003", "number": "L26-0412"},
            {"product_code": "P1003", "number": "NO-SUCH-LOT"},
        ],
        "product_codes": ["NO-SUCH-PRODUCT"],
        "manufacturing_sites": ["NO-SUCH-SITE"],
    }
    answer = await api.post("/v1/recalls", intake(scope=scope))
    assert answer.status_code == 422
    assert [error["detail"] for error in answer.json()["errors"]] == [
        "not on record: NO-SUCH-PRODUCT",
        "not on record: NO-SUCH-SITE",
        "not on record: P1003:NO-SUCH-LOT",
    ]
    assert await count_recalls(db) == 0


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"awareness_at": "2099-01-01T00:00:00+00:00"}, "#/awareness_at"),
        ({"awareness_at": "2026-01-01T00:00:00"}, "#/awareness_at"),
        ({"awareness_at": "0001-01-01T00:00:00+00:00"}, "#/awareness_at"),
        ({"jurisdictions": ["us-fda", "xx-none"]}, "#/jurisdictions/1"),
        ({"jurisdictions": []}, "#/jurisdictions"),
        ({"evidence_ids": ["0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b"]}, "#/evidence_ids/0"),
        ({"title": "  "}, "#/title"),
        ({"scope": {}}, "#/scope"),
        ({"pace": 0.5}, "#/pace"),
        ({"unexpected": 1}, "#/unexpected"),
        ({"reason": "a\u0000b"}, "#/"),
    ],
)
async def test_a_faulty_intake_is_refused_with_a_pointer_to_the_fault(
    api: Callers, db: SessionFactory, changes: dict[str, Any], pointer: str
) -> None:
    answer = await api.post("/v1/recalls", intake(**changes))
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert await count_recalls(db) == 0


async def test_a_refused_intake_frees_its_key_for_the_corrected_one(api: Callers) -> None:
    refused = await api.post("/v1/recalls", intake(scope={"product_codes": ["TYPO"]}), key="start-1")
    corrected = await api.post("/v1/recalls", intake(), key="start-1")
    assert (refused.status_code, corrected.status_code) == (422, 202)


async def test_a_missing_key_is_a_bad_request(api: Callers) -> None:
    answer = await api.client.post("/v1/recalls", json=intake(), headers=api.headers(Role.QA))
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:recall:problem:idempotency-key-missing"


async def test_kept_answers_are_forgotten_when_their_time_is_over(
    api: Callers, db: SessionFactory, temporal: WorkflowEnvironment
) -> None:
    first = await api.post("/v1/recalls", intake(), key="kept-1")
    now = datetime.now(UTC)
    async with db.begin() as session:
        assert await idempotency.forget_expired(session, now + timedelta(days=29)) == 0
    async with db.begin() as session:
        assert await idempotency.forget_expired(session, now + timedelta(days=31)) >= 1
        assert await idempotency.forget_expired(session, now + timedelta(days=31)) == 0
    await temporal.client.get_workflow_handle(f"recall:{first.json()['number']}").terminate("test over")


async def test_kept_answers_are_forgotten_while_temporal_is_away(offline: Callers, postgres: PostgresForTests) -> None:
    await offline.post("/v1/recalls", intake(), key="kept-2")
    with psycopg.connect(postgres.owner_url, autocommit=True) as owner:
        owner.execute("UPDATE recall SET created_at = created_at - interval '2 minutes'")
        owner.execute("UPDATE idempotency_key SET expires_at = now() - interval '1 second'")
        state = offline.client._transport.app.state.api  # type: ignore[attr-defined]
        with pytest.raises(Problem):
            await recall_start.sweep(state)
        assert owner.execute("SELECT count(*) FROM idempotency_key").fetchone() == (0,)
