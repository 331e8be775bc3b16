"""Writing down what became of deliveries: in groups, each one transaction.

A group is committed when it is full or a moment old, and nothing is sent while a whole one waits behind the one being
written, as when the database stands still: that bounds what a crash leaves in doubt (design §6). The batches
of one campaign and channel that run in one process fill the same groups: each for itself would commit a dozen outcomes
at a time, and a transaction costs as much as sending ten notices.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from weakref import WeakValueDictionary

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from activities.clock import ActivityClock
from activities.delivery_outcomes import SendingLimits
from db.engine import SessionFactory
from db.repositories import deliveries
from db.repositories.deliveries import Outcome
from models.messages import SendBatch

_LOG = logging.getLogger(__name__)
_Key = tuple[str, int, str]
"""Recall, campaign, channel: what one group's transaction and audit event speak of."""


class Recorder:
    """Takes the outcomes of one batch and has them committed."""

    def __init__(self, groups: "_Groups", clock: ActivityClock, recorded: Callable[[Sequence[Outcome]], None]) -> None:
        self._groups = groups
        self.clock = clock
        self._recorded = recorded
        self._left = 0
        """Outcomes taken and not yet written."""
        self._finished = False
        self._end = asyncio.get_running_loop().create_future()

    def add(self, outcome: Outcome) -> None:
        """What became of one delivery."""
        self._left += 1
        self._groups.add(self, outcome)

    async def room(self) -> None:
        """Wait while a whole group waits to be written: what is sent meanwhile would be in doubt after a crash, too."""
        await self._groups.room.wait()

    def finish(self) -> None:
        """There will be no more; `run` returns when everything is written."""
        self._finished = True
        if self._left:
            self._groups.write_now()
        elif not self._end.done():
            self._end.set_result(None)

    async def run(self) -> None:
        """Wait until `finish` was called and everything is written.

        Raises:
            SQLAlchemyError: a group with an outcome of this batch could not be written.
        """
        await self._end

    def written(self, outcomes: Sequence[Outcome]) -> None:
        """A committed group held these outcomes of the batch."""
        self._recorded(outcomes)
        self._left -= len(outcomes)
        if self._finished and not self._left and not self._end.done():
            self._end.set_result(None)

    def failed(self, error: Exception) -> None:
        """A group with outcomes of the batch cannot be written."""
        if not self._end.done():
            self._end.set_exception(error)


class Recorders:
    """The recorders of one process."""

    def __init__(self, sessions: SessionFactory, limits: SendingLimits) -> None:
        self._sessions = sessions
        self._limits = limits
        self._groups: WeakValueDictionary[_Key, _Groups] = WeakValueDictionary()

    def one(self, request: SendBatch, clock: ActivityClock, recorded: Callable[[Sequence[Outcome]], None]) -> Recorder:
        """For one batch; `recorded` is told of the batch's part of each group once it is committed."""
        key = (request.number, request.campaign_id, request.channel)
        groups = self._groups.get(key)
        if groups is None:
            self._groups[key] = groups = _Groups(key, self._sessions, self._limits)
        return Recorder(groups, clock, recorded)


class _Groups:
    """What waits to be written for one campaign and channel; gone with the last batch that fills it."""

    def __init__(self, key: _Key, sessions: SessionFactory, limits: SendingLimits) -> None:
        self._key = key
        self._sessions = sessions
        self._limits = limits
        self._waiting: list[tuple[Recorder, Outcome]] = []
        self._due = asyncio.Event()
        self.room = asyncio.Event()
        """Set while less than a group waits."""
        self.room.set()
        self._urgent = False
        self._writer: asyncio.Task[None] | None = None

    def add(self, recorder: Recorder, outcome: Outcome) -> None:
        self._waiting.append((recorder, outcome))
        if len(self._waiting) >= self._limits.record_group:
            self._due.set()
            self.room.clear()
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name=f"recording {self._key}")

    def write_now(self) -> None:
        """Somebody has nothing more to add: it does not wait for the group to grow."""
        self._urgent = True
        self._due.set()

    async def _write_all(self) -> None:
        size = self._limits.record_group
        while self._waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.record_every.total_seconds()):
                    await self._due.wait()
            group, self._waiting = self._waiting[:size], self._waiting[size:]
            self._urgent = self._urgent and bool(self._waiting)
            if len(self._waiting) < size:
                self.room.set()
                if not self._urgent:
                    self._due.clear()
            await self._write(group)
        self._writer = None

    async def _write(self, group: list[tuple[Recorder, Outcome]]) -> None:
        of: dict[Recorder, list[Outcome]] = {}
        for recorder, outcome in group:
            of.setdefault(recorder, []).append(outcome)
        try:
            await self._commit([outcome for _, outcome in group], group[-1][0].clock)
        except Exception as error:  # noqa: BLE001 - each batch that has a part in it raises it
            if len(of) == 1:
                group[0][0].failed(error)
                return
            # What one batch brought must not be the end of the others' outcomes.
            for part in of:
                await self._write([each for each in group if each[0] is part])
            return
        for recorder, outcomes in of.items():
            recorder.written(outcomes)

    async def _commit(self, outcomes: Sequence[Outcome], clock: ActivityClock) -> None:
        """One transaction; a database that is away for a moment must not turn a sent notice into a doubtful one."""
        number, campaign_id, channel = self._key
        pause, deadline = 0.1, asyncio.get_running_loop().time() + self._limits.lease.total_seconds()
        while True:
            try:
                async with self._sessions.begin() as session:
                    await deliveries.record(
                        session, outcomes, number=number, campaign_id=campaign_id, channel=channel, now=clock.now()
                    )
            except (OperationalError, InterfaceError, PoolTimeout) as error:
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise
                _LOG.warning("a group of outcomes cannot be recorded yet: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            else:
                return


__all__ = ["Recorder", "Recorders"]
