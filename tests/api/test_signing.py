"""Signing over HTTP: password and token, lock-out, initial passwords, periods that end, and what a signature covers."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlmodel import select

from api.policies import FOLDER
from db.engine import SessionFactory
from db.repositories import recalls, tokens
from db.repositories.signatures import sha256_of
from domain.policy import parse_policy
from domain.roles import Role
from models.audit import AuditEvent
from tests.api.test_decisions import evaluate
from tests.api.test_staff_signing_commands import in_force
from tests.api.test_token_commands import call
from tests.support.api import Callers
from tests.support.recall_fakes import FakeRecallActivities
from tests.support.servers import PostgresForTests
from tests.support.signing import PASSWORD

pytestmark = pytest.mark.workflow
SESSION = "/v1/me/signing-session"
WRONG = "not the password of anybody"
REASON = {"reason": "The cause was found."}


async def give(api: Callers, password: str, role: Role = Role.APPROVER) -> Any:
    """Give the password as somebody."""
    return await api.client.post(SESSION, json={"password": password}, headers=api.headers(role))


async def audited(db: SessionFactory, *actions: str) -> list[AuditEvent]:
    """Events of these kinds, in order."""
    async with db() as session:
        query = select(AuditEvent).where(AuditEvent.action.in_(actions))  # type: ignore[attr-defined]
        return list((await session.exec(query.order_by(AuditEvent.stream, AuditEvent.seq))).all())  # type: ignore[arg-type]


async def test_without_the_password_a_token_signs_nothing_and_the_attempt_is_audited(
    api: Callers, recall: str, db: SessionFactory
) -> None:
    assert (await api.client.delete(SESSION, headers=api.headers(Role.APPROVER))).status_code == 204
    refused = await api.post(f"/v1/recalls/{recall}/cancel", REASON, Role.APPROVER)
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:recall:problem:signature-required")
    assert SESSION in refused.json()["detail"], "the answer says how to sign"
    [event] = await audited(db, "decision.refused")
    assert (event.stream, event.actor, event.data["refusal"]) == (recall, "Ada", "SignatureRequired")
    assert (await api.get(SESSION, Role.APPROVER)).status_code == 404
    opened = await give(api, PASSWORD)
    assert opened.status_code == 201
    assert (await api.get(SESSION, Role.APPROVER)).json() == opened.json()


async def test_a_period_ends_when_it_rests_and_at_its_latest_hour_and_belongs_to_one_token(
    api: Callers, recall: str, db: SessionFactory, postgres: PostgresForTests
) -> None:
    url = f"/v1/recalls/{recall}/cancel"
    for column, ago in (("last_used_at", timedelta(minutes=15, seconds=1)), ("ends_at", timedelta(seconds=1))):
        assert (await give(api, PASSWORD)).status_code == 201
        with psycopg.connect(postgres.owner_url) as owner:
            statement = sql.SQL("UPDATE signing_session SET {} = %s WHERE closed_at IS NULL")
            owner.execute(statement.format(sql.Identifier(column)), [datetime.now(UTC) - ago])
        assert (await api.post(url, REASON, Role.APPROVER)).status_code == 401, column
    assert (await give(api, PASSWORD)).status_code == 201
    async with db.begin() as session:
        _, second = await tokens.create(
            session, principal="Ada", name="2", roles=[Role.APPROVER], actor="tests", now=datetime.now(UTC)
        )
    headers = {"Authorization": f"Bearer {second}", "Idempotency-Key": "second"}
    answer = await api.client.post(url, json=REASON, headers=headers)
    assert answer.json()["type"] == "urn:recall:problem:signature-required", "each token gives the password itself"


async def test_five_wrong_passwords_lock_a_person_out_until_another_admin_unlocks(
    api: Callers, recall: str, db: SessionFactory
) -> None:
    answers = [await give(api, WRONG) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [403]
    assert answers[-1].json()["type"] == "urn:recall:problem:signing-locked"
    assert (await give(api, PASSWORD)).status_code == 403, "the right one does not help any more"
    assert (await api.post(f"/v1/recalls/{recall}/cancel", REASON, Role.APPROVER)).status_code == 401, (
        "the period ended"
    )
    assert (await give(api, PASSWORD, Role.QA)).status_code == 201, "nobody else is locked out"
    unlock = "/v1/staff/Ada/unlock"
    assert (await api.post(unlock, {"reason": "She called."}, Role.QA)).status_code == 403
    for _ in range(5):
        await give(api, WRONG, Role.ADMIN)
    own = await api.post("/v1/staff/Adam/unlock", {"reason": "It was me."}, Role.ADMIN)
    assert (own.status_code, own.json()["type"]) == (403, "urn:recall:problem:four-eyes")
    assert (await api.post(unlock, {"reason": "She called."}, Role.ADMIN)).status_code == 200
    assert (await api.post(unlock, {"reason": "Again."}, Role.ADMIN)).status_code == 409
    assert (await give(api, PASSWORD)).status_code == 201
    kinds = [
        event.action for event in await audited(db, *(f"signing.{each}" for each in _KINDS)) if event.actor != "Adam"
    ]
    assert kinds == ["signing.wrong_password"] * 4 + ["signing.locked_out", "signing.tried_while_locked"]


_KINDS = ("wrong_password", "locked_out", "tried_while_locked")


async def test_a_person_without_a_password_is_answered_like_one_with_a_wrong_one_and_audited(
    api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    wrong = await give(api, WRONG, Role.QA)
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("DELETE FROM signing_account WHERE principal = 'Quinn'")
    none = await give(api, WRONG, Role.QA)
    assert [answer.json() | {"instance": ""} for answer in (wrong, none)] == [wrong.json() | {"instance": ""}] * 2
    counted, tried = await audited(db, "signing.wrong_password")
    assert counted.data == {"principal": "Quinn", "failed": 1}
    assert (tried.actor, tried.data) == ("Quinn", {"principal": "Quinn", "account": False})


async def test_an_initial_password_opens_nothing_but_its_own_change(
    api: Callers, postgres: PostgresForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECALL_STAFF_PASSWORD", "short")
    code, _, errors = await call(postgres.app_url, "staff", "password", "Ada")
    assert (code, "expected 12 to 128 characters" in errors, "short" in errors) == (2, True, False)
    monkeypatch.setenv("RECALL_STAFF_PASSWORD", "an initial password")
    code, printed, _ = await call(postgres.app_url, "staff", "password", "Ada")
    assert (code, "an initial password" in printed) == (0, False)
    assert (await api.get(SESSION, Role.APPROVER)).status_code == 404, "open periods have ended"
    early = await give(api, "an initial password")
    assert (early.status_code, early.json()["type"]) == (403, "urn:recall:problem:password-change-needed")

    async def change(current: str, new: str) -> Any:
        body = {"current": current, "new": new}
        return await api.client.put("/v1/me/password", json=body, headers=api.headers(Role.APPROVER))

    assert (await change(WRONG, "another good password")).status_code == 401
    for unfit in ("an initial password", "short", "this is Ada's password", "\n" * 20):
        assert (await change("an initial password", unfit)).status_code == 422, unfit
    assert (await change("an initial password", "another good password")).status_code == 204
    assert (await give(api, "an initial password")).status_code == 401
    assert (await give(api, "another good password")).status_code == 201
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE signing_account SET changed_at = changed_at - interval '366 days'")
    assert (await give(api, "another good password")).status_code == 403, "it has become too old"


async def test_no_answer_and_no_log_line_shows_a_password(
    api: Callers, db: SessionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "Tr0ub4dor & three of them"
    with caplog.at_level(logging.DEBUG):
        shown = [(await give(api, secret)).text, (await give(api, PASSWORD)).text]
        for body in (
            {"current": PASSWORD, "new": [secret]},
            {"current": secret},
            {"current": PASSWORD, "new": "x" * 200},
        ):
            shown.append((await api.client.put("/v1/me/password", json=body, headers=api.headers(Role.QA))).text)
    everything = "\n".join([*shown, *(record.getMessage() for record in caplog.records)])
    assert secret not in everything
    assert PASSWORD not in everything
    async with db() as session:
        events = (await session.exec(select(AuditEvent))).all()
    assert secret not in str([event.data for event in events])


async def test_many_checks_in_a_short_time_are_slowed_down(api: Callers) -> None:
    answers = [(await give(api, PASSWORD, Role.MEDICAL)).status_code for _ in range(25)]
    assert answers[0] == 201
    assert 429 in answers


async def test_a_signature_covers_who_when_why_and_what_and_is_printed(
    api: Callers, workers: FakeRecallActivities, recall: str, db: SessionFactory
) -> None:
    await evaluate(api, recall)
    url = f"/v1/recalls/{recall}/assessment/approve"
    assert (await api.post(url, {"proposal_id": 1, "reason": "As proposed."}, Role.APPROVER)).status_code == 200
    listed = (await api.get(f"/v1/recalls/{recall}/signatures", Role.AUDITOR)).json()
    form, approval = listed
    assert (form["operation"], form["meaning"]) == (
        "record_evaluation",
        "I am the author of this health-hazard evaluation",
    )
    document = approval["document"]
    assert document["signer"] == {"principal": "Ada", "name": "Ada", "role": "approver"}
    assert document["stated"]["reason"] == "As proposed."
    assert {"phase", "scope_version", "policies", "classes", "evaluations"} <= set(document["refers_to"])
    assert approval["sha256"] == sha256_of(document)
    assert approval["text"].startswith("Signed by Ada on 20")
    assert " UTC: I have reviewed and approve class and scope" in approval["text"]
    record = dict(workers.calls)["record_class_decision"].decision
    assert record["actor"]["signature"] == approval["id"], "the workflow judges and records the signed decision"
    made = await audited(db, "signature.made")
    assert [event.data["sha256"] for event in made] == [form["sha256"], approval["sha256"]]


async def test_a_repeat_with_the_same_key_signs_nothing_again(
    api: Callers, workers: FakeRecallActivities, recall: str
) -> None:
    await evaluate(api, recall)
    url = f"/v1/recalls/{recall}/assessment/approve"
    answers = [await api.post(url, {"proposal_id": 1}, Role.APPROVER, key="once") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    listed = (await api.get(f"/v1/recalls/{recall}/signatures", Role.AUDITOR)).json()
    assert [each["operation"] for each in listed] == ["record_evaluation", "approve_assessment"]


async def test_what_was_signed_and_refused_stays_as_an_attempt(
    api: Callers, workers: FakeRecallActivities, recall: str, db: SessionFactory
) -> None:
    await evaluate(api, recall)
    stale = await api.post(f"/v1/recalls/{recall}/assessment/approve", {"proposal_id": 99}, Role.APPROVER)
    assert stale.json()["type"] == "urn:recall:problem:stale-proposal"
    [event] = await audited(db, "decision.refused")
    assert event.data["refusal"] == "StaleProposal"
    signatures = (await api.get(f"/v1/recalls/{recall}/signatures", Role.AUDITOR)).json()
    attempt = next(each for each in signatures if each["id"] == event.data["unused_signature"])
    assert (attempt["operation"], attempt["used"]) == ("approve_assessment", False)


async def test_who_is_not_trained_on_the_recalls_policy_cannot_sign_until_somebody_else_records_it(
    api: Callers, recall: str, db: SessionFactory, postgres: PostgresForTests, workers: FakeRecallActivities
) -> None:
    await pin_policy(db, recall)
    await in_force(db, "us-fda")
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("DELETE FROM training_record WHERE principal = 'Hana' AND policy_id = 'us-fda'")
    url = f"/v1/recalls/{recall}/cancel"
    refused = await api.post(url, REASON, Role.HEAD_OF_QUALITY)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:recall:problem:not-trained")
    assert "us-fda version 1" in refused.json()["detail"]
    assert refused.json()["missing"] == [{"policy": "us-fda", "version": 1}]
    [event] = await audited(db, "decision.refused")
    assert (event.actor, event.data["refusal"]) == ("Hana", "NotTrained")
    training = {
        "principal": "Hana",
        "policy_id": "us-fda",
        "version": 1,
        "trained_on": "2026-01-02",
        "evidence": "TR-7",
    }
    own = await api.post("/v1/training", training, Role.HEAD_OF_QUALITY)
    assert (own.status_code, own.json()["type"]) == (403, "urn:recall:problem:four-eyes")
    assert (await api.post("/v1/training", training, Role.QA)).status_code == 403
    ahead = training | {"trained_on": "2099-01-01"}
    assert (await api.post("/v1/training", ahead, Role.ADMIN)).status_code == 422
    for invented in (2, 1_000_000):
        unknown = await api.post("/v1/training", training | {"version": invented}, Role.ADMIN)
        assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/version")
    assert (await api.post("/v1/training", training, Role.ADMIN)).status_code == 201
    assert (await api.post(url, REASON, Role.HEAD_OF_QUALITY)).json().get("type") != "urn:recall:problem:not-trained"
    mine = (await api.get("/v1/training", Role.HEAD_OF_QUALITY, principal="Hana")).json()["items"]
    assert mine[-1]["recorded_by"] == "Adam"
    assert (await api.get("/v1/training", Role.WAREHOUSE, principal="Hana")).status_code == 403


async def pin_policy(db: SessionFactory, number: str) -> None:
    """Pin the shipped US profile to a recall, as its intake does."""
    policy = parse_policy((FOLDER / "us-fda.yaml").read_text(encoding="utf-8"))
    async with db.begin() as session:
        await recalls.pin(session, number, [policy], datetime.now(UTC))
