"""What the recall's activities write: once, with their reasons, and nothing twice when they run again."""

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlmodel import col, select
from temporalio.exceptions import ApplicationError

from activities.notice_body import ApprovedBody, combined_sha256
from db.engine import SessionFactory
from db.repositories import audit, notices, recalls
from models.audit import AuditEvent
from models.hold import Hold
from models.messages import (
    Actor,
    BeginIntake,
    CreateCampaign,
    DraftNotice,
    EndRecall,
    OpenTask,
    Projection,
    RecallRef,
)
from models.notice import Campaign
from models.recall import ClassDecision, ClockStart, Deadline, PinnedPolicy, Recall, SignOff
from models.task import Task
from tests.activities.conftest import ACTIONS, NOW, NUMBER, Case, approved, decision, evaluated, make_case
from tests.domain.factories import evaluation
from tests.support.chain import Chain, Move
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
ADA = Actor(principal="ada", roles=("approver",))


async def rows(case: Case, table: type) -> list:  # type: ignore[type-arg]
    async with case.sessions() as session:
        return list((await session.exec(select(table))).all())


async def actions(case: Case) -> list[str]:
    async with case.sessions() as session:
        assert await audit.first_broken_link(session, NUMBER) is None
        return [event.action async for event in audit.read_all(session, NUMBER)]


async def test_intake_pins_the_policies_and_starts_the_awareness_clock_once(case: Case) -> None:
    begin = BeginIntake(number=NUMBER, now=NOW)
    first = await case.run(case.intake.begin_intake, begin)
    again = await case.run(case.intake.begin_intake, begin.model_copy(update={"now": NOW + timedelta(minutes=1)}))
    assert first == again
    assert [policy.policy_id for policy in await rows(case, PinnedPolicy)] == ["cn-nmpa", "eu-mdr", "us-fda"]
    [clock] = await rows(case, ClockStart)
    assert (clock.name, clock.at) == ("awareness", NOW - timedelta(hours=3))
    assert await actions(case) == ["intake.policies_pinned", "facts.changed"]


async def test_a_jurisdiction_without_a_policy_in_force_is_a_clear_fault(
    sessions: SessionFactory, chain: dict[str, int]
) -> None:
    case = await make_case(sessions, chain, jurisdictions=["us-fda", "xx-none"])
    with pytest.raises(ApplicationError, match="no policy xx-none is in force") as caught:
        await case.run(case.intake.begin_intake, BeginIntake(number=NUMBER, now=NOW))
    assert caught.value.type == "PolicyFault"
    assert await rows(case, PinnedPolicy) == []


async def test_the_scope_counts_lots_consignees_and_only_lines_that_reached_somebody(case: Case) -> None:
    scope = await case.traced()
    assert (scope.lots, scope.consignees, scope.quantity) == (3, 2, "100")
    assert [line.key for line in scope.product_lines] == ["kits"]
    assert set(scope.countries) == {"US", "CN"}


async def test_a_delivery_recorded_later_adds_its_consignee_and_nothing_else(
    case: Case, postgres: PostgresForTests
) -> None:
    await case.traced()
    late = Chain(base=1000)
    place = late.place(country="DE")
    late.write(postgres.admin_url)
    with psycopg.connect(postgres.admin_url) as db:
        move = Move(
            9001, "shipment", case.lots["kit"], case.lots["first"], None, place, Decimal(7), NOW, delivered=True
        )
        Chain.write_moves(db, [move])
    again = await case.traced()
    assert (again.consignees, again.quantity) == (3, "107")
    assert await actions(case) == ["intake.policies_pinned", "facts.changed", "scope.traced", "scope.consignees_added"]
    await case.traced()
    assert (await actions(case)).count("scope.consignees_added") == 1
    with psycopg.connect(postgres.admin_url) as db:
        Chain.write_moves(db, [dataclasses.replace(move, id=9002, quantity=Decimal(3))])
    assert (await case.traced()).quantity == "110"
    await case.traced()
    assert (await actions(case))[-1] == "scope.changed", "more for a known consignee is on record as well"
    assert (await actions(case)).count("scope.changed") == 1


async def test_classes_are_proposed_per_jurisdiction_with_the_rules_that_fired(case: Case) -> None:
    proposal = await case.proposed()
    assert {each.jurisdiction: each.recall_class for each in proposal.classes} == dict.fromkeys(ACTIONS, "I")
    assert proposal.geographic_scope == "global"
    decisions = await rows(case, ClassDecision)
    assert all(any(reason["decided"] for reason in row.reasons) for row in decisions)
    await case.run(case.assessment.propose_classes, RecallRef(number=NUMBER, now=NOW))
    assert len(await rows(case, ClassDecision)) == len(decisions)
    assert (await actions(case)).count("class.proposed") == 1


