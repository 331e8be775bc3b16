"""A whole recall on real servers to its last word: completed, taken back by the authority, completed again, ended."""

import asyncio

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from domain.workflow_ids import campaign_id, capa_id, disposition_id, obligations_id, recall_id
from tests.e2e.closure import Closure
from tests.e2e.running import World
from tests.support.stack import recall, wait_for

pytestmark = pytest.mark.e2e
MOST_EVENTS = 1000
"""Of the recall's own history with market actions, their review, a second completion and the notice of the end: 764 on
a machine with nothing else to do, 853 on a busy one, where more policy time passes. 600 is the budget of one completion
(design §5), judged where time is skipped."""


async def test_a_recall_ends_terminated_and_every_step_before_it_is_on_record(world: World) -> None:
    closure = Closure(world, world.case("Closing").start(reminder_after_s=60))
    case, office = closure.case, closure.office
    closure.to_resolution()
    problem = closure.refused("qa", "/complete", {"capacity": "quality"})
    assert problem["type"] == "urn:recall:problem:not-complete"
    assert {"capa", "held_pending"} <= {item["key"] for item in problem["open"]}
    closure.plan_capa()
    closure.carry_over()
    closure.wait_checklist()
    wait_for("both to be asked for their signature", lambda: len(_tasks(closure, "completion")) == 2, 60, 0.2)
    closure.sign()
    closure.submit_reports()
    closure.answer("more_ordered", reason="The final report lacks a table.")
    assert case.wait_phase("resolution")["completion"][0]["void"]
    closure.wait_checklist()
    closure.sign()
    closure.submit_reports()
    closure.post("regulatory", "/closure-notice", {})
    closure.answer("terminated")
    closure.tell_the_end()
    ended = case.wait_phase("terminated")
    assert [each["void"] for each in ended["authority_answers"]] == [False, False]
    assert [(each["round"], each["void"]) for each in ended["completion"]] == [(1, True)] * 2 + [(2, False)] * 2
    late = closure.refused("qa", "/reopen", {"reason": "too late"})
    assert late["type"] == "urn:recall:problem:recall-closed"
    actions = [event["action"] for event in office.all(f"{case.base}/audit")]
    for action in ("completion.signed", "authority.answered", "phase.entered"):
        assert action in actions
    verified = recall("audit", "verify", case.number, env={"RECALL_STATE_DIR": str(world.stack.state_dir)})
    assert verified.returncode == 0, verified.stdout + verified.stderr
    await _check_workflows(world, case.number)


def _tasks(closure: Closure, step: str) -> list[str]:
    tasks = closure.office.all(f"{closure.case.base}/tasks")
    return [task["key"] for task in tasks if task["key"].startswith(f"{step}:") and task["state"] == "offered"]


async def _check_workflows(world: World, number: str) -> None:
    """Everything that belongs to the recall has ended, its CAPA lives on."""
    client = await Client.connect(world.stack.addresses()["temporal"])
    for each in (recall_id(number), campaign_id(number, 1), disposition_id(number), obligations_id(number)):
        await asyncio.wait_for(client.get_workflow_handle(each).result(), 30)
    assert (await client.get_workflow_handle(capa_id(number, 1)).describe()).status is WorkflowExecutionStatus.RUNNING
    assert (await client.get_workflow_handle(recall_id(number)).describe()).history_length < MOST_EVENTS
