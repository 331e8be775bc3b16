"""Who may call: tokens, roles, and the shapes of refusals by the framework."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from db.engine import SessionFactory
from db.repositories import tokens
from domain.roles import Role
from models.access import ApiToken
from models.audit import AuditEvent
from tests.support.api import Callers, intake

pytestmark = pytest.mark.workflow


async def test_without_a_token_the_answer_is_401_with_a_challenge(api: Callers) -> None:
    answer = await api.get("/v1/recalls", role=None)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer rcl_unknown", "Basic cmNsXzp4", "rcl_x", "Bearer "])
async def test_a_token_nobody_issued_is_401(api: Callers, header: str) -> None:
    answer = await api.client.get("/v1/recalls", headers={"Authorization": header})
    assert answer.status_code == 401


async def test_an_expired_or_revoked_token_is_401(api: Callers, db: SessionFactory) -> None:
    now = datetime.now(UTC)
    async with db.begin() as session:
        _, old = await tokens.create(
            session,
            principal="Old",
            name="t",
            roles=[Role.QA],
            actor="tests",
            now=now - timedelta(days=2),
            expires_at=now - timedelta(days=1),
        )
        gone, revoked = await tokens.create(
            session, principal="Gone", name="t", roles=[Role.QA], actor="tests", now=now
        )
        assert gone.id is not None
        assert await tokens.revoke(session, gone.id, actor="tests", now=now)
        assert not await tokens.revoke(session, gone.id, actor="tests", now=now), "revoked once only"
    for secret in (old, revoked):
        answer = await api.client.get("/v1/me", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 401


async def test_tokens_are_stored_hashed_only(api: Callers, db: SessionFactory) -> None:
    async with db() as session:
        stored = (await session.exec(select(ApiToken))).all()
    assert len(stored) == len(Role)
    clear = set(api.tokens.values())
    assert not any(secret in str(row.model_dump()) for row in stored for secret in clear)


async def test_a_missing_permission_is_403_names_the_roles_and_is_audited(api: Callers, db: SessionFactory) -> None:
    refused = await api.post("/v1/recalls", intake(), role=Role.AUDITOR)
    assert refused.status_code == 403
    assert "roles: qa" in refused.json()["detail"]
    async with db() as session:
        audited = (await session.exec(select(AuditEvent).where(AuditEvent.action == "decision.refused"))).one()
    assert (audited.stream, audited.actor, audited.role) == ("system", "Audrey", "auditor")
    assert audited.data["operation"] == "recall:start"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/nothing", 404, "not-found"),
        ("DELETE", "/v1/recalls", 405, "method-not-allowed"),
        ("GET", "/v1/recalls/RC-2026-999999", 404, "recall-unknown"),
        ("GET", "/v1/recalls/nonsense", 404, "recall-unknown"),
        ("GET", "/v1/recalls?limit=0", 422, "invalid"),
        ("GET", "/v1/recalls?limit=1000", 422, "invalid"),
        ("GET", "/v1/recalls?phase=nowhere", 422, "invalid"),
        ("GET", "/v1/recalls?q=%00", 422, "invalid"),
        ("GET", "/v1/recalls?cursor=forged", 400, "bad-cursor"),
        ("GET", "/v1/evidence/not-a-uuid", 422, "invalid"),
        ("GET", "/v1/evidence/0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b", 404, "not-found"),
    ],
)
async def test_every_error_is_a_problem_document(api: Callers, method: str, path: str, status: int, kind: str) -> None:
    answer = await api.client.request(method, path, headers=api.headers(Role.QA))
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:recall:problem:{kind}"
    assert problem["status"] == status
    assert problem["instance"] == f"urn:recall:request:{answer.headers['X-Request-ID']}"


async def test_broken_json_is_400_and_a_huge_body_413(api: Callers) -> None:
    headers = api.headers(Role.QA, key="k") | {"Content-Type": "application/json"}
    broken = await api.client.post("/v1/recalls", content=b'{"title": ', headers=headers)
    assert (broken.status_code, broken.json()["type"]) == (400, "urn:recall:problem:bad-request")
    huge = await api.client.post("/v1/recalls", content=b" " * 1_100_000, headers=headers)
    assert (huge.status_code, huge.json()["type"]) == (413, "urn:recall:problem:too-large")


async def test_every_answer_has_the_security_headers(api: Callers) -> None:
    for path in ("/v1/me", "/v1/nothing", "/healthz"):
        headers = (await api.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"


async def test_the_log_line_names_the_route_and_no_secret(api: Callers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="api.access")
    await api.client.get("/r/secret-token-of-a-link")
    await api.get("/v1/me")
    lines = [record.getMessage() for record in caplog.records if record.name == "api.access"]
    assert len(lines) == 2
    assert not any("secret-token" in line or "rcl_" in line for line in lines)
    assert '"route": "/r/{token}"' in lines[0]
    assert not any("Quinn" in line for line in lines)
    assert isinstance(json.loads(lines[1])["token"], int)


async def test_me_shows_roles_and_permissions(api: Callers) -> None:
    me = (await api.get("/v1/me", Role.WAREHOUSE)).json()
    assert me["principal"] == "Wanda"
    assert me["roles"] == ["warehouse"]
    assert "hold:confirm" in me["permissions"]
    assert "assessment:decide" not in me["permissions"]
