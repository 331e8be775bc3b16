"""One lot in every kind of position, and short ways to look at claims and stock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import psycopg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.quarantine import QuarantineActivities
from adapters.inventory.base import InventoryAdapter, Keepers, StockKeeper
from adapters.inventory.ledger import LedgerInventory
from adapters.inventory.routing import LedgerOnly
from db.engine import SessionFactory
from db.repositories.stock import StockLedger
from models.messages import HoldFigures, RecallScopeRef
from models.messages_keepers import ReadKeeperFeeds
from tests.support.chain import Chain, day
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

NUMBER, OTHER = "RC-2026-000001", "RC-2026-000002"
NOW = day(100)


@dataclass
class Yard:
    """A warehouse, a carrier, a customer and one recalled lot; helpers run the product's activities."""

    chain: Chain
    postgres: PostgresForTests
    sessions: SessionFactory
    lot: int
    warehouse: int
    carrier: int
    clinic: int
    keepers: Keepers | None = None
    """Who keeps which place; without them our own ledger keeps everything."""

    def rows(self, query: str, *binds: object) -> list[tuple[Any, ...]]:
        """Rows of any query, as the owner."""
        with psycopg.connect(self.postgres.owner_url) as connection:
            return connection.execute(query, binds or None).fetchall()

    def run(self, query: str, *binds: object) -> None:
        """Any statement, as the owner."""
        with psycopg.connect(self.postgres.owner_url) as connection:
            connection.execute(query, binds or None)

    def recall(self, number: str = NUMBER, *lots: int, version: int = 1) -> None:
        """A running recall with these lots in its scope."""
        if not self.rows("SELECT FROM recall WHERE number = %s", number):
            write_recall(self.postgres.owner_url, number)
        for lot in lots or (self.lot,):
            self.run("INSERT INTO scope_lot VALUES (%s, %s, %s, true, 0)", number, version, lot)

    def move(self, kind: str, quantity: float, source: int | None, target: int | None, **facts: Any) -> None:
        """A movement of the lot that becomes known now, by the import batch `batch` if named."""
        batch = facts.pop("batch", None)
        known = len(self.chain.moves)
        self.chain.move(kind, facts.pop("lot", self.lot), quantity, source, target, **facts)
        with psycopg.connect(self.postgres.owner_url) as connection:
            self.chain.write_moves(connection, self.chain.moves[known:])
            connection.execute("UPDATE movement SET batch_id = %s WHERE id = %s", [batch, self.chain.moves[-1].id])

    def batch(self) -> int:
        """An import batch to hang rows on."""
        with psycopg.connect(self.postgres.owner_url) as connection:
            row = connection.execute(
                "INSERT INTO import_batch (kind, state, source_system, file_name, file_sha256, mapping_sha256, actor, "
                "totals) VALUES ('movements', 'loaded', 't', 'f', '0', '0', 'a', '{}') RETURNING id"
            ).fetchone()
            assert row is not None
            return int(row[0])

    def holds(self, number: str = NUMBER) -> dict[tuple[str, int, str | None], tuple[Decimal, str, bool]]:
        """Position, place and document -> quantity, state, late."""
        found = self.rows(
            "SELECT position, location_id, document_no, quantity, state, late FROM hold "
            "WHERE recall_number = %s AND ended_at IS NULL",
            number,
        )
        return {(position, place, document): (q, state, late) for position, place, document, q, state, late in found}

    def stock(self, place: int | None = None) -> tuple[Decimal, Decimal, Decimal]:
        """On hand, reserved, held of the lot at the warehouse (or `place`)."""
        found = self.rows(
            "SELECT on_hand, reserved, held FROM stock WHERE lot_id = %s AND location_id = %s",
            self.lot,
            place or self.warehouse,
        )
        return found[0][0], found[0][1], found[0][2]

    async def request(self, number: str = NUMBER, version: int = 1, now: datetime = NOW) -> HoldFigures:
        """Activity `request_holds`."""
        quarantine = QuarantineActivities(self.sessions, self.keepers or only(self.inventory()))
        ref = RecallScopeRef(number=number, now=now, scope_version=version)
        result: HoldFigures = await ActivityEnvironment().run(quarantine.request_holds, ref)
        return result

    async def execute(
        self,
        number: str = NUMBER,
        inventory: StockKeeper | None = None,
        beat: Callable[..., None] | None = None,
        claim: bool = True,
        now: datetime = NOW,
        version: int = 1,
        one_keeper: float = 60,
    ) -> HoldFigures:
        """Activity `execute_holds`; whether it moved tasks is left out."""
        quarantine = QuarantineActivities(
            self.sessions, self.keepers or only(inventory or self.inventory()), timedelta(seconds=one_keeper)
        )
        environment = ActivityEnvironment()
        if beat is not None:
            environment.on_heartbeat = beat
        ref = RecallScopeRef(number=number, now=now, scope_version=version, claim=claim)
        result: HoldFigures = await environment.run(quarantine.execute_holds, ref)
        return result.model_copy(update={"tasks_moved": False})

    async def settle(self, now: datetime = NOW) -> int:
        """Activity `settle_keepers`."""
        quarantine = QuarantineActivities(self.sessions, self.keepers or only(self.inventory()))
        stood: int = await ActivityEnvironment().run(quarantine.settle_keepers, ReadKeeperFeeds(now=now))
        return stood

    def inventory(self) -> LedgerInventory:
        """The adapter over our own ledger."""
        return LedgerInventory(StockLedger(self.sessions))


def only(keeper: StockKeeper) -> LedgerOnly:
    """One keeper for every place; what it does with documents is not asked."""
    return LedgerOnly(cast(InventoryAdapter, keeper))


@pytest.fixture
def yard(db: SessionFactory, clean_db: PostgresForTests) -> Yard:
    """100 on hand (30 reserved) in the warehouse, 20 at the carrier, 15 and 5 under way."""
    # Rows that the product writes count from 1.
    chain = Chain(base=1000)
    warehouse, carrier = chain.place("own", "warehouse"), chain.place("logistics", "logistics")
    clinic = chain.place("customer", "hospital")
    lot = chain.lot(chain.product())
    chain.move("receipt", lot, 160, None, warehouse, day=1)
    chain.move("shipment", lot, 20, warehouse, carrier, day=2, delivered=True)
    chain.move("shipment", lot, 20, warehouse, clinic, day=3, delivered=True)
    chain.move("shipment", lot, 15, warehouse, clinic, day=4, document="D1")
    chain.move("shipment", lot, 5, warehouse, carrier, day=5, document="D2")
    chain.count(lot, warehouse, 100, 30, at=50)
    chain.count(lot, clinic, 20, at=50)
    chain.write(clean_db.owner_url)
    return Yard(chain, clean_db, db, lot, warehouse, carrier, clinic)
