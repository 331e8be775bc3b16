"""A quality manager's day with `recall policy`: edit, faults, difference, dry run, two others, in force, rollback.

The commands talk to the real API over HTTP, which runs over the real database.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from api.app import create_app
from cli import app
from db.engine import make_engine, make_session_factory
from domain.roles import Role
from tests.api.test_policies import NEXT, US, V, edited
from tests.support.api import make_tokens, settings_for
from tests.support.servers import PostgresForTests, free_port
from tests.support.signing import PASSWORD

pytestmark = pytest.mark.db
CASE = """
schema: recall-case/1
title: Pump stops without alarm
jurisdictions: [us-fda]
lines:
  pumps:
    - {at: 2026-11-19 15:00 America/New_York, levels: {us-fda: I}, actions: {us-fda: removal}}
clocks: {awareness: 2026-11-18 09:00 America/New_York}
"""


class Desk:
    """The command line of several people."""

    def __init__(self, url: str, tokens: dict[Role, str], database_url: str) -> None:
        self.url, self.tokens, self.database_url = url, tokens, database_url

    def run(self, role: Role, *arguments: str, given: str | None = None, code: int = 0) -> str:
        """Output of `recall policy ...` as a person; standard error where it fails."""
        environment = {"RECALL_API": self.url, "RECALL_TOKEN": self.tokens[role], "DATABASE_URL": self.database_url}
        done = CliRunner().invoke(app, ["policy", *arguments], env=environment, input=given)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    def json(self, role: Role, *arguments: str) -> Any:
        return json.loads(self.run(role, *arguments, "--json"))


@pytest.fixture
def desk(clean_db: PostgresForTests, tmp_path: Path) -> Iterator[Desk]:
    """The API on a port of its own, with people who can sign."""

    async def people() -> dict[Role, str]:
        engine = make_engine(clean_db.app_url, application_name="tests")
        try:
            return await make_tokens(make_session_factory(engine))
        finally:
            await engine.dispose()

    tokens = asyncio.run(people())
    application = create_app(settings_for(clean_db.app_url, tmp_path), background=False)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        desk = Desk(f"http://127.0.0.1:{port}", tokens, clean_db.app_url)
        while not server.started:
            assert thread.is_alive(), "the API did not start"
        assert "us-fda" in desk.run(Role.ADMIN, "seed")
        yield desk
    finally:
        server.should_exit = True
        thread.join()


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_a_policy_is_edited_checked_tried_approved_by_others_put_in_force_and_rolled_back(
    desk: Desk, tmp_path: Path
) -> None:
    case = written(tmp_path, "case.yaml", CASE)
    bad = written(tmp_path, "bad.yaml", edited(due="twelve hours"))
    faults = desk.run(Role.QA, "submit", bad, "--note", "x", code=2)
    assert "levels.I.notify.due: " in faults

    good = written(tmp_path, "us.yaml", edited())
    assert "Class I: first notice to every consignee: due " in desk.run(Role.QA, "diff", good)
    tried = desk.run(Role.QA, "dry-run", case, "--compare", good)
    assert "us-fda: first notice to every consignee: limit " in tried
    submitted = desk.run(Role.QA, "submit", good, "--note", "notices sooner")
    assert f"us-fda:{NEXT} is a draft" in submitted
    assert "-> 12 h (house rule)" in submitted

    version = f"us-fda:{NEXT}"
    refused = desk.run(Role.HEAD_OF_QUALITY, "approve", version, "--yes", code=2)
    assert "only what is reviewed can be approved" in refused
    assert "nothing was signed" in desk.run(Role.REGULATORY, "review", version, given="n\n", code=2)
    shown = desk.run(Role.REGULATORY, "review", version, given="y\n")
    assert "-> 12 h (house rule)" in shown
    assert f"{version}: reviewed" in shown
    assert f"{version}: approved" in desk.run(Role.HEAD_OF_REGULATORY, "approve", version, "--yes")
    today = datetime.now(UTC).date().isoformat()
    active = desk.run(Role.HEAD_OF_QUALITY, "activate", version, "--yes")
    assert f"{version}: in force from {today}" in active
    rows = desk.json(Role.AUDITOR, "list")
    assert [(row["version"], row["state"]) for row in rows if row["policy_id"] == "us-fda"] == [
        (V, "superseded"),
        (NEXT, "in_force"),
    ]
    assert desk.run(Role.QA, "show", f"us-fda:{V}") == US
    again = desk.run(Role.QA, "dry-run", case, "--version", f"us-fda:{V}", "--compare", version)
    assert "limit " in again
    back = desk.run(Role.REGULATORY, "rollback", "us-fda", "--to", str(V), "--note", "12 h were not kept")
    assert f"us-fda:{NEXT + 1} is a draft with the content of version {V}" in back
    assert "12 h -> " in back


def test_a_signature_asks_for_the_password_when_none_was_given(desk: Desk, tmp_path: Path) -> None:
    desk.run(Role.QA, "submit", written(tmp_path, "us.yaml", edited()), "--note", "notices sooner")
    closed = desk.tokens[Role.REGULATORY]
    _close_signing(desk.url, closed)
    wrong = desk.run(Role.REGULATORY, "review", f"us-fda:{NEXT}", "--yes", given="not the password\n", code=2)
    assert "reviewed" not in wrong
    right = desk.run(Role.REGULATORY, "review", f"us-fda:{NEXT}", "--yes", given=f"{PASSWORD}\n")
    assert f"us-fda:{NEXT}: reviewed" in right
    assert PASSWORD not in right


def _close_signing(url: str, token: str) -> None:
    answer = httpx.delete(f"{url}/v1/me/signing-session", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 204


def test_commands_without_token_server_or_such_a_version_say_so_in_one_line(desk: Desk, tmp_path: Path) -> None:
    runner = CliRunner()
    none = runner.invoke(app, ["policy", "list"], env={"RECALL_TOKEN": "", "RECALL_API": desk.url})
    assert (none.exit_code, "RECALL_TOKEN is not set" in none.output) == (2, True)
    away = runner.invoke(app, ["policy", "list"], env={"RECALL_TOKEN": "rcl_x", "RECALL_API": "http://127.0.0.1:1"})
    assert (away.exit_code, "cannot be reached" in away.output) == (2, True)
    assert "There is no version 99" in desk.run(Role.QA, "show", "us-fda:99", code=2)
    assert "expected a profile and a version" in desk.run(Role.QA, "show", "us-fda", code=2)
    wrong = written(tmp_path, "case.yaml", CASE.replace("levels: {us-fda: I}", "levels: {us-fda: X}"))
    assert "levels.us-fda: no level 'X'" in desk.run(Role.QA, "dry-run", wrong, code=2)


def test_a_dry_run_of_files_needs_no_server_and_no_database(tmp_path: Path) -> None:
    case, other = written(tmp_path, "case.yaml", CASE), written(tmp_path, "us.yaml", edited())
    environment = {"RECALL_TOKEN": "", "DATABASE_URL": ""}
    plain = CliRunner().invoke(app, ["policy", "dry-run", case], env=environment)
    assert plain.exit_code == 0, plain.output
    assert "First information to FDA" in plain.output
    both = CliRunner().invoke(app, ["policy", "dry-run", case, "--compare", other, "--json"], env=environment)
    found = json.loads(both.output)["differences"]
    assert [(each["key"], each["fields"]) for each in found] == [("notice:us-fda:notify", ["limit", "due_at"])]
