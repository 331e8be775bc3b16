"""Composition of the keepers of stock: records and environment -> ledger, WMS, ERP, and which of them keeps a place."""

import os
from datetime import UTC, datetime
from pathlib import Path

from activities.pacing import Pacer
from adapters.inventory.factory import build_keepers, builders
from adapters.inventory.ledger import LedgerInventory
from adapters.inventory.routing import RoutedKeepers
from db.engine import SessionFactory
from db.repositories.keepers import KeeperStore
from db.repositories.stock import StockLedger
from domain.keepers import KeeperRecord


def keepers_of(sessions: SessionFactory, ca_file: Path | None = None) -> RoutedKeepers:
    """Every keeper on record, each called at its own pace by all processes together.

    Args:
        ca_file: `Settings.keeper_ca_file`.
    """
    ledger = LedgerInventory(StockLedger(sessions))
    records = KeeperStore(sessions, now=lambda: datetime.now(UTC))

    def pace(record: KeeperRecord) -> Pacer:
        return Pacer(sessions, f"keeper:{record.code}", record.per_second)

    return build_keepers(ledger, records, os.environ, pace, builders(ca_file))


__all__ = ["keepers_of"]
