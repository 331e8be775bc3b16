"""One turn over replacements in a process of its own, for a test to kill."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

from temporalio.testing import ActivityEnvironment

from activities.replacement_orders import ReplacementOrders
from adapters.inventory.factory import build_keepers, builders
from adapters.inventory.ledger import LedgerInventory
from db.engine import make_engine, make_session_factory
from db.repositories.keepers import KeeperStore
from db.repositories.stock import StockLedger
from tests.inventory.http.conftest import Paced


async def main() -> None:
    """At the keepers of the database in `DATABASE_URL`."""
    sessions = make_session_factory(make_engine(os.environ["DATABASE_URL"], application_name="killed"))
    store = KeeperStore(sessions, now=lambda: datetime.now(UTC))
    ledger = LedgerInventory(StockLedger(sessions))
    keepers = build_keepers(ledger, store, dict(os.environ), lambda _: Paced(), builders())
    orders = ReplacementOrders(sessions, keepers, timedelta(seconds=30))
    await ActivityEnvironment().run(orders.turn, datetime.now(UTC))


if __name__ == "__main__":
    asyncio.run(main())
