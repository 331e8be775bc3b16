"""Proposals and their ids: whoever signs a proposal signs what is stored under its id."""

from datetime import timedelta

import psycopg
import pytest
from sqlmodel import col, select

from activities.policies import PolicyStore
from activities.reclassification import ReclassificationActivities
from models.audit import AuditEvent
from models.messages import Actor, RecallRef
from models.recall import ClassDecision
from tests.activities.conftest import NOW, NUMBER, ROOT, Case, approved, decision, evaluated
from tests.domain.factories import evaluation
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


async def test_facts_that_change_a_proposal_without_an_evaluation_give_it_an_id_of_its_own(
    case: Case, postgres: PostgresForTests
) -> None:
    await case.traced()
    mild = evaluation(seriousness="minor_reversible", likelihood="remote", immediate="minor_reversible")
    await case.run(case.assessment.record_evaluation, evaluated(mild))
    ref = RecallRef(number=NUMBER, now=NOW)
    first = await case.run(case.assessment.propose_classes, ref)
    with psycopg.connect(postgres.admin_url) as db:  # as when an expansion brings an implant into the line
        db.execute("UPDATE product SET implantable = true WHERE id = %s", [case.lots["kit"]])
    later = ref.model_copy(update={"now": NOW + timedelta(hours=1)})
    second = await case.run(case.assessment.propose_classes, later)
    assert await case.run(case.assessment.propose_classes, later) == second
    assert second.proposal_id > first.proposal_id
    async with case.sessions() as session:
        stored = (await session.exec(select(ClassDecision))).all()
    classes = {(row.proposal_id, row.jurisdiction): row.recall_class for row in stored}
    assert classes == {
        (proposal.proposal_id, each.jurisdiction): each.recall_class
        for proposal in (first, second)
        for each in proposal.classes
    }, "what is stored under each id is what was shown under it"
    figures = await case.run(case.assessment.record_class_decision, approved(second.proposal_id, 2))
    shown = {each.recall_class for each in second.classes}
    assert figures.recall_class == min(shown) != min(each.recall_class for each in first.classes)
    await case.run(case.assessment.record_evaluation, evaluated(mild, hours=3))
    after = ref.model_copy(update={"now": NOW + timedelta(hours=3)})
    third = await case.run(case.assessment.propose_classes, after)
    assert third.proposal_id > second.proposal_id, "an evaluation always makes a proposal to decide on"


async def test_a_class_decided_again_is_recorded_in_the_function_its_last_signer_signed_for(case: Case) -> None:
    await case.traced()
    mild = evaluation(seriousness="minor_reversible", likelihood="remote", immediate="minor_reversible")
    await case.run(case.assessment.record_evaluation, evaluated(mild))
    first = await case.run(case.assessment.propose_classes, RecallRef(number=NUMBER, now=NOW))
    await case.run(case.assessment.record_class_decision, approved(first.proposal_id))
    await case.run(case.assessment.record_evaluation, evaluated(hours=2))
    risen = await case.run(case.assessment.propose_classes, RecallRef(number=NUMBER, now=NOW + timedelta(hours=2)))
    last = Actor(principal="regi", roles=("regulatory",))  # one the rules ask for, who decides no class alone
    record = decision("reclassify", last, 3, proposal_id=risen.proposal_id).model_copy(update={"role": "regulatory"})
    activity = ReclassificationActivities(case.sessions, PolicyStore.load(ROOT / "policies"))
    figures = await case.run(activity.record_reclassification, record)
    assert figures.recall_class == "I"
    async with case.sessions() as session:
        events = (await session.exec(select(AuditEvent).where(col(AuditEvent.actor) == "regi"))).all()
    assert {(event.action, event.role) for event in events} >= {
        ("class.changed", "regulatory"),
        ("clock.started", "regulatory"),
    }
    assert {event.role for event in events} == {"regulatory"}
