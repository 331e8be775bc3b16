"""Market actions come first: no evaluation without them, no approval on an unreviewed justification, tasks for both."""

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from domain.phases import Phase
from models.messages import (
    ApproveAssessment,
    MarketActionFor,
    RecordEvaluation,
    RecordMarketActions,
    ReviewMarketAction,
)
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import ADA, MIRA, QUINN, REGI, RecallRun, actor

pytestmark = pytest.mark.workflow
HUGO = actor("hugo", "head_of_regulatory")
LINE = "Uni-Gold"
WHY = {"justification": "Only the carton changed.", "conclusions": "No violation, no risk to health."}


def act(action: str, who: Any = REGI, **more: Any) -> RecordMarketActions:
    one = MarketActionFor.model_validate({"product_line": LINE, "jurisdiction": "us-fda", "action": action} | more)
    return RecordMarketActions(actor=who, actions=(one,))


def review(outcome: str = "accepted", who: Any = HUGO) -> ReviewMarketAction:
    stated = {"product_line": LINE, "jurisdiction": "us-fda", "market_action_id": 1}
    return ReviewMarketAction.model_validate(stated | {"actor": who, "outcome": outcome, "evaluation": "Sound."})


async def refused(run: RecallRun, update: str, decision: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await run.decide(update, decision)
    cause = error.value.cause
    assert isinstance(cause, ApplicationError)
    return str(cause.type)


async def assessed(start: Any) -> RecallRun:
    run: RecallRun = await start()
    await run.until(lambda state: state.phase == Phase.ASSESSMENT)
    return run


async def test_a_hazard_is_not_evaluated_before_its_market_has_an_action(
    start: Any, fakes: FakeRecallActivities
) -> None:
    run = await assessed(start)
    bare = RecordEvaluation(actor=MIRA, product_line=LINE, evaluation={}, market_actions={})
    assert await refused(run, "record_evaluation", bare) == "MarketActionMissing"
    await run.decide("record_market_actions", act("removal"))
    await run.decide("record_evaluation", bare)
    assert fakes.names().index("record_market_actions") < fakes.names().index("record_evaluation")


async def test_who_may_decide_and_review_and_what_is_owed(start: Any) -> None:
    run = await assessed(start)
    assert await refused(run, "record_market_actions", act("removal", QUINN)) == "NotPermitted"
    assert await refused(run, "record_market_actions", act("none")) == "JustificationMissing"
    assert await refused(run, "record_market_actions", act("none", justification="x")) == "InvalidInput"
    assert await refused(run, "record_market_actions", act("removal", product_line="Gloves")) == "UnknownProductLine"
    assert await refused(run, "record_market_actions", act("removal", jurisdiction="eu-mdr")) == "InvalidInput"
    assert await refused(run, "review_market_action", review()) == "InvalidInput"
    both = actor("regi", "regulatory", "head_of_regulatory")
    await run.decide("record_market_actions", act("market_withdrawal", both, **WHY))
    assert await refused(run, "review_market_action", review(who=both)) == "FourEyes"
    assert await refused(run, "review_market_action", review(who=QUINN)) == "NotPermitted"
    await run.decide("review_market_action", review())
    assert await refused(run, "review_market_action", review()) == "AlreadyDecided"


async def test_an_evaluation_carries_only_actions_that_are_recalls_in_law(start: Any) -> None:
    run = await assessed(start)
    weak = RecordEvaluation(actor=MIRA, product_line=LINE, evaluation={}, market_actions={"us-fda": "none"})
    assert await refused(run, "record_evaluation", weak) == "JustificationMissing"
    await run.decide("record_market_actions", act("correction"))
    other = RecordEvaluation(actor=MIRA, product_line=LINE, evaluation={}, market_actions={"us-fda": "removal"})
    assert await refused(run, "record_evaluation", other) == "InvalidInput"


async def test_no_class_is_approved_before_the_justification_is_accepted(
    start: Any, fakes: FakeRecallActivities
) -> None:
    run = await assessed(start)
    await run.decide("record_market_actions", act("market_withdrawal", **WHY))
    await run.decide(
        "record_evaluation", RecordEvaluation(actor=MIRA, product_line=LINE, evaluation={}, market_actions={})
    )
    approval = ApproveAssessment(actor=ADA, proposal_id=1)
    assert await refused(run, "approve_assessment", approval) == "ReviewMissing"
    first = "review:1:us-fda:Uni-Gold"
    assert fakes.tasks[first].role == "head_of_regulatory"
    await run.decide("review_market_action", review("sent_back"))
    assert first not in fakes.stages
    assert fakes.tasks["justify:1:us-fda:Uni-Gold"].role == "regulatory"
    assert await refused(run, "approve_assessment", approval) == "ReviewMissing"
    await run.decide("record_market_actions", act("market_withdrawal", **WHY))
    assert "justify:1:us-fda:Uni-Gold" not in fakes.stages
    assert "review:2:us-fda:Uni-Gold" in fakes.stages
    await run.decide("review_market_action", review())
    await run.decide("approve_assessment", approval)


async def test_another_action_makes_the_hazard_be_evaluated_anew(start: Any, fakes: FakeRecallActivities) -> None:
    run = await assessed(start)
    await run.decide("record_market_actions", act("removal"))
    await run.decide(
        "record_evaluation", RecordEvaluation(actor=MIRA, product_line=LINE, evaluation={}, market_actions={})
    )
    await run.decide("record_market_actions", act("removal"))
    assert f"evaluation:{LINE}:2" not in fakes.tasks
    await run.decide("record_market_actions", act("correction"))
    assert f"evaluation:{LINE}:2" in fakes.stages
    assert await refused(run, "approve_assessment", ApproveAssessment(actor=ADA, proposal_id=1)) == "WrongPhase"
    again = RecordEvaluation(actor=MIRA, product_line=LINE, evaluation={}, market_actions={}, reason="other action")
    await run.decide("record_evaluation", again)
    await run.decide("approve_assessment", ApproveAssessment(actor=ADA, proposal_id=2))


async def test_a_class_that_is_recorded_instead_of_reported_owes_its_justification(
    start: Any, fakes: FakeRecallActivities
) -> None:
    fakes.records_owed = ((LINE, "us-fda"),)
    run = await assessed(start)
    await run.evaluate()
    await run.approve()
    await run.until(lambda state: state.phase == Phase.STRATEGY)
    key = "justify:0:us-fda:Uni-Gold"
    assert fakes.tasks[key].role == "regulatory"
    await run.decide("record_market_actions", act("removal", **WHY))
    assert key not in fakes.stages
    assert "review:1:us-fda:Uni-Gold" in fakes.stages
