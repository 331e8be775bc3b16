"""Which adapter keeps which place, from the records: one partner may be served by several, each place by exactly one.

Nothing ever falls back: a place whose keeper is suspended, or cannot be built for want of its secret, answers every
call with the reason, so that its holds stay unconfirmed and are chased. To take our own ledger's word instead would
confirm locks that nobody carried out.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from adapters.inventory.assigned import AssignedKeeper, Notes
from adapters.inventory.base import Directory, InventoryAdapter
from adapters.inventory.unavailable import UnavailableKeeper
from domain.keepers import LEDGER, KeeperKind, KeeperRecord, KeeperState, Skipped

FRESH: Final = 2.0
"""Seconds for which the records are not read again."""


class Pace(Protocol):
    """How fast a keeper may be called by all processes together."""

    async def turn(self, priority: int, units: float, owner: object) -> bool:
        """Wait until `units` requests may be made."""
        ...

    async def too_fast(self, retry_after: timedelta | None) -> None:
        """The keeper refused because of the rate; everybody slows down."""
        ...


class KeeperRecords(Protocol):
    """The records behind the routing; each call is a transaction of its own."""

    async def keepers(self) -> Sequence[KeeperRecord]:
        """Every keeper besides the ledger, by code."""
        ...

    async def places(self) -> Mapping[int, str]:
        """Place -> code of its keeper, for places that another system keeps."""
        ...

    async def skipped(self, code: str, rows: Sequence[Skipped]) -> None:
        """Keep which rows of a keeper's answer were left out, and why."""
        ...

    def directory(self, code: str) -> Directory:
        """Our record's names as this keeper uses them."""
        ...


@dataclass(frozen=True, slots=True)
class KeeperParts:
    """What an adapter is built from."""

    record: KeeperRecord
    credential: str
    directory: Directory
    pace: Pace
    skipped: Notes


Builder = Callable[[KeeperParts], InventoryAdapter]
"""Builds the adapter of one kind; raises ValueError, without any secret in it, where the record cannot work."""


class LedgerOnly:
    """`Keepers` of an installation, or a test, whose whole stock is in our own ledger (or in the one keeper given)."""

    def __init__(self, ledger: InventoryAdapter) -> None:
        self._ledger = ledger

    async def at(self, location_id: int) -> InventoryAdapter:
        """See `Keepers.at`."""
        del location_id
        return self._ledger

    async def everyone(self) -> Sequence[InventoryAdapter]:
        """See `Keepers.everyone`."""
        return [self._ledger]


class RoutedKeepers:
    """`Keepers` by the records; adapters live as long as their record is unchanged, so connections are reused."""

    def __init__(
        self,
        ledger: InventoryAdapter,
        records: KeeperRecords,
        builders: Mapping[KeeperKind, Builder],
        *,
        secret: Callable[[str | None], str | None],
        pace: Callable[[KeeperRecord], Pace],
        fresh: float = FRESH,
    ) -> None:
        """`secret` reads an environment variable of a keeper's by name; `pace` gives the bucket all processes share."""
        self._ledger = AssignedKeeper(ledger, lambda place: place not in self._places, None)
        self._records = records
        self._builders = builders
        self._secret = secret
        self._pace = pace
        self._fresh = fresh
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self._places: Mapping[int, str] = {}
        self._adapters: dict[str, tuple[KeeperRecord, InventoryAdapter]] = {}
        self._retired: list[InventoryAdapter] = []

    async def at(self, location_id: int) -> InventoryAdapter:
        """See `Keepers.at`."""
        await self._refresh()
        code = self._places.get(location_id)
        return self._ledger if code is None else self._adapters[code][1]

    async def everyone(self) -> Sequence[InventoryAdapter]:
        """See `Keepers.everyone`."""
        await self._refresh()
        return [self._ledger, *(adapter for _, adapter in self._adapters.values())]

    async def named(self, code: str) -> InventoryAdapter | None:
        """The keeper with this code; None when there is none on record."""
        await self._refresh()
        if code == LEDGER:
            return self._ledger
        return self._adapters[code][1] if code in self._adapters else None

    async def close(self) -> None:
        """Close the connections of every adapter that has any."""
        adapters = [adapter for _, adapter in self._adapters.values()] + self._retired
        self._adapters, self._retired, self._read_at = {}, [], None
        for adapter in adapters:
            close = getattr(adapter, "close", None)
            if close is not None:
                await close()

    async def _refresh(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._reading:
            if self._read_at is not None and loop.time() - self._read_at < self._fresh:
                return
            # Places first: a keeper that was entered with its places between the two reads is then simply not used yet.
            places = await self._records.places()
            records = {record.code: record for record in await self._records.keepers()}
            for code, (record, adapter) in list(self._adapters.items()):
                if records.get(code) != record:
                    # Calls that are under way may end; the connections are closed with the process.
                    self._retired.append(adapter)
                    del self._adapters[code]
            for code, record in records.items():
                if code not in self._adapters:
                    self._adapters[code] = (record, self._built(record))
            self._adapters = {code: self._adapters[code] for code in sorted(self._adapters)}
            self._places = places
            self._read_at = loop.time()

    def _built(self, record: KeeperRecord) -> InventoryAdapter:
        if record.state is KeeperState.SUSPENDED:
            return UnavailableKeeper(record.code, "the keeper is suspended")
        build = self._builders.get(record.kind)
        if build is None:
            return UnavailableKeeper(record.code, f"no adapter for keepers of the kind {record.kind}")
        credential = self._secret(record.credential_variable)
        if credential is None:
            why = f"its credential is missing: the environment variable {record.credential_variable} is not set"
            return UnavailableKeeper(record.code, why)
        code = record.code

        async def skipped(rows: Sequence[Skipped]) -> None:
            await self._records.skipped(code, rows)

        parts = KeeperParts(record, credential, self._records.directory(code), self._pace(record), skipped)
        try:
            inner = build(parts)
        except ValueError as error:
            return UnavailableKeeper(code, str(error))
        return AssignedKeeper(inner, lambda place: self._places.get(place) == code, skipped)


__all__ = ["FRESH", "Builder", "KeeperParts", "KeeperRecords", "LedgerOnly", "Notes", "Pace", "RoutedKeepers"]
