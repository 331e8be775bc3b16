"""`recall token` and `recall audit verify` on the command line, and the development tokens of the stack."""

import asyncio
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from cli import app
from db.development_tokens import ensure_development_tokens
from db.engine import SessionFactory
from db.repositories import audit, tokens, training
from domain.roles import Role
from tests.support.servers import PostgresForTests, free_port

pytestmark = pytest.mark.db


def invoke(url: str, *arguments: str) -> tuple[int, str, str]:
    """Run `recall ...` in process; returns exit code, output and errors."""
    result = CliRunner().invoke(app, list(arguments), env={"DATABASE_URL": url, "RECALL_STATE_DIR": "/nonexistent"})
    return result.exit_code, result.stdout, result.stderr


async def call(url: str, *arguments: str) -> tuple[int, str, str]:
    """The same from a test with a running loop."""
    return await asyncio.to_thread(invoke, url, *arguments)


async def test_a_token_is_created_listed_and_revoked(db: SessionFactory, postgres: PostgresForTests) -> None:
    code, secret, _ = await call(postgres.app_url, "token", "create", "Quinn", "--role", "qa", "--role", "medical")
    assert code == 0
    async with db() as session:
        found = await tokens.find_valid(session, secret.strip(), datetime.now(UTC))
    assert found is not None
    assert (found.principal, found.roles) == ("Quinn", ["qa", "medical"])
    code, listed, _ = await call(postgres.app_url, "token", "list", "--json")
    (shown,) = json.loads(listed)
    assert shown["principal"] == "Quinn"
    assert secret.strip() not in listed
    assert found.token_sha256 not in listed
    assert "Quinn" in (await call(postgres.app_url, "token", "list"))[1]
    assert (await call(postgres.app_url, "token", "revoke", str(found.id)))[0] == 0
    async with db() as session:
        assert await tokens.find_valid(session, secret.strip(), datetime.now(UTC)) is None
    code, _, errors = await call(postgres.app_url, "token", "revoke", str(found.id))
    assert (code, "revoked already" in errors) == (2, True)


async def test_faults_are_one_line(db: SessionFactory, postgres: PostgresForTests) -> None:
    code, _, errors = await call("", "token", "list")
    assert (code, errors.count("\n"), "DATABASE_URL is not set" in errors) == (2, 1, True)
    nowhere = f"postgresql://x:y@127.0.0.1:{free_port()}/z"
    code, _, errors = await call(nowhere, "token", "list")
    assert (code, errors.startswith("database: ")) == (2, True)
    code, _, errors = await call(postgres.app_url, "token", "create", " ", "--role", "qa")
    assert (code, "1 to 120 characters" in errors) == (2, True)
    code, _, errors = await call(postgres.app_url, "audit", "verify", "RC-2026-000404")
    assert (code, "no audit trail" in errors) == (2, True)


async def test_audit_verify_names_the_first_broken_link(db: SessionFactory, postgres: PostgresForTests) -> None:
    for number in range(3):
        async with db.begin() as session:
            await audit.append(
                session,
                "RC-2026-000001",
                actor="a",
                role="qa",
                action="test",
                at=datetime.now(UTC),
                data={"n": number},
            )
    code, output, _ = await call(postgres.app_url, "audit", "verify", "RC-2026-000001")
    assert (code, "3 events, every link holds" in output) == (0, True)
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("UPDATE audit_event SET role = 'admin' WHERE seq = 2")
    code, output, _ = await call(postgres.app_url, "audit", "verify", "RC-2026-000001")
    assert (code, "broken at event 2 of 3" in output) == (1, True)
    code, output, _ = await call(postgres.app_url, "audit", "verify", "RC-2026-000001", "--json")
    assert json.loads(output)["first_broken"] == 2
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("UPDATE audit_event SET role = 'qa' WHERE seq = 2")
        admin.execute("DELETE FROM audit_head")
    code, output, _ = await call(postgres.app_url, "audit", "verify", "RC-2026-000001")
    assert (code, "broken at event 4" in output, "head" in output) == (1, True, True)


async def test_development_tokens_are_private_complete_and_kept(
    db: SessionFactory, postgres: PostgresForTests, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "tokens.json"
    await asyncio.to_thread(ensure_development_tokens, postgres.app_url, path)
    first = json.loads(path.read_text())
    assert set(first) == {role.value for role in Role}
    assert len({entry["principal"] for entry in first.values()}) == len(Role), "four eyes needs different people"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with db.begin() as session:
        found = await tokens.find_valid(session, first["qa"]["token"], datetime.now(UTC))
        assert found is not None
        assert found.id is not None
        await tokens.revoke(session, found.id, actor="tests", now=datetime.now(UTC))
    await asyncio.to_thread(ensure_development_tokens, postgres.app_url, path)
    second = json.loads(path.read_text())
    assert second["qa"]["token"] != first["qa"]["token"], "a revoked one is replaced"
    assert {**second, "qa": None} == {**first, "qa": None}, "the others are kept"
    async with db() as session:
        now = datetime.now(UTC)
        assert await training.people_who_sign(session, now)
        needed = await training.in_force(session, now.date())
        assert "us-fda" in needed
        assert await training.gaps(session, needed, now) == [], "all can sign under what is in force"
