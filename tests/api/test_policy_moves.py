"""An old recall stays with its policy versions while a new one gets the new ones, until it is moved by a signed update.

Through the real API with PostgreSQL, Temporal and the product's own workers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlmodel import select
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

import worker
from db.engine import SessionFactory
from db.repositories import audit
from domain.policy import parse_policy
from domain.policy_tasks import HumanStep
from domain.roles import Role
from models.recall import Recall
from tests.api.test_decisions import EVALUATION
from tests.api.test_policies import NEXT, US, V, in_force, seeded, submitted
from tests.support.api import Callers, intake, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow


@pytest_asyncio.fixture
async def working(
    api: Callers,
    db: SessionFactory,
    temporal: WorkflowEnvironment,
    postgres: PostgresForTests,
    tmp_path: Path,
) -> AsyncIterator[Callers]:
    """The API, with the product's own workers and shipped policies."""
    await seeded(db)
    settings = settings_for(postgres.app_url, tmp_path)
    async with AsyncExitStack() as stack:
        for each in worker.build_workers(temporal.client, db, settings, worker.QUEUES):
            await stack.enter_async_context(each)
        yield api
        async with db() as session:
            numbers = (await session.exec(select(Recall.number))).all()
        for number in numbers:  # the next test empties the database under them
            for workflow_id in (f"recall:{number}", f"recall:{number}:obligations"):
                with suppress(RPCError):
                    await temporal.client.get_workflow_handle(workflow_id).terminate("test over")


def stricter() -> str:
    """The next version: notices of Class I within 18 hours, evaluations within 18."""
    text = US.replace(f"\nversion: {V}\n", f"\nversion: {NEXT}\n", 1)
    old = parse_policy(US)
    before, after = "due: 24 h, clock: decision", "due: 18 h, clock: decision"
    assert before in text
    text = text.replace(before, after, 1)
    rule = old.tasks[HumanStep.EVALUATION]
    evaluation = f"evaluation: {{due: {rule.due}, remind: {rule.remind}"
    assert evaluation in text
    return text.replace(evaluation, "evaluation: {due: 18 h, remind: 9 h", 1)


async def started(api: Callers) -> str:
    answer = await api.post("/v1/recalls", intake())
    assert answer.status_code == 202, answer.text
    number = str(answer.json()["number"])
    await until(api, f"/v1/recalls/{number}", lambda shown: shown["phase"] == "assessment")
    await until(api, f"/v1/recalls/{number}", evaluation_of)
    return number


async def until(api: Callers, url: str, seen: Any) -> Any:
    """What `url` answers once `seen` holds; fails after a minute."""
    async with asyncio.timeout(60):
        while True:
            shown = (await api.get(url)).json()
            if seen(shown):
                return shown
            await asyncio.sleep(0.05)


async def versions(api: Callers, number: str) -> list[tuple[int, bool]]:
    rows = (await api.get(f"/v1/recalls/{number}/policies")).json()
    return [(row["version"], row["in_force"]) for row in rows]


async def preview(api: Callers, number: str, to: int = NEXT) -> Any:
    return await api.get(f"/v1/recalls/{number}/policies/preview", to=f"us-fda:{to}")


async def move(api: Callers, number: str, sha256: str, role: Role = Role.APPROVER, to: int = NEXT) -> Any:
    body = {"versions": {"us-fda": to}, "preview_sha256": sha256, "reason": "the new version is stricter"}
    return await api.post(f"/v1/recalls/{number}/policies/move", body, role)


def kind(answer: Any) -> str:
    return str(answer.json()["type"]).removeprefix("urn:recall:problem:")


def evaluation_of(shown: Any) -> list[Any]:
    """The open task to evaluate the hazard, once there is one."""
    return [each for each in shown["waiting"] if each["role"] == "medical"]


async def evaluation_due(api: Callers, number: str) -> datetime:
    shown = (await api.get(f"/v1/recalls/{number}")).json()
    (task,) = evaluation_of(shown)
    return datetime.fromisoformat(task["due"]["at"])


