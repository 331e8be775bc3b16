"""Decisions that several people sign: order, persons, tasks, and what voids the signatures given so far."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from domain.phases import Phase
from domain.scope import LotRef, ScopeCriteria
from models.messages import (
    ApproveNotice,
    ClassOverride,
    ExpandScope,
    ExtraTaskFigures,
    Gate,
    OverrideClass,
    PassGate,
    Reclassify,
    RecordEvaluation,
)
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import ADA, MIRA, QUINN, REGI, RecallRun, actor
from tests.workflows.test_recall_workflow import refused

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]
HANA, BORIS = actor("hana", "head_of_quality"), actor("boris", "approver")
TWO = ("approver", "head_of_quality")
NOTICE = {"notice_id": 7, "sha256": "a" * 64}


async def test_a_notice_of_two_signers_is_released_by_the_second_of_them(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.branches = {"signers": {"notice": TWO}}
    run = await start()
    await run.to_notice()
    early = ApproveNotice(actor=actor("hugo", "warehouse"), **NOTICE)
    assert await refused(run.decide("approve_notice", early)) == "NotPermitted"
    receipt = await run.decide("approve_notice", ApproveNotice(actor=ADA, **NOTICE))
    assert "signed for approver, 1 so far" in receipt.detail
    assert fakes.tasks["notice:sign:2"].role == "head_of_quality"
    assert "record_notice_approval" not in fakes.names()
    again = ApproveNotice(actor=actor("ada", "approver", "head_of_quality"), **NOTICE)
    assert await refused(run.decide("approve_notice", again)) == "FourEyes"
    assert await refused(run.decide("approve_notice", ApproveNotice(actor=BORIS, **NOTICE))) == "NotPermitted"
    await run.decide("approve_notice", ApproveNotice(actor=HANA, **NOTICE))
    await run.until(lambda state: state.campaigns is not None and "create_campaign" in fakes.names())
    assert fakes.names().count("record_approval_signature") == 1
    assert "notice:sign:2" not in fakes.stages


async def test_class_one_needs_two_signatures_and_class_two_only_the_approver(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.assessment_signers = {"I": TWO, "II": ("approver",), "III": ("approver",)}
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.evaluate()
    await run.approve()
    assert (await run.handle.query("snapshot"))["phase"] == "assessment"
    lower = OverrideClass(
        actor=HANA,
        proposal_id=1,
        overrides=(ClassOverride(product_line="Uni-Gold", jurisdiction="us-fda", recall_class="II"),),
        reason="milder",
    )
    assert await refused(run.decide("override_class", lower)) == "HashMismatch"
    assert await refused(run.approve(MIRA)) == "NotPermitted"
    await run.approve(HANA)
    await run.until(lambda state: state.phase == Phase.STRATEGY)


async def test_a_new_proposal_voids_the_signatures_under_the_one_before(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.assessment_signers = {"I": TWO}
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.evaluate()
    await run.approve()
    await run.evaluate()
    assert "void_approvals" in fakes.names()
    voided = next(argument for name, argument in fakes.calls if name == "void_approvals")
    assert (voided.subject, voided.signers) == ("assessment:1", ("ada",))
    assert [key for key in fakes.stages if key.startswith("assessment")] == ["assessment:2"]
    assert fakes.tasks["assessment:2"].role == "approver"
    await run.approve(BORIS, proposal=2)
    assert [key for key in fakes.stages if key.startswith("assessment")] == ["assessment:2:sign:2"]
    assert fakes.tasks["assessment:2:sign:2"].role == "head_of_quality"
    await run.approve(HANA, proposal=2)
    await run.until(lambda state: state.phase == Phase.STRATEGY)
    assert not [key for key in fakes.stages if key.startswith("assessment")]


async def test_a_change_of_scope_that_voids_a_signature_asks_the_first_signer_again(
    start: Start, fakes: FakeRecallActivities
) -> None:
    fakes.assessment_signers = {"I": TWO}
    run = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    await run.evaluate()
    await run.approve()
    fakes.evaluated += 1  # the proposal says something else now: an id of its own, without an evaluation
    added = ScopeCriteria(lots=(LotRef(product_code="P", number="L2"),))
    await run.decide("expand_scope", ExpandScope(actor=QUINN, reason="the same resin", added=added))
    assert [key for key in fakes.stages if key.startswith("assessment")] == ["assessment:2"]
    await run.approve(proposal=2)
    await run.approve(HANA, proposal=2)
    await run.until(lambda state: state.phase == Phase.STRATEGY)


async def test_a_class_decided_again_needs_every_signer_of_its_rules_and_a_newer_proposal_voids_what_was_signed(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_strategy()
    fakes.assessment_signers = {"I": TWO, "II": ("approver",)}
    anew = RecordEvaluation(
        actor=MIRA, product_line="Uni-Gold", evaluation={}, market_actions={"us-fda": "removal"}, reason="new facts"
    )
    milder = ClassOverride(product_line="Uni-Gold", jurisdiction="us-fda", recall_class="II")
    await run.decide("record_evaluation", anew)
    assert fakes.tasks["reclassify:2"].role == "approver"
    receipt = await run.decide("reclassify", Reclassify(actor=ADA, proposal_id=2))
    assert "signed for approver, 1 so far" in receipt.detail
    assert fakes.tasks["reclassify:2:sign:2"].role == "head_of_quality"
    await run.decide("record_evaluation", anew)
    voided = next(argument for name, argument in fakes.calls if name == "void_approvals")
    assert (voided.subject, voided.signers) == ("assessment:2", ("ada",))
    assert "reclassify:2:sign:2" not in fakes.stages
    again = Reclassify(actor=BORIS, proposal_id=3, overrides=(milder,), reason="seldom")
    assert await refused(run.decide("reclassify", again.model_copy(update={"actor": MIRA}))) == "NotPermitted"
    await run.decide("reclassify", again)
    assert await refused(run.decide("reclassify", Reclassify(actor=HANA, proposal_id=3))) == "HashMismatch"
    assert await refused(run.decide("reclassify", again.model_copy(update={"actor": ADA}))) == "NotPermitted"
    assert "record_reclassification" not in fakes.names()
    await run.decide("reclassify", again.model_copy(update={"actor": HANA}))
    [recorded] = [argument for name, argument in fakes.calls if name == "record_reclassification"]
    assert (recorded.role, recorded.task_key) == ("head_of_quality", "reclassify:3:sign:2")
    assert not [key for key in fakes.stages if key.startswith("reclassify:3")]
    assert await refused(run.decide("reclassify", again)) == "AlreadyDecided"


async def test_without_rules_the_approver_alone_decides_and_nothing_is_collected(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_campaign()
    await run.until(lambda state: "create_campaign" in fakes.names())
    assert "record_approval_signature" not in fakes.names()


async def test_a_branch_that_fires_in_the_middle_adds_its_gate_and_its_task_once(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_campaign()
    await run.until(lambda state: state.phase == Phase.NOTIFICATION)
    assert fakes.decided is not None
    gate = Gate(key="us-fda:harm_told", title="Tell the authority of the harm", waivable=False, source="test")
    fakes.decided_change = {"gates": (*fakes.decided.gates, gate)}
    extra = ExtraTaskFigures(
        key="extra:us-fda:registry",
        title="Ask the implant registry",
        phase="strategy",
        role="medical",
        stand_in="qa",
        limit=timedelta(hours=8),
        remind=timedelta(hours=4),
        evidence_required=True,
    )
    fakes.branches, fakes.branches_moved = {"extra_tasks": (extra,)}, True
    for _ in range(2):
        await run.handle.signal("record_moved", "facts")
        await run.until(lambda state: state.gates_open == ("us-fda:harm_told",))
    while "extra:us-fda:registry" not in fakes.tasks:
        await run.handle.query("snapshot")
    opened = [argument.key for name, argument in fakes.calls if name == "open_task"]
    assert opened.count("extra:us-fda:registry") == 1
    task = fakes.tasks["extra:us-fda:registry"]
    assert (task.role, task.stand_in, task.evidence_required) == ("medical", "qa", True)
    assert task.due_at is not None
    assert task.due_at - task.now == timedelta(hours=8)
    assert "gate:us-fda:harm_told" in fakes.tasks


async def test_a_gate_that_opens_while_a_draft_waits_comes_before_its_release_and_no_later_look_drops_it(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_notice()
    assert fakes.decided is not None
    gate = Gate(key="us-fda:harm_told", title="Tell the authority of the harm", waivable=False, source="test")
    asked_for = fakes.decided.gates
    fakes.decided_change = {"gates": (*asked_for, gate)}
    await run.handle.signal("record_moved", "facts")
    state = await run.until(lambda state: state.gates_open == ("us-fda:harm_told",))
    approval = ApproveNotice(actor=ADA, **NOTICE)
    assert await refused(run.decide("approve_notice", approval)) == "WrongPhase"
    # The facts changed again and the policies of now know nothing of the gate: it was asked for and stays.
    fakes.decided_change, looks = {"gates": asked_for}, fakes.names().count("turn_branches")
    await run.handle.signal("record_moved", "facts")
    await run.until(lambda _: fakes.names().count("turn_branches") > looks)
    state = await run.until(lambda state: state.waiting_for == "the authority steps before the notice")
    assert state.gates_open == ("us-fda:harm_told",)
    await run.decide("pass_gate", PassGate(actor=REGI, gate="us-fda:harm_told", reference="call 3"))
    assert "gate:us-fda:harm_told" not in fakes.stages
    await run.decide("approve_notice", approval)
