"""The recall's order, decisions and time, on a real Temporal server with time skipping."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from domain.phases import Phase
from models.messages import (
    Actor,
    ApproveNotice,
    CampaignReport,
    ClassOverride,
    OverrideClass,
    PassGate,
    RejectRecall,
    WaiveGate,
)
from tests.support.clock import fast_forward
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import ADA, MIRA, QUINN, REGI, STRATEGY, RecallRun, actor, at_strategy

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]


async def refused(attempt: Awaitable[object]) -> str:
    """Type of the refusal an update was answered with."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await attempt
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.type or ""


async def test_a_recall_goes_from_alarm_to_resolution(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_campaign()
    campaign = temporal.client.get_workflow_handle(f"{run.handle.id}:campaign:1")
    await run.until(lambda state: state.waiting_for == "the consignees' acknowledgements")
    open_one = CampaignReport(
        campaign_id=11, consignees=2, outstanding=1, next_due_at=None, first_sent_at=fakes.projections[-1].now
    )
    await campaign.signal("report", open_one)
    halfway = await run.until(lambda state: state.outstanding == 1)
    assert halfway.response_percent == 50
    await campaign.signal("report", open_one.model_copy(update={"outstanding": 0, "finished": True}))
    done = await run.until(lambda state: state.phase == Phase.RESOLUTION)
    assert done.response_percent == 100
    assert fakes.names().count("write_deadlines") == 1
    assert fakes.names().count("meet_notice_limit") == 1
    assert await run.history_length() < 330


async def test_a_product_line_that_records_show_after_the_decision_is_evaluated_and_decided_on(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.to_strategy()
    fakes.lines = ("Uni-Gold", "controls")
    fakes.records_arrived = True
    await run.handle.signal("stock_appeared")
    await run.until(lambda state: state.scope is not None and len(state.scope.product_lines) == 2)
    while "evaluation:controls" not in fakes.tasks:
        await run.handle.query("snapshot")
    await run.evaluate("controls")
    assert fakes.tasks["reclassify:2"].role == "approver"


async def test_first_notices_that_are_late_show_as_overdue_until_they_are_out(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    # A running child stops time skipping, so the limit of this test is one of real seconds.
    fakes.notify_within = timedelta(seconds=3)
    run = await start()
    await run.to_campaign()
    await run.until(lambda state: state.overdue)
    campaign = temporal.client.get_workflow_handle(f"{run.handle.id}:campaign:1")
    await run.until(lambda state: state.waiting_for == "the consignees' acknowledgements")
    report = CampaignReport(campaign_id=11, consignees=2, outstanding=2, next_due_at=None, not_notified=2)
    sent = report.model_copy(update={"not_notified": 0, "first_sent_at": fakes.projections[-1].now})
    await campaign.signal("report", sent)
    assert not (await run.until(lambda state: not state.overdue)).overdue


@pytest.mark.parametrize(
    ("who", "kind"),
    [
        (actor("quinn", "qa", "approver"), "FourEyes"),
        (actor("QUINN ", "approver"), "FourEyes"),
        (actor("mira", "medical", "approver"), "FourEyes"),
        (actor("olaf", "qa"), "NotPermitted"),
        (actor("olaf", "auditor"), "NotPermitted"),
        (actor("olaf", "no-such-role"), "NotPermitted"),
    ],
)
async def test_neither_starter_nor_assessor_nor_a_person_without_the_role_approves(
    start: Start, who: Actor, kind: str
) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.evaluate()
    assert await refused(run.approve(who)) == kind
    assert await run.updates_in_history() == 1, "only the evaluation: a refused update writes nothing"


async def test_decisions_out_of_turn_are_refused_with_a_typed_reason(start: Start) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    assert await refused(run.approve()) == "WrongPhase"
    assert await refused(run.evaluate("another line")) == "UnknownProductLine"
    await run.evaluate()
    await run.evaluate()
    assert await refused(run.approve(proposal=1)) == "StaleProposal"
    assert await refused(run.sign("quality", QUINN)) == "WrongPhase"
    override = OverrideClass(
        actor=ADA,
        proposal_id=2,
        overrides=(ClassOverride(product_line="Uni-Gold", jurisdiction="us-fda", recall_class="II"),),
    )
    assert await refused(run.decide("override_class", override)) == "ReasonRequired"
    foreign = override.model_copy(
        update={
            "reason": "test",
            "overrides": (ClassOverride(product_line="x", jurisdiction="us-fda", recall_class="II"),),
        }
    )
    assert await refused(run.decide("override_class", foreign)) == "InvalidInput"
    await run.decide("override_class", override.model_copy(update={"reason": "harm is remote"}))
    assert await refused(run.approve(proposal=2)) in {"WrongPhase", "AlreadyDecided"}


async def test_the_class_is_proposed_only_when_every_product_line_is_evaluated(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.lines = ("kits", "controls")
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.evaluate("kits")
    assert await refused(run.approve()) == "WrongPhase"
    assert "propose_classes" not in fakes.names()
    await run.evaluate("controls")
    assert fakes.names().count("propose_classes") == 1


async def test_a_product_line_that_records_show_later_is_evaluated_before_the_class_is_approved(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.evaluate()
    fakes.lines, fakes.records_arrived = ("Uni-Gold", "controls"), True
    await run.handle.signal("stock_appeared")
    while "evaluation:controls" not in fakes.tasks:
        await run.handle.query("snapshot")
    assert await refused(run.approve(proposal=1)) == "WrongPhase"
    await run.evaluate("controls")
    assert (await run.approve(proposal=2)).detail == "class I approved"


async def test_two_persons_sign_the_same_strategy(start: Start) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.to_strategy()
    await run.until(lambda state: state.phase == Phase.STRATEGY)
    both = actor("olaf", "qa", "regulatory")
    await run.sign("quality", both)
    assert await refused(run.sign("regulatory", both)) == "FourEyes"
    assert await refused(run.sign("quality", QUINN)) == "AlreadyDecided"
    other = STRATEGY.model_copy(update={"depth": "wholesale"})
    assert await refused(run.sign("regulatory", REGI, other)) == "HashMismatch"
    await run.sign("regulatory", REGI)
    await run.until(lambda state: state.phase == Phase.GATES)


async def test_a_gate_is_passed_or_waived_where_the_policy_allows_and_once(start: Start) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.to_gates()
    await run.until(lambda state: state.phase == Phase.GATES)
    assert await refused(run.decide("pass_gate", PassGate(actor=REGI, gate="x", reference="r"))) == "UnknownGate"
    firm = WaiveGate(actor=ADA, gate="us-fda:firm", reason="urgent")
    assert await refused(run.decide("waive_gate", firm)) == "NotWaivable"
    informed = WaiveGate(actor=ADA, gate="us-fda:fda_informed")
    assert await refused(run.decide("waive_gate", informed)) == "ReasonRequired"
    await run.decide("waive_gate", informed.model_copy(update={"reason": "urgent"}))
    passed = PassGate(actor=REGI, gate="us-fda:fda_informed", reference="r")
    assert await refused(run.decide("pass_gate", passed)) == "AlreadyDecided"
    assert (await run.handle.query("snapshot"))["gates_open"] == ["us-fda:firm"]


async def test_only_the_bodies_behind_the_hash_are_approved(start: Start) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.to_notice()
    good = ApproveNotice(actor=ADA, notice_id=7, sha256="a" * 64)
    assert await refused(run.decide("approve_notice", good.model_copy(update={"sha256": "b" * 64}))) == "HashMismatch"
    assert await refused(run.decide("approve_notice", good.model_copy(update={"notice_id": 8}))) == "StaleProposal"
    starter = good.model_copy(update={"actor": actor("quinn", "approver")})
    assert await refused(run.decide("approve_notice", starter)) == "FourEyes"
    await run.decide("approve_notice", good)


async def test_a_release_that_comes_while_its_task_is_written_leaves_no_task_behind(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run, written = await start(), asyncio.Event()
    fakes.slow_tasks["notice"] = written
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.to_notice()
    while not any(name == "open_task" and task.key == "notice" for name, task in fakes.calls):
        await run.handle.query("snapshot")
    await run.decide("approve_notice", ApproveNotice(actor=ADA, notice_id=7, sha256="a" * 64))
    written.set()
    await run.until(lambda _: "create_campaign" in fakes.names())
    assert "notice" not in fakes.stages


async def test_a_rejected_recall_ends_with_nonconformity_holds(start: Start, fakes: FakeRecallActivities) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    assert await refused(run.decide("reject", RejectRecall(actor=ADA))) == "ReasonRequired"
    receipt = await run.decide("reject", RejectRecall(actor=ADA, reason="the complaint was about another product"))
    assert receipt.waiting_for is None
    assert await run.handle.result() == Phase.REJECTED.value
    assert "record_rejection" in fakes.names()
    last = fakes.projections[-1]
    assert (last.phase, last.waiting_for) == (Phase.REJECTED, None)
    assert last.ended_reason == "the complaint was about another product"


async def test_a_late_person_is_reminded_once_the_task_passes_on_and_the_recall_waits(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.until(lambda state: state.waiting_for is not None and "evaluation" in state.waiting_for)
    assert not (await run.until(lambda _: True)).overdue
    await fast_forward(temporal, run.handle, timedelta(hours=30))
    assert (await run.until(lambda state: state.overdue)).overdue
    assert fakes.climbed == [("evaluation:Uni-Gold", 1), ("evaluation:Uni-Gold", 2)]
    await run.evaluate()
    state = await run.until(lambda state: state.waiting_for == "the approver's decision on the class")
    assert not state.overdue


async def test_each_signer_s_task_climbs_once_and_a_passed_notice_limit_shows_until_the_notices_are_out(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start(state=await at_strategy(fakes))
    waiting = await run.until(lambda state: state.waiting_for == "two signatures on the strategy")
    while "strategy:regulatory" not in fakes.tasks:
        await run.handle.query("snapshot")
    assert waiting.next_deadline_name == "the first notice to every consignee", "earlier than the signers' own time"
    assert not waiting.overdue
    await fast_forward(temporal, run.handle, timedelta(hours=25))
    late = await run.until(lambda state: state.overdue)
    assert late.next_deadline_at == waiting.next_deadline_at, "a passed limit stays in sight"
    signers = [(f"strategy:{capacity}", stage) for stage in (1, 3) for capacity in ("quality", "regulatory")]
    while len(fakes.climbed) < len(signers):
        await run.handle.query("snapshot")
    assert sorted(fakes.climbed) == sorted(signers)
    await run.sign("quality", QUINN)
    await run.sign("regulatory", REGI)
    gates = await run.until(lambda state: state.phase == Phase.GATES and state.waiting_for is not None)
    assert gates.overdue, "the limit runs on while a gate is open"
    await run.to_campaign(from_gates=True)
    campaign = temporal.client.get_workflow_handle(f"{run.handle.id}:campaign:1")
    await run.until(lambda state: state.waiting_for == "the consignees' acknowledgements")
    report = CampaignReport(
        campaign_id=11, consignees=2, outstanding=1, next_due_at=None, first_sent_at=fakes.projections[-1].now
    )
    await campaign.signal("report", report)
    await run.until(lambda state: not state.overdue)


async def test_due_times_shrink_with_the_pace(start: Start, fakes: FakeRecallActivities) -> None:
    run = await start(pace=24.0)
    await run.until(lambda state: state.next_deadline_at is not None)
    task = fakes.tasks["evaluation:Uni-Gold"]
    assert task.due_at is not None
    assert task.due_at - task.now == timedelta(hours=1)


async def test_the_same_decision_sent_twice_counts_once(start: Start, fakes: FakeRecallActivities) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.evaluate()
    first = await run.approve(id="approve-1")
    again = await run.approve(id="approve-1")
    assert first == again
    assert fakes.names().count("record_class_decision") == 1


async def test_of_two_approvals_at_once_one_is_recorded(start: Start, fakes: FakeRecallActivities) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.evaluate()
    outcomes = await asyncio.gather(
        run.approve(actor("ada", "approver")), run.approve(actor("bert", "approver")), return_exceptions=True
    )
    assert sum(isinstance(outcome, WorkflowUpdateFailedError) for outcome in outcomes) == 1
    assert fakes.names().count("record_class_decision") == 1


async def test_a_medical_assessor_only_evaluates(start: Start) -> None:
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    assert await refused(run.evaluate(who=ADA)) == "NotPermitted"
    await run.evaluate(who=MIRA)


class TestReplayedFromHistoryAtEveryTask:
    """Without a workflow cache every task replays, which exposes nondeterminism at once."""

    @pytest.fixture
    def cached_workflows(self) -> int:
        return 0

    async def test_the_whole_story_replays(self, start: Start, temporal: WorkflowEnvironment) -> None:
        run = await start()
        await run.to_campaign()
        campaign = temporal.client.get_workflow_handle(f"{run.handle.id}:campaign:1")
        await run.until(lambda state: state.waiting_for == "the consignees' acknowledgements")
        report = CampaignReport(campaign_id=11, consignees=2, outstanding=0, next_due_at=None, finished=True)
        await campaign.signal("report", report)
        await run.until(lambda state: state.phase == Phase.RESOLUTION)
