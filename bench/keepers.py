"""Holds per second at a keeper by HTTP: the adapter in bulk, against bare httpx calls with the same bodies.

The reference WMS runs as a process of its own and does the same work for both. Ratio = adapter / bare. Run:
`python -m bench.keepers [positions]`.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from decimal import Decimal

import httpx

from adapters.inventory.bulk import HoldAsked
from adapters.inventory.http import HttpInventory
from adapters.inventory.http_client import KeeperClient
from adapters.inventory.http_holds import BULK
from adapters.inventory.routing import KeeperParts
from domain.inventory import LotName, Position, PositionState
from domain.keepers import KeeperKind, KeeperRecord, Skipped
from tests.wms.server import TOKEN

ROUNDS = 3
PLACES = 500
AT_ONCE = 4


class Names:
    """`Directory` in memory: what a database takes is measured elsewhere."""

    async def lot_names(self, lot_ids: Sequence[int]) -> dict[int, LotName]:
        return {lot: LotName("P-1", f"L{lot}") for lot in lot_ids}

    async def lot_ids(self, names: Sequence[LotName]) -> dict[LotName, int]:
        return {name: int(name.number[1:]) for name in names}

    async def lots_fitting(self, names: Sequence[LotName]) -> dict[LotName, list[int]]:
        return {name: [int(name.number[1:])] for name in names}

    async def place_codes(self, location_ids: Sequence[int]) -> dict[int, str]:
        return {place: f"W{place}" for place in location_ids}

    async def place_ids(self, codes: Sequence[str]) -> dict[str, int]:
        return {code: int(code[1:]) for code in codes}

    async def custodies(self, location_ids: Sequence[int]) -> dict[int, str]:
        return dict.fromkeys(location_ids, "own")

    async def known_products(self, codes: Sequence[str]) -> set[str]:
        return set(codes)

    async def units_of_use(self, product_code: str, unit: str) -> Decimal | None:
        return Decimal(1)


class NoPace:
    async def turn(self, priority: int, units: float, owner: object) -> bool:
        return True

    async def too_fast(self, retry_after: object) -> None:
        """Never in this bench."""


async def noted(rows: Sequence[Skipped]) -> None:
    assert not rows, rows


def asked(turn: str, positions: int) -> list[HoldAsked]:
    return [
        HoldAsked(
            f"RC-2026-000001:hold:{turn}-{n}",
            Position(n // PLACES, n % PLACES, "own", PositionState.ON_HAND, Decimal(5)),
        )
        for n in range(positions)
    ]


async def by_adapter(url: str, turn: str, positions: int) -> float:
    record = KeeperRecord("bench", KeeperKind.HTTP, "bench", url)
    parts = KeeperParts(record, TOKEN, Names(), NoPace(), noted)
    adapter = HttpInventory(parts, KeeperClient(record, TOKEN, NoPace()))
    begun = time.perf_counter()
    answers = await adapter.hold_many(f"RC-{turn}", asked(turn, positions))
    took = time.perf_counter() - begun
    assert all(each.confirmation is not None and each.confirmation.quantity == 5 for each in answers)
    await adapter.close()
    return positions / took


async def bare(url: str, turn: str, positions: int) -> float:
    items = [
        {
            "key": each.key,
            "claimant": f"RC-{turn}",
            "lot": {"product": "P-1", "number": f"L{each.position.lot_id}"},
            "place": f"W{each.position.location_id}",
            "state": "on_hand",
            "quantity": {"amount": "5", "unit": "unit-of-use"},
        }
        for each in asked(turn, positions)
    ]
    gate = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def post(at: int) -> None:
            async with gate:
                body = json.dumps({"holds": items[at : at + BULK]})
                headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": f"{turn}-{at:08}"}
                answer = await client.post(
                    "/holds", content=body, headers=headers | {"Content-Type": "application/json"}
                )
                assert answer.status_code == 200

        begun = time.perf_counter()
        await asyncio.gather(*(post(at) for at in range(0, positions, BULK)))
        return positions / (time.perf_counter() - begun)


async def prepare(url: str, positions: int) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for n in range(positions):
            lot = {"product": "P-1", "number": f"L{n // PLACES}"}
            await client.post("/-/stock", json={"lot": lot, "place": f"W{n % PLACES}", "amount": "5"})


async def measure(url: str, positions: int) -> None:
    await prepare(url, positions)
    adapter, plain = [], []
    for turn in range(ROUNDS):
        plain.append(await bare(url, f"b{turn}", positions))
        adapter.append(await by_adapter(url, f"a{turn}", positions))
    ratios = [ours / theirs for ours, theirs in zip(adapter, plain, strict=True)]
    print(f"positions held by HTTP        {statistics.median(adapter):8.0f} / s ({positions} positions, {BULK} a call)")
    print(f"bare httpx, the same bodies   {statistics.median(plain):8.0f} / s")
    print(f"ratio                         {statistics.median(ratios):8.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"10,000 positions take         {10_000 / statistics.median(adapter):8.1f} s")


def main() -> None:
    positions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    command = [sys.executable, "-m", "tests.wms", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[0]
            asyncio.run(measure(url, positions))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
