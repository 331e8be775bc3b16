"""Records of decisions that change or end a recall: each is written once, and what it voids or ends is marked."""

from datetime import timedelta

import pytest
from sqlmodel import select

from activities.closing_records import ClosingActivities
from activities.policies import PolicyStore
from activities.reclassification import ReclassificationActivities
from activities.task_extension import TaskExtensionActivities
from db.plain_sql import run
from db.repositories import checklist, provisional_account
from db.repositories import closing as closing_sql
from domain.task_times import TaskTimes, next_instant
from domain.workflow_ids import capa_id, recall_id
from models.audit import AuditEvent
from models.closing import AuthorityAnswer
from models.messages import Actor, EndRecall, OpenTask, RecordDecision
from models.recall import ClassDecision, ClockStart, Deadline, Recall, SignOff
from models.task import Task
from tests.activities.conftest import NOW, NUMBER, ROOT, Case

pytestmark = pytest.mark.db
ADA = Actor(principal="ada", roles=("approver",))
REGI = Actor(principal="regi", roles=("regulatory",))
LATER = NOW + timedelta(days=2)


def record(operation: str, who: Actor, **fields: object) -> RecordDecision:
    given = {"actor": who.model_dump(), "reason": "because"} | fields
    return RecordDecision(number=NUMBER, now=LATER, decision=given, operation=operation)


async def rows(case: Case, table: type) -> list:  # type: ignore[type-arg]
    async with case.sessions() as session:
        return list((await session.exec(select(table))).all())


async def open_task(case: Case, key: str, owner: str, step: str = "approval") -> None:
    task = OpenTask(
        number=NUMBER, key=key, step=step, what=key, role="qa", owner=owner, now=NOW, due_at=NOW + timedelta(days=1)
    )
    await case.run(case.tasks.open_task, task)


async def test_an_authoritys_class_is_stored_beside_ours_and_pulls_no_deadline_back(case: Case) -> None:
    await case.decided()
    before = {(row.name, row.jurisdiction): row.due_at for row in await rows(case, Deadline)}
    assert before
    reclass = ReclassificationActivities(case.sessions, PolicyStore.load(ROOT / "policies"))
    theirs = {"product_line": "kits", "jurisdiction": "us-fda", "recall_class": "III", "reference": "Res 98112"}
    decision = record("reclassify", ADA, authority=[theirs])
    figures = await case.run(reclass.record_reclassification, decision)
    again = await case.run(reclass.record_reclassification, decision)
    assert figures == again
    assert figures.recall_class == "I", "the other jurisdictions keep theirs, the strictest counts"
    kinds = [row.kind for row in await rows(case, ClassDecision) if row.jurisdiction == "us-fda"]
    assert sorted(kinds) == ["approved", "authority", "proposed"]
    after = {(row.name, row.jurisdiction): row.due_at for row in await rows(case, Deadline)}
    assert all(after[key] <= due for key, due in before.items())


async def test_a_cancellation_is_recorded_once_and_leaves_what_outlives_the_recall(case: Case) -> None:
    await case.decided()
    await open_task(case, "notice", recall_id(NUMBER))
    await open_task(case, "capa:1:cause", capa_id(NUMBER, 1))
    await open_task(case, "complaint:1", recall_id(NUMBER))
    closing = ClosingActivities(case.sessions)
    end = EndRecall(number=NUMBER, now=LATER, actor=ADA, reason="another product")
    assert (await case.run(closing.record_cancellation, end)).told == 0
    await case.run(closing.record_cancellation, end)
    states = {row.key: row.state for row in await rows(case, Task)}
    assert (states["notice"], states["capa:1:cause"]) == ("cancelled", "offered")
    assert states["complaint:1"] == "offered", "harm is looked into all the same"
    assert [row.action for row in await rows(case, AuditEvent)].count("recall.cancelled") == 1
    notify = [row for row in await rows(case, Deadline) if row.name == "notify"]
    assert notify
    assert all(row.stopped_reason == "recall cancelled" for row in notify)


