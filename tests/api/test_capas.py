"""CAPAs over HTTP: every step a decision, texts kept out of Temporal, a closed one reopened into a new run."""

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from api.decisions import REFUSALS
from db.engine import SessionFactory
from domain.roles import Role
from domain.workflow_ids import capa_id
from models.messages import EMAIL_QUEUE, SMS_QUEUE
from tests.capa.capa_run import CapaRun
from tests.capa.conftest import capa_worker, next_number, no_mail_server, start_capa, until_open, write_recall
from tests.support.api import Callers
from tests.support.clock import fast_forward
from workflows.capa import CapaWorkflow

pytestmark = pytest.mark.workflow
CAUSE = {"five_whys": ["It cracked.", "The resin was wet."], "cause": "Wet resin", "category": "material"}


@pytest_asyncio.fixture
async def capa(api: Callers, temporal: WorkflowEnvironment, db: SessionFactory) -> AsyncIterator[CapaRun]:
    """An open CAPA whose recall runs at 86,400 times real time: a policy day is a second."""
    number = next_number()
    await write_recall(db, number, pace=86_400.0)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(capa_worker(temporal, db))
        for queue in (EMAIL_QUEUE, SMS_QUEUE):
            await stack.enter_async_context(Worker(temporal.client, task_queue=queue, activities=[no_mail_server]))
        run = CapaRun(db, await start_capa(temporal, number, pace=86_400.0), number)
        await until_open(run)
        yield run
        with suppress(RPCError):
            await temporal.client.get_workflow_handle(capa_id(number, 1)).terminate("test over")


def plan(**changes: Any) -> dict[str, Any]:
    """A valid plan."""
    due_on = (datetime.now(UTC) + timedelta(days=400)).date()
    body: dict[str, Any] = {
        "actions": [{"kind": "corrective", "what": "Dry the resin", "owner": "Wanda", "due_on": due_on.isoformat()}],
        "criterion": {
            "what": "Cracked connectors",
            "comparison": "at_most",
            "target": "2.5",
            "unit": "per 10,000 units",
        },
        "verify_after_days": 1,
    }
    return body | changes


class Steps:
    """The CAPA's routes."""

    def __init__(self, api: Callers, run: CapaRun) -> None:
        self.api = api
        self.run = run
        self.url = f"/v1/recalls/{run.number}/capas/1"

    async def post(self, step: str, body: Any, role: Role = Role.QA, status: int = 200, **more: Any) -> dict[str, Any]:
        answer = await self.api.post(f"{self.url}/{step}", body, role, **more)
        assert answer.status_code == status, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def file(self) -> str:
        return await self.run.file()

    async def to_approval(self) -> None:
        await self.post("investigation", {"account": "Mould 3."})
        await self.post("cause", CAUSE)
        await self.post("plan", plan())

    async def to_closed(self, env: WorkflowEnvironment) -> None:
        await self.to_approval()
        await self.post("plan/approve", {"plan_version": 1}, Role.APPROVER)
        done = {"result": "Dryer installed.", "evidence_ids": [await self.file()]}
        await self.post("actions/1/complete", done, Role.WAREHOUSE)
        await fast_forward(env, self.run.handle, timedelta(seconds=5))
        measured = {"measured": "1.25", "account": "Complaints counted.", "evidence_ids": [await self.file()]}
        await self.post("verification", measured, Role.SUPPLIER_QUALITY)
        await self.post("sign-off", {}, Role.HEAD_OF_QUALITY)


@pytest.fixture
def steps(api: Callers, capa: CapaRun) -> Steps:
    """Shortcuts to its routes."""
    return Steps(api, capa)


async def test_a_capa_is_read_with_everything_ever_said_about_it(
    steps: Steps, api: Callers, temporal: WorkflowEnvironment
) -> None:
    await steps.to_closed(temporal)
    found = (await api.get(steps.url, Role.AUDITOR)).json()
    assert (found["state"], found["effective"], found["measured"]) == ("closed", True, "1.25")
    assert found["criterion"]["target"] == "2.5"
    assert [each["kind"] for each in found["statements"]] == [
        "investigation",
        "cause",
        "plan",
        "action",
        "verification",
    ]
    assert found["actions"][0]["done_by"] == "Wanda"
    assert len(found["actions"][0]["evidence_ids"]) == len(found["evidence_ids"]["verification"]) == 1
    listed = (await api.get(f"/v1/recalls/{steps.run.number}/capas")).json()
    assert [(each["sequence"], each["cause_recorded"], each["plan_approved"]) for each in listed] == [(1, True, True)]


async def test_no_word_of_what_people_wrote_is_in_the_history(steps: Steps) -> None:
    await steps.to_approval()
    history = (await steps.run.handle.fetch_history()).to_json()
    payloads = [base64.b64decode(value).decode("utf-8", "replace") for value in _data_of(json.loads(history))]
    assert payloads
    for word in ("Mould", "Wet resin", "Dry the resin", "Cracked connectors may"):
        assert not any(word in each for each in payloads), word