async def test_a_new_evaluation_makes_a_new_proposal_and_keeps_the_old_one(case: Case) -> None:
    first = await case.proposed()
    mild = evaluation(seriousness="minor_reversible", likelihood="remote", immediate="minor_reversible")
    await case.run(case.assessment.record_evaluation, evaluated(mild, hours=2))
    second = await case.run(case.assessment.propose_classes, RecallRef(number=NUMBER, now=NOW + timedelta(hours=2)))
    assert second.proposal_id > first.proposal_id
    assert {each.recall_class for each in second.classes} != {"I"}
    assert {row.proposal_id for row in await rows(case, ClassDecision)} == {first.proposal_id, second.proposal_id}


async def test_an_approval_starts_the_decision_clock_and_the_limits_of_each_law(case: Case) -> None:
    figures = await case.decided()
    decided_at = NOW + timedelta(hours=1)
    assert figures.recall_class == "I"
    assert figures.decided_at == decided_at
    due = {(row.jurisdiction, row.name): row for row in await rows(case, Deadline)}
    assert due["us-fda", "notify"].due_at == decided_at + timedelta(hours=24)
    # Order 29 Art. 15, class I: one calendar day after the decision's day, to its end in Beijing.
    assert due["cn-nmpa", "notify"].due_at == datetime(2026, 11, 21, 15, 59, 59, tzinfo=UTC)
    assert figures.notify_due_at == min(due[key, "notify"].due_at for key in ACTIONS)
    assert any(gate.key == "us-fda:fda_informed" for gate in figures.gates)
    again = await case.run(case.assessment.record_class_decision, approved(1))
    assert again == figures
    assert len(await rows(case, SignOff)) == 1


async def test_the_pace_shortens_real_time_and_keeps_policy_time(
    sessions: SessionFactory, chain: dict[str, int]
) -> None:
    case = await make_case(sessions, chain, pace=24.0, jurisdictions=["us-fda"])
    await case.decided(hours=0)
    [notify] = [row for row in await rows(case, Deadline) if row.name == "notify"]
    assert notify.policy_due_at == NOW + timedelta(hours=24)
    assert notify.due_at == NOW + timedelta(hours=1)


async def test_an_override_records_both_classes_and_its_reason(case: Case) -> None:
    proposal = await case.proposed()
    override = decision(
        "override_class",  # as the workflow names it
        ADA,
        1,
        proposal_id=proposal.proposal_id,
        reason="harm is remote in practice",
        overrides=[{"product_line": "kits", "jurisdiction": "us-fda", "recall_class": "II"}],
    )
    figures = await case.run(case.assessment.record_class_decision, override)
    kinds = {(row.jurisdiction, row.kind): row.recall_class for row in await rows(case, ClassDecision)}
    assert kinds["us-fda", "proposed"] == "I"
    assert kinds["us-fda", "overridden"] == "II"
    assert figures.recall_class == "I", "the other jurisdictions keep theirs, the strictest counts"


async def test_first_communication_starts_the_806_clock_of_ten_working_days(case: Case) -> None:
    await case.decided()
    assert "regulator_report" not in {row.name for row in await rows(case, Deadline) if row.jurisdiction == "us-fda"}
    sent = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    async with case.sessions.begin() as session:
        await recalls.start_clock(session, NUMBER, "first_communication", sent, source="test", author="t", now=sent)
    await case.run(case.obligations.write_deadlines, RecallRef(number=NUMBER, now=sent))
    [report] = [
        row for row in await rows(case, Deadline) if (row.jurisdiction, row.name) == ("us-fda", "regulator_report")
    ]
    # Friday 20 November; Thanksgiving on the 26th is no working day: the tenth is Monday 7 December.
    assert report.policy_due_at == datetime(2026, 12, 8, 4, 59, 59, tzinfo=UTC)


async def test_telling_the_authority_at_the_gate_meets_the_obligation_to_tell_it(case: Case) -> None:
    await case.decided()
    gate = decision(
        "pass_gate", Actor(principal="regi", roles=("regulatory",)), 2, gate="us-fda:fda_informed", reference="x"
    )
    await case.run(case.steps.record_gate, gate)
    met = {(row.jurisdiction, row.name): row.met_at for row in await rows(case, Deadline)}
    assert met["us-fda", "regulator_first_contact"] == NOW + timedelta(hours=2)
    assert met["cn-nmpa", "event_form"] is None


async def test_signed_steps_close_their_task_and_are_recorded_once(case: Case) -> None:
    await case.traced()
    task = OpenTask(number=NUMBER, key="gate:us-fda:x", step="gate", what="Tell FDA", role="regulatory", now=NOW)
    await case.run(case.tasks.open_task, task)
    await case.run(case.tasks.open_task, task)
    gate = decision("pass_gate", Actor(principal="regi", roles=("regulatory",)), gate="us-fda:x", reference="call 1")
    await case.run(case.steps.record_gate, gate)
    await case.run(case.steps.record_gate, gate)
    [stored] = await rows(case, Task)
    assert (stored.state, stored.done_by) == ("done", "regi")
    assert len(await rows(case, SignOff)) == 1
    assert (await actions(case)).count("task.opened") == 1