async def test_whoever_may_be_told_at_this_very_moment_counts_as_told(case: Case) -> None:
    """A batch under way at the cancellation: its consignees must get the retraction as well."""
    await case.decided()

    async def told() -> int:
        async with case.sessions() as session:
            return await closing_sql.told(session, NUMBER)

    async with case.sessions.begin() as session:
        for the_id, name in ((90_001, "unheard"), (90_002, "reached")):
            await run(session, _CONSIGNEE, {"id": the_id, "code": name, "at": NOW, "number": NUMBER})
    assert await told() == 0, "no campaign has begun"
    async with case.sessions.begin() as session:
        await run(session, _CAMPAIGN, {"number": NUMBER, "at": NOW})
    assert await told() == 4, "its first look at these two and the two of the trace may be under way"
    async with case.sessions.begin() as session:
        await run(session, "UPDATE consignee SET step = 1 WHERE recall_number = :number", {"number": NUMBER})
        await run(session, _UNDER_WAY, {"at": NOW})
    assert await told() == 1, "one message is with the provider; the other consignee has no address"
    async with case.sessions.begin() as session:
        await run(session, "UPDATE delivery SET state = 'cancelled', finished_at = :at", {"at": NOW})
    assert await told() == 0


_CONSIGNEE = """
WITH one AS (INSERT INTO partner (id, code, name, kind, country, language, time_zone)
             VALUES (:id, :code, :code, 'hospital', 'US', 'en', 'UTC') RETURNING id),
who AS (INSERT INTO contact (id, partner_id, position, name, role, email, channels, status)
        SELECT id, id, 1, 'Stores', 'stores', 's@x.example', '{email}', 'verified' FROM one RETURNING id)
INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at)
SELECT :number, one.id, 1, 'open', 0, :at FROM one, who
"""
_CAMPAIGN = """
WITH made AS (INSERT INTO notice (recall_number, version, kind, sha256, drafted_by, drafted_at)
              VALUES (:number, 1, 'initial', repeat('a', 64), 'system', :at) RETURNING id)
INSERT INTO campaign (recall_number, sequence, notice_id, started_at) SELECT :number, 1, id, :at FROM made
"""
_UNDER_WAY = """
INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language, priority, state,
                      attempt, ambiguous, created_at)
SELECT gen_random_uuid(), campaign.id, c.id, contact.id, 0, 0, 'initial', 'email', 'en', 1, 'submitting', 1, false, :at
FROM campaign, consignee c JOIN partner ON partner.id = c.partner_id AND partner.code = 'reached'
JOIN contact ON contact.partner_id = partner.id
"""


async def test_a_reopened_completion_owes_its_final_reports_no_more(case: Case) -> None:
    await case.decided()
    async with case.sessions.begin() as session:
        for nth in ("completion", "completion:2"):
            session.add(
                ClockStart(recall_number=NUMBER, name=nth, at=NOW, source="signed", author="zoe", recorded_at=NOW)
            )
            session.add(
                Deadline(
                    recall_number=NUMBER,
                    name=f"closure{nth.removeprefix('completion')}",
                    jurisdiction="us-fda",
                    clock=nth,
                    limit_text="10 working days",
                    basis="law",
                    source="x",
                    policy_due_at=LATER,
                    due_at=LATER,
                    title="Final report",
                    role="regulatory",
                    met_at=NOW if nth == "completion" else None,
                )
            )
    zoe = Actor(principal="zoe", roles=("qa",))
    await case.run(ClosingActivities(case.sessions).record_reopening, record("reopen", zoe))
    reports = {row.name: row for row in await rows(case, Deadline) if row.clock.startswith("completion")}
    assert reports["closure:2"].stopped_reason == "recall reopened"
    assert reports["closure"].stopped_at is None, "what was submitted stays submitted"


async def test_an_order_of_more_is_an_answer_a_clock_and_the_end_of_what_was_to_be_signed(case: Case) -> None:
    await case.decided()
    await open_task(case, "completion:quality", recall_id(NUMBER), step="completion")
    closing = ClosingActivities(case.sessions)
    order = record(
        "record_authority_answer", REGI, jurisdiction="us-fda", answer="more_ordered", reference="FDA letter 2"
    )
    await case.run(closing.record_authority_answer, order)
    await case.run(closing.record_authority_answer, order)
    [answer] = await rows(case, AuthorityAnswer)
    assert (answer.jurisdiction, answer.answer, answer.recorded_by) == ("us-fda", "more_ordered", "regi")
    assert "authority_order@us-fda" in {row.name for row in await rows(case, ClockStart)}
    states = {row.key: row.state for row in await rows(case, Task)}
    assert states["completion:quality"] == "cancelled"
    signed = [row for row in await rows(case, SignOff) if row.step == "authority:us-fda"]
    assert [(row.role, row.reference) for row in signed] == [("regulatory", "FDA letter 2")]


