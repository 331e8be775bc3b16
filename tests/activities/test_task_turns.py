"""What the record says of a task whose time has come, who is told, and what leaves the house."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.staff_rendering import StaffRenderer
from activities.tasks import StaffMessageActivities
from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from db.engine import SessionFactory
from db.repositories import audit, recalls, staff, staff_messages, tasks
from domain.channels import Channel
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.audit import AuditEvent
from models.complaint import Complaint
from models.messages import (
    BeginIntake,
    OwnTasks,
    SendStaffMessages,
    StaffSent,
    TaskClocks,
    TasksTurned,
    TaskTurn,
    TurnTasks,
)
from models.recall import Recall
from models.staff import MessageKind, Staff, StaffMessage
from models.task import Task
from tests.activities.conftest import NOW, NUMBER, Case, make_case

pytestmark = pytest.mark.db
HOUR = timedelta(hours=1)
OWNER = recall_id(NUMBER)
OUTSIDE = ("expert_", "notice_", "supplier_")
"""Kinds whose readers are outside the firm, or that carry a notice; they have tests of their own."""
KEY = "visit:4"


async def person(db: SessionFactory, principal: str, *roles: Role, **facts: Any) -> None:
    """Put somebody on staff."""
    given: dict[str, Any] = {
        "name": principal.title(),
        "roles": tuple(role.value for role in roles),
        "email": f"{principal}@firm.test",
        "phone": None,
        "language": "en",
        "on_call": False,
        "stand_in": None,
        "absent_from": None,
        "absent_until": None,
    } | facts
    async with db.begin() as session:
        await staff.put(session, principal, staff.StaffFacts(**given), actor="tests", role="admin", at=NOW)


async def offered(case: Case, step: HumanStep = HumanStep.PHONE_CALL, key: str = KEY, **more: Any) -> None:
    """A task with the times of the pinned policies: reminder after 12 h, due after 24 h, head after 36 h."""
    await case.run(case.intake.begin_intake, BeginIntake(number=NUMBER, now=NOW))
    async with case.sessions.begin() as session:
        recall = await recalls.get(session, NUMBER)
        assert await tasks.offer(session, recall, key=key, step=step, what="Call", owner=OWNER, now=NOW, **more)


async def turned(case: Case, hours: float, *keys: str) -> TaskTurn:
    """The turn of the (first) task after so many hours."""
    turn = TurnTasks(number=NUMBER, keys=keys or (KEY,), now=NOW + hours * HOUR)
    found: TasksTurned = await case.run(case.tasks.turn_tasks, turn)
    return found.turns[0]


async def the_task(case: Case, key: str = KEY) -> Task:
    async with case.sessions() as session:
        return (await session.exec(select(Task).where(col(Task.key) == key))).one()


async def messages(case: Case) -> list[StaffMessage]:
    async with case.sessions() as session:
        return await staff_messages.list_of(session, NUMBER)


async def events(case: Case) -> list[AuditEvent]:
    async with case.sessions() as session:
        assert await audit.first_broken_link(session, NUMBER) is None
        return [event async for event in audit.read_all(session, NUMBER)]


async def test_a_task_goes_from_its_function_to_the_stand_in_to_the_head_each_once(case: Case) -> None:
    for principal, role in (("quinn", Role.QA), ("regi", Role.REGULATORY), ("hana", Role.HEAD_OF_QUALITY)):
        await person(case.sessions, principal, role, phone="+14155550123")
    await offered(case)
    assert (await turned(case, 1)).next_at == NOW + 12 * HOUR, "too early changes nothing"
    for hours, stage, function, told in (
        (12, 1, "qa", "quinn"),
        (24, 2, "regulatory", "regi"),
        (36, 3, "head_of_quality", "hana"),
    ):
        for _ in range(2):
            assert (await turned(case, hours)).stage == stage
        task = await the_task(case)
        assert (task.role, task.first_role, task.state) == (function, "qa", "offered")
        assert {each.principal for each in (await messages(case))[-1:]} == {told}
    assert (await turned(case, 99)).next_at is None
    task = await the_task(case)
    assert (task.reminded_at, task.handed_over_at, task.escalated_at) == tuple(NOW + h * HOUR for h in (12, 24, 36))
    assert task.due_at == NOW + 24 * HOUR, "climbing moves no due time"
    kinds = [(each.kind, each.channel) for each in await messages(case)]
    assert kinds == [("reminder", "email"), *[(k, c) for k in ("hand_over", "escalation") for c in ("email", "sms")]]
    climbing = [event.action for event in await events(case) if event.action.startswith("task.")]
    assert climbing == ["task.opened", "task.reminded", "task.handed_over", "task.escalated"]


async def test_a_worker_that_was_down_for_days_goes_to_the_head_at_once_and_reminds_nobody(case: Case) -> None:
    await person(case.sessions, "quinn", Role.QA)
    await person(case.sessions, "hana", Role.HEAD_OF_QUALITY)
    await offered(case)
    assert (await turned(case, 100)).stage == 3
    assert [(each.kind, each.principal) for each in await messages(case)] == [("escalation", "hana")]


async def test_a_reminder_goes_to_the_assignee_alone_and_the_hand_over_takes_the_task_from_them(case: Case) -> None:
    await person(case.sessions, "quinn", Role.QA)
    await person(case.sessions, "quentin", Role.QA)
    await person(case.sessions, "regi", Role.REGULATORY)
    await offered(case)
    async with case.sessions.begin() as session:
        task = (await session.exec(select(Task))).one()
        task.assignee, task.state = "quentin", "accepted"
        session.add(task)
    await turned(case, 12)
    assert [each.principal for each in await messages(case)] == ["quentin"]
    await turned(case, 24)
    task = await the_task(case)
    assert (task.assignee, task.state, task.role) == (None, "offered", "regulatory")
    handed = next(event for event in await events(case) if event.action == "task.handed_over")
    assert handed.data["from"] == {"role": "qa", "assignee": "quentin"}


async def test_a_message_for_somebody_who_is_away_goes_to_the_stand_in_while_the_absence_lasts(case: Case) -> None:
    await person(case.sessions, "sam", Role.WAREHOUSE)
    away = {"stand_in": "sam", "absent_from": NOW, "absent_until": NOW + 20 * HOUR}
    await person(case.sessions, "quinn", Role.QA, **away)
    await offered(case)
    await offered(case, key="later")
    await turned(case, 12)
    await turned(case, 21, "later")
    assert [each.principal for each in await messages(case)] == ["sam", "quinn"]


async def test_a_task_that_is_done_is_not_turned(case: Case) -> None:
    await offered(case)
    async with case.sessions.begin() as session:
        await tasks.close(session, NUMBER, KEY, outcome="called", done_by="quinn", now=NOW)
    assert (await turned(case, 50)).open is False
    assert (await the_task(case)).stage == 0


async def test_a_workflow_is_told_of_its_own_open_tasks_without_whom_they_concern(case: Case) -> None:
    await offered(case)
    await offered(case, HumanStep.APPROVAL, "second")
    async with case.sessions.begin() as session:
        recall = await recalls.get(session, NUMBER)
        visit = HumanStep.VISIT
        await tasks.offer(session, recall, key="x", step=visit, what="v", owner=f"{OWNER}:case:1", now=NOW)
        await tasks.cancel(session, NUMBER, KEY, outcome="needless", done_by="system", now=NOW)
    own = OwnTasks(number=NUMBER, owner=OWNER, now=NOW)
    found: TaskClocks = await case.run(case.tasks.task_clock, own)
    [clock] = found.clocks
    assert (clock.key, clock.what, clock.due_at, found.more) == ("second", "approval (second)", NOW + 12 * HOUR, False)


async def test_what_is_meant_for_somebody_who_is_away_is_offered_to_the_stand_in_who_is_told(case: Case) -> None:
    await person(case.sessions, "sam", Role.WAREHOUSE)
    await person(case.sessions, "quinn", Role.QA, stand_in="sam", absent_from=NOW)
    await offered(case, HumanStep.ACTION, assignee="quinn")
    assert (await the_task(case)).assignee == "sam"
    assert [(row.kind, row.principal) for row in await messages(case)] == [("assigned", "sam")]
    found: TaskClocks = await case.run(case.tasks.task_clock, OwnTasks(number=NUMBER, owner=OWNER, now=NOW))
    assert found.channels == ("email",), "the workflow that hears of it sends it"


async def test_a_legal_limit_stays_the_due_time_of_its_task(case: Case) -> None:
    await offered(case, HumanStep.OBLIGATION, due_at=NOW + 300 * HOUR)
    task = await the_task(case)
    assert (task.due_at, task.remind_at) == (NOW + 300 * HOUR, NOW + 288 * HOUR)


# ---------------------------------------------------------------------------- sending


class Recorder:
    """A messaging adapter that keeps what it is given and answers from a script."""

    def __init__(self, channel: Channel, faults: Sequence[Exception] = ()) -> None:
        self.channel = channel
        self.sent: list[OutgoingMessage] = []
        self.faults = list(faults)
        self.asked = 0
        self.has_it = False

    async def send(self, message: OutgoingMessage) -> SendResult:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(message)
        return SendResult(f"sent-{len(self.sent)}")

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        self.asked += 1
        return SendResult("found") if self.has_it else None

    async def close(self) -> None:
        pass


async def send(case: Case, adapter: Recorder, hours: float = 12) -> StaffSent:
    activities = StaffMessageActivities(case.sessions, {adapter.channel: adapter}, StaffRenderer(), "recall@firm.test")
    request = SendStaffMessages(number=NUMBER, channel=adapter.channel.value, now=NOW + hours * HOUR)
    sent: StaffSent = await ActivityEnvironment().run(activities.send_staff_messages, request)
    return sent


async def test_a_reminder_is_sent_once_in_the_reader_s_language(case: Case) -> None:
    await person(case.sessions, "quinn", Role.QA, language="zh-CN")
    await offered(case)
    await turned(case, 12)
    mail = Recorder(Channel.EMAIL)
    assert await send(case, mail) == StaffSent(sent=1)
    assert await send(case, mail) == StaffSent(), "a second run finds nothing"
    [message] = mail.sent
    assert (message.to, message.language) == ("quinn@firm.test", "zh-CN")
    assert message.subject is not None
    assert message.subject.startswith(f"提醒：召回 {NUMBER}")
    assert "电话联系" in message.text
    [row] = await messages(case)
    assert (row.state, row.provider_id, row.sent_at) == ("sent", "sent-1", NOW + 12 * HOUR)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("kind", [kind for kind in MessageKind if not kind.value.startswith(OUTSIDE)])
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
async def test_every_message_has_a_text_in_both_languages_that_names_recall_and_task(
    kind: MessageKind, channel: Channel, language: str
) -> None:
    task = Task(
        id=12, recall_number=NUMBER, key=KEY, step="visit", what="Go there", role="qa", due_at=NOW, state="offered",
        opened_at=NOW, sent_back_reason="wrong address",
    )  # fmt: skip
    complaint = Complaint.model_construct(sequence=3, severity="serious", awareness_at=NOW)
    pending = staff_messages.Pending(
        message=StaffMessage.model_construct(principal="q", kind=kind.value, channel=channel.value),
        person=Staff(principal="q", name="Quinn Abara", roles=["qa"], language=language),
        recall=Recall.model_construct(number=NUMBER, title="Kits"),
        task=None if kind is MessageKind.page else task,
        complaint=complaint if kind is MessageKind.page else None,
    )
    text = StaffRenderer().render(kind, channel, pending)
    whole = f"{text.subject} {text.body}"
    assert NUMBER in whole
    assert ("3" if kind is MessageKind.page else "12") in whole
    assert text.language == language
    assert any("\u4e00" <= each <= "\u9fff" for each in whole) is (language == "zh-CN")
    assert "{{" not in whole
    if channel is Channel.EMAIL:
        assert text.subject
        assert "Quinn Abara" in text.body
        assert kind is not MessageKind.sent_back or "wrong address" in text.body


async def test_a_dead_address_is_noted_and_the_others_are_still_told(case: Case) -> None:
    await person(case.sessions, "quentin", Role.QA)
    await person(case.sessions, "quinn", Role.QA)
    await offered(case)
    await turned(case, 12)
    mail = Recorder(Channel.EMAIL, [SendError(ErrorKind.PERMANENT_CONTACT, "smtp:550", "unknown")])
    assert await send(case, mail) == StaffSent(sent=1, failed=1)
    assert [row.state for row in await messages(case)] == ["failed", "sent"]
    failed = next(event for event in await events(case) if event.action == "staff_message.failed")
    assert failed.data["code"] == "smtp:550"
    assert "firm.test" not in str(failed.data)


async def test_a_doubtful_sms_is_asked_for_before_it_is_sent_again(case: Case) -> None:
    await person(case.sessions, "quinn", Role.QA, email=None, phone="+14155550123")
    await offered(case)
    await turned(case, 12)
    sms = Recorder(Channel.SMS, [SendError(ErrorKind.TRANSIENT, "twilio:timeout", "no answer", maybe_sent=True)])
    with pytest.raises(ApplicationError, match="1 messages to staff wait"):
        await send(case, sms)
    sms.has_it = True
    assert await send(case, sms) == StaffSent(sent=1)
    assert (sms.asked, sms.sent) == (1, [])
    [row] = await messages(case)
    assert row.provider_id == "found"


async def test_a_message_that_trips_a_fault_of_ours_holds_up_no_page_behind_it(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    await person(case.sessions, "quinn", Role.QA)
    await person(case.sessions, "sam", Role.QA)
    await offered(case)
    await turned(case, 12)
    mail = Recorder(Channel.EMAIL, [IndexError("quinn@firm.test")])
    with pytest.raises(ApplicationError, match="1 messages to staff wait"):
        await send(case, mail)
    assert [message.to for message in mail.sent] == ["sam@firm.test"]
    assert {row.principal: (row.state, row.error) for row in await messages(case)} == {
        "quinn": ("pending", "ambiguous: email:fault:IndexError"),
        "sam": ("sent", None),
    }
    assert "quinn@firm.test" not in caplog.text
    assert await send(case, mail) == StaffSent(sent=1), "it is tried again"


async def test_a_channel_nobody_configured_is_a_failure_on_record(case: Case) -> None:
    await person(case.sessions, "quinn", Role.QA)
    await offered(case)
    await turned(case, 12)
    activities = StaffMessageActivities(case.sessions, {}, StaffRenderer(), "recall@firm.test")
    request = SendStaffMessages(number=NUMBER, channel="email", now=NOW)
    assert await ActivityEnvironment().run(activities.send_staff_messages, request) == StaffSent(failed=1)


async def test_a_drill_tells_nobody(sessions: SessionFactory, chain: dict[str, int]) -> None:
    case = await make_case(sessions, chain, drill=True)
    await person(sessions, "quinn", Role.QA, on_call=True)
    await offered(case)
    await turned(case, 12)
    assert [row.state for row in await messages(case)] == ["blocked"]
    mail = Recorder(Channel.EMAIL)
    assert await send(case, mail) == StaffSent()
    assert mail.sent == []


async def test_harm_pages_whoever_is_on_call_and_the_head_of_quality_when_nobody_is(case: Case) -> None:
    await person(case.sessions, "hana", Role.HEAD_OF_QUALITY)
    await person(case.sessions, "quinn", Role.QA, on_call=True, phone="+14155550123")
    async with case.sessions.begin() as session:
        recall = await recalls.get(session, NUMBER)
        complaint = Complaint(
            recall_number=NUMBER, sequence=1, source="staff", awareness_at=NOW, severity="death", description="d",
            state="open", recorded_by="regi", recorded_at=NOW,
        )  # fmt: skip
        session.add(complaint)
        await session.flush()
        assert await staff_messages.page(session, recall, complaint, NOW) == ["quinn"]
        assert await staff_messages.page(session, recall, complaint, NOW) == ["quinn"]
    assert [(row.kind, row.channel) for row in await messages(case)] == [("page", "email"), ("page", "sms")]
    await person(case.sessions, "quinn", Role.QA, on_call=False)
    async with case.sessions.begin() as session:
        again = await recalls.get(session, NUMBER)
        assert await staff_messages.page(session, again, complaint, NOW) == ["hana"]


def test_the_label_files_cover_every_step_and_function() -> None:
    import yaml

    folder = Path(__file__).resolve().parents[2] / "templates" / "staff"
    for language in ("en", "zh-CN"):
        labels = yaml.safe_load((folder / f"labels.{language}.yaml").read_text(encoding="utf-8"))
        assert {step.value for step in HumanStep} <= set(labels["steps"]), language
        assert {role.value for role in Role} == set(labels["functions"]), language
