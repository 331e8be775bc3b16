"""Starting before the servers are there: alive at once, not ready, one log line, and recovery by itself."""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from api.logs import JsonLines
from api.monitor import watch
from api.state import ConfigurationError
from db.migrate import upgrade
from settings import Settings
from tests.api.conftest import unreachable_client
from tests.support.api import serving, settings_for
from tests.support.servers import PostgresForTests, ThrowAwayPostgres, free_port

pytestmark = pytest.mark.workflow


async def test_ready_when_everything_is_there(
    postgres: PostgresForTests, temporal: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with serving(settings_for(postgres.app_url, tmp_path), temporal.client) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, dict.fromkeys(("database", "migrations", "temporal"), "ok"))


async def test_alive_but_not_ready_while_nothing_answers(tmp_path: Path) -> None:
    nowhere = f"postgresql://recall_app:x@127.0.0.1:{free_port()}/recall"
    async with serving(settings_for(nowhere, tmp_path), await unreachable_client()) as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["database"].startswith("not reachable")
        assert answer.json()["temporal"] == "does not answer"
        listed = await client.get("/v1/recalls", headers={"Authorization": "Bearer rcl_x"})
        assert (listed.status_code, listed.json()["type"]) == (503, "urn:recall:problem:database-unavailable")
        page = await client.get("/r/nonsense")
        assert page.status_code == 503
        assert page.headers["Content-Type"].startswith("text/html")


async def test_missing_migrations_are_named_and_the_api_recovers_when_they_are_applied(
    postgres_server: ThrowAwayPostgres, temporal: WorkflowEnvironment, tmp_path: Path
) -> None:
    fresh = postgres_server.create_database("readiness")
    async with serving(settings_for(fresh.app_url, tmp_path), temporal.client) as client:
        assert (await client.get("/readyz")).json()["migrations"] == "no migration has been applied"
        await asyncio.to_thread(upgrade, fresh.owner_url)
        assert (await client.get("/readyz")).status_code == 200


async def test_a_dependency_that_goes_away_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="api.dependencies")
    nowhere = f"postgresql://recall_app:x@127.0.0.1:{free_port()}/recall"
    app = create_app(settings_for(nowhere, tmp_path), temporal_client=await unreachable_client(), background=False)
    async with app.router.lifespan_context(app):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch(app.state.api, "head", interval=0.05), 1)
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "api.dependencies"]
    assert sorted((line["name"], line["state"]) for line in lines) == [
        ("database", "down"),
        ("migrations", "down"),
        ("temporal", "down"),
    ]


async def test_without_a_database_address_the_api_says_so() -> None:
    app = create_app(Settings(database_url=None), background=False)
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not set"):
        async with app.router.lifespan_context(app):
            pass


def test_every_log_line_is_one_json_object() -> None:
    def line(message: str, **more: Any) -> dict[str, Any]:
        record = logging.LogRecord("api.test", logging.WARNING, __file__, 1, message, None, None)
        record.__dict__.update(more)
        text = JsonLines().format(record)
        assert "\n" not in text
        return json.loads(text)  # type: ignore[no-any-return]

    assert line("two\nlines")["message"] == "two\nlines"
    assert line('{"event": "request", "status": 200}')["event"] == "request"
    assert line("{not json")["message"] == "{not json"
    try:
        raise ValueError("boom")
    except ValueError:
        failed = line("failed", exc_info=sys.exc_info())
    assert "ValueError: boom" in failed["traceback"]
