"""Asking providers for deliveries they never reported on: neither one message nor one provider holds up the others.

A question that fails for one message is remembered like an answer, so that the next round asks for others. When the
provider itself is away its round ends and nothing is remembered; the other channels are asked all the same.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from temporalio import activity

from activities.clock import ActivityClock
from activities.nudging import Gathered, nudge_campaign
from activities.returns_config import ReturnsConfig
from adapters.messaging.base import ErrorKind, SendError
from adapters.messaging.status import StatusSource
from db.engine import SessionFactory
from db.repositories import stuck
from db.repositories.provider_events import record_provider_event
from db.repositories.stuck import Stuck
from domain.channels import Channel
from models.messages_returns import StuckAsked

_LOG = logging.getLogger("activities.stuck")
_ENDED: Final = frozenset({"delivered", "failed"})
_IN_A_ROW: Final = 3
"""So many questions that fail one after the other: it is not the messages."""


@dataclass(slots=True)
class _Round:
    """What the questions of one round have met so far."""

    asked: int = 0
    settled: int = 0
    more: bool = False
    fault: SendError | None = None


class StuckAsker:
    """Asks by every channel whose provider can be asked."""

    def __init__(
        self, sessions: SessionFactory, sources: Mapping[Channel, StatusSource], config: ReturnsConfig
    ) -> None:
        self._sessions = sessions
        self._sources = sources
        self._config = config

    async def look(self, clock: ActivityClock, nudges: Gathered) -> StuckAsked:
        """Ask for what is due.

        Raises:
            SendError: not one question was answered.
        """
        met = _Round()
        for channel, source in self._sources.items():
            rows = await self._due(channel, clock)
            ended = await self._ask_all(source, rows, clock, nudges, met)
            # A provider that is away has more, but not now.
            met.more |= ended and len(rows) == self._config.stuck_at_once
        if met.fault is not None and not met.asked:
            raise met.fault
        return StuckAsked(asked=met.asked, settled=met.settled, more=met.more)

    async def _due(self, channel: Channel, clock: ActivityClock) -> list[Stuck]:
        now, config = clock.now(), self._config
        async with self._sessions() as session:
            before = now - config.stuck_after
            return list(
                await stuck.find(session, channel=channel.value, before=before, now=now, limit=config.stuck_at_once)
            )

    async def _ask_all(
        self, source: StatusSource, rows: list[Stuck], clock: ActivityClock, nudges: Gathered, met: _Round
    ) -> bool:
        """Ask one provider; False when it turns out to be away."""
        failed = 0
        for row in rows:
            activity.heartbeat(met.asked)
            try:
                met.settled += await self._ask(source, row, clock, nudges)
            except SendError as error:
                _LOG.warning("delivery %s cannot be asked for: %s", row.delivery_id, error.code)
                met.fault, failed = error, failed + 1
                if _is_away(error):
                    return False
                await self._note(row, error, clock)
                if failed == _IN_A_ROW:
                    return False
            else:
                met.asked, failed = met.asked + 1, 0
        return True

    async def _ask(self, source: StatusSource, row: Stuck, clock: ActivityClock, nudges: Gathered) -> bool:
        """Ask for one delivery and project the answer; True when it has an end now."""
        found = await source.status_of(row.provider_id)
        state, event = None, None
        async with self._sessions.begin() as session:
            if found is not None:
                event = await record_provider_event(
                    session,
                    provider=source.provider,
                    provider_id=row.provider_id,
                    delivery_id=row.delivery_id,
                    status=found.status[:30],
                    error_code=found.error_code,
                    at=clock.now(),
                )
                state = event.state
            settled = state in _ENDED
            status = found.status if found else "unknown"
            await stuck.note_asked(session, row, status, settled=settled, now=clock.now())
        if event is not None and event.nudge_due and event.recall_number is not None:
            await nudge_campaign(nudges, event.recall_number, event.campaign_sequence)
        return settled

    async def _note(self, row: Stuck, error: SendError, clock: ActivityClock) -> None:
        async with self._sessions.begin() as session:
            await stuck.note_asked(session, row, error.code, settled=False, now=clock.now())


def _is_away(error: SendError) -> bool:
    """Whether the error is the provider's or our account's, whatever message was asked for."""
    return error.outage or error.throttled or error.kind is ErrorKind.PERMANENT_CAMPAIGN


__all__ = ["StuckAsker"]
