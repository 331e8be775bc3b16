"""The whole way of a late task: a real workflow's timers, the real record, real mail to whoever has it next."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.staff_rendering import StaffRenderer
from activities.tasks import StaffMessageActivities
from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from db.repositories import recalls, task_actions, tasks
from db.repositories.task_list import TaskNotOpen
from domain.channels import Channel
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.workflow_ids import case_id
from models.messages import EMAIL_QUEUE, RECALL_QUEUE, BeginIntake, RecallInput
from plugin import workflow_runner
from tests.activities.conftest import NOW, NUMBER, Case
from tests.activities.test_task_turns import KEY, messages, person, the_task
from tests.messaging.conftest import Catcher, catcher
from tests.support.clock import fast_forward, real_time
from tests.workflows.test_task_timers import OwnerInTests, timers, until

__all__ = ["catcher"]  # a fixture of the messaging tests
pytestmark = pytest.mark.workflow
HOUR = timedelta(hours=1)
OWNER = case_id(NUMBER, "ladder")


@pytest_asyncio.fixture
async def owner(case: Case, catcher: Catcher, temporal: WorkflowEnvironment) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """The workflow that owns the task, on workers with the real activities and a real mail server."""
    config = SmtpConfig(host="127.0.0.1", port=catcher.smtp_port, mail_from="Recall <recall@firm.test>")
    mail = SmtpEmailAdapter(config)
    staff = StaffMessageActivities(case.sessions, {Channel.EMAIL: mail}, StaffRenderer(), config.mail_from)
    for principal, role in (("quinn", Role.QA), ("regi", Role.REGULATORY), ("hana", Role.HEAD_OF_QUALITY)):
        await person(case.sessions, principal, role)
    await case.run(case.intake.begin_intake, BeginIntake(number=NUMBER, now=NOW))
    given = RecallInput(number=NUMBER, started_by="q", created_at=datetime.now(UTC), jurisdictions=())
    async with AsyncExitStack() as stack:
        by_queue: dict[str, list[Callable[..., Any]]] = {
            RECALL_QUEUE: [case.tasks.task_clock, case.tasks.turn_tasks],
            EMAIL_QUEUE: [staff.send_staff_messages],
        }
        for queue, activities in by_queue.items():
            workflows = [OwnerInTests] if queue == RECALL_QUEUE else []
            worker = Worker(
                temporal.client,
                task_queue=queue,
                workflows=workflows,
                activities=activities,
                workflow_runner=workflow_runner(),
            )
            await stack.enter_async_context(worker)
        with real_time(temporal):
            handle = await temporal.client.start_workflow(OwnerInTests.run, given, id=OWNER, task_queue=RECALL_QUEUE)
        yield handle
        await handle.signal("end")
        await handle.result()
        await mail.close()


async def offer(case: Case, handle: WorkflowHandle[Any, Any]) -> None:
    """A task of the workflow: reminder after 12 h, due after 24 h, head after 36 h by the pinned policies."""
    async with case.sessions.begin() as session:
        recall = await recalls.get(session, NUMBER)
        step, now = HumanStep.PHONE_CALL, datetime.now(UTC)
        assert await tasks.offer(session, recall, key=KEY, step=step, what="Call them", owner=OWNER, now=now)
    await heard(handle, {KEY: 0})


async def heard(handle: WorkflowHandle[Any, Any], stages: dict[str, int]) -> None:
    """Tell the workflow, as the API does, and wait until it knows."""
    await handle.signal("task_moved", KEY)

    async def knows() -> bool:
        return bool(await handle.query("stages") == stages)

    await until(knows)


async def test_offered_then_reminded_then_handed_over_then_with_the_head_and_each_is_told_by_mail(
    case: Case, owner: WorkflowHandle[Any, Any], catcher: Catcher, temporal: WorkflowEnvironment
) -> None:
    await offer(case, owner)
    for hours, role, stage, told in (
        (12.1, "qa", 1, "quinn"),
        (12.0, "regulatory", 2, "regi"),
        (12.0, "head_of_quality", 3, "hana"),
    ):
        await fast_forward(temporal, owner, hours * HOUR)
        task = await the_task(case)
        assert (task.role, task.stage, task.state) == (role, stage, "offered")
        newest = (await messages(case))[-1]
        assert (newest.principal, newest.state) == (told, "sent"), "the clock waits for the message under way"
    mails = await catcher.messages()
    assert len(mails) == 3
    assert all(f"recall {NUMBER}" in str(mail["subject"]) for mail in mails)
    names = [f"{verb}: phone call ({KEY})" for verb in ("Remind", "Due", "Escalate")]
    assert await timers(temporal, owner) == {name: ["started", "fired"] for name in names}


async def test_a_task_sent_back_reaches_the_head_and_done_by_the_next_ends_its_timer(
    case: Case, owner: WorkflowHandle[Any, Any], catcher: Catcher, temporal: WorkflowEnvironment
) -> None:
    await offer(case, owner)
    task_id = (await the_task(case)).id or 0
    now = datetime.now(UTC)
    async with case.sessions.begin() as session:
        quinn = task_actions.Doer("quinn", "qa")
        await task_actions.send_back(session, task_id, doer=quinn, reason="wrong number", now=now)
    await heard(owner, {KEY: 0})
    async with case.sessions.begin() as session:
        hana = task_actions.Doer("hana", "head_of_quality")
        await task_actions.reassign(
            session, task_id, doer=hana, role=Role.REGULATORY, assignee="regi", reason="knows them", now=now
        )
        regi = task_actions.Doer("regi", "regulatory")
        async with session.begin_nested():
            with pytest.raises(TaskNotOpen, match="ends with"):
                await task_actions.complete(session, task_id, doer=regi, outcome="x", evidence_ids=[], now=now)
        await tasks.close(session, NUMBER, KEY, outcome="answered", done_by="regi", now=now)
    await heard(owner, {})
    await fast_forward(temporal, owner, 50 * HOUR)
    told = [(each.kind, each.principal, each.state) for each in await messages(case)]
    assert told == [("sent_back", "hana", "sent"), ("assigned", "regi", "sent")]
    assert len(await catcher.messages()) == 2
    assert await timers(temporal, owner) == {f"Remind: phone call ({KEY})": ["started", "cancelled"]}
