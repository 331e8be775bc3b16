"""Fifty recalls at once on the embedded stack, a class I one started last: how long until its first notice arrives.

    python -m bench.priority [--recalls 50] [--consignees 2000] [--head-start 10]

All but two recalls are class III and start at once. When they have been sending for `--head-start` seconds, a class III
recall and then the class I recall start. Both are timed from the call that starts the workflow to the arrival of their
first e-mail as the mail server dates it; the class III one shows what priority is worth. Everything goes through one
worker process and one mail server. The run ends when the class I recall has sent all its notices and the other one its
first.
"""

import argparse
import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import psycopg
from temporalio.client import Client, WorkflowHandle

from bench.stack_world import BenchStack, allowed_events, bench_stack, numbers
from domain.channels import Channel

_POLL_S = 0.5
_FIRST = """
SELECT contact.email FROM delivery d JOIN campaign k ON k.id = d.campaign_id JOIN contact ON contact.id = d.contact_id
WHERE k.recall_number = %s AND d.submitted_at IS NOT NULL ORDER BY d.submitted_at LIMIT 5
"""
_SENT = """
SELECT count(d.submitted_at) FROM delivery d JOIN campaign k ON k.id = d.campaign_id WHERE k.recall_number = %s
"""


@dataclass
class Late:
    """A recall that starts when the others are under way."""

    name: str
    number: str
    started: datetime
    first: float | None = None
    """Seconds until its first mail arrived."""
    last: float | None = None
    """Seconds until all were on record, to within the poll."""


def look(bench: BenchStack, late: Late, each: int) -> None:
    """Note what has become of it."""
    if late.last is not None:
        return
    with psycopg.connect(bench.url) as db:
        (sent,) = db.execute(_SENT, [late.number]).fetchone() or (0,)
        if sent and late.first is None:
            late.first = min(arrived(bench, row[0]) for row in db.execute(_FIRST, [late.number])) - _seconds(
                late.started
            )
    if sent == each:
        late.last = _seconds(datetime.now(UTC)) - _seconds(late.started)


def arrived(bench: BenchStack, address: str) -> float:
    """When the mail server took the first mail to this address, as seconds."""
    inbox = bench.world.stack.addresses()["inbox"]
    mails = httpx.get(f"{inbox}/messages", params={"to": address}, trust_env=False).json()
    return min(_seconds(datetime.fromisoformat(mail["received_at"])) for mail in mails)


def _seconds(at: datetime) -> float:
    return at.timestamp()


async def begun(bench: BenchStack, client: Client, name: str, number: str, priority: int) -> Late:
    """Start one of the late ones."""
    late = Late(name, number, datetime.now(UTC))
    await bench.begin(client, number, priority)
    return late


async def measure(bench: BenchStack, recalls: list[str], each: int, head_start: float) -> None:
    """Start everything, watch, print."""
    client, (*crowd, control, urgent) = await bench.client(), recalls
    start = _seconds(datetime.now(UTC))
    handles = await asyncio.gather(*(bench.begin(client, number, 5) for number in crowd))
    await asyncio.sleep(head_start)
    mails, _ = await asyncio.to_thread(bench.sinks_hold)
    print(f"{len(crowd)} class III recalls have sent {mails} notices when the last two start", flush=True)
    late = [
        await begun(bench, client, "class III, last but one", control, 5),
        await begun(bench, client, "class I, last", urgent, 1),
    ]
    while late[0].first is None or late[1].last is None:
        await asyncio.sleep(_POLL_S)
        for one in late:
            await asyncio.to_thread(look, bench, one, each)
    mails, _ = await asyncio.to_thread(bench.sinks_hold)
    took = _seconds(datetime.now(UTC)) - start
    for one in late:
        last = f"after {one.last:.1f} s" if one.last is not None else "not yet"
        print(f"{one.name:<24} first notice after {one.first:6.1f} s, all {each} {last}")
    print(f"{mails} of {len(recalls) * each} notices in {took:.0f} s: {mails / took:.0f}/s")
    await tell_histories(handles, each)


async def tell_histories(handles: list[WorkflowHandle[object, object]], each: int) -> None:
    """The longest history of the crowd: waiting for room must not cost events without end."""
    lengths = [len((await handle.fetch_history()).events) for handle in handles]
    print(f"longest history of the others: {max(lengths)} events, allowed {allowed_events(each)}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recalls", type=int, default=50)
    parser.add_argument("--consignees", type=int, default=2000, help="of each recall")
    parser.add_argument("--head-start", type=float, default=10.0, help="seconds before the last two start")
    given = parser.parse_args()
    if given.recalls < 3 or given.consignees < 1 or given.head_start < 0:
        parser.error("expected at least three recalls of at least one consignee, and no negative head start")
    recalls = numbers(given.recalls)
    print(f"{given.recalls} recalls of {given.consignees} consignees by e-mail, {os.cpu_count()} processors")
    with bench_stack(recalls, given.consignees, [Channel.EMAIL]) as bench:
        asyncio.run(measure(bench, recalls, given.consignees, given.head_start))


if __name__ == "__main__":
    main()
