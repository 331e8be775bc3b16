"""Room for urgent batches: what a worker does when batches that wait for their channel's pace fill its slots.

A paced batch holds its slot for minutes. Temporal hands a free slot to class I first, but it takes none from class III;
so the least urgent batch ends early when few slots are left. It loses nothing: what it had claimed goes back.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from domain.channels import Channel

SLOTS: Final = 64
"""Batches a worker runs at once per channel; each only waits for the network and the database."""
_SPARE: Final = 8
"""Slots that less urgent batches leave free."""
_AT_LEAST: Final = 30.0
"""Seconds a batch runs before it makes room: else those that wait would only take turns."""


@dataclass(eq=False, slots=True)
class _Running:
    priority: int
    since: float
    stop: Callable[[], None]
    stopping: bool = False


class RunningBatches:
    """The batches of one process by channel."""

    def __init__(self, slots: int = SLOTS, spare: int = _SPARE, at_least: float = _AT_LEAST) -> None:
        self._full = slots - spare
        self._at_least = at_least
        self._batches: dict[Channel, list[_Running]] = {}

    @contextmanager
    def one(self, channel: Channel, priority: int, stop: Callable[[], None]) -> Iterator[None]:
        """A batch runs within; when it is one too many, the least urgent of its channel is stopped, the oldest first.

        Args:
            priority: 1 is class I, which is never stopped for room.
            stop: ends the batch in order.
        """
        batches = self._batches.setdefault(channel, [])
        mine = _Running(priority, asyncio.get_running_loop().time(), stop)
        batches.append(mine)
        try:
            self._make_room(batches)
            yield
        finally:
            batches.remove(mine)

    def _make_room(self, batches: list[_Running]) -> None:
        latest = asyncio.get_running_loop().time() - self._at_least
        staying = [each for each in batches if not each.stopping]
        if len(staying) <= self._full:
            return
        may_go = [each for each in staying if each.priority > 1 and each.since <= latest]
        if may_go:
            least = min(may_go, key=lambda each: (-each.priority, each.since))
            least.stopping = True
            least.stop()


__all__ = ["SLOTS", "RunningBatches"]
