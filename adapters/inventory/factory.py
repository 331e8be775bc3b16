"""Builds the routing of a process: our own ledger, and whoever the records name, each by its kind."""

from collections.abc import Callable, Mapping
from typing import Final

from adapters.inventory.base import InventoryAdapter
from adapters.inventory.routing import Builder, KeeperRecords, Pace, RoutedKeepers
from domain.keepers import KeeperKind, KeeperRecord, secret_of

BUILDERS: Final[Mapping[KeeperKind, Builder]] = {}
"""How the adapter of each kind is built; a kind without one answers every call with an error."""


def build_keepers(
    ledger: InventoryAdapter,
    records: KeeperRecords,
    environment: Mapping[str, str],
    pace: Callable[[KeeperRecord], Pace],
    builders: Mapping[KeeperKind, Builder] = BUILDERS,
) -> RoutedKeepers:
    """`Keepers` of a process; secrets are read from `environment` by the names the records give."""
    return RoutedKeepers(ledger, records, builders, secret=lambda variable: secret_of(environment, variable), pace=pace)


__all__ = ["BUILDERS", "build_keepers"]
