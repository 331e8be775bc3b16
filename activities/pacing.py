"""Waiting for one's turn: the channels' token buckets as a worker process sees them.

All batches of a process share one `Pacer` per channel. It leases units for about half a second at a time from the
bucket in the record, which all processes share, and hands them to whoever waits, class I first and then in the order
of asking. A channel without a configured rate is asked for once a second, so that a provider's "too fast" to one
process slows down all.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from adapters.messaging.base import OutgoingMessage
from db.engine import SessionFactory
from db.repositories import pacing
from db.repositories.pacing import Turn
from domain.channels import Channel
from domain.sms_segments import sms_size
from settings import Settings

_LOG = logging.getLogger(__name__)
_SPAN: Final = timedelta(milliseconds=500)
"""What one lease is worth; a process that dies loses at most this much capacity."""
_FREE: Final = 1.0
"""Seconds for which an unlimited channel is not asked again."""
_LONGEST_SLEEP: Final = 5.0
_WINDOW: Final = 2.0
"""Seconds over which the rate really sent is measured."""


def units_of(channel: Channel, message: OutgoingMessage) -> int:
    """What a message costs in its provider's unit: segments of an SMS, else one call, e-mail or request."""
    return sms_size(message.text).segments if channel is Channel.SMS else 1


class Pace(Protocol):
    """What a sender needs of its channel's pace."""

    def at_once(self, units: float) -> bool:
        """Take units that are there; False: `turn` has to be waited for."""

    async def turn(self, priority: int, units: float, owner: object) -> bool:
        """Wait until `units` may be sent; False when `owner` was withdrawn meanwhile."""

    def withdraw(self, owner: object) -> None:
        """Let everybody go who waits on behalf of `owner`."""

    async def too_fast(self, retry_after: timedelta | None) -> None:
        """The provider refused because of the rate."""

    def claim_size(self, most: int) -> int:
        """How many deliveries are worth claiming ahead: what goes out within a few seconds."""


@dataclass(order=True, slots=True)
class _Waiting:
    priority: int
    place: int
    units: float = field(compare=False)
    owner: object = field(compare=False)
    told: "asyncio.Future[bool]" = field(compare=False)


class Pacer:
    """`Pace` of one channel in this process."""

    def __init__(self, sessions: SessionFactory, channel: str, configured: float | None) -> None:
        """`channel` or `keeper:<code>`; `configured` units per second, None: unlimited until somebody complains."""
        self._sessions = sessions
        self._channel = channel
        self._configured = configured
        self._tokens = 0.0
        self._free_until = -1.0
        self._rate: float | None = configured
        self._waiting: list[_Waiting] = []
        self._places = itertools.count()
        self._keeper: asyncio.Task[None] | None = None
        self._measured = 0.0
        self._window: tuple[float, float] = (0.0, 0.0)

    def at_once(self, units: float) -> bool:
        """See `Pace`."""
        return not self._waiting and self._take(units)

    async def turn(self, priority: int, units: float, owner: object) -> bool:
        """See `Pace`."""
        if self.at_once(units):
            return True
        loop = asyncio.get_running_loop()
        waiting = _Waiting(priority, next(self._places), units, owner, loop.create_future())
        heapq.heappush(self._waiting, waiting)
        if self._keeper is None or self._keeper.done():
            self._keeper = loop.create_task(self._serve())
        return await waiting.told

    def withdraw(self, owner: object) -> None:
        """See `Pace`."""
        for waiting in self._waiting:
            if waiting.owner is owner and not waiting.told.done():
                waiting.told.set_result(False)

    async def too_fast(self, retry_after: timedelta | None) -> None:
        """See `Pace`; a database that is away is no reason to go on at full speed, so this process waits anyway."""
        self._tokens, self._free_until = 0.0, -1.0
        observed = max(self._measured, self._window[1] / _WINDOW)
        try:
            await pacing.slow_down(
                self._sessions, self._channel, self._configured, observed=observed, retry_after=retry_after
            )
        except SQLAlchemyError as error:
            _LOG.warning("the pace of %s cannot be slowed in the record: %s", self._channel, type(error).__name__)
            await asyncio.sleep(1)

    def claim_size(self, most: int) -> int:
        """See `Pace`."""
        return most if self._rate is None else max(1, min(most, round(self._rate * 5)))

    def _take(self, units: float) -> bool:
        now = asyncio.get_running_loop().time()
        if now >= self._free_until:
            # The smallest remainder counts as enough: halves and thirds do not add up exactly.
            if self._tokens < units - 1e-6:
                return False
            self._tokens -= units
        begun, sent = self._window
        if now - begun >= _WINDOW:
            self._measured = sent / (now - begun)
            begun, sent = now, 0.0
        self._window = (begun, sent + units)
        return True

    async def _serve(self) -> None:
        """Hand out turns until nobody waits."""
        while self._waiting:
            first = self._waiting[0]
            if first.told.done():
                heapq.heappop(self._waiting)
            elif self._take(first.units):
                heapq.heappop(self._waiting)
                first.told.set_result(True)
            else:
                await self._lease(first)

    async def _lease(self, first: _Waiting) -> None:
        try:
            turn = await pacing.take(
                self._sessions,
                self._channel,
                self._configured,
                wanted=first.units - self._tokens,
                span=_SPAN,
                priority=first.priority,
            )
        except SQLAlchemyError as error:
            _LOG.warning("no turn for %s yet: %s", self._channel, type(error).__name__)
            await asyncio.sleep(1)
            return
        await self._use(turn)

    async def _use(self, turn: Turn) -> None:
        units, wait = turn.lease.units, turn.wait
        if units is None:
            self._rate = None
            self._free_until = asyncio.get_running_loop().time() + _FREE
            return
        self._rate = turn.lease.rate
        # In steps, so that a waiter that was let go is noticed; a lease once made is waited for to its start.
        while wait > 0:
            step = min(wait, _LONGEST_SLEEP)
            await asyncio.sleep(step)
            wait -= step
            if units == 0:
                return
        self._tokens += units


class Unpaced:
    """`Pace` of a drill: it reaches nobody, so it takes nothing from those who send in earnest."""

    def at_once(self, units: float) -> bool:
        """Always."""
        del units
        return True

    async def turn(self, priority: int, units: float, owner: object) -> bool:
        """At once."""
        del priority, units, owner
        return True

    def withdraw(self, owner: object) -> None:
        """Nobody waits."""

    async def too_fast(self, retry_after: timedelta | None) -> None:
        """No provider speaks in a drill."""

    def claim_size(self, most: int) -> int:
        """As many as asked for."""
        return most


def pacers(sessions: SessionFactory, settings: Settings) -> dict[Channel, Pacer]:
    """The pace of every channel as configured."""
    rates: Mapping[Channel, float | None] = {
        Channel.EMAIL: settings.emails_per_second,
        Channel.SMS: settings.sms_segments_per_second,
        Channel.VOICE: settings.calls_per_second,
        Channel.WEBHOOK: settings.webhook_requests_per_second,
        Channel.PUSH: settings.push_messages_per_second,
    }
    return {channel: Pacer(sessions, channel, rate) for channel, rate in rates.items()}


__all__ = ["Pace", "Pacer", "Unpaced", "pacers", "units_of"]
