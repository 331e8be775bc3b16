"""The case workflow over the real record: silence climbs step by step, an answer ends it, no nudge is needed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowExecutionStatus

from models.replies import StatedLot
from tests.campaign.world import NUMBER, Person
from tests.cases.conftest import DAY, CaseRun
from workflows import search_attributes as sa

pytestmark = [pytest.mark.db, pytest.mark.workflow]
HOUR = timedelta(hours=1)


def stated(lot: int, on_hand: int) -> StatedLot:
    units = Decimal(on_hand)
    return StatedLot(lot_id=lot, on_hand=units, used=Decimal(0), held=units, passed_on=Decimal(0))


async def test_silence_climbs_from_call_to_visit_to_authority_to_account(run: CaseRun) -> None:
    one = run.consignee
    run.open_case()
    assert await run.start() == 1
    await run.until_task(f"call:{one}")
    await run.forward(23 * HOUR)
    assert [key for key, _ in run.tasks()] == [f"call:{one}"], "the limit has not passed"
    await run.forward(2 * HOUR)
    await run.until_task(f"visit:{one}")
    late = run.world.one("SELECT role, stage FROM task WHERE key = %s", f"call:{one}")
    assert late == {"role": "regulatory", "stage": 2}, "the late call is with the stand-in meanwhile"
    await run.forward(5 * DAY)
    await run.until_task(f"report:{one}")
    authority = run.world.one("SELECT role, evidence_required FROM task WHERE key = %s", f"report:{one}")
    assert authority == {"role": "regulatory", "evidence_required": True}
    await run.forward(DAY + HOUR)
    look = await run.until_task(f"account:{one}")
    assert (look.reasons, look.overdue) == (("silence",), True)
    run.world.run("UPDATE consignee SET state = 'documented' WHERE id = %s", one)
    await run.handle.signal("nudge")
    assert (await run.handle.result()).open == 0
    assert {state for _, state in run.tasks()} == {"done"}
    assert run.world.one("SELECT outcome FROM consignee_case") == "the consignee is documented"
    assert await run.events() < 250
    await run.assert_replays()


async def test_an_answer_in_the_middle_ends_call_and_visit_in_its_own_transaction(run: CaseRun) -> None:
    run.open_case()
    await run.start()
    await run.until_task(f"call:{run.consignee}")
    await run.forward(25 * HOUR)
    await run.until_task(f"visit:{run.consignee}")
    first, second = run.world.lot_ids
    run.world.run("DELETE FROM consignee_lot WHERE lot_id = %s", second)
    done = await run.answer(statements=(stated(first, 10),))
    assert (done.consignee_state, done.case_moved) == ("answered", True)
    assert {state for _, state in run.tasks()} == {"done"}
    assert run.world.one("SELECT state FROM consignee_case") == "closed"
    await run.handle.signal("nudge")
    assert (await run.handle.result()).open == 0


async def test_a_lost_nudge_costs_nothing(run: CaseRun) -> None:
    run.open_case()
    await run.start()
    await run.until_task(f"call:{run.consignee}")
    await run.answer()
    assert not await run.forward(2 * DAY), "it ended by itself before that"
    assert (await run.handle.describe()).status == WorkflowExecutionStatus.COMPLETED


async def test_two_reasons_at_once_end_when_both_are_closed(run: CaseRun) -> None:
    one = run.consignee
    run.open_case("bounce")
    first, second = run.world.lot_ids
    run.world.run("DELETE FROM consignee_lot WHERE lot_id = %s", second)
    await run.start()
    await run.until_task(f"call:{one}")
    asked = await run.answer(statements=(stated(first, 99),))
    assert asked.nudge_due, "the campaign starts (or tells) the workflow of a new case"
    await run.start()
    look = await run.until(lambda seen: seen.reasons == ("statement",))
    assert look.keys == (f"query:{asked.reply_id}",)
    await run.forward(2 * DAY + HOUR)
    await run.until_task(f"settle_query:{asked.reply_id}")
    await run.answer(statements=(stated(first, 10),))
    await run.handle.signal("nudge")
    assert (await run.handle.result()).open == 0
    states = dict(run.tasks())
    assert (states[f"query:{asked.reply_id}"], states[f"settle_query:{asked.reply_id}"]) == ("done", "done")


async def test_starting_twice_starts_one_and_a_second_silence_starts_anew(run: CaseRun) -> None:
    one = run.consignee
    run.open_case()
    assert (await run.start(), await run.start()) == (1, 0)
    first = (await run.handle.describe()).run_id
    run.world.run("UPDATE consignee_case SET workflow_started_at = NULL")  # killed before it was noted
    assert await run.start() == 1
    assert (await run.handle.describe()).run_id == first
    await run.until_task(f"call:{one}")
    await run.answer()
    await run.handle.signal("nudge")
    await run.handle.result()
    run.world.run("UPDATE consignee SET state = 'open' WHERE id = %s", one)
    run.open_case()
    assert await run.start() == 1
    await run.until_task(f"call:{one}:2")
    assert (await run.handle.describe()).run_id != first
    assert run.world.rows("SELECT count(*) AS n FROM consignee_case")[0]["n"] == 2


async def test_a_failed_effectiveness_check_is_called_about(run: CaseRun) -> None:
    run.open_case("effectiveness", "check:7")
    await run.start()
    await run.until_task(f"call:{run.consignee}")
    assert "effectiveness check failed" in run.world.one("SELECT what FROM task")


async def test_a_call_back_ends_when_its_task_is_done(run: CaseRun) -> None:
    run.open_case("help", "reply:5")
    run.world.run(
        "INSERT INTO task (recall_number, key, step, what, role, owner, consignee_id, evidence_required, state,"
        " opened_at) VALUES (%s,'help:5','phone_call','Call back','qa',%s,%s,false,'offered',now())",
        NUMBER, f"recall:{NUMBER}:case:{run.consignee}", run.consignee,
    )  # fmt: skip
    await run.start()
    await run.until_task("help:5")
    run.world.run("UPDATE task SET state = 'done', outcome = 'sent the link again', done_by = 'quinn'")
    await run.handle.signal("task_moved", "help:5")
    assert (await run.handle.result()).open == 0
    assert run.world.one("SELECT outcome FROM consignee_case") == "sent the link again"


async def test_a_consignee_taken_out_of_the_scope_is_left_alone(run: CaseRun) -> None:
    run.open_case()
    run.open_case("patients")
    await run.start()
    await run.until_task(f"call:{run.consignee}")
    run.world.run("UPDATE consignee SET state = 'withdrawn'")
    await run.handle.signal("nudge")
    assert (await run.handle.result()).open == 0


async def test_the_end_of_the_recall_closes_every_case(run: CaseRun) -> None:
    other = run.world.consignee("Other", Person("o@x.example"))
    run.open_case()
    run.world.run(
        "INSERT INTO consignee_case (recall_number, consignee_id, reason, state, opened_at)"
        " VALUES (%s,%s,'patients','open',now())",
        NUMBER, other,
    )  # fmt: skip
    run.world.run("UPDATE consignee_case SET workflow_started_at = now() WHERE consignee_id = %s", other)
    await run.start()
    await run.until_task(f"call:{run.consignee}")
    assert (await run.stop(), await run.stop()) == (2, 0)
    await run.handle.result()
    assert run.tasks() == [(f"call:{run.consignee}", "cancelled")]
    closed = run.world.rows("SELECT DISTINCT state, closed_by, outcome FROM consignee_case")
    assert closed == [{"state": "closed", "closed_by": "system", "outcome": "the recall has ended"}]


async def test_the_web_ui_shows_reasons_and_steps_and_never_who_it_is(run: CaseRun) -> None:
    run.open_case()
    await run.start()
    await run.until_task(f"call:{run.consignee}")
    described = await run.handle.describe()
    attributes = described.typed_search_attributes
    assert attributes[sa.RECALL_NUMBER] == NUMBER
    assert attributes[sa.WAITING_FOR] == f"no answer: call:{run.consignee}"
    assert attributes[sa.NEXT_DEADLINE_AT] is not None
    shown = str(await run.handle.query("__temporal_workflow_metadata"))
    history = (await run.handle.fetch_history()).to_json()
    assert "Case of consignee" in shown
    assert "Mercy" not in shown + history


@pytest.mark.parametrize("run", [0], indirect=True)
async def test_every_task_replays_from_history_when_nothing_is_cached(run: CaseRun) -> None:
    run.open_case()
    await run.start()
    await run.until_task(f"call:{run.consignee}")
    await run.forward(25 * HOUR)
    await run.until_task(f"visit:{run.consignee}")
    await run.answer()
    await run.handle.signal("nudge")
    assert (await run.handle.result()).open == 0
