"""The HTTP adapter against the reference WMS: one server per module, names of a small world without a database."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest_asyncio

from adapters.inventory.http import HttpInventory
from adapters.inventory.http_client import KeeperClient
from adapters.inventory.routing import KeeperParts
from domain.inventory import LotName, Position, PositionState
from domain.keepers import KeeperAuth, KeeperKind, KeeperRecord, Skipped
from tests.wms.server import TOKEN, Wms, running

LOTS = {1: LotName("P-1", "A"), 2: LotName("P-1", "B", "PLANT"), 3: LotName("P-2", "C")}
LOTS |= {4: LotName("P-1", "T", "PLANT"), 5: LotName("P-1", "T", "OTHER PLANT")}  # one number, two sites
PLACES = {10: ("WH-1", "own"), 11: ("WH-2", "logistics"), 12: ("CLINIC", "customer")}
PACKS = {("P-1", "box"): Decimal(12)}


class World:
    """`Directory` of the world above."""

    async def lot_names(self, lot_ids: Sequence[int]) -> dict[int, LotName]:
        return {each: LOTS[each] for each in lot_ids if each in LOTS}

    async def lot_ids(self, names: Sequence[LotName]) -> dict[LotName, int]:
        return {name: ids[0] for name, ids in (await self.lots_fitting(names)).items() if len(ids) == 1}

    async def lots_fitting(self, names: Sequence[LotName]) -> dict[LotName, list[int]]:
        found = {}
        for name in names:
            fits = [
                each
                for each, known in LOTS.items()
                if (known.product_code, known.number) == (name.product_code, name.number)
                and name.site_code in {None, known.site_code}
            ]
            if fits:
                found[name] = fits
        return found

    async def place_codes(self, location_ids: Sequence[int]) -> dict[int, str]:
        return {each: PLACES[each][0] for each in location_ids if each in PLACES}

    async def place_ids(self, codes: Sequence[str]) -> dict[str, int]:
        return {code: each for each, (code, _) in PLACES.items() if code in codes}

    async def custodies(self, location_ids: Sequence[int]) -> dict[int, str]:
        return {each: PLACES[each][1] for each in location_ids}

    async def known_products(self, codes: Sequence[str]) -> set[str]:
        return {name.product_code for name in LOTS.values()} & set(codes)

    async def units_of_use(self, product_code: str, unit: str) -> Decimal | None:
        return PACKS.get((product_code, unit))


@dataclass
class Paced:
    """A pace that is always there and remembers complaints."""

    turns: int = 0
    complaints: list[timedelta | None] = field(default_factory=list)

    async def turn(self, priority: int, units: float, owner: object) -> bool:
        self.turns += 1
        return True

    async def too_fast(self, retry_after: timedelta | None) -> None:
        self.complaints.append(retry_after)


@dataclass
class Site:
    """The WMS with an adapter that calls it."""

    wms: Wms
    adapter: HttpInventory
    pace: Paced
    skipped: list[Skipped]

    def reasons(self) -> list[str]:
        return [each.reason for each in self.skipped]


def record(url: str, **facts: Any) -> KeeperRecord:
    base = KeeperRecord(
        "wms",
        KeeperKind.HTTP,
        "A WMS",
        url,
        credential_variable="RECALL_KEEPER_T",
        timeout_seconds=2,
        give_up_seconds=6,
    )
    return replace(base, **facts)


def site_of(wms: Wms, *, credential: str = TOKEN, answer_limit: int = 200_000, **facts: Any) -> Site:
    pace, skipped = Paced(), list[Skipped]()

    async def note(rows: Sequence[Skipped]) -> None:
        skipped.extend(rows)

    parts = KeeperParts(record(wms.url, **facts), credential, World(), pace, note)
    client = KeeperClient(parts.record, credential, pace, answer_limit=answer_limit)
    return Site(wms, HttpInventory(parts, client), pace, skipped)


def signing_site(wms: Wms, key: str) -> Site:
    return site_of(wms, credential=key, auth=KeeperAuth.HMAC)


def at(place: int = 10, quantity: object = 5, lot: int = 1) -> Position:
    return Position(lot, place, PLACES[place][1], PositionState.ON_HAND, Decimal(str(quantity)))


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[Wms]:
    async with running(Wms()) as wms:
        yield wms


@pytest_asyncio.fixture
async def site(server: Wms) -> AsyncIterator[Site]:
    """A WMS with 100 of lot 1 in its first warehouse, and a look at the contract at the end."""
    server.reset()
    server.warehouse.put({"product": "P-1", "number": "A"}, "WH-1", 100)
    made = site_of(server)
    yield made
    await made.adapter.close()
    assert server.violations == []