def _data_of(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["data"]] if isinstance(node.get("data"), str) else []
        return own + [found for value in node.values() for found in _data_of(value)]
    if isinstance(node, list):
        return [found for value in node for found in _data_of(value)]
    return []


async def test_a_closed_capa_is_reopened_into_a_new_run_with_what_the_record_says(
    steps: Steps, api: Callers, temporal: WorkflowEnvironment
) -> None:
    await steps.to_closed(temporal)
    await steps.run.handle.result()
    refused = await steps.post("investigation", {"account": "More."}, status=409)
    assert refused["type"].endswith("recall-closed")
    reopened = await steps.post("reopen", {"reason": "It cracked again."})
    assert (reopened["state"], reopened["capa_state"]) == ("done", "investigation")
    found = (await api.get(steps.url)).json()
    assert (found["state"], found["reopened"], found["cause"], found["closed_at"]) == ("investigation", 1, None, None)
    assert await steps.run.open_tasks() == {"capa:1:investigation:2"}
    await steps.post("investigation", {"account": "Mould 4 as well."})
    assert len((await api.get(steps.url)).json()["statements"]) == 6


async def test_the_same_key_decides_once_and_keeps_one_statement(steps: Steps, api: Callers) -> None:
    body = {"account": "Mould 3."}
    first = await steps.post("investigation", body, key="same-key")
    again = await steps.post("investigation", body, key="same-key")
    assert first == again
    assert len((await api.get(steps.url)).json()["statements"]) == 1


async def test_a_plan_that_corrects_only_or_lies_in_the_past_names_each_fault(steps: Steps) -> None:
    await steps.post("investigation", {"account": "Mould 3."})
    await steps.post("cause", CAUSE)
    action = {"kind": "correction", "what": "Sort", "owner": "Wanda", "due_on": date(2020, 1, 1).isoformat()}
    refused = await steps.post("plan", plan(actions=[action]), status=422)
    assert [each["pointer"] for each in refused["errors"]] == ["#/actions", "#/actions/0/due_on"]
    stranger = plan()["actions"][0] | {"owner": "Nobody"}
    refused = await steps.post("plan", plan(actions=[stranger]), status=422)
    assert [each["pointer"] for each in refused["errors"]] == ["#/actions/0/owner"]
    for wrong in ("NaN", "1e30", "1.1234567"):
        criterion = plan()["criterion"] | {"target": wrong}
        refused = await steps.post("plan", plan(criterion=criterion), status=422)
        assert refused["errors"][0]["pointer"].startswith("#/criterion/target")


async def test_refusals_name_their_reason(steps: Steps) -> None:
    assert (await steps.post("cause", CAUSE, status=409))["type"].endswith("wrong-state")
    await steps.to_approval()
    stale = await steps.post("plan/approve", {"plan_version": 9}, Role.APPROVER, status=409)
    assert stale["type"].endswith("stale-proposal")
    await steps.post("plan/approve", {"plan_version": 1}, Role.QA, status=403)
    await steps.post("plan/approve", {"plan_version": 1}, Role.APPROVER)
    missing = await steps.post("actions/1/complete", {"result": "Done.", "evidence_ids": []}, status=422)
    assert missing["errors"][0]["pointer"] == "#/evidence_ids"
    foreign = "7f3f2a52-5f3e-4c44-9d5c-0d6a3d6f6a11"
    unknown = await steps.post("actions/1/complete", {"result": "Done.", "evidence_ids": [foreign]}, status=422)
    assert unknown["errors"][0]["pointer"] == "#/evidence_ids/0"
    done = {"result": "Done.", "evidence_ids": [await steps.file()]}
    assert (await steps.post("actions/7/complete", done, status=404))["type"].endswith("unknown-action")
    await steps.post("actions/1/complete", done, Role.MEDICAL, status=403)


async def test_an_unknown_capa_is_not_found(api: Callers, capa: CapaRun) -> None:
    for method, url in (("get", ""), ("post", "/investigation")):
        address = f"/v1/recalls/{capa.number}/capas/7{url}"
        answer = await (api.get(address) if method == "get" else api.post(address, {"account": "x"}))
        assert answer.status_code == 404
        assert answer.json()["type"].endswith("capa-unknown")


async def test_the_outcome_of_a_decision_can_be_read_again(steps: Steps, api: Callers) -> None:
    done = await steps.post("investigation", {"account": "Mould 3."})
    again = await api.get(done["status_url"])
    assert again.status_code == 200
    assert again.json()["detail"] == "investigation recorded"


def test_every_capa_decision_names_an_update_of_its_workflow_and_every_refusal_is_mapped() -> None:
    source = Path("api/routers/capas.py").read_text()
    operations = set(re.findall(r'principal,\s*"(\w+)",\s*body', source))
    assert len(operations) == 9
    assert all(hasattr(CapaWorkflow, operation) for operation in operations)
    rules = Path("workflows/capa_rules.py").read_text() + Path("workflows/rules.py").read_text()
    raised = set(re.findall(r'refuse\(\s*"(\w+)"', rules))
    assert raised, "the rules moved; adapt this test"
    assert raised <= set(REFUSALS)
