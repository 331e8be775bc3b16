"""A whole campaign on the embedded stack: speed, the length of its history, and whether the worker's memory stays flat.

    python -m bench.campaign [--consignees 20000] [--old-statistics]

`recall up` as an operator starts it (PostgreSQL, Temporal, API, one worker process, local mail server and Twilio
stand-in, delivery reports on) with one recall; its contacts take turns with e-mail and SMS. Printed while it sends:
what has arrived at the sinks and the worker's resident memory; in the end notices per second from the start of the
workflow, the events of its history beside what design §5 allows, and the memory at a quarter and at the end of the
sending. The campaign is over when every first notice is at the sinks and on record.
"""

import argparse
import asyncio
import os
import time

import psycopg
from temporalio.client import WorkflowHandle

from bench.stack_world import BenchStack, allowed_events, bench_stack, numbers
from domain.channels import Channel

_EVERY_S = 2.0
_UNSENT = "SELECT count(*) FROM consignee WHERE recall_number = %s AND first_notified_at IS NULL"


def unsent(bench: BenchStack, number: str) -> int:
    """Consignees without a first notice on record."""
    with psycopg.connect(bench.url) as db:
        row = db.execute(_UNSENT, [number]).fetchone()
        assert row is not None
        return int(row[0])


async def sent(bench: BenchStack, number: str, count: int) -> tuple[float, list[tuple[int, float]]]:
    """Wait until everybody has the first notice; returns the seconds, and (arrived, MiB of the worker) on the way."""
    worker, begun = bench.world.process("worker-1"), time.monotonic()
    seen: list[tuple[int, float]] = []
    while True:
        await asyncio.sleep(_EVERY_S)
        arrived = sum(await asyncio.to_thread(bench.sinks_hold))
        memory = worker.memory_info().rss / 2**20
        seen.append((arrived, memory))
        took = time.monotonic() - begun
        print(f"  {took:6.1f} s  {arrived:7d} arrived  worker {memory:6.1f} MiB", flush=True)
        if arrived >= count and await asyncio.to_thread(unsent, bench, number) == 0:
            return took, seen


async def tell(handle: WorkflowHandle[object, object], count: int, took: float, seen: list[tuple[int, float]]) -> None:
    """Print the figures."""
    history = await handle.fetch_history()
    by_channel = (count - count // 2, count // 2)
    quarter = next(memory for arrived, memory in seen if arrived >= count / 4)
    print(f"{count} notices in {took:.1f} s: {count / took:.0f}/s (to within {_EVERY_S:.0f} s)")
    print(f"history: {len(history.events)} events, allowed {allowed_events(*by_channel)}")
    print(
        f"worker: {quarter:.1f} MiB after a quarter, {seen[-1][1]:.1f} MiB at the end,"
        f" at most {max(memory for _, memory in seen):.1f} MiB"
    )


async def measure(bench: BenchStack, count: int) -> None:
    """Run the campaign."""
    number = numbers(1)[0]
    handle = await bench.begin(await bench.client(), number, 1)
    await tell(handle, count, *await sent(bench, number, count))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--consignees", type=int, default=20_000, help="100000 for the full size")
    parser.add_argument("--old-statistics", action="store_true", help="PostgreSQL has not looked since it came in")
    given = parser.parse_args()
    if given.consignees < 4:
        parser.error("expected at least 4 consignees")
    print(f"{given.consignees} consignees, {os.cpu_count()} processors")
    channels = [Channel.EMAIL, Channel.SMS]
    with bench_stack(numbers(1), given.consignees, channels, old_statistics=given.old_statistics) as bench:
        asyncio.run(measure(bench, given.consignees))


if __name__ == "__main__":
    main()