async def test_an_old_recall_stays_pinned_while_a_new_one_gets_the_new_version_until_it_is_moved(
    working: Callers, db: SessionFactory
) -> None:
    api = working
    old = await started(api)
    before = await evaluation_due(api, old)
    await in_force(api, stricter())
    new = await started(api)
    assert await versions(api, old) == [(V, True)]
    assert await versions(api, new) == [(NEXT, True)]
    assert await evaluation_due(api, old) == before
    assert await evaluation_due(api, new) < before

    shown = (await preview(api, old)).json()
    task = next(each for each in shown["asked"] if each["key"] == "task:evaluation")
    assert (task["kind"], task["after"]["limit"].split()[0]) == ("changed", "18")
    assert kind(await move(api, old, "0" * 64)) == "hash-mismatch"
    assert kind(await move(api, old, shown["sha256"], Role.QA)) == "not-permitted"
    assert await versions(api, old) == [(V, True)]

    answer = await move(api, old, shown["sha256"])
    assert answer.status_code == 200, answer.text
    assert await versions(api, old) == [(V, False), (NEXT, True)]
    moved_to = await evaluation_due(api, old)
    assert moved_to < before
    async with db() as session:
        events = await audit.read(session, old)
        assert await audit.first_broken_link(session, old) is None
    (moved,) = [each for each in events if each.action == "policies.moved"]
    assert moved.actor == "Ada"
    assert moved.data["preview_sha256"] == shown["sha256"]
    assert moved.data["moves"][0] | {"from": V, "to": NEXT} == moved.data["moves"][0]
    assert moved.data["moves"][0]["from_sha256"] != moved.data["moves"][0]["to_sha256"]
    assert moved.data["signature"]
    assert kind(await move(api, old, shown["sha256"])) == "invalid-input"  # it is there already


async def test_the_notice_limit_of_a_decided_recall_becomes_earlier_and_no_deadline_later(
    working: Callers, db: SessionFactory
) -> None:
    api = working
    number = await started(api)
    await decided(api, number)
    was = await deadlines(api, number)
    await in_force(api, stricter())
    body = {"recall": number, "compare": {"us-fda": NEXT}}
    tried = (await api.post("/v1/policies/dry-run", body, Role.AUDITOR)).json()
    assert "notice:us-fda:notify" in [each["key"] for each in tried["differences"]]
    shown = (await preview(api, number)).json()
    (notice,) = [each for each in shown["deadlines"] if each["name"] == "notify"]
    assert notice["outcome"] == "earlier"
    assert (await move(api, number, shown["sha256"])).status_code == 200
    now = await deadlines(api, number)
    assert now["notify"] == datetime.fromisoformat(notice["becomes"]) < was["notify"]
    assert all(now[name] <= due for name, due in was.items())


async def test_only_versions_approved_or_in_force_are_moved_to_and_only_by_others_than_the_starter(
    working: Callers, db: SessionFactory
) -> None:
    api = working
    number = await started(api)
    assert kind(await preview(api, number)) == "invalid-input"  # no such version
    await submitted(api, stricter())
    assert kind(await preview(api, number)) == "wrong-state"  # a draft
    assert kind(await preview(api, number, V)) == "invalid-input"  # pinned already
    other = await api.get(f"/v1/recalls/{number}/policies/preview", to="eu-mdr:1")
    assert kind(other) == "invalid-input"
    assert (await api.get(f"/v1/recalls/{number}/policies/preview", to="us-fda")).status_code == 422


async def test_the_person_who_started_a_recall_does_not_move_it(working: Callers, db: SessionFactory) -> None:
    api = working
    answer = await api.post("/v1/recalls", intake(), Role.HEAD_OF_QUALITY)
    number = str(answer.json()["number"])
    await until(api, f"/v1/recalls/{number}", lambda shown: shown["phase"] == "assessment")
    await in_force(api, stricter())
    shown = (await preview(api, number)).json()
    assert kind(await move(api, number, shown["sha256"], Role.HEAD_OF_QUALITY)) == "four-eyes"
    assert (await move(api, number, shown["sha256"], Role.APPROVER)).status_code == 200


async def deadlines(api: Callers, number: str) -> dict[str, datetime]:
    rows = (await api.get(f"/v1/recalls/{number}")).json()["deadlines"]
    return {row["name"]: datetime.fromisoformat(row["due"]["at"]) for row in rows}


async def decided(api: Callers, number: str) -> None:
    """Class I, evaluated by the medical assessor and approved by somebody else."""
    answer = await api.post(f"/v1/recalls/{number}/evaluations", EVALUATION, Role.MEDICAL)
    assert answer.status_code == 200, answer.text
    live = await until(api, f"/v1/recalls/{number}/live", lambda shown: shown["proposal"] is not None)
    body = {"proposal_id": live["proposal"]["proposal_id"]}
    approved = await api.post(f"/v1/recalls/{number}/assessment/approve", body, Role.APPROVER)
    assert approved.status_code == 200, approved.text
    assert live["proposal"]["classes"][0]["recall_class"] == "I"
