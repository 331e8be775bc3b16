"""What people do with tasks through the API: each once, by whoever may, with its reason and its proof."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from db.engine import SessionFactory
from db.repositories import audit
from domain.roles import Role
from models.audit import AuditEvent
from plugin import workflow_runner
from tests.support.api import Callers
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
NUMBER = "RC-2026-000001"
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


def put_task(postgres: PostgresForTests, key: str = "help:1", role: str = "qa", **facts: Any) -> int:
    """A task on record, offered an hour ago and due in an hour; returns its id."""
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "recall_number": NUMBER,
        "key": key,
        "step": "visit",
        "what": "do",
        "role": role,
        "first_role": role,
        "state": "offered",
        "opened_at": now - timedelta(hours=1),
        "remind_at": now,
        "due_at": now + timedelta(hours=1),
        "evidence_required": False,
    } | facts
    insert = sql.SQL("INSERT INTO task ({}) VALUES ({}) RETURNING id").format(
        sql.SQL(", ").join(map(sql.Identifier, given)), sql.SQL(", ").join([sql.Placeholder()] * len(given))
    )
    with psycopg.connect(postgres.owner_url) as owner:
        row = owner.execute(insert, [*given.values()]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def on_record(api: Callers, postgres: PostgresForTests) -> PostgresForTests:
    """One recall on record."""
    write_recall(postgres.owner_url, NUMBER)
    return postgres


async def staff_is(api: Callers, principal: str, *roles: str, **facts: Any) -> None:
    body = {"name": principal, "roles": list(roles), "email": f"{principal.lower()}@firm.test"} | facts
    answer = await api.put(f"/v1/staff/{principal}", body, Role.ADMIN)
    assert answer.status_code == 200, answer.text


def kind(answer: Any) -> str:
    return str(answer.json()["type"]).removeprefix("urn:recall:problem:")


async def events(db: SessionFactory, *actions: str) -> Sequence[AuditEvent]:
    async with db() as session:
        assert await audit.first_broken_link(session, NUMBER) is None
        return [event async for event in audit.read_all(session, NUMBER) if event.action in actions]


async def told(postgres: PostgresForTests) -> list[tuple[str, str]]:
    with psycopg.connect(postgres.owner_url) as owner:
        return owner.execute("SELECT kind, principal FROM staff_message ORDER BY id").fetchall()


async def test_a_task_sent_back_waits_until_somebody_assigns_it_anew(
    api: Callers, on_record: PostgresForTests, db: SessionFactory
) -> None:
    await staff_is(api, "Hana", "head_of_quality")
    task = put_task(on_record)
    await api.post(f"/v1/tasks/{task}/accept", None)
    assert (await api.post(f"/v1/tasks/{task}/send-back", {"reason": " "})).status_code == 422
    assert kind(await api.post(f"/v1/tasks/{task}/send-back", {"reason": "x"}, Role.MEDICAL)) == "not-permitted"
    back = (await api.post(f"/v1/tasks/{task}/send-back", {"reason": "the number is dead"})).json()
    assert (back["state"], back["assignee"], back["sent_back_by"]) == ("sent_back", None, "Quinn")
    assert back["sent_back_reason"] == "the number is dead"
    assert await told(on_record) == [("sent_back", "Hana")]
    for path, body in (("accept", None), ("send-back", {"reason": "again"}), ("complete", {"outcome": "done"})):
        assert kind(await api.post(f"/v1/tasks/{task}/{path}", body)) == "task-not-open", path
    anew = await api.post(
        f"/v1/tasks/{task}/reassign", {"assignee": "Quinn", "reason": "new number found"}, Role.HEAD_OF_QUALITY
    )
    assert (anew.status_code, anew.json()["state"], anew.json()["assignee"]) == (200, "offered", "Quinn")
    assert anew.json()["due"] == back["due"], "changing hands moves no due time"
    [returned] = await events(db, "task.sent_back")
    assert (returned.actor, returned.reason, returned.data["told"]) == ("Quinn", "the number is dead", 1)
    [given] = await events(db, "task.reassigned")
    assert (given.actor, given.role, given.data["assignee"]) == ("Hana", "head_of_quality", "Quinn")


async def test_a_task_goes_to_another_function_with_that_function_s_head_behind_it(
    api: Callers, on_record: PostgresForTests
) -> None:
    await staff_is(api, "Wanda", "warehouse")
    task = put_task(on_record, stand_in="regulatory")
    moved = (await api.post(f"/v1/tasks/{task}/reassign", {"role": "warehouse", "reason": "stock"})).json()
    assert (moved["role"], moved["first_role"], moved["stand_in"]) == ("warehouse", "warehouse", None)
    assert await told(on_record) == [("assigned", "Wanda")]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "r"}, "#/"),
        ({"assignee": "Nobody", "reason": "r"}, "#/assignee"),
        ({"assignee": "Wanda", "reason": "r"}, "#/assignee"),
        ({"role": "auditor", "reason": "r"}, "#/"),
        ({"role": "boss", "reason": "r"}, "#/role"),
        ({"assignee": "Quinn"}, "#/reason"),
    ],
)
async def test_a_reassignment_names_somebody_who_can_do_it(
    api: Callers, on_record: PostgresForTests, body: dict[str, str], pointer: str
) -> None:
    task = put_task(on_record)
    answer = await api.post(f"/v1/tasks/{task}/reassign", body)
    assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer]), answer.text


async def test_only_who_may_reassign_does(api: Callers, on_record: PostgresForTests) -> None:
    task = put_task(on_record, role="warehouse")
    body = {"assignee": "Wanda", "reason": "mine"}
    for role in (Role.WAREHOUSE, Role.MEDICAL, Role.AUDITOR):
        assert kind(await api.post(f"/v1/tasks/{task}/reassign", body, role)) == "not-permitted"
        assert kind(await api.post("/v1/tasks/move", {"from": "a", "to": "b", "reason": "r"}, role)) == "not-permitted"
    assert (await api.post(f"/v1/tasks/{task}/reassign", body, Role.HEAD_OF_SUPPLY)).status_code == 200


async def test_a_late_task_in_new_hands_climbs_again_after_the_time_before_the_reminder(
    api: Callers, on_record: PostgresForTests
) -> None:
    now = datetime.now(UTC)
    task = put_task(on_record, stage=3, role="head_of_quality", first_role="qa", due_at=now - timedelta(hours=3))
    found = (await api.post(f"/v1/tasks/{task}/reassign", {"assignee": "Hana", "reason": "r"})).json()
    assert (found["stage"], found["overdue"]) == (2, True)
    assert timedelta(minutes=59) < datetime.fromisoformat(found["escalate_at"]) - now < timedelta(minutes=61)


async def evidence_of(api: Callers) -> str:
    headers = api.headers(Role.QA, secrets.token_hex(8))
    answer = await api.client.post(
        "/v1/evidence", files={"file": ("proof.pdf", PDF, "application/pdf")}, headers=headers
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_step_that_needs_evidence_cannot_be_completed_without(
    api: Callers, on_record: PostgresForTests, db: SessionFactory
) -> None:
    task = put_task(on_record, evidence_required=True)
    url = f"/v1/tasks/{task}/complete"
    assert kind(await api.post(url, {"outcome": "visited"})) == "evidence-required"
    unknown = await api.post(url, {"outcome": "visited", "evidence_ids": ["00000000-0000-4000-8000-000000000000"]})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/evidence_ids")
    write_recall(on_record.owner_url, "RC-2026-000002")
    foreign = await evidence_of(api)
    with psycopg.connect(on_record.owner_url) as owner:
        owner.execute("UPDATE evidence SET recall_number = 'RC-2026-000002'")
    assert kind(await api.post(url, {"outcome": "visited", "evidence_ids": [foreign]})) == "invalid"
    proof = await evidence_of(api)
    done = await api.post(url, {"outcome": "visited", "evidence_ids": [proof]})
    assert (done.status_code, done.json()["state"]) == (200, "done"), done.text
    with psycopg.connect(on_record.owner_url) as owner:
        assert owner.execute("SELECT subject, evidence_id::text FROM evidence_link").fetchall() == [
            (f"task:{task}", proof)
        ]
    [event] = await events(db, "task.completed")
    assert (event.reason, event.data["evidence_ids"]) == ("visited", [proof])


async def test_an_absent_person_s_tasks_show_in_the_stand_in_s_day_and_are_done_there(
    api: Callers, on_record: PostgresForTests, db: SessionFactory
) -> None:
    now = datetime.now(UTC)
    own = put_task(on_record, "help:1", assignee="Quinn", state="accepted")
    put_task(on_record, "help:2")
    put_task(on_record, "help:3", assignee="Quentin", state="accepted")
    await staff_is(api, "Wanda", "warehouse")
    assert await day(api, Role.WAREHOUSE) == []
    away = {
        "absent_from": (now - timedelta(hours=1)).isoformat(),
        "absent_until": (now + timedelta(days=1)).isoformat(),
    }
    await staff_is(api, "Quinn", "qa", stand_in="Wanda", **away)
    assert await day(api, Role.WAREHOUSE) == ["help:1", "help:2"]
    assert (await api.post(f"/v1/tasks/{own}/complete", {"outcome": "called"}, Role.WAREHOUSE)).status_code == 200
    [event] = await events(db, "task.completed")
    assert (event.actor, event.role) == ("Wanda", "warehouse")
    await staff_is(api, "Quinn", "qa", stand_in="Wanda")
    assert await day(api, Role.WAREHOUSE) == [], "back again"


async def day(api: Callers, role: Role) -> list[str]:
    return [task["key"] for task in (await api.get("/v1/tasks", role, mine="true")).json()["items"]]


async def test_what_is_assigned_to_somebody_away_is_the_stand_in_s_from_the_start(
    api: Callers, on_record: PostgresForTests, db: SessionFactory
) -> None:
    await staff_is(api, "Ada", "approver", "qa")
    away = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await staff_is(api, "Quinn", "qa", stand_in="Ada", absent_from=away)
    task = put_task(on_record)
    found = (await api.post(f"/v1/tasks/{task}/reassign", {"assignee": "Quinn", "reason": "r"}, Role.APPROVER)).json()
    assert found["assignee"] == "Ada"
    [event] = await events(db, "task.reassigned")
    assert event.data["stands_in_for"] == "Quinn"


async def test_one_command_moves_an_absent_person_s_tasks_and_leaves_none_with_them(
    api: Callers, on_record: PostgresForTests, db: SessionFactory
) -> None:
    write_recall(on_record.owner_url, "RC-2026-000002")
    mine = [put_task(on_record, f"help:{n}", assignee="Gone", state="accepted") for n in (1, 2)]
    medical = put_task(on_record, "evaluation:x", "medical", assignee="Gone")
    other = put_task(on_record, "help:4", assignee="Gone", recall_number="RC-2026-000002")
    put_task(on_record, "help:3", assignee="Gone", state="done")
    body = {"from": "Gone", "to": "Quinn", "reason": "ill", "number": NUMBER}
    first = await api.post("/v1/tasks/move", body, key="move-1")
    assert first.json() == {"assigned": mine, "offered": [medical]}, first.text
    assert (await api.post("/v1/tasks/move", body, key="move-1")).json() == first.json(), "repeated by its key"
    again = await api.post("/v1/tasks/move", {"from": "Gone", "to": "Quinn", "reason": "ill"})
    assert again.json() == {"assigned": [other], "offered": []}
    assert [event.reason for event in await events(db, "task.moved")] == ["ill"] * 3
    with psycopg.connect(on_record.owner_url) as owner:
        left = owner.execute("SELECT count(*) FROM task WHERE assignee = 'Gone' AND state <> 'done'").fetchone()
    assert left == (0,)


@pytest.mark.parametrize(
    ("body", "kind_"),
    [
        ({"from": "Quinn", "to": "Nobody", "reason": "r"}, "invalid"),
        ({"from": "Quinn", "to": "Quinn", "reason": "r"}, "invalid"),
        ({"from": "Quinn", "to": "Ada"}, "invalid"),
        ({"from": "Quinn", "to": "Ada", "reason": "r", "number": "RC-2026-999999"}, "recall-unknown"),
        ({"from": "Quinn", "to": "Ada", "reason": "r", "number": "1"}, "invalid"),
    ],
)
async def test_a_move_that_cannot_be_is_refused_by_name(
    api: Callers, on_record: PostgresForTests, body: dict[str, str], kind_: str
) -> None:
    assert kind(await api.post("/v1/tasks/move", body)) == kind_


async def test_nothing_is_moved_to_somebody_who_is_away(api: Callers, on_record: PostgresForTests) -> None:
    await staff_is(api, "Ada", "approver", absent_from=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    put_task(on_record, assignee="Quinn")
    answer = await api.post("/v1/tasks/move", {"from": "Quinn", "to": "Ada", "reason": "r"})
    assert "is away" in answer.json()["errors"][0]["detail"]


@workflow.defn(name="OwnerThatListens", sandboxed=False)
class OwnerThatListens:
    """Ends with the key of the first task somebody moved."""

    def __init__(self) -> None:
        self._moved: str | None = None

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self._moved is not None)
        return self._moved or ""

    @workflow.signal
    def task_moved(self, key: str) -> None:
        self._moved = key


async def test_the_workflow_that_runs_the_timers_hears_of_it(
    api: Callers, on_record: PostgresForTests, temporal: WorkflowEnvironment
) -> None:
    owner = f"recall:{NUMBER}:case:{secrets.token_hex(4)}"
    task = put_task(on_record, owner=owner)
    queue = f"listening-{secrets.token_hex(4)}"
    async with Worker(
        temporal.client, task_queue=queue, workflows=[OwnerThatListens], workflow_runner=workflow_runner()
    ):
        handle = await temporal.client.start_workflow(OwnerThatListens.run, id=owner, task_queue=queue)
        assert (await api.post(f"/v1/tasks/{task}/complete", {"outcome": "done"})).status_code == 200
        assert await handle.result() == "help:1"


async def test_a_word_the_workflow_does_not_hear_costs_nothing(offline: Callers, postgres: PostgresForTests) -> None:
    write_recall(postgres.owner_url, NUMBER)
    task = put_task(postgres, owner=f"recall:{NUMBER}")
    assert (await offline.post(f"/v1/tasks/{task}/complete", {"outcome": "done"})).status_code == 200
