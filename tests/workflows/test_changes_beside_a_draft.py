"""A recall that changes at the very moment at which its notice is drafted or released."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from models.messages import ApproveNotice, AuthorityClass, ExpandScope, PassGate, Reclassify, ReduceScope
from plugin import recall_plugin, workflow_runner
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import ADA, QUINN, REGI, RecallRun
from tests.workflows.test_recall_amendments import GROWN, MORE, campaigns, drafts, with_a_new_line
from workflows.recall import RecallWorkflow

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]
OLD = Path(__file__).parent / "histories" / "draft_taken_back_for_a_class_it_had.json"
"""A recall of the code before `notice-as-the-change-met-it`, in which the draft was taken back all the same."""


def held_up(fakes: FakeRecallActivities, name: str) -> asyncio.Event:
    """From now on the activity answers only when the event is set."""
    fakes.slow[name] = asyncio.Event()
    return fakes.slow[name]


async def called(run: RecallRun, fakes: FakeRecallActivities, name: str) -> None:
    async with asyncio.timeout(20):
        while name not in fakes.names():
            await run.handle.query("snapshot")


async def notice_to_release(run: RecallRun) -> Any:
    async with asyncio.timeout(20):
        return await run.until(lambda state: any("notice" in each for each in state.approvals_open))


async def new_class(run: RecallRun, to: str) -> None:
    given = {"product_line": "Uni-Gold", "jurisdiction": "us-fda", "recall_class": to, "reference": "Res 98112"}
    await run.decide("reclassify", Reclassify(actor=ADA, authority=(AuthorityClass.model_validate(given),)))


async def without_a_lot(run: RecallRun) -> None:
    await run.decide("reduce_scope", ReduceScope(actor=ADA, reason="tested and conforming", lot_ids=(7,)))


async def test_a_draft_that_a_new_class_has_let_begin_is_not_taken_back_for_it(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await with_a_new_line(run, temporal, fakes)
    await run.evaluate("controls")
    branches_read = held_up(fakes, "turn_branches")
    deciding = asyncio.create_task(run.decide("reclassify", Reclassify(actor=ADA, proposal_id=2)))
    assert (await notice_to_release(run)).notice.version == 2
    branches_read.set()
    await deciding
    assert (await notice_to_release(run)).notice.version == 2, "the approver is reading it"
    assert drafts(fakes) == [(1, "initial", 1), (2, "amendment", 2)]


async def test_a_recall_in_which_it_was_taken_back_goes_on() -> None:
    replayer = Replayer(workflows=[RecallWorkflow], plugins=[recall_plugin()], workflow_runner=workflow_runner())
    await replayer.replay_workflow(WorkflowHistory.from_json("recall:RC-2026-000001", OLD.read_text()))


@pytest.mark.parametrize("scope", [False, True])
async def test_a_draft_being_written_while_class_or_scope_change_is_written_anew(
    start: Start, fakes: FakeRecallActivities, scope: bool
) -> None:
    run = await start()
    await run.to_gates()
    written = held_up(fakes, "draft_notice")
    for gate in ("us-fda:fda_informed", "us-fda:firm"):
        await run.decide("pass_gate", PassGate(actor=REGI, gate=gate, reference="x"))
    await called(run, fakes, "draft_notice")
    fakes.next_class, fakes.change = "III", {"lots_removed": 1}
    await (without_a_lot(run) if scope else new_class(run, "III"))
    written.set()
    await notice_to_release(run)
    assert drafts(fakes) == [(1, "initial", 1), (2, "initial", 2 if scope else 1)], "the first one may be out of date"


async def test_what_puts_a_fault_right_before_it_is_shown_is_not_forgotten(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.draft_faults = 1
    run = await start()
    await run.to_gates()
    drafted = held_up(fakes, "draft_notice")
    for gate in ("us-fda:fda_informed", "us-fda:firm"):
        await run.decide("pass_gate", PassGate(actor=REGI, gate=gate, reference="x"))
    await called(run, fakes, "draft_notice")
    await run.until(lambda state: state.waiting_for == "the notice to be drafted and sent")
    shown = held_up(fakes, "project")
    drafted.set()
    await run.until(lambda state: "cannot be drafted" in (state.waiting_for or ""))
    fakes.change = GROWN
    expansion = ExpandScope(actor=QUINN, reason="the same resin", added=MORE)
    expanding = asyncio.create_task(run.decide("expand_scope", expansion))
    await run.until(lambda state: state.scope_version == 2)
    shown.set()
    await expanding
    await notice_to_release(run)
    assert drafts(fakes) == [(1, "initial", 1), (2, "initial", 2)]


@pytest.mark.parametrize("scope", [False, True])
async def test_what_changes_right_behind_a_release_is_told_by_an_amendment(
    start: Start, fakes: FakeRecallActivities, scope: bool
) -> None:
    fakes.first_class, fakes.next_class, fakes.change = "III", "I", {"lots_removed": 1}
    run = await start()
    await run.to_notice()
    recorded = held_up(fakes, "record_notice_approval")
    approval = ApproveNotice(actor=ADA, notice_id=7, sha256="a" * 64)
    releasing = asyncio.create_task(run.decide("approve_notice", approval))
    await called(run, fakes, "record_notice_approval")
    before = await run.updates_in_history()
    changing = asyncio.create_task(without_a_lot(run) if scope else new_class(run, "I"))
    async with asyncio.timeout(20):
        while await run.updates_in_history() == before:
            pass
    recorded.set()
    await asyncio.gather(releasing, changing)
    await notice_to_release(run)
    assert campaigns(fakes) == [(1, "initial")]
    last = [call for name, call in fakes.calls if name == "draft_notice"][-1]
    assert (last.version, last.kind, last.class_change) == (2, "amendment", None if scope else ("III", "I"))