async def test_a_completion_is_not_signed_while_the_checklist_names_what_is_open(case: Case) -> None:
    await case.decided()
    closing = ClosingActivities(case.sessions)
    quinn = Actor(principal="quinn", roles=("qa",))
    found = await case.run(closing.record_completion, record("complete", quinn, capacity="quality"))
    assert {"consignees", "capa"} <= {item.key for item in found.open}
    assert not [row for row in await rows(case, SignOff) if row.step.startswith("completion:")]


async def test_the_second_signature_locks_the_account_and_a_reopening_opens_it(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    await case.decided()

    async def nothing_open(*_: object) -> list[object]:
        return []

    monkeypatch.setattr(checklist, "checklist", nothing_open)
    closing = ClosingActivities(case.sessions)
    quinn = Actor(principal="quinn", roles=("qa",))

    async def state() -> str | None:
        async with case.sessions() as session:
            account = await provisional_account.find(session, NUMBER)
            return account.state if account else None

    await case.run(closing.record_completion, record("complete", quinn, capacity="quality"))
    assert await state() != "locked"
    await case.run(closing.record_completion, record("complete", REGI, capacity="regulatory"))
    assert await state() == "locked"
    await case.run(closing.record_reopening, record("reopen", quinn))
    assert await state() == "open"
    events = sorted(await rows(case, AuditEvent), key=lambda event: event.seq)
    actions = [event.action for event in events if event.action.startswith("account.")]
    assert actions == ["account.locked", "account.reopened"]


async def test_more_time_moves_a_task_but_no_limit_of_law_and_never_to_an_earlier_instant(case: Case) -> None:
    await case.decided()
    await open_task(case, "notice", recall_id(NUMBER))
    await open_task(case, "obligation:x:us-fda", recall_id(NUMBER), step="obligation")
    extension = TaskExtensionActivities(case.sessions)
    due = NOW + timedelta(days=5)

    async def asked(key: str, due_at: object) -> str:
        decision = record("extend_deadline", ADA, key=key, due_at=str(due_at))
        return str((await case.run(extension.extend_task, decision)).outcome)

    assert await asked("nothing", due) == "unknown"
    assert await asked("obligation:x:us-fda", due) == "legal"
    assert await asked("notice", NOW + timedelta(hours=3)) == "not_later"
    assert await asked("notice", due) == "moved"
    assert await asked("notice", due) == "moved", "a repeat changes nothing"
    moved = {row.key: row.due_at for row in await rows(case, Task)}
    assert moved["notice"] == due
    assert [row.action for row in await rows(case, AuditEvent)].count("task.extended") == 1
    [recall] = await rows(case, Recall)
    assert recall.phase == "intake", "the workflow projects the phase, no record does"


async def test_a_late_task_that_gets_more_time_is_not_late_any_more_and_climbs_again_at_its_new_due_time(
    case: Case,
) -> None:
    await case.decided()
    await open_task(case, "notice", recall_id(NUMBER))
    async with case.sessions.begin() as session:
        await run(session, "UPDATE task SET stage = 3, role = 'head_of_quality' WHERE key = 'notice'", {})
    decision = record("extend_deadline", ADA, key="notice", due_at=str(LATER + timedelta(days=5)))
    await case.run(TaskExtensionActivities(case.sessions).extend_task, decision)
    [late] = [row for row in await rows(case, Task) if row.key == "notice"]
    assert (late.stage, late.role) == (1, "head_of_quality")
    times = TaskTimes(late.remind_at, late.due_at, late.escalate_at)
    assert next_instant(late.stage, times) == LATER + timedelta(days=5)


async def test_whether_the_end_is_told_is_recorded_once_each_time_it_is_decided(case: Case) -> None:
    closing = ClosingActivities(case.sessions)
    await open_task(case, "closure_notice", recall_id(NUMBER))
    for wanted, at in ((True, LATER), (True, LATER), (False, LATER + timedelta(hours=1))):
        decision = record("announce_closure", REGI, wanted=wanted).model_copy(
            update={"now": at, "task_key": "closure_notice"}
        )
        await case.run(closing.record_closure_notice, decision)
    [task] = [row for row in await rows(case, Task) if row.key == "closure_notice"]
    assert (task.state, task.outcome, task.done_by) == ("done", "told", "regi")
    events = [row for row in await rows(case, AuditEvent) if row.action == closing_sql.CLOSURE_NOTICE]
    assert [(row.actor, row.role, row.reason, row.data["wanted"]) for row in events] == [
        ("regi", "regulatory", "because", True),
        ("regi", "regulatory", "because", False),
    ]
