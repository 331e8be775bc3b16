"""Timers of the tasks a workflow owns: one per due time, each with a name the Web UI shows.

When a time comes, an activity decides from the record what is due (reminder, hand-over to the stand-in, the head of
the function) and says when to come back. The record is the truth: a task that was settled, moved or extended meanwhile
costs nothing but a look, and a new run reads its tasks again. Tasks due at one instant share one timer and one look,
so history grows with due times, never with tasks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.task_times import Stage, TaskTimes, next_instant
    from models.messages import (
        OwnTasks,
        SendStaffMessages,
        StaffSent,
        TaskClock,
        TaskClocks,
        TasksTurned,
        TaskTurn,
        TurnTasks,
    )
    from workflows.activity_options import RECORD, staff_messages
    from workflows.deadline import cut, wait_until

Do = Callable[..., Awaitable[Any]]
"""`do(activity, argument, result_type, summary, options)`, as the owning workflow calls activities."""
_VERBS: Final = {Stage.OFFERED: "Remind", Stage.REMINDED: "Due", Stage.HANDED_OVER: "Escalate"}
_AGAIN: Final = timedelta(minutes=5)
"""When a look that failed for good is tried again."""
_TURN: Final = 200
"""Tasks per activity."""


async def call(activity: str, argument: Any, result: Any, summary: str, options: dict[str, Any] | None = None) -> Any:
    """The plain `Do`, for workflows without one of their own."""
    return await workflow.execute_activity(
        activity, argument, result_type=result, summary=cut(summary), **(options or RECORD)
    )


class TaskTimers:
    """Create in the workflow's `@workflow.init`; `carried` is what the run before kept (`carried()`)."""

    def __init__(
        self,
        number: str,
        do: Do = call,
        carried: Iterable[TaskClock] = (),
        changed: Callable[[], None] | None = None,
    ) -> None:
        """Starts nothing yet: `start` does, or the first watch. `changed` is called when a task climbed or vanished."""
        self._number = number
        self._do = do
        self._changed = changed
        self._watched: dict[str, TaskClock] = {}
        self._due: dict[datetime, list[str]] = {}
        self._runners: dict[datetime, asyncio.Task[None]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._unsent: set[str] = set()
        self._reader: asyncio.Task[None] | None = None
        self._stale = False
        self._since_read: set[str] = set()
        self._started = False
        self.turns = 0
        """Rises whenever a task climbed or disappeared; for wait conditions."""
        for clock in carried:
            self._plan(clock)

    # ------------------------------------------------------------------ what the owner says

    def start(self, *, continued: bool = False) -> None:
        """Call first thing in `run`: a continued run reads its tasks again, because the record is the truth."""
        if continued or (self._watched and not self._started):
            self.moved()
        self._begin()

    def _begin(self) -> None:
        # Tasks of an event loop cannot be made in `@workflow.init`, where this object is.
        if not self._started:
            self._started = True
            for at in self._due:
                self._runners[at] = asyncio.create_task(self._run(at))

    def watch(self, key: str, what: str, times: TaskTimes, stage: int = Stage.OFFERED) -> None:
        """Run the timers of a task; a key that is watched already keeps the times it has."""
        self._begin()
        self._since_read.add(key)
        if key not in self._watched:
            self._plan(
                TaskClock(
                    key=key,
                    what=what,
                    remind_at=times.remind_at,
                    due_at=times.due_at,
                    escalate_at=times.escalate_at,
                    stage=stage,
                )
            )

    def drop(self, *keys: str) -> None:
        """The tasks are done or cancelled; unknown keys are no error."""
        for key in keys:
            if self._watched.pop(key, None) is not None:
                self._unplan(key)

    def moved(self, _key: str = "") -> None:
        """A task was moved, completed, extended or opened by somebody else: read the record again, soon."""
        self._begin()
        self._stale = True
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())

    def send(self, channels: Iterable[str]) -> None:
        """Send what waits for our own people, without making anything wait for a mail server."""
        for channel in channels:
            # What was written while one send is under way is not seen by it for certain: one more follows.
            self._unsent.add(channel)
            running = self._senders.get(channel)
            if running is None or running.done():
                self._senders[channel] = asyncio.create_task(self._send(channel))

    async def all_sent(self) -> None:
        """Wait for the messages under way; before the workflow ends."""
        await asyncio.gather(*self._senders.values(), return_exceptions=True)

    # ------------------------------------------------------------------ what the owner asks

    def carried(self) -> list[TaskClock]:
        """What the next run needs to go on."""
        return list(self._watched.values())

    def watches(self, key: str) -> bool:
        """Whether the task is open as far as this workflow knows."""
        return key in self._watched

    def due_at(self, key: str) -> datetime | None:
        """The task's due time, passed or not."""
        clock = self._watched.get(key)
        return clock.due_at if clock else None

    def overdue(self) -> list[str]:
        """Keys of the tasks whose due time has passed."""
        return [key for key, clock in self._watched.items() if clock.stage >= Stage.HANDED_OVER]

    def next_due(self, keys: Iterable[str] | None = None) -> tuple[datetime, str] | None:
        """Earliest due time, passed or not, and its name, of `keys` or of all watched tasks."""
        wanted = self._watched if keys is None else list(keys)
        found = [(clock.due_at, clock.what) for key, clock in self._watched.items() if key in wanted and clock.due_at]
        return min(found) if found else None

    # ------------------------------------------------------------------ timers

    def _plan(self, clock: TaskClock) -> None:
        self._unplan(clock.key)
        self._watched[clock.key] = clock
        at = next_instant(clock.stage, TaskTimes(clock.remind_at, clock.due_at, clock.escalate_at))
        if at is not None:
            self._plan_at(clock.key, at)

    def _plan_at(self, key: str, at: datetime) -> None:
        self._due.setdefault(at, []).append(key)
        if self._started and at not in self._runners:
            self._runners[at] = asyncio.create_task(self._run(at))

    def _unplan(self, key: str) -> None:
        for keys in self._due.values():
            if key in keys:
                keys.remove(key)

    async def _run(self, at: datetime) -> None:
        await wait_until(lambda: not self._due.get(at), at, self._name(at))
        keys = self._due.pop(at, [])
        self._runners.pop(at, None)
        for start in range(0, len(keys), _TURN):
            await self._turn(keys[start : start + _TURN])

    def _name(self, at: datetime) -> str:
        keys = self._due.get(at, [])
        if not keys:
            return "settled"
        first = self._watched[keys[0]]
        others = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        return f"{_VERBS.get(Stage(first.stage), 'Look')}: {first.what}{others}"

    async def _turn(self, keys: list[str]) -> None:
        keys = [key for key in keys if key in self._watched]
        if not keys:
            return
        request = TurnTasks(number=self._number, keys=tuple(keys), now=workflow.now())
        what = self._watched[keys[0]].what + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")
        try:
            turned: TasksTurned = await self._do("turn_tasks", request, TasksTurned, f"Time is up: {what}", None)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("the tasks whose time came were not turned; tried again")
            for key in keys:
                if key in self._watched:
                    self._plan_at(key, workflow.now() + _AGAIN)
            return
        for turn in turned.turns:
            self._settle(turn)
        self.send(turned.channels)
        self._tell()

    def _settle(self, turn: TaskTurn) -> None:
        clock = self._watched.get(turn.key)
        if clock is None:
            return
        if not turn.open:
            self.drop(turn.key)
            return
        self._watched[turn.key] = clock.model_copy(update={"stage": turn.stage})
        if turn.next_at is not None:
            self._plan_at(turn.key, turn.next_at)

    def _tell(self) -> None:
        self.turns += 1
        if self._changed is not None:
            self._changed()

    # ------------------------------------------------------------------ the record

    async def _read(self) -> None:
        while self._stale:
            self._stale = False
            self._since_read = set()
            request = OwnTasks(number=self._number, owner=workflow.info().workflow_id, now=workflow.now())
            try:
                found: TaskClocks = await self._do("task_clock", request, TaskClocks, "Read the open tasks", None)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                workflow.logger.error("the open tasks were not read; the timers that run stay as they are")
                return
            self._sync(found)

    def _sync(self, found: TaskClocks) -> None:
        listed = {clock.key for clock in found.clocks}
        if not found.more:
            # A task opened while the record was being read is not in the answer.
            gone = [key for key in self._watched if key not in listed and key not in self._since_read]
            self.drop(*gone)
        for clock in found.clocks:
            if clock != self._watched.get(clock.key):
                self._plan(clock)
        self.send(found.channels)
        self._tell()

    async def _send(self, channel: str) -> None:
        while channel in self._unsent:
            self._unsent.remove(channel)
            request = SendStaffMessages(number=self._number, channel=channel, now=workflow.now())
            options = staff_messages(channel)
            try:
                await self._do("send_staff_messages", request, StaffSent, f"Tell staff by {channel}", options)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                workflow.logger.error("messages to staff by %s wait; the next one tries them again", channel)


class OwnsTasks:
    """Mixin of every workflow that owns tasks: anybody who changes one says so by this signal."""

    _timers: TaskTimers

    @workflow.signal
    def task_moved(self, key: str) -> None:
        """A task of this workflow was completed, moved, extended or opened outside of it."""
        self._timers.moved(key)


__all__ = ["OwnsTasks", "TaskTimers", "call"]
