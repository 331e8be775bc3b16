"""Our own people on record: by the API and by the command line, with clear refusals."""

import asyncio
import json
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cli import app
from db.engine import SessionFactory
from db.repositories import audit
from domain.roles import Role
from tests.api.test_task_actions import NUMBER, put_task
from tests.support.api import Callers
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
QUINN = {"name": "Quinn Abara", "roles": ["qa"], "email": "quinn@firm.test", "phone": "+14155550123", "language": "en"}


async def recall_command(url: str, *arguments: str) -> tuple[int, str, str]:
    """Run `recall ...` in process; returns exit code, output and errors."""
    env = {"DATABASE_URL": url, "RECALL_STATE_DIR": "/nonexistent", "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=env)
    return result.exit_code, result.stdout, result.stderr


async def test_a_record_is_written_read_replaced_and_audited_without_addresses(
    api: Callers, db: SessionFactory
) -> None:
    url = "/v1/staff/Quinn Abara"
    first = await api.put(url, QUINN, Role.ADMIN)
    assert (first.status_code, first.json()["absent"]) == (200, False), first.text
    assert (await api.put(url, QUINN, Role.ADMIN)).json() == first.json(), "repeating it changes nothing"
    assert (await api.put(url, QUINN | {"on_call": True}, Role.HEAD_OF_SUPPLY)).json()["on_call"] is True
    assert (await api.get(url, Role.ADMIN)).json()["email"] == "quinn@firm.test"
    async with db() as session:
        changes = [event async for event in audit.read_all(session, audit.SYSTEM) if event.action == "staff.changed"]
    assert [event.data["changed"] for event in changes][1] == ["on_call"]
    assert "firm.test" not in str([event.data for event in changes])
    assert "4155550123" not in str([event.data for event in changes])


async def test_everybody_reads_their_own_record_and_managers_all(api: Callers) -> None:
    for principal in ("Quinn", "Ada"):
        assert (await api.put(f"/v1/staff/{principal}", QUINN, Role.ADMIN)).status_code == 200
    assert (await api.get("/v1/staff/Quinn", Role.QA)).status_code == 200
    assert (await api.get("/v1/staff/Ada", Role.QA)).status_code == 403
    assert (await api.get("/v1/staff", Role.QA)).status_code == 403
    assert (await api.put("/v1/staff/Quinn", QUINN, Role.QA)).status_code == 403, "not even one's own functions"
    assert (await api.get("/v1/staff/Nobody", Role.ADMIN)).status_code == 404
    page = (await api.get("/v1/staff", Role.HEAD_OF_QUALITY, limit=1)).json()
    assert [row["principal"] for row in page["items"]] == ["Ada"]
    rest = (await api.get("/v1/staff", Role.HEAD_OF_QUALITY, limit=1, cursor=page["next_cursor"])).json()
    assert ([row["principal"] for row in rest["items"]], rest["next_cursor"]) == (["Quinn"], None)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"roles": []}, "#/roles"),
        ({"roles": ["boss"]}, "#/roles/0"),
        ({"email": "no address"}, "#/email"),
        ({"phone": "0123"}, "#/phone"),
        ({"language": "fr"}, "#/language"),
        ({"stand_in": "Nobody"}, "#/stand_in"),
        ({"stand_in": "Quinn"}, "#/stand_in"),
        ({"absent_until": "2026-12-01T00:00:00Z"}, "#/"),
        ({"absent_from": "2026-12-02T00:00:00Z", "absent_until": "2026-12-01T00:00:00Z"}, "#/"),
        ({"absent_from": "2026-12-02T00:00:00"}, "#/absent_from"),
        ({"on_call": True, "email": None, "phone": None}, "#/"),
        ({"salary": 1}, "#/salary"),
    ],
)
async def test_a_record_that_cannot_be_is_refused_field_by_field(
    api: Callers, change: dict[str, Any], pointer: str
) -> None:
    assert (await api.put("/v1/staff/Quinn", QUINN, Role.ADMIN)).status_code == 200
    answer = await api.put("/v1/staff/Quinn", QUINN | change, Role.ADMIN)
    assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer]), answer.text


