"""From a change at a WMS to the recall that looks again: the feed, its place, and what is lost on the way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import Worker

import worker_keepers
from activities.keeper_feeds import KeeperFeedActivities
from adapters.inventory import http_client
from adapters.inventory.factory import builders
from adapters.inventory.routing import RoutedKeepers
from adapters.inventory.unavailable import UnavailableKeeper
from db.repositories.keepers import KeeperStore
from domain.inventory import LotName
from domain.workflow_ids import KEEPER_FEEDS_ID
from models.messages import INVENTORY_QUEUE
from models.messages_keepers import KeeperFeedsInput, KeeperFeedsRead, ReadKeeperFeeds
from plugin import workflow_runner
from settings import Settings
from tests.inventory.conftest import NUMBER, OTHER, Yard
from tests.inventory.http.conftest import Paced
from tests.wms.server import TOKEN, Wms
from worker_keepers import kept_feeds, start_feeds
from workflows.keeper_feeds import KeeperFeedsWorkflow

pytestmark = pytest.mark.db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEEPER = (
    "INSERT INTO keeper (code, kind, name, base_url, auth, credential_variable, timeout_seconds, give_up_seconds,"
    " state) VALUES (%s, 'http', 'A WMS', %s, 'bearer', 'RECALL_KEEPER_T', 2, 2, 'active')"
)


@dataclass
class Feeds:
    """A WMS on record with one of its warehouses, and the nudges that were sent."""

    yard: Yard
    wms: Wms
    lot: dict[str, str]
    keepers: RoutedKeepers
    nudges: list[tuple[str, str]] = field(default_factory=list)
    nudged: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    dies: bool = False

    async def nudge(self, workflow_id: str, signal: str, arguments: tuple[str, ...]) -> None:
        assert arguments == ()
        if self.dies:
            raise asyncio.CancelledError
        self.nudges.append((workflow_id, signal))
        self.nudged.release()

    def activities(self) -> KeeperFeedActivities:
        return KeeperFeedActivities(self.yard.sessions, self.keepers, self.nudge, 60)

    async def read(self) -> KeeperFeedsRead:
        read = self.activities().read_keeper_feeds
        found: KeeperFeedsRead = await ActivityEnvironment().run(read, ReadKeeperFeeds(now=NOW))
        return found

    def kept(self) -> tuple[object, ...]:
        query = "SELECT cursor, read_at IS NULL, failures, last_error FROM keeper WHERE code = 'wms'"
        return self.yard.rows(query)[0]


@pytest_asyncio.fixture
async def feeds(yard: Yard, server: Wms, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Feeds]:
    monkeypatch.setattr(http_client, "_FIRST_PAUSE", 0.005)
    server.reset()
    yard.run(KEEPER, "wms", server.url)
    yard.run("INSERT INTO keeper_location VALUES (%s, 'wms', 'WH-1')", yard.warehouse)
    store = KeeperStore(yard.sessions, now=lambda: NOW)
    (name,) = (await store.directory("wms").lot_names([yard.lot])).values()
    assert isinstance(name, LotName)
    keepers = RoutedKeepers(
        UnavailableKeeper("ledger", "not asked"),
        store,
        builders(),
        secret=lambda variable: TOKEN,
        pace=lambda record: Paced(),
        fresh=0,
    )
    yield Feeds(yard, server, {"product": name.product_code, "number": name.number}, keepers)
    await keepers.close()
    assert server.violations == []


async def test_a_change_wakes_the_recalls_with_the_lot_in_scope_and_nobody_else(feeds: Feeds) -> None:
    yard = feeds.yard
    ((other_lot,),) = yard.rows(
        "INSERT INTO lot (product_id, number) SELECT product_id, 'another' FROM lot WHERE id = %s RETURNING id",
        yard.lot,
    )
    yard.recall(NUMBER)
    yard.recall(OTHER, other_lot)
    feeds.wms.warehouse.put(feeds.lot, "WH-1", 100)
    feeds.wms.warehouse.put({"product": "P", "number": "unknown"}, "WH-1", 1)
    assert await feeds.read() == KeeperFeedsRead(keepers=1, changes=1, recalls=1)
    assert feeds.nudges == [(f"recall:{NUMBER}", "stock_appeared")]
    assert feeds.kept() == ("2", False, 0, None)
    assert await feeds.read() == KeeperFeedsRead(keepers=1)
    assert len(feeds.nudges) == 1
    assert yard.rows("SELECT what, subject FROM keeper_skip") == [("change", "P unknown")]
    yard.run("UPDATE recall SET phase = 'terminated'")
    feeds.wms.warehouse.ship(feeds.lot, "WH-1", Decimal(1))
    assert (await feeds.read()).recalls == 0


async def test_a_crash_before_the_recalls_are_woken_forgets_no_change(feeds: Feeds) -> None:
    feeds.yard.recall()
    feeds.wms.warehouse.put(feeds.lot, "WH-1", 100)
    feeds.dies = True
    with pytest.raises(asyncio.CancelledError):
        await feeds.read()
    assert feeds.kept()[0] is None
    feeds.dies = False
    assert (await feeds.read()).recalls == 1


async def test_a_keeper_that_is_away_says_so_and_holds_up_no_other(feeds: Feeds) -> None:
    feeds.yard.recall()
    feeds.yard.run(KEEPER, "away", "http://127.0.0.1:9")
    feeds.wms.warehouse.put(feeds.lot, "WH-1", 100)
    read = await feeds.read()
    assert (read.keepers, read.failed, read.recalls) == (2, 1, 1)
    ((failures, error),) = feeds.yard.rows("SELECT failures, last_error FROM keeper WHERE code = 'away'")
    assert failures == 1
    assert error.startswith("away: it cannot be reached")
    feeds.yard.run("UPDATE keeper SET state = 'suspended' WHERE code = 'away'")
    assert (await feeds.read()).keepers == 1


async def test_a_place_in_the_feed_that_is_gone_makes_every_recall_look(feeds: Feeds) -> None:
    feeds.yard.recall()
    for _ in range(3):
        feeds.wms.warehouse.put(feeds.lot, "WH-1", 100)
    await feeds.read()
    feeds.nudges.clear()
    feeds.wms.faults.forgotten = 99
    feeds.yard.run("UPDATE keeper SET cursor = '1'")
    read = await feeds.read()
    assert read.recalls == 2  # once because nobody knows what is missing, once for what the feed still has
    assert feeds.kept()[0] == "3"


async def test_a_keeper_that_moved_meanwhile_keeps_its_new_place(feeds: Feeds) -> None:
    feeds.wms.warehouse.put(feeds.lot, "WH-1", 100)
    feeds.yard.run("UPDATE keeper SET cursor = '0'")
    before = feeds.nudge

    async def moves(workflow_id: str, signal: str, arguments: tuple[str, ...]) -> None:
        await before(workflow_id, signal, arguments)
        feeds.yard.run("UPDATE keeper SET base_url = 'https://new.invalid', cursor = NULL")

    feeds.yard.recall()
    feeds.nudge = moves  # type: ignore[method-assign]
    await feeds.read()
    assert feeds.kept()[0] is None


async def test_the_workflow_looks_when_a_webhook_asks_and_goes_on_after_a_failure(
    feeds: Feeds, temporal: WorkflowEnvironment
) -> None:
    feeds.yard.recall()
    feeds.wms.warehouse.put(feeds.lot, "WH-1", 100)
    worker = Worker(
        temporal.client,
        task_queue=INVENTORY_QUEUE,
        workflows=[KeeperFeedsWorkflow],
        activities=[feeds.activities().read_keeper_feeds],
        workflow_runner=workflow_runner(),
        max_cached_workflows=0,
    )
    async with worker:
        handle = await temporal.client.start_workflow(
            KeeperFeedsWorkflow.run, KeeperFeedsInput(pause_seconds=3600), id="feeds-test", task_queue=INVENTORY_QUEUE
        )
        async with asyncio.timeout(30):
            await feeds.nudged.acquire()
            feeds.wms.warehouse.ship(feeds.lot, "WH-1", Decimal(1))
            for _ in range(5):
                await handle.signal(KeeperFeedsWorkflow.look)
            await feeds.nudged.acquire()
        described = await handle.describe()
        assert described.status is WorkflowExecutionStatus.RUNNING
        await handle.terminate()


async def test_ended_by_whatever_it_is_started_again_by_a_worker_that_runs(
    temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_keepers, "_STILL_RUNS", timedelta(milliseconds=50))
    handle = temporal.client.get_workflow_handle(KEEPER_FEEDS_ID)
    assert await start_feeds(temporal.client, Settings())
    first = (await handle.describe()).run_id
    assert await start_feeds(temporal.client, Settings())
    assert (await handle.describe()).run_id == first
    await handle.terminate()
    async with asyncio.timeout(20), kept_feeds(temporal.client, Settings()):
        while (await handle.describe()).run_id == first:
            pass
    await handle.terminate()
