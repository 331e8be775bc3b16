"""The recall and its holds: asked for before anybody evaluates, watched until the end, never waited for."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.phases import Phase
from models.messages import HoldFigures
from tests.support.clock import fast_forward
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import RecallRun

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]


async def test_stock_is_asked_to_be_held_before_anyone_evaluates_and_again_before_the_notice(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_notice()
    names = fakes.names()
    assert names.index("request_holds") < names.index("open_task")
    second = names.index("request_holds", names.index("record_gate"))
    assert second < names.index("draft_notice")


async def test_the_notice_does_not_wait_for_holds_that_are_never_confirmed(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.holds = [HoldFigures(requested=3, failed=1)]
    run = await start()
    await run.to_campaign()
    state = await run.until(lambda state: state.waiting_for == "the consignees' acknowledgements")
    assert state.holds.requested + state.holds.failed > 0


async def test_unconfirmed_holds_are_asked_for_again_until_confirmed(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    fakes.holds = [HoldFigures(requested=4), HoldFigures(failed=1, confirmed=3), HoldFigures(confirmed=4)]
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await fast_forward(temporal, run.handle, timedelta(hours=9))
    await run.until(lambda state: state.holds == HoldFigures(confirmed=4))
    assert fakes.names().count("execute_holds") >= 3
    assert fakes.tasks["holds:1"].role == "warehouse"
    while "close_task" not in fakes.names():
        await run.handle.query("snapshot")


async def test_each_keeper_is_chased_for_what_it_owes_itself(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    fakes.holds = [
        HoldFigures(failed=3, requested=2, owed={"east": 1, "west": 3}),
        HoldFigures(failed=3, confirmed=2, owed={"west": 3}),
    ]
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await fast_forward(temporal, run.handle, timedelta(hours=49))
    assert (await run.until(lambda state: state.overdue)).holds.failed == 3
    told = {key: task.what for key, task in fakes.tasks.items() if key.startswith("holds:")}
    # The first is about documents that nobody has stopped.
    assert told == {
        "holds:1": "Confirm 1 holds or stopped documents",
        "holds:2": "Confirm 1 holds at east",
        "holds:3": "Confirm 3 holds at west",
    }
    assert {key for key in fakes.stages if key.startswith("holds:")} == {"holds:3"}
    assert {key for key, _ in fakes.climbed if key.startswith("holds:")} == {"holds:3"}


async def test_holds_that_stay_unconfirmed_are_shown_and_climb_to_the_head_once(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    fakes.holds = [HoldFigures(failed=2)]
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await fast_forward(temporal, run.handle, timedelta(hours=49))
    assert (await run.until(lambda state: state.overdue)).holds.failed == 2
    assert [climb for climb in fakes.climbed if climb[0] == "holds:1"] == [("holds:1", 1), ("holds:1", 3)]


async def test_stock_that_appears_later_is_looked_for_at_once(start: Start, fakes: FakeRecallActivities) -> None:
    run = await start()
    await run.until(lambda state: state.holds.confirmed == 4)
    before = fakes.names().count("execute_holds")
    await run.handle.signal("stock_appeared")
    while fakes.names().count("execute_holds") == before:
        await run.handle.query("snapshot")
    assert fakes.names().count("resolve_scope") == 1, "no new records, so the trace stands"


async def test_consignees_that_records_show_later_are_brought_to_the_campaign(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_campaign()
    await run.until(lambda state: state.waiting_for == "the consignees' acknowledgements")
    fakes.consignees += 1
    fakes.records_arrived = True
    await run.handle.signal("stock_appeared")
    await run.until(lambda state: state.scope is not None and state.scope.consignees == 3)
    campaign = temporal.client.get_workflow_handle(f"{run.handle.id}:campaign:1")
    while not await campaign.query("nudges"):
        pass


async def test_the_hold_watch_outlives_a_failed_trace_and_a_campaign_that_was_ended(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_campaign()
    await run.until(lambda state: state.waiting_for == "the consignees' acknowledgements")
    fakes.records_arrived, fakes.trace_faults = True, 1
    await run.handle.signal("stock_appeared")
    while fakes.trace_faults:
        await run.handle.query("snapshot")
    campaign = temporal.client.get_workflow_handle(f"{run.handle.id}:campaign:1")
    await campaign.signal("stop")
    await campaign.result()
    fakes.consignees += 1
    await run.handle.signal("stock_appeared")
    await run.until(lambda state: state.scope is not None and state.scope.consignees == 3)
    fakes.holds = [HoldFigures(confirmed=5)]
    await run.handle.signal("stock_appeared")
    await run.until(lambda state: state.holds.confirmed == 5)