async def test_the_command_line_records_people_and_their_absence(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    url = postgres.app_url
    ada = await recall_command(url, "staff", "set", "Ada", "--role", "approver", "--email", "ada@firm.test")
    assert ada == (0, "Ada: recorded\n", "")
    quinn = ["staff", "set", "Quinn", "--role", "qa", "--phone", "+14155550123", "--stand-in", "Ada"]
    assert (await recall_command(url, *quinn))[0] == 0
    away = ["staff", "set", "Quinn", "--absent-from", "2026-01-01", "--absent-until", "2099-01-01"]
    assert (await recall_command(url, *away))[0] == 0
    rows = json.loads((await recall_command(url, "staff", "list", "--json"))[1])
    assert [(row["principal"], row["absent"], row["stand_in"]) for row in rows] == [
        ("Ada", False, None),
        ("Quinn", True, "Ada"),
    ]
    assert rows[1]["phone"] == "+14155550123", "what is not named stays"
    assert "Quinn" in (await recall_command(url, "staff", "list"))[1]
    assert (await recall_command(url, "staff", "set", "Quinn", "--back", "--phone", ""))[0] == 0
    row = json.loads((await recall_command(url, "staff", "list", "--json"))[1])[1]
    assert (row["absent"], row["phone"]) == (False, None)
    assert (await recall_command(url, "staff", "set", "Quinn"))[1] == "Quinn: nothing to change\n"
    for wrong, text in (
        (["Quinn", "--phone", "12"], "phone: "),
        (["New"], "roles: "),
        (["Quinn", "--stand-in", "Nobody"], "--stand-in: Nobody is not on staff"),
        (["Quinn", "--stand-in", "Quinn"], "stand_in: expected another person"),
        ([" ", "--role", "qa"], "principal: 1 to 120"),
    ):
        code, _, errors = await recall_command(url, "staff", "set", *wrong)
        assert (code, errors.startswith(text), errors.count("\n")) == (2, True, 1), errors


async def test_the_command_line_lists_and_moves_tasks(db: SessionFactory, postgres: PostgresForTests) -> None:
    url = postgres.app_url
    write_recall(postgres.owner_url, NUMBER)
    put_task(postgres, "help:1", assignee="Gone", state="accepted", owner=f"recall:{NUMBER}")
    put_task(postgres, "help:2", "warehouse", assignee="Gone")
    put_task(postgres, "help:3", state="done")
    assert (await recall_command(url, "staff", "set", "Quinn", "--role", "qa"))[0] == 0
    everything = json.loads((await recall_command(url, "tasks", "list", "--json"))[1])
    assert [task["key"] for task in everything] == ["help:1", "help:2"], "open ones only"
    assert "help" not in (await recall_command(url, "tasks", "list", "--overdue"))[1]
    code, output, errors = await recall_command(
        url, "tasks", "move", "--from", "Gone", "--to", "Quinn", "--reason", "ill"
    )
    assert (code, output) == (
        0,
        "1 tasks moved to Quinn; 1 offered to their function again, which Quinn does not hold\n",
    )
    assert "the workflows will notice" in errors, "Temporal is away; the move stands"
    day = json.loads((await recall_command(url, "tasks", "list", "--person", "Quinn", "--json"))[1])
    assert [(task["key"], task["assignee"]) for task in day] == [("help:1", "Quinn")]
    with psycopg.connect(postgres.owner_url) as owner:
        actions = owner.execute("SELECT action, reason FROM audit_event WHERE stream = %s", [NUMBER]).fetchall()
    assert actions == [("task.moved", "ill")] * 2
    for wrong, text in (
        (["move", "--from", "Gone", "--to", "Nobody", "--reason", "r"], "nobody is known as Nobody"),
        (["move", "--from", "Gone", "--to", "Gone", "--reason", "r"], "--from and --to"),
        (["move", "--from", "Gone", "--to", "Quinn", "--reason", " "], "--reason: 1 to 2000"),
        (
            ["move", "--from", "G", "--to", "Quinn", "--reason", "r", "--recall", "RC-2026-000404"],
            "--recall: there is no",
        ),
        (["list", "--person", "Nobody"], "Nobody: nobody on staff"),
    ):
        code, _, errors = await recall_command(url, "tasks", *wrong)
        assert (code, errors.startswith(text), errors.count("\n")) == (2, True, 1), errors
