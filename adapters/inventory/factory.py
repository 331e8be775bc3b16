"""Builds the routing of a process: our own ledger, and whoever the records name, each by its kind."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from adapters.inventory.base import InventoryAdapter
from adapters.inventory.http import http_inventory
from adapters.inventory.routing import Builder, KeeperRecords, Pace, RoutedKeepers
from adapters.inventory.tryton import tryton_inventory
from domain.keepers import KeeperKind, KeeperRecord, secret_of


def builders(ca_file: Path | None = None) -> dict[KeeperKind, Builder]:
    """How the adapter of each kind is built; a kind without a builder answers every call with an error.

    Args:
        ca_file: certificates of authorities (PEM) that are trusted beside the usual ones.
    """
    return {
        KeeperKind.HTTP: partial(http_inventory, ca_file=ca_file),
        KeeperKind.TRYTON: partial(tryton_inventory, ca_file=ca_file),
    }


def build_keepers(
    ledger: InventoryAdapter,
    records: KeeperRecords,
    environment: Mapping[str, str],
    pace: Callable[[KeeperRecord], Pace],
    by_kind: Mapping[KeeperKind, Builder],
) -> RoutedKeepers:
    """`Keepers` of a process; secrets are read from `environment` by the names the records give."""
    return RoutedKeepers(ledger, records, by_kind, secret=lambda variable: secret_of(environment, variable), pace=pace)


__all__ = ["build_keepers", "builders"]
