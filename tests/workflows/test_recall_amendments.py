"""A recall that changes while it runs: scope, class, harm; only the difference moves, notices queue in order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.phases import Phase
from domain.scope import LotRef, ScopeCriteria
from models.messages import (
    ApproveNotice,
    AuthorityClass,
    ExpandScope,
    Gate,
    HoldFigures,
    PassGate,
    Reclassify,
    RecordEvaluation,
    RecordMarketActions,
    ReduceScope,
)
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import ADA, MIRA, QUINN, REGI, RecallRun, actor
from tests.workflows.test_recall_closing import completed, report, to_resolution
from tests.workflows.test_recall_workflow import refused

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]
MORE = ScopeCriteria(lots=(LotRef(product_code="P", number="L2"),))
GROWN = {"lots_added": 1, "consignees_added": 1, "consignees_changed": 1}
SHRUNK = {"lots_removed": 1, "consignees_withdrawn": 1, "told": 1, "holds_to_nonconformity": 2}


async def expand(run: RecallRun, **more: Any) -> Any:
    given = {"actor": QUINN, "reason": "the same resin", "added": MORE} | more
    return await run.decide("expand_scope", ExpandScope.model_validate(given))


async def reduce(run: RecallRun, **more: Any) -> Any:
    given = {"actor": ADA, "reason": "tested and conforming", "lot_ids": (7,)} | more
    return await run.decide("reduce_scope", ReduceScope.model_validate(given))


async def with_a_new_line(run: RecallRun, temporal: WorkflowEnvironment, fakes: FakeRecallActivities) -> Any:
    """A notified recall whose scope has grown by a product line that has no class yet."""
    await to_resolution(run, temporal)
    fakes.change, fakes.lines = GROWN, ("Uni-Gold", "controls")
    await expand(run)
    return await run.until(lambda state: state.waiting_for == "the class of controls")


async def release(run: RecallRun, kind: str, version: int) -> None:
    """Wait for the draft of this version and release it."""
    # No longer than until it is passed: another draft than the one expected is a fault, and no reason to wait for ever.
    state = await run.until(lambda state: state.notice is not None and state.notice.version >= version)
    assert (state.notice.version, state.notice.kind) == (version, kind)
    await run.until(lambda state: bool(state.approvals_open))
    approval = ApproveNotice(actor=ADA, notice_id=state.notice.notice_id, sha256="a" * 64)
    await run.decide("approve_notice", approval)


def campaigns(fakes: FakeRecallActivities) -> list[tuple[int, str]]:
    return [(call.sequence, call.kind) for name, call in fakes.calls if name == "create_campaign"]


def drafts(fakes: FakeRecallActivities) -> list[tuple[int, str, int]]:
    return [(call.version, call.kind, call.scope_version) for name, call in fakes.calls if name == "draft_notice"]


async def test_quality_expands_alone_and_an_approver_who_is_not_the_starter_reduces(start: Start) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    assert await refused(expand(run, actor=REGI)) == "NotPermitted"
    assert await refused(expand(run, reason=" ")) == "ReasonRequired"
    assert await refused(reduce(run, actor=QUINN)) == "NotPermitted"
    assert await refused(reduce(run, actor=actor("quinn", "approver"))) == "FourEyes"
    receipt = await expand(run)
    assert receipt.detail.startswith("scope version 2")
    assert (await run.until(lambda state: state.scope_version == 2)).scope.lots == 4


async def test_a_change_that_the_record_does_not_allow_is_refused_and_leaves_the_scope(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.scope_fault = "lot_ids: no lot would be left in the scope; cancel the recall instead"
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    assert await refused(reduce(run)) == "InvalidInput"
    assert (await run.until(lambda _: True)).scope_version == 1


async def test_an_expansion_after_the_notice_holds_the_difference_and_brings_out_an_amendment(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await to_resolution(run, temporal)
    fakes.change = GROWN
    placed = fakes.names().count("execute_holds")
    await expand(run)
    state = await run.until(lambda state: state.phase == Phase.NOTIFICATION)
    assert state.changes_waiting == 1
    while fakes.names().count("execute_holds") == placed:
        await run.handle.query("snapshot")
    assert [call for name, call in fakes.calls if name == "execute_holds"][-1].scope_version == 2
    await release(run, "amendment", 2)
    await report(run, temporal, 2, consignees=2, outstanding=1, finished=False)
    assert (await run.until(lambda state: len(state.campaigns) == 2)).phase == Phase.NOTIFICATION
    await report(run, temporal, 2)
    await run.until(lambda state: state.phase == Phase.RESOLUTION)
    assert campaigns(fakes) == [(1, "initial"), (2, "amendment")]


async def test_several_changes_queue_and_one_before_the_release_takes_the_draft_back(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await to_resolution(run, temporal)
    fakes.change = GROWN
    await expand(run)
    await run.until(lambda state: state.notice is not None and state.notice.version == 2 and state.approvals_open)
    fakes.change = SHRUNK
    await reduce(run)
    await release(run, "amendment", 3)
    assert drafts(fakes) == [(1, "initial", 1), (2, "amendment", 2), (3, "amendment", 3)]
    fakes.change = GROWN
    await expand(run)
    await release(run, "amendment", 4)
    while len(campaigns(fakes)) < 3:
        await run.handle.query("snapshot")
    assert campaigns(fakes) == [(1, "initial"), (2, "amendment"), (3, "amendment")]


async def test_a_change_before_the_first_release_redrafts_the_first_notice(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_notice()
    await run.until(lambda state: bool(state.approvals_open))
    fakes.change = GROWN
    await expand(run)
    await release(run, "initial", 2)
    while not campaigns(fakes):
        await run.handle.query("snapshot")
    assert campaigns(fakes) == [(1, "initial")]


async def test_a_new_product_line_is_evaluated_and_classified_before_its_amendment_is_drafted(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    state = await with_a_new_line(run, temporal, fakes)
    assert len(drafts(fakes)) == 1, "a notice names classes"
    await run.evaluate("controls")
    wrong = Reclassify(actor=ADA, proposal_id=1)
    assert await refused(run.decide("reclassify", wrong)) == "StaleProposal"
    assert await refused(run.decide("reclassify", Reclassify(actor=actor("mira", "approver"), proposal_id=2))) == (
        "FourEyes"
    )
    await run.decide("reclassify", Reclassify(actor=ADA, proposal_id=2))
    await release(run, "amendment", 2)
    assert state.phase == Phase.NOTIFICATION


async def test_a_class_that_rises_tells_everybody_and_new_gates_come_first(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    fakes.first_class = "III"
    run = await start()
    await to_resolution(run, temporal)
    fakes.next_class = "I"
    fakes.new_gates = (Gate(key="us-fda:press", title="Press release", waivable=False, source="21 CFR 7.50"),)
    given = AuthorityClass(product_line="Uni-Gold", jurisdiction="us-fda", recall_class="I", reference="Res 98112")
    foreign = given.model_copy(update={"jurisdiction": "cn-nmpa"})
    assert await refused(run.decide("reclassify", Reclassify(actor=ADA, authority=(foreign,)))) == "InvalidInput"
    assert await refused(run.decide("reclassify", Reclassify(actor=ADA))) == "InvalidInput"
    receipt = await run.decide("reclassify", Reclassify(actor=ADA, authority=(given,)))
    assert receipt.detail == "class I, before III"
    await run.until(lambda state: state.waiting_for == "the authority steps before the notice")
    await run.decide("pass_gate", PassGate(actor=REGI, gate="us-fda:press", reference="wire 3"))
    await release(run, "amendment", 2)
    last = [call for name, call in fakes.calls if name == "draft_notice"][-1]
    assert last.class_change == ("III", "I")


async def test_a_gate_that_the_new_class_does_not_ask_for_leaves_no_task_and_its_reports_are_looked_at(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_gates()
    await run.decide("pass_gate", PassGate(actor=REGI, gate="us-fda:fda_informed", reference="call 1"))
    while "gate:us-fda:firm" not in fakes.stages:
        await run.handle.query("snapshot")
    obligations = temporal.client.get_workflow_handle(f"{run.handle.id}:obligations")
    nudges = (await obligations.query("told")).count("nudge")
    fakes.next_class, fakes.gates_left = "III", ("us-fda:fda_informed", "us-fda:firm")
    given = AuthorityClass(product_line="Uni-Gold", jurisdiction="us-fda", recall_class="III", reference="Res 98113")
    await run.decide("reclassify", Reclassify(actor=ADA, authority=(given,)))
    closed = [(call.key, call.outcome) for name, call in fakes.calls if name == "close_task"]
    closed = [(key, outcome) for key, outcome in closed if key.startswith("gate:")]
    assert closed == [("gate:us-fda:firm", "not asked for at this level")]
    assert (await obligations.query("told")).count("nudge") > nudges, "what the gate settled is owed by itself"
    state = await run.until(lambda state: state.phase == Phase.NOTIFICATION)
    assert state.gates_open == ()


async def test_harm_reopens_the_evaluation_and_the_approver_decides_again(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await to_resolution(run, temporal)
    again = RecordEvaluation(actor=MIRA, product_line="Uni-Gold", evaluation={}, market_actions={"us-fda": "removal"})
    assert await refused(run.decide("record_evaluation", again)) == "ReasonRequired"
    fakes.harmed = ("Uni-Gold",)
    obligations = temporal.client.get_workflow_handle(f"{run.handle.id}:obligations")
    nudges = (await obligations.query("told")).count("nudge")
    await run.handle.signal("record_moved", "complaint")
    while "evaluation:Uni-Gold:2" not in fakes.tasks:
        await run.handle.query("snapshot")
    assert (await obligations.query("told")).count("nudge") == nudges + 1, "a report on harm is due within days"
    assert await refused(run.decide("reclassify", Reclassify(actor=ADA, proposal_id=1))) == "WrongPhase"
    await run.decide("record_evaluation", again)
    state = await run.until(lambda state: bool(state.approvals_open))
    assert state.approvals_open == ("class: proposal 2",)
    await run.decide("reclassify", Reclassify(actor=ADA, proposal_id=2))
    after = await run.until(lambda state: not state.approvals_open)
    assert after.phase == Phase.RESOLUTION, "the class stayed: nobody has to be told"
    assert await refused(run.decide("reclassify", Reclassify(actor=ADA, proposal_id=2))) == "AlreadyDecided"


async def test_an_expansion_of_a_completed_recall_reopens_it_and_voids_its_signatures(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await completed(run, temporal)
    await run.until(lambda state: state.phase == Phase.AWAITING_AUTHORITY)
    fakes.change = GROWN
    await expand(run)
    state = await run.until(lambda state: state.phase == Phase.NOTIFICATION)
    assert not state.completion_signed_as
    assert fakes.names().count("record_reopening") == 1


async def test_a_notice_that_cannot_be_drafted_is_shown_and_tried_again_when_the_scope_changes(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.draft_faults = 1
    run = await start()
    await run.to_gates()
    await run.decide("pass_gate", PassGate(actor=REGI, gate="us-fda:fda_informed", reference="x"))
    await run.decide("pass_gate", PassGate(actor=REGI, gate="us-fda:firm", reference="x"))
    state = await run.until(lambda state: "cannot be drafted" in (state.waiting_for or ""))
    assert "no affected product" in state.waiting_for
    fakes.change, fakes.holds = GROWN, [HoldFigures(confirmed=5)]
    await expand(run)
    await run.until(lambda state: state.waiting_for == "the approver's release of the notice")


async def test_a_notice_that_there_was_nobody_to_give_to_is_drafted_as_soon_as_records_show_somebody(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.draft_faults, fakes.consignees = 1, 0
    run = await start()
    await run.to_gates()
    for gate in ("us-fda:fda_informed", "us-fda:firm"):
        await run.decide("pass_gate", PassGate(actor=REGI, gate=gate, reference="x"))
    await run.until(lambda state: "cannot be drafted" in (state.waiting_for or ""))
    fakes.records_arrived, fakes.consignees = True, 2
    await run.handle.signal("stock_appeared")
    async with asyncio.timeout(20):
        await run.until(lambda state: state.waiting_for == "the approver's release of the notice")


async def test_tasks_about_a_product_line_end_when_it_leaves_the_scope_and_are_new_ones_when_it_comes_back(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.lines = ("Uni-Gold", "controls")
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    why = {"justification": "Only the carton.", "conclusions": "No risk."}
    given = {"product_line": "controls", "jurisdiction": "us-fda", "action": "market_withdrawal"} | why
    withdrawn = RecordMarketActions.model_validate({"actor": REGI, "actions": [given]})
    await run.decide("record_market_actions", withdrawn)
    while not {"evaluation:controls", "review:1:us-fda:controls"} <= set(fakes.stages):
        await run.handle.query("snapshot")
    fakes.change, fakes.lines = SHRUNK, ("Uni-Gold",)
    await reduce(run)
    assert set(fakes.stages) == {"evaluation:Uni-Gold"}
    outcomes = {call.outcome for name, call in fakes.calls if name == "close_task" and "controls" in call.key}
    assert outcomes == {"its product line left the scope"}
    fakes.change, fakes.lines = GROWN, ("Uni-Gold", "controls")
    await expand(run)
    assert "evaluation:controls:2" in fakes.stages
    bare = RecordEvaluation(actor=MIRA, product_line="controls", evaluation={}, market_actions={})
    assert await refused(run.decide("record_evaluation", bare)) == "MarketActionMissing"
    await run.decide("record_market_actions", withdrawn)
    assert [key for key in fakes.stages if key.startswith("review:")] == ["review:3:us-fda:controls"]


async def test_a_proposal_that_takes_the_place_of_another_ends_the_task_to_decide_on_it(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await to_resolution(run, temporal)
    for number, action in ((2, "correction"), (3, "removal")):
        given = {"product_line": "Uni-Gold", "jurisdiction": "us-fda", "action": action}
        await run.decide(
            "record_market_actions", RecordMarketActions.model_validate({"actor": REGI, "actions": [given]})
        )
        again = RecordEvaluation(
            actor=MIRA, product_line="Uni-Gold", evaluation={}, market_actions={}, reason="another action"
        )
        await run.decide("record_evaluation", again)
        assert [key for key in fakes.stages if key.startswith("reclassify:")] == [f"reclassify:{number}"]
    closed = [(call.key, call.outcome) for name, call in fakes.calls if name == "close_task"]
    assert ("reclassify:2", "proposal 3 takes its place") in closed
