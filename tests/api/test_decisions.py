"""Decisions over HTTP: what the workflow refuses becomes a problem, what it accepts is answered once."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlmodel import select
from temporalio.testing import WorkflowEnvironment

from api.decisions import REFUSALS
from db.engine import SessionFactory
from db.repositories import signatures, tokens
from domain.roles import Role
from models.audit import AuditEvent
from tests.support.api import Callers, intake
from tests.support.recall_fakes import FakeRecallActivities
from tests.support.servers import PostgresForTests
from tests.support.signing import can_sign
from workflows.recall import RecallWorkflow

pytestmark = pytest.mark.workflow

FACTOR = {"rationale": "As reported."}
EVALUATION: dict[str, Any] = {
    "product_line": "Infusion sets",
    "evaluation": {
        "occurred": FACTOR | {"malfunction_in_use": True},
        "existing_conditions": FACTOR | {"aggravating": True},
        "population": FACTOR | {"groups": ["critically_ill"]},
        "seriousness": FACTOR | {"degree": "serious"},
        "likelihood": FACTOR | {"degree": "possible"},
        "consequences": FACTOR | {"immediate": "serious", "long_range": "none"},
        "detectability": FACTOR | {"degree": "with_check"},
    },
    "market_actions": {"us-fda": "removal"},
}
STRATEGY = {"depth": "user_facility", "effectiveness_level": "A", "public_warning": False}


async def until_phase(api: Callers, number: str, phase: str) -> dict[str, Any]:
    """Ask the live workflow until it is in a phase (the test's timeout bounds it)."""
    while True:
        answer = await api.get(f"/v1/recalls/{number}/live")
        if answer.status_code == 200 and answer.json()["phase"] == phase:
            return answer.json()  # type: ignore[no-any-return]
        await asyncio.sleep(0.05)


async def evaluate(api: Callers, number: str) -> None:
    await until_phase(api, number, "assessment")
    answer = await api.post(f"/v1/recalls/{number}/evaluations", EVALUATION, Role.MEDICAL)
    assert answer.status_code == 200, answer.text


async def test_a_recall_is_decided_step_by_step_over_http(
    api: Callers, workers: FakeRecallActivities, recall: str
) -> None:
    base = f"/v1/recalls/{recall}"
    await evaluate(api, recall)
    steps: list[tuple[str, dict[str, Any], Role]] = [
        ("/assessment/approve", {"proposal_id": 1}, Role.APPROVER),
        ("/strategy/approve", {"capacity": "quality", "strategy": STRATEGY}, Role.QA),
        ("/strategy/approve", {"capacity": "regulatory", "strategy": STRATEGY}, Role.REGULATORY),
        ("/gates/us-fda:fda_informed/waive", {"reason": "urgent"}, Role.APPROVER),
        ("/gates/us-fda:firm/pass", {"reference": "call 12", "answered": True}, Role.REGULATORY),
    ]
    for path, body, role in steps:
        answer = await api.post(base + path, body, role)
        assert answer.status_code == 200, (path, answer.text)
        assert answer.json()["state"] == "done"
    live = await until_phase(api, recall, "notification")
    while live["notice"] is None:
        live = await until_phase(api, recall, "notification")
    approved = await api.post(f"{base}/notices/7/approve", {"sha256": "a" * 64}, Role.APPROVER)
    assert approved.status_code == 200
    record = dict(workers.calls)["record_gate"].decision
    assert (record["actor"]["principal"], record["actor"]["roles"]) == ("Rafael", ["regulatory"])
    assert record["answered"] is True


async def test_a_class_decided_again_takes_the_signature_of_a_function_only_the_rules_name(
    api: Callers, workers: FakeRecallActivities, recall: str
) -> None:
    base = f"/v1/recalls/{recall}"
    await evaluate(api, recall)
    first = await api.post(f"{base}/assessment/approve", {"proposal_id": 1}, Role.APPROVER)
    assert first.status_code == 200, first.text
    workers.assessment_signers = {"I": ("approver", "regulatory")}
    anew = await api.post(f"{base}/evaluations", EVALUATION | {"reason": "new facts"}, Role.MEDICAL)
    assert anew.status_code == 200, anew.text
    answers = [
        await api.post(f"{base}/reclassify", {"proposal_id": 2}, role) for role in (Role.APPROVER, Role.REGULATORY)
    ]
    assert [answer.status_code for answer in answers] == [200, 200], answers[-1].text
    assert workers.names().count("record_reclassification") == 1


async def test_a_repeat_with_the_same_key_is_one_decision(
    api: Callers, workers: FakeRecallActivities, recall: str
) -> None:
    await until_phase(api, recall, "assessment")
    url = f"/v1/recalls/{recall}/evaluations"
    first = await api.post(url, EVALUATION, Role.MEDICAL, key="eval-1")
    second = await api.post(url, EVALUATION, Role.MEDICAL, key="eval-1")
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert workers.names().count("record_evaluation") == 1
    polled = await api.get(first.json()["status_url"])
    assert (polled.status_code, polled.json()) == (200, first.json())


async def test_a_key_used_for_one_operation_is_refused_for_another(
    api: Callers, workers: FakeRecallActivities, recall: str
) -> None:
    await evaluate(api, recall)
    url = f"/v1/recalls/{recall}/assessment"
    await api.post(f"{url}/approve", {"proposal_id": 1}, Role.APPROVER, key="one-key")
    other = await api.post(f"{url}/reject", {"reason": "no"}, Role.APPROVER, key="one-key")
    assert (other.status_code, other.json()["type"]) == (422, "urn:recall:problem:idempotency-key-reused")


async def test_whoever_started_the_recall_cannot_decide_it_and_the_attempt_is_audited(
    api: Callers, workers: FakeRecallActivities, recall: str, db: SessionFactory
) -> None:
    await evaluate(api, recall)
    both = await make_person_with_two_roles(db)
    refused = await api.client.post(
        f"/v1/recalls/{recall}/assessment/approve",
        json={"proposal_id": 1},
        headers={"Authorization": f"Bearer {both}", "Idempotency-Key": "k1"},
    )
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:recall:problem:four-eyes"
    async with db() as session:
        audited = (await session.exec(select(AuditEvent).where(AuditEvent.action == "decision.refused"))).one()
    assert (audited.stream, audited.actor) == (recall, "Quinn")
    unused = audited.data.pop("unused_signature")
    assert audited.data == {"operation": "approve_assessment", "refusal": "FourEyes", "recall": recall}
    async with db() as session:
        signature = await signatures.find(session, UUID(unused))
    assert signature is not None, "the signature stays, as an attempt without an act"
    assert (signature.principal, signature.operation) == ("Quinn", "approve_assessment")


async def make_person_with_two_roles(db: SessionFactory) -> str:
    """Quinn, who started the recall, with the approver's role as well."""
    async with db.begin() as session:
        _, secret = await tokens.create(
            session,
            principal="Quinn",
            name="both",
            roles=[Role.QA, Role.APPROVER],
            actor="tests",
            now=datetime.now(UTC),
        )
        await can_sign(session, secret)
    return secret


@pytest.mark.parametrize(
    ("path", "body", "role", "status", "kind"),
    [
        ("/assessment/approve", {"proposal_id": 99}, Role.APPROVER, 409, "stale-proposal"),
        ("/gates/us-fda:firm/pass", {"reference": "r"}, Role.REGULATORY, 409, "wrong-phase"),
        ("/strategy/approve", {"capacity": "quality", "strategy": STRATEGY}, Role.QA, 409, "wrong-phase"),
        ("/evaluations", EVALUATION | {"product_line": "Gloves"}, Role.MEDICAL, 404, "unknown-product-line"),
        ("/notices/1/approve", {"sha256": "0" * 64}, Role.APPROVER, 409, "wrong-phase"),
        ("/assessment/reject", {}, Role.APPROVER, 422, "invalid"),
        ("/assessment/approve", {"proposal_id": 1}, Role.QA, 403, "not-permitted"),
        ("/strategy/approve", {"capacity": "regulatory", "strategy": STRATEGY}, Role.QA, 403, "not-permitted"),
        ("/evaluations", EVALUATION | {"market_actions": {"us-fda": "none"}}, Role.MEDICAL, 422, "invalid"),
        ("/evaluations", EVALUATION | {"evaluation": {}}, Role.MEDICAL, 422, "invalid"),
    ],
)
async def test_a_refusal_is_a_typed_problem(
    api: Callers,
    workers: FakeRecallActivities,
    recall: str,
    path: str,
    body: dict[str, Any],
    role: Role,
    status: int,
    kind: str,
) -> None:
    await evaluate(api, recall)
    answer = await api.post(f"/v1/recalls/{recall}{path}", body, role)
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"urn:recall:problem:{kind}"


async def test_a_refused_decision_can_be_sent_again_with_its_key_when_its_time_has_come(
    api: Callers, workers: FakeRecallActivities, recall: str
) -> None:
    url = f"/v1/recalls/{recall}/assessment/approve"
    await until_phase(api, recall, "assessment")
    early = await api.post(url, {"proposal_id": 1}, Role.APPROVER, key="approve-1")
    assert early.status_code == 409
    await evaluate(api, recall)
    in_time = await api.post(url, {"proposal_id": 1}, Role.APPROVER, key="approve-1")
    assert in_time.status_code == 200


async def test_a_decision_on_a_stale_reading_is_412(
    api: Callers, workers: FakeRecallActivities, recall: str, postgres: PostgresForTests
) -> None:
    await evaluate(api, recall)
    read = (await api.get(f"/v1/recalls/{recall}")).headers["ETag"]
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE recall SET version = version + 1")
    url = f"/v1/recalls/{recall}/assessment/approve"
    stale = await api.post(url, {"proposal_id": 1}, Role.APPROVER, **{"If-Match": read})
    assert stale.status_code == 412
    fresh = await api.post(url, {"proposal_id": 1}, Role.APPROVER, **{"If-Match": stale.headers["ETag"]})
    assert fresh.status_code == 200


async def test_unknown_ended_and_never_started_recalls_are_told_apart(
    api: Callers, recall: str, temporal: WorkflowEnvironment, postgres: PostgresForTests
) -> None:
    body = {"reason": "not our product"}
    unknown = await api.post("/v1/recalls/RC-2026-999999/assessment/reject", body, Role.APPROVER)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:recall:problem:recall-unknown")
    await temporal.client.get_workflow_handle(f"recall:{recall}").terminate("closed")
    ended = await api.post(f"/v1/recalls/{recall}/assessment/reject", body, Role.APPROVER)
    assert (ended.status_code, ended.json()["type"]) == (409, "urn:recall:problem:recall-closed")
    again = await api.post("/v1/recalls", intake())
    await temporal.client.get_workflow_handle(again.json()["workflow_id"]).terminate("tidy up")
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET session_replication_role = replica")  # what belongs to the recall keeps its old number
        admin.execute("UPDATE recall SET number = 'RC-2026-999998' WHERE number = %s", [again.json()["number"]])
    orphan = await api.post("/v1/recalls/RC-2026-999998/assessment/reject", body, Role.APPROVER)
    assert (orphan.status_code, orphan.json()["type"]) == (503, "urn:recall:problem:temporal-unavailable")


async def test_while_temporal_is_down_a_decision_is_503(offline: Callers, postgres: PostgresForTests) -> None:
    await offline.post("/v1/recalls", intake())
    number = (await offline.get("/v1/recalls")).json()["items"][0]["number"]
    answer = await offline.post(f"/v1/recalls/{number}/assessment/reject", {"reason": "no"}, Role.APPROVER)
    assert answer.status_code == 503
    assert "same Idempotency-Key" in answer.json()["detail"]
    live = await offline.get(f"/v1/recalls/{number}/live")
    assert live.status_code == 503


async def test_a_decision_no_worker_takes_is_503_and_counts_once_when_repeated(
    api: Callers, recall: str, temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.decisions.ACCEPT_TIMEOUT", timedelta(seconds=1))
    url = f"/v1/recalls/{recall}/assessment/reject"
    answer = await api.post(url, {"reason": "no"}, Role.APPROVER, key="reject-1")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:recall:problem:temporal-unavailable"


def test_every_decision_names_an_update_of_the_workflow_and_every_refusal_is_mapped() -> None:
    source = Path("api/routers/decisions.py").read_text()
    operations = set(re.findall(r'principal, "(\w+)", body', source))
    assert len(operations) == 8
    assert all(hasattr(RecallWorkflow, operation) for operation in operations)
    rules = "".join(path.read_text() for path in Path("workflows").glob("recall*.py"))
    raised = set(re.findall(r'refuse\(\s*"(\w+)"', rules))
    assert raised, "the workflow's rules moved; adapt this test"
    assert raised <= set(REFUSALS)
