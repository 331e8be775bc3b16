"""Obligations over HTTP: the list with its rules, submission with evidence, and the signed stop."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlmodel import col, select

from db.engine import SessionFactory
from db.repositories import tokens
from domain.roles import Role
from models.audit import AuditEvent
from models.evidence import Evidence
from models.recall import SignOff
from models.signing import Signature
from tests.capa.conftest import next_number, write_recall
from tests.obligations.conftest import Owing
from tests.support.api import Callers
from tests.support.signing import can_sign

pytestmark = pytest.mark.db


@pytest_asyncio.fixture
async def owing(api: Callers, db: SessionFactory) -> Owing:
    """A class I recall decided twenty days ago in the United States, with one report of serious harm."""
    created = datetime.now(UTC) - timedelta(days=20)
    number = next_number()
    await write_recall(db, number, created_at=created, awareness_at=created)
    found = Owing(db, number, created)
    await found.decide("us-fda", "I", "I")
    await found.start("decision", created)
    await found.start("first_communication", created)
    await found.complain(1, "serious", created + timedelta(days=19))
    await found.turn(datetime.now(UTC))
    return found


async def listed(api: Callers, owing: Owing) -> dict[str, dict[str, Any]]:
    answer = await api.get(f"/v1/recalls/{owing.number}/obligations", Role.AUDITOR)
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()}


async def upload(db: SessionFactory) -> str:
    """A file on record."""
    row = Evidence(
        id=uuid4(),
        file_name="ack.pdf",
        content_type="application/pdf",
        size=1,
        sha256="c" * 64,
        uploaded_by="Rafael",
        uploaded_at=datetime.now(UTC),
    )
    the_id = str(row.id)
    async with db.begin() as session:
        session.add(row)
    return the_id


async def test_the_list_says_what_is_owed_since_when_why_and_what_is_not_owed_yet(api: Callers, owing: Owing) -> None:
    found = await listed(api, owing)
    report = found["regulator_report"]
    assert (report["state"], report["clock"], report["limit"], report["source"]) == (
        "overdue",
        "first_communication",
        "10 wd",
        "21 CFR 806.10(b)",
    )
    assert report["title_zh"] == "806 纠正或移除报告"
    assert report["clock_started_at"] is not None
    assert report["due"]["at"] == report["due"]["policy_at"]
    assert (found["mdr_5_day:1"]["state"], found["mdr_5_day:1"]["complaint"]) == ("open", 1)
    assert found["status_report#2"]["every"] == "14 cd"
    assert (found["closure"]["state"], found["closure"]["id"]) == ("not_running", None)
    assert found["scope_extension_report"]["state"] == "not_running"
    assert "notify" not in found


async def test_a_submission_needs_evidence_and_late_is_said_to_be_late(
    api: Callers, owing: Owing, db: SessionFactory
) -> None:
    report = (await listed(api, owing))["regulator_report"]
    url = f"/v1/recalls/{owing.number}/obligations/{report['id']}/submit"
    bare = await api.post(url, {"reference": "ACK 7", "evidence_ids": []}, Role.REGULATORY)
    assert bare.status_code == 422
    body = {"reference": "ACK 7", "evidence_ids": [await upload(db)]}
    assert (await api.post(url, body, Role.QA)).status_code == 403
    unknown = await api.post(url, body | {"evidence_ids": [str(uuid4())]}, Role.REGULATORY)
    assert unknown.json()["errors"][0]["pointer"] == "#/evidence_ids/0"
    done = await api.post(url, body, Role.REGULATORY, key="submit-1")
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["met_by"], done.json()["reference"]) == ("met_late", "Rafael", "ACK 7")
    assert done.json()["evidence_ids"] == body["evidence_ids"]
    again = await api.post(url, body, Role.REGULATORY, key="submit-1")
    assert again.json() == done.json()
    twice = await api.post(url, body, Role.REGULATORY)
    assert (twice.status_code, twice.json()["type"].rsplit(":", 1)[1]) == (409, "obligation-not-open")


async def test_whoever_has_several_functions_submits_in_the_one_that_may(
    api: Callers, owing: Owing, db: SessionFactory
) -> None:
    report = (await listed(api, owing))["regulator_report"]
    now = datetime.now(UTC)
    async with db.begin() as session:
        _, token = await tokens.create(
            session, principal="Rita", name="two", roles=[Role.WAREHOUSE, Role.REGULATORY], actor="tests", now=now
        )
        await can_sign(session, token)
    done = await api.client.post(
        f"/v1/recalls/{owing.number}/obligations/{report['id']}/submit",
        json={"reference": "ACK 8", "evidence_ids": [await upload(db)]},
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "two"},
    )
    assert done.status_code == 200, done.text
    async with db() as session:
        query = select(AuditEvent).where(col(AuditEvent.stream) == owing.number, col(AuditEvent.actor) == "Rita")
        events = (await session.exec(query)).all()
        [signed] = (await session.exec(select(Signature).where(col(Signature.principal) == "Rita"))).all()
    assert len(events) > 1
    assert {each.role for each in events} == {signed.role} == {"regulatory"}


async def test_a_stop_is_signed_with_its_reason(api: Callers, owing: Owing, db: SessionFactory) -> None:
    harm = (await listed(api, owing))["mdr_5_day:1"]
    url = f"/v1/recalls/{owing.number}/obligations/{harm['id']}/stop"
    assert (await api.post(url, {}, Role.REGULATORY)).status_code == 422
    reason = "No remedial action under 803.53 is needed."
    done = await api.post(url, {"reason": reason}, Role.HEAD_OF_REGULATORY)
    assert (done.json()["state"], done.json()["stopped_reason"]) == ("stopped", reason)
    async with db() as session:
        signed = (await session.exec(select(SignOff))).one()
    assert (signed.step, signed.outcome, signed.actor, signed.role) == (
        f"obligation:{harm['id']}",
        "stopped",
        "Hugo",
        "head_of_regulatory",
    )


async def test_what_is_no_obligation_of_the_recall_is_not_found(api: Callers, owing: Owing, db: SessionFactory) -> None:
    notice_limit = (await owing.deadlines())["us-fda:notify"].id
    for deadline in (notice_limit, 2**40):
        body = {"reference": "x", "evidence_ids": [await upload(db)]}
        answer = await api.post(f"/v1/recalls/{owing.number}/obligations/{deadline}/submit", body, Role.REGULATORY)
        assert (answer.status_code, answer.json()["type"].rsplit(":", 1)[1]) == (404, "obligation-unknown")


async def test_its_task_is_not_ticked_off_by_hand(api: Callers, owing: Owing) -> None:
    task = (await owing.tasks())["obligation:regulator_report:us-fda"]
    answer = await api.post(f"/v1/tasks/{task.id}/complete", {"outcome": "sent"}, Role.HEAD_OF_REGULATORY)
    assert answer.status_code in (403, 409, 422)
    assert (await owing.tasks())["obligation:regulator_report:us-fda"].state == "offered"
