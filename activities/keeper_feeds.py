"""Reading what changed at keepers of stock, and waking the recalls it concerns.

A change says only "look at this lot again": the recall's own watch locates and holds. The place in the feed is stored
after the recalls were woken, so a crash in between wakes them twice and forgets nothing; a wake-up that gets lost
costs the time to the watch's next own look.
"""

import asyncio
import logging
from typing import Final, Protocol

from temporalio import activity

from activities.clock import ActivityClock
from activities.nudging import Gathered, Nudge
from adapters.inventory.base import CursorLost, InventoryAdapter, InventoryError
from db.engine import SessionFactory
from db.repositories import keeper_feeds
from db.repositories.keeper_feeds import FeedPlace
from domain.workflow_ids import recall_id
from models.messages_keepers import KeeperFeedsRead, ReadKeeperFeeds

STOCK_APPEARED: Final = "stock_appeared"
"""Signal of the recall's workflow: its hold watch looks at once."""
PAGES: Final = 20
"""Pages of one feed in one look; the next look follows at once."""
_LOG = logging.getLogger(__name__)


class NamedKeepers(Protocol):
    """Keepers by their codes."""

    async def named(self, code: str) -> InventoryAdapter | None:
        """The keeper with this code; None when there is none on record."""
        ...


class KeeperFeedActivities:
    """The activity of the feeds."""

    def __init__(self, sessions: SessionFactory, keepers: NamedKeepers, nudge: Nudge, every_seconds: float) -> None:
        self._sessions = sessions
        self._keepers = keepers
        self._nudge = nudge
        self._every = every_seconds

    @activity.defn
    async def read_keeper_feeds(self, request: ReadKeeperFeeds) -> KeeperFeedsRead:
        """Read each keeper's feed on, all at once: one that hangs holds up no other."""
        clock = ActivityClock(request.now)
        async with self._sessions() as session:
            feeds = await keeper_feeds.active(session)
        found = await asyncio.gather(*(self._guarded(feed, clock) for feed in feeds))
        return KeeperFeedsRead(
            keepers=len(feeds),
            failed=sum(each is None for each in found),
            changes=sum(each.changes for each in found if each is not None),
            recalls=sum(each.recalls for each in found if each is not None),
            more=any(each.more for each in found if each is not None),
            every_seconds=self._every,
        )

    async def _guarded(self, feed: FeedPlace, clock: ActivityClock) -> KeeperFeedsRead | None:
        try:
            return await self._read(feed, clock)
        except InventoryError as error:
            why = str(error) or "the keeper refused"
        except Exception as error:  # noqa: BLE001 - a fault of one keeper must not silence the others
            _LOG.warning("the feed of %s cannot be read: %s", feed.code, type(error).__name__)
            why = type(error).__name__
        async with self._sessions.begin() as session:
            await keeper_feeds.failed(session, feed.code, why, clock.now())
        return None

    async def _read(self, feed: FeedPlace, clock: ActivityClock) -> KeeperFeedsRead:
        keeper = await self._keepers.named(feed.code)
        if keeper is None:
            return KeeperFeedsRead(keepers=1)
        changes = recalls = 0
        for _ in range(PAGES):
            try:
                page = await keeper.changes(feed.cursor)
            except CursorLost:
                if feed.cursor is None:
                    raise
                # What changed since is unknown: everybody looks, and the feed begins anew.
                recalls += await self._wake(None)
                if not await self._stored(feed, None, clock, complete=False):
                    break
                feed = FeedPlace(feed.code, feed.base_url, None)
                continue
            lots = sorted({change.lot_id for change in page.changes})
            if lots:
                recalls += await self._wake(lots)
            changes += len(page.changes)
            if not await self._stored(feed, page.cursor, clock, complete=not page.more) or not page.more:
                return KeeperFeedsRead(keepers=1, changes=changes, recalls=recalls)
            feed = FeedPlace(feed.code, feed.base_url, page.cursor)
            activity.heartbeat()
        return KeeperFeedsRead(keepers=1, changes=changes, recalls=recalls, more=True)

    async def _wake(self, lots: list[int] | None) -> int:
        """Wake the recalls with these lots in scope, or every one that runs."""
        async with self._sessions() as session:
            numbers = await (keeper_feeds.running(session) if lots is None else keeper_feeds.concerned(session, lots))
        nudges = Gathered(self._nudge)
        for number in numbers:
            await nudges(recall_id(number), STOCK_APPEARED, ())
        await nudges.send()
        return len(numbers)

    async def _stored(self, feed: FeedPlace, cursor: str | None, clock: ActivityClock, *, complete: bool) -> bool:
        async with self._sessions.begin() as session:
            return await keeper_feeds.handled(session, feed, cursor, clock.now(), complete=complete)


__all__ = ["STOCK_APPEARED", "KeeperFeedActivities", "NamedKeepers"]
