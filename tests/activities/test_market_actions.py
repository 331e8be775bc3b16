"""Market actions on record: what replaces what, what the trace contradicts, which class owes a justification."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select
from temporalio.exceptions import ApplicationError

from activities.market_actions import MarketActionActivities
from activities.policies import PolicyStore
from activities.reclassification import ReclassificationActivities
from db.repositories import assessment, market_actions
from models.assessment import MarketActionRecord
from models.audit import AuditEvent
from models.messages import Actor, OpenTask, RecallRef
from models.recall import ClassDecision, SignOff
from models.task import Task
from tests.activities.conftest import NOW, NUMBER, ROOT, Case, approved, decision, evaluated
from tests.domain.factories import evaluation

REGI = Actor(principal="regi", roles=("regulatory",), signature=None)
HUGO = Actor(principal="hugo", roles=("head_of_regulatory",))
WHY = {
    "justification": "Nothing of it left the house.",
    "conclusions": "Not reportable (21 CFR 806.10).",
    "follow_up": None,
}


def acts(hours: float, *named: dict[str, Any]) -> Any:
    actions = [{"product_line": "kits", "jurisdiction": "us-fda"} | each for each in named]
    return decision("record_market_actions", REGI, hours, actions=actions)


async def rows(case: Case, table: Any) -> list[Any]:
    order: Any = table.seq if table is AuditEvent else table.id
    async with case.sessions() as session:
        return list((await session.exec(select(table).order_by(order))).all())


async def proposed(case: Case, law: str = "us-fda") -> ClassDecision:
    await case.run(case.assessment.propose_classes, RecallRef(number=NUMBER, now=NOW))
    found = [row for row in await rows(case, ClassDecision) if row.kind == "proposed" and row.jurisdiction == law]
    return found[-1]  # type: ignore[no-any-return]


async def test_an_action_is_stored_once_signed_off_and_audited_and_a_later_one_replaces_it(case: Case) -> None:
    await case.traced()
    activity = MarketActionActivities(case.sessions)
    for law in ("us-fda", "cn-nmpa"):
        task = OpenTask(
            number=NUMBER, key=f"justify:0:{law}:kits", step="approval", what="Justify", role="regulatory", now=NOW
        )
        await case.run(case.tasks.open_task, task)
    for record in (acts(0, {"action": "removal"}), acts(0, {"action": "removal"}), acts(1, {"action": "correction"})):
        await case.run(activity.record_market_actions, record)
    assert [row.action for row in await rows(case, MarketActionRecord)] == ["removal", "correction"]
    async with case.sessions() as session:
        [in_force] = await market_actions.latest(session, NUMBER)
    assert (in_force.action, in_force.decided_by, in_force.role) == ("correction", "regi", "regulatory")
    [done, other] = [(row.key, row.state) for row in await rows(case, Task) if row.step == "approval"]
    assert (done, other) == (("justify:0:us-fda:kits", "done"), ("justify:0:cn-nmpa:kits", "offered"))
    signed = [row for row in await rows(case, SignOff) if row.step == "market_action"]
    audited = [row for row in await rows(case, AuditEvent) if row.action == "market_action.decided"]
    assert len(signed) == len(audited) == 2
    assert audited[1].data["actions"][0]["action"] == "correction"


async def test_the_class_rests_on_the_action_in_force_not_on_the_first_the_law_knows(case: Case) -> None:
    await case.traced()
    await case.run(MarketActionActivities(case.sessions).record_market_actions, acts(0, {"action": "correction"}))
    await case.run(case.assessment.record_evaluation, evaluated(us_fda="correction"))
    assert (await proposed(case)).market_action == "correction"
    assert (await proposed(case, "eu-mdr")).market_action == "fsca"  # signed by the assessor with the form
    by = {row.jurisdiction: row.decided_by for row in await rows(case, MarketActionRecord)}
    assert by == {"us-fda": "regi", "eu-mdr": "mira", "cn-nmpa": "mira"}


async def test_an_action_signed_with_the_form_replaces_one_that_counted_no_more_when_its_line_came_back(
    case: Case,
) -> None:
    await case.traced()
    never_accepted = acts(0, {"action": "market_withdrawal"} | WHY)
    await case.run(MarketActionActivities(case.sessions).record_market_actions, never_accepted)
    await case.run(case.assessment.record_evaluation, evaluated(hours=1))
    assert (await proposed(case)).market_action == "removal", "what the assessor signed is what is proposed"
    async with case.sessions() as session:
        [in_force] = [row for row in await market_actions.latest(session, NUMBER) if row.jurisdiction == "us-fda"]
    assert (in_force.action, in_force.decided_by, in_force.justification) == ("removal", "mira", None)


async def test_a_stock_recovery_of_what_the_trace_finds_at_consignees_is_a_question_to_the_approver(case: Case) -> None:
    await case.traced()
    record = acts(0, {"action": "stock_recovery"} | WHY)
    await case.run(MarketActionActivities(case.sessions).record_market_actions, record)
    await case.run(case.assessment.record_evaluation, evaluated(us_fda="stock_recovery"))
    reasons = (await proposed(case)).reasons
    [question] = [each["reason"] for each in reasons if "stock recovery" in each["reason"]]
    assert question == (
        "a stock recovery is stated, but the trace shows 100 units at 2 consignees outside the firm's control"
    )
    other = (await proposed(case, "cn-nmpa")).reasons
    assert not [each for each in other if "stock recovery" in each["reason"]]


async def test_a_reviewed_justification_is_kept_with_who_judged_it(case: Case) -> None:
    await case.traced()
    activity = MarketActionActivities(case.sessions)
    await case.run(activity.record_market_actions, acts(0, {"action": "market_withdrawal"} | WHY))
    [written] = await rows(case, MarketActionRecord)
    fields = {"product_line": "kits", "jurisdiction": "us-fda", "evaluation": "Conclusions follow."}
    fields |= {"market_action_id": written.id}
    stale = decision("review_market_action", HUGO, 1, outcome="accepted", **(fields | {"market_action_id": 10**9}))
    with pytest.raises(ApplicationError, match="read it again"):
        await case.run(activity.record_market_action_review, stale)
    for hours, outcome in ((1, "sent_back"), (2, "accepted"), (2, "accepted")):
        record = decision("review_market_action", HUGO, hours, outcome=outcome, **fields)
        await case.run(activity.record_market_action_review, record)
    async with case.sessions() as session:
        [action] = await market_actions.latest(session, NUMBER)
        review = (await market_actions.reviews(session, NUMBER))[action.id or 0]
        assert await market_actions.justified(session, NUMBER) == {("kits", "us-fda")}
    assert (review.outcome, review.reviewed_by, review.reviewed_at) == ("accepted", "hugo", NOW + timedelta(hours=2))
    actions = [row.action for row in await rows(case, AuditEvent) if row.action.startswith("market_action.just")]
    assert actions == ["market_action.justification_sent_back", "market_action.justification_accepted"]


async def test_american_class_three_owes_its_806_20_record_until_it_is_accepted(case: Case) -> None:
    await case.traced()
    await case.run(case.assessment.record_evaluation, evaluated(evaluation()))
    row = await proposed(case)
    assert row.recall_class == "III"
    figures = await case.run(case.assessment.record_class_decision, approved(row.proposal_id))
    assert figures.records_owed == (("kits", "us-fda"),)
    activity = MarketActionActivities(case.sessions)
    await case.run(activity.record_market_actions, acts(2, {"action": "removal"} | WHY))
    [*_, written] = [row for row in await rows(case, MarketActionRecord) if row.jurisdiction == "us-fda"]
    fields = {"product_line": "kits", "jurisdiction": "us-fda", "evaluation": "Right.", "outcome": "accepted"}
    fields |= {"market_action_id": written.id}
    await case.run(activity.record_market_action_review, decision("review_market_action", HUGO, 3, **fields))
    again = await case.run(case.assessment.record_class_decision, approved(row.proposal_id, 4))
    assert again.records_owed == ()


async def test_serious_harm_owes_no_such_record(case: Case) -> None:
    assert (await case.decided()).records_owed == ()


async def test_the_proposal_of_a_line_knows_the_evaluation_it_rests_on(case: Case) -> None:
    await case.proposed()
    async with case.sessions() as session:
        newest = await assessment.latest_proposal(session, NUMBER)
        found = await assessment.evaluation_of_proposal(session, NUMBER, "kits", newest)
        assert found is not None
        assert found.id == newest
        assert await assessment.evaluation_of_proposal(session, NUMBER, "kits", newest - 1) is None


async def test_the_authoritys_own_level_stands_beside_ours_and_is_in_force(case: Case) -> None:
    before = await case.decided()
    shown = {each.jurisdiction: each for each in before.classes}
    assert {(each.proposed, each.decided, each.authority) for each in shown.values()} == {
        (each.proposed, each.proposed, None) for each in shown.values()
    }
    given = {
        "product_line": "kits",
        "jurisdiction": "eu-mdr",
        "recall_class": "I",
        "level": "1",
        "reference": "BfArM 12",
    }
    record = decision("reclassify", Actor(principal="ada", roles=("approver",)), 5, authority=[given])
    activity = ReclassificationActivities(case.sessions, PolicyStore.load(ROOT / "policies"))
    after = {each.jurisdiction: each for each in (await case.run(activity.record_reclassification, record)).classes}
    assert after["eu-mdr"].decided == shown["eu-mdr"].decided
    [row] = [row for row in await rows(case, ClassDecision) if row.kind == "authority"]
    assert (row.level, after["eu-mdr"].authority) == ("1", row.local_term)
    assert after["us-fda"] == shown["us-fda"]
    wrong = decision(
        "reclassify", Actor(principal="ada", roles=("approver",)), 6, authority=[given | {"recall_class": "III"}]
    )
    with pytest.raises(ApplicationError, match="level"):
        await case.run(activity.record_reclassification, wrong)