async def test_the_read_model_changes_its_version_only_with_its_content(case: Case) -> None:
    view = Projection(
        number=NUMBER, now=NOW, phase="assessment", waiting_for="x", next_deadline_at=None, next_deadline_name=None
    )
    await case.run(case.steps.project, view)
    await case.run(case.steps.project, view.model_copy(update={"now": NOW + timedelta(hours=1)}))
    [recall] = await rows(case, Recall)
    assert (recall.version, recall.phase, recall.phase_since) == (1, "assessment", NOW)
    assert await actions(case) == ["phase.entered"]


async def test_a_notice_is_drafted_once_in_every_language_and_says_what_the_record_says(case: Case) -> None:
    await case.decided()
    ref = DraftNotice(number=NUMBER, now=NOW)
    draft = await case.run(case.notice.draft_notice, ref)
    assert await case.run(case.notice.draft_notice, ref) == draft
    async with case.sessions() as session:
        stored = [ApprovedBody.from_json(row.body) for row in await notices.bodies(session, draft.notice_id)]
    assert combined_sha256(stored) == draft.sha256
    assert {(body.channel, body.language) for body in stored} == {
        (channel, language) for channel in ("email", "sms") for language in ("en", "es", "zh-CN")
    }
    english = next(b for b in stored if (b.kind, b.channel, b.language) == ("initial", "email", "en"))
    assert "A1" in english.text
    assert "A2" in english.text
    assert "B1" not in english.text, "a lot outside the scope"
    assert "False negative results" in english.text
    chinese = next(b for b in stored if (b.kind, b.channel, b.language) == ("initial", "email", "zh-CN"))
    assert "假阴性结果" in chinese.text


async def test_only_unchanged_bodies_are_released(case: Case) -> None:
    await case.decided()
    draft = await case.run(case.notice.draft_notice, DraftNotice(number=NUMBER, now=NOW))
    wrong = decision("approve_notice", ADA, 2, notice_id=draft.notice_id, sha256="0" * 64)
    with pytest.raises(ApplicationError):
        await case.run(case.notice.record_notice_approval, wrong)
    good = decision("approve_notice", ADA, 2, notice_id=draft.notice_id, sha256=draft.sha256)
    await case.run(case.notice.record_notice_approval, good)
    await case.run(case.notice.record_notice_approval, good)
    assert (await actions(case)).count("notice.approved") == 1


async def test_a_campaign_is_created_once_per_notice(case: Case) -> None:
    await case.decided()
    draft = await case.run(case.notice.draft_notice, DraftNotice(number=NUMBER, now=NOW))
    create = CreateCampaign(number=NUMBER, now=NOW, notice_id=draft.notice_id, sequence=1)
    assert await case.run(case.notice.create_campaign, create) == await case.run(case.notice.create_campaign, create)
    assert len(await rows(case, Campaign)) == 1


async def test_a_rejection_keeps_every_hold_as_a_nonconformity(case: Case) -> None:
    await case.traced()
    async with case.sessions.begin() as session:
        from db.repositories import holds

        assert await holds.request_holds(session, NUMBER, 1, NOW)
    end = EndRecall(number=NUMBER, now=NOW, actor=ADA, reason="another product")
    await case.run(case.assessment.record_rejection, end)
    await case.run(case.assessment.record_rejection, end)
    held = await rows(case, Hold)
    assert held
    assert {hold.state for hold in held} == {"nonconformity"}
    assert (await actions(case)).count("recall.rejected") == 1


async def test_a_rejection_is_signed_in_the_function_that_allowed_it(case: Case) -> None:
    await case.traced()
    hana = Actor(principal="hana", roles=("supplier_quality", "head_of_quality"))
    await case.run(case.assessment.record_rejection, EndRecall(number=NUMBER, now=NOW, actor=hana, reason="another"))
    [signed] = await rows(case, SignOff)
    [event] = [each for each in await rows(case, AuditEvent) if each.action == "recall.rejected"]
    assert (signed.role, event.role) == ("head_of_quality", "head_of_quality")


async def test_the_audit_of_a_recall_names_who_did_what(case: Case) -> None:
    await case.decided()
    async with case.sessions() as session:
        found = (await session.exec(select(AuditEvent).where(col(AuditEvent.action) == "class.approved"))).one()
    assert (found.actor, found.role) == ("ada", "approver")
    assert found.data["classes"][0]["class"] == "I"
