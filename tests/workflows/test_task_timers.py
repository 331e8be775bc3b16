"""Timers of tasks: one per due time, named, and gone with the task; the record decides what is due."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.phases import Phase
from domain.task_times import TaskTimes
from models.messages import EMAIL_QUEUE, RECALL_QUEUE, Message, OpenTask, RecallInput, TaskClock
from plugin import workflow_runner
from tests.support.clock import fast_forward, real_time
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import QUINN, RecallRun
from workflows.task_timers import OwnsTasks, TaskTimers

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]
HOUR = timedelta(hours=1)
_ids = count(1)


class Watch(Message):
    """Times of one task, in hours from now."""

    key: str
    remind: float
    due: float
    escalate: float


@workflow.defn(name="OwnerInTests")
class OwnerInTests(OwnsTasks):
    """Owns tasks and nothing else."""

    @workflow.init
    def __init__(self, start: RecallInput) -> None:
        carried = [TaskClock.model_validate(each) for each in (start.carried or {}).get("clocks", [])]
        self._timers = TaskTimers(start.number, carried=carried)
        self._end = self._again = False

    @workflow.run
    async def run(self, start: RecallInput) -> None:
        self._timers.start(continued=start.carried is not None)
        await workflow.wait_condition(lambda: self._end or self._again)
        if self._again:
            clocks = [clock.model_dump(mode="json") for clock in self._timers.carried()]
            workflow.continue_as_new(start.model_copy(update={"carried": {"clocks": clocks}}))
        await self._timers.all_sent()

    @workflow.signal
    def watch(self, watch: Watch) -> None:
        now = workflow.now()
        times = TaskTimes(now + watch.remind * HOUR, now + watch.due * HOUR, now + watch.escalate * HOUR)
        self._timers.watch(watch.key, f"task {watch.key}", times)

    @workflow.signal
    def drop(self, key: str) -> None:
        self._timers.drop(key)

    @workflow.signal
    def end(self) -> None:
        self._end = True

    @workflow.signal
    def again(self) -> None:
        self._again = True

    @workflow.query
    def due(self, key: str) -> datetime | None:
        return self._timers.due_at(key)

    @workflow.query
    def stages(self) -> dict[str, int]:
        return {clock.key: clock.stage for clock in self._timers.carried()}

    @workflow.query
    def overdue(self) -> list[str]:
        return self._timers.overdue()


@pytest_asyncio.fixture
async def owner(temporal: WorkflowEnvironment, fakes: FakeRecallActivities) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """A running owner of tasks over the scripted record of `fakes`."""
    async with AsyncExitStack() as stack:
        for queue in (RECALL_QUEUE, EMAIL_QUEUE):
            worker = Worker(
                temporal.client,
                task_queue=queue,
                workflows=[OwnerInTests] if queue == RECALL_QUEUE else [],
                activities=fakes.all(),
                workflow_runner=workflow_runner(),
                max_cached_workflows=0,
            )
            await stack.enter_async_context(worker)
        start = RecallInput(number="RC-2026-000001", started_by="q", created_at=await _now(), jurisdictions=())
        with real_time(temporal):
            handle = await temporal.client.start_workflow(
                OwnerInTests.run, start, id=f"owner-in-tests-{next(_ids)}", task_queue=RECALL_QUEUE
            )
        yield handle
        newest = temporal.client.get_workflow_handle(handle.id)
        await newest.signal("end")
        await newest.result()


async def _now() -> datetime:
    return datetime.now().astimezone()


async def until(seen: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await seen():
            return
        # Without a cache every query is a replay; an unbroken row of them starves the workflow's own tasks.
        await asyncio.sleep(0.05)


async def timers(env: WorkflowEnvironment, handle: WorkflowHandle[Any, Any]) -> dict[str, list[str]]:
    """Timer name -> what became of it, from the history."""
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    converter = env.client.data_converter.payload_converter
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
            name = converter.from_payload(event.user_metadata.summary, str)
            names[event.timer_started_event_attributes.timer_id] = name
            found.setdefault(name, []).append("started")
        elif event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            found[names[event.timer_fired_event_attributes.timer_id]].append("fired")
        elif event.event_type == EventType.EVENT_TYPE_TIMER_CANCELED:
            found[names[event.timer_canceled_event_attributes.timer_id]].append("cancelled")
    return found


def on_record(fakes: FakeRecallActivities, handle: WorkflowHandle[Any, Any], key: str, now: datetime) -> None:
    """The task as its record has it: 1 h to the reminder, 2 h to the due time, 3 h to the head."""
    fakes.tasks[key] = OpenTask(
        number="RC-2026-000001",
        key=key,
        step="visit",
        what=f"task {key}",
        role="qa",
        stand_in="regulatory",
        remind_at=now + HOUR,
        due_at=now + 2 * HOUR,
        escalate_at=now + 3 * HOUR,
        owner=handle.id,
        now=now,
    )
    fakes.stages[key] = 0


async def test_a_task_climbs_step_by_step_each_by_a_timer_of_its_own_name(
    owner: WorkflowHandle[Any, Any], temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    on_record(fakes, owner, "visit:4", await _now())
    await owner.signal("watch", Watch(key="visit:4", remind=1, due=2, escalate=3))
    await until(lambda: _watched(owner, 1))
    for by, stage, late in ((1.1, 1, []), (1.0, 2, ["visit:4"]), (1.0, 3, ["visit:4"])):
        await fast_forward(temporal, owner, by * HOUR)
        assert fakes.climbed[-1] == ("visit:4", stage)
        assert await owner.query("overdue") == late
    assert await timers(temporal, owner) == {
        "Remind: task visit:4": ["started", "fired"],
        "Due: task visit:4": ["started", "fired"],
        "Escalate: task visit:4": ["started", "fired"],
    }
    assert fakes.names().count("send_staff_messages") == 3


async def _watched(handle: WorkflowHandle[Any, Any], many: int) -> bool:
    return len(await handle.query("stages")) == many


async def test_tasks_due_at_one_instant_share_one_timer_and_one_look(
    owner: WorkflowHandle[Any, Any], temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    now = await _now()
    for number in range(40):
        on_record(fakes, owner, f"check:1:{number}", now)
    await owner.signal("task_moved", "check:1:0")
    await until(lambda: _watched(owner, 40))
    await fast_forward(temporal, owner, 1.1 * HOUR)
    assert set((await owner.query("stages")).values()) == {1}
    assert fakes.names().count("turn_tasks") == 1
    assert await timers(temporal, owner) == {
        "Remind: task check:1:0 and 39 more": ["started", "fired"],
        "Due: task check:1:0 and 39 more": ["started"],
    }
    assert (await owner.describe()).history_length < 40


async def test_the_timer_of_a_task_that_is_done_ends_at_once(
    owner: WorkflowHandle[Any, Any], temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    on_record(fakes, owner, "visit:4", await _now())
    await owner.signal("watch", Watch(key="visit:4", remind=1, due=2, escalate=3))
    await until(lambda: _watched(owner, 1))
    await owner.signal("drop", "visit:4")
    await until(lambda: _watched(owner, 0))
    assert await timers(temporal, owner) == {"Remind: task visit:4": ["started", "cancelled"]}
    assert "turn_tasks" not in fakes.names()


async def test_a_lost_word_about_a_done_task_costs_one_look_and_no_reminder(
    owner: WorkflowHandle[Any, Any], temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    on_record(fakes, owner, "visit:4", await _now())
    await owner.signal("watch", Watch(key="visit:4", remind=1, due=2, escalate=3))
    await until(lambda: _watched(owner, 1))
    fakes.stages.pop("visit:4")
    await fast_forward(temporal, owner, 1.1 * HOUR)
    assert await owner.query("stages") == {}
    assert fakes.climbed == []


async def test_a_task_whose_time_was_extended_elsewhere_keeps_the_new_time(
    owner: WorkflowHandle[Any, Any], temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    now = await _now()
    on_record(fakes, owner, "visit:4", now)
    await owner.signal("watch", Watch(key="visit:4", remind=1, due=2, escalate=3))
    await until(lambda: _watched(owner, 1))
    later = {"remind_at": now + 11 * HOUR, "due_at": now + 12 * HOUR, "escalate_at": now + 13 * HOUR}
    fakes.tasks["visit:4"] = fakes.tasks["visit:4"].model_copy(update=later)
    await owner.signal("task_moved", "visit:4")
    await until(lambda: _asked(fakes, "task_clock"))
    await fast_forward(temporal, owner, 5 * HOUR)
    assert fakes.climbed == []
    await fast_forward(temporal, owner, 6.1 * HOUR)
    assert fakes.climbed == [("visit:4", 1)]


async def test_what_somebody_wrote_to_staff_while_moving_a_task_is_sent_when_the_workflow_hears_of_it(
    owner: WorkflowHandle[Any, Any], fakes: FakeRecallActivities
) -> None:
    fakes.channels = ("email",)
    await owner.signal("task_moved", "visit:4")
    await until(lambda: _asked(fakes, "send_staff_messages"))
    scheduled = [
        event.activity_task_scheduled_event_attributes
        async for event in owner.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    (sending,) = (each for each in scheduled if each.activity_type.name == "send_staff_messages")
    assert sending.priority.priority_key == 1, "it waits behind no batch of notices"


async def _asked(fakes: FakeRecallActivities, name: str) -> bool:
    return name in fakes.names()


async def test_a_new_run_keeps_the_due_times_and_learns_what_happened_in_between(
    owner: WorkflowHandle[Any, Any], temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    now = await _now()
    for key in ("visit:4", "visit:5"):
        on_record(fakes, owner, key, now)
        await owner.signal("watch", Watch(key=key, remind=1, due=2, escalate=3))
    await until(lambda: _watched(owner, 2))
    first_run = (await owner.describe()).run_id
    fakes.stages.pop("visit:5")
    await owner.signal("again")
    newest = temporal.client.get_workflow_handle(owner.id)
    await until(lambda: _is_another_run(newest, first_run))
    await until(lambda: _watched(newest, 1))
    assert datetime.fromisoformat(await newest.query("due", "visit:4")) == fakes.tasks["visit:4"].due_at


async def _is_another_run(handle: WorkflowHandle[Any, Any], run_id: str) -> bool:
    return (await handle.describe()).run_id != run_id


async def test_a_recall_s_task_goes_from_offer_to_reminder_to_stand_in_to_the_head(
    start: Start, temporal: WorkflowEnvironment, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.until(lambda state: state.waiting_for is not None and "evaluation" in state.waiting_for)
    task = fakes.tasks["evaluation:Uni-Gold"]
    assert (task.owner, task.role, task.stand_in) == (run.handle.id, "medical", "qa")
    assert task.remind_at is not None
    assert task.due_at is not None
    assert task.escalate_at is not None
    assert (task.due_at - task.now, task.escalate_at - task.due_at) == (24 * HOUR, task.remind_at - task.now)
    await fast_forward(temporal, run.handle, 40 * HOUR)
    assert [stage for key, stage in fakes.climbed if key == task.key] == [1, 2, 3]
    assert (await run.until(lambda state: state.overdue)).phase == Phase.ASSESSMENT, "late or not, the recall waits"
    named = await timers(temporal, run.handle)
    assert {f"{verb}: {task.what}" for verb in ("Remind", "Due", "Escalate")} <= set(named)
    await run.evaluate()
    assert not (await run.until(lambda state: state.waiting_for == "the approver's decision on the class")).overdue


async def test_the_second_signature_goes_to_the_head_of_its_own_function(
    start: Start, fakes: FakeRecallActivities
) -> None:
    run = await start()
    await run.to_strategy()
    await run.until(lambda _: "strategy:regulatory" in fakes.tasks)
    assert fakes.tasks["strategy:regulatory"].stand_in is None, "the rule speaks of quality; the head comes next"
    await run.sign("quality", QUINN)
