"""A burst of answers on the recipient's page, against a bare FastAPI insert in the same run.

    python -m bench.answers [--submissions 10000] [--at-once 50] [--pairs 5]

Every consignee of one recall posts twice to the real API (uvicorn, one process, a PostgreSQL that syncs every commit,
a Temporal server to be nudged): first the acknowledgement, then the page that completes its answer with quantities and
name. `bench.bare_insert`, a FastAPI app that commits the same form as one row, gets as many. So many recipients wait
for an answer at once as `--at-once` says, over connections that are kept. The three take turns in `--pairs` parts that
change their order. Printed: answers per second, p50 and p99 of each over all parts, and the medians of the parts'
ratios. Every post is checked, and in the end the record is counted.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import aiohttp

from api.links import make_link_token
from api.recipient_answer import new_form_id
from bench.bare_insert import TABLE
from bench.servers import migrated_postgres, process, temporal
from db.engine import make_engine, make_session_factory
from db.repositories import campaign
from models.messages import AdvanceCampaign
from tests.campaign.world import LADDER, NUMBER, SECRET, T0, World, build
from tests.messaging.conftest import free_port
from tests.support.servers import PostgresForTests

Post = tuple[str, str]
"""Address and form."""
BARE, ACKNOWLEDGEMENT, ANSWER = "bare insert", "acknowledgement", "complete answer"
EXPECTED = {ACKNOWLEDGEMENT: "acknowledged", ANSWER: "answered"}


@dataclass
class Series:
    """What one kind of post took, over all parts."""

    posts: list[Post]
    seconds: list[float] = field(default_factory=list)
    """Of each post."""
    rates: list[float] = field(default_factory=list)
    """Posts per second of each part."""

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return 1000 * sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


async def planned(world: World, addresses: PostgresForTests, count: int) -> list[tuple[int, str]]:
    """Consignees whose first notice went out, each with the token of its link."""
    world.many(count)
    engine = make_engine(addresses.app_url, application_name="bench")
    request = AdvanceCampaign(number=NUMBER, campaign_id=world.campaign_id, ladder=LADDER, pace=1.0, priority=1, now=T0)
    async with make_session_factory(engine).begin() as session:
        await campaign.advance(session, request)
    await engine.dispose()
    world.run("UPDATE delivery SET state = 'submitted', submitted_at = %s", T0)
    world.run("UPDATE consignee SET first_notified_at = %s", T0)
    expires = datetime.now(UTC) + timedelta(days=30)
    return [
        (
            row["consignee_id"],
            make_link_token(
                SECRET,
                recall_no=NUMBER,
                consignee_id=row["consignee_id"],
                delivery_id=row["id"],
                expires_at=expires,
            ),
        )
        for row in world.deliveries()
    ]


def forms(world: World, links: Sequence[tuple[int, str]], api: str, bare: str) -> dict[str, Series]:
    """What is posted where: the fields are those that a browser posts from each page."""
    lot = world.lot_ids[0]
    told = {"on_hand": "6", "held": "6", "used": "0", "passed_on": "0", "returned": "4", "destroyed": ""}
    made: dict[str, list[Post]] = {BARE: [], ACKNOWLEDGEMENT: [], ANSWER: []}
    for consignee, token in links:
        form_id = new_form_id(SECRET, NUMBER, consignee)
        common = {"form_id": form_id, "lang": "en", "acknowledged": "yes"}
        complete = common | {"step": "person", "affected": "yes", "responder_name": "Robin Hayes"}
        complete |= {"responder_role": "stores", "remark": "", "harm": ""}
        complete |= {f"{name}-{lot}": value for name, value in told.items()}
        made[ACKNOWLEDGEMENT].append((f"{api}/r/{token}", urlencode(common | {"step": "acknowledge"})))
        made[ANSWER].append((f"{api}/r/{token}", urlencode(complete)))
        made[BARE].append((f"{bare}/r/{token}", urlencode(complete)))
    return {name: Series(posts) for name, posts in made.items()}


async def burst(series: Series, part: slice, at_once: int) -> None:
    """Post a part of a series, `at_once` recipients waiting at any moment."""
    posts = series.posts[part]
    todo = iter(posts)
    connector = aiohttp.TCPConnector(limit=at_once)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession(connector=connector, headers=kind) as session:

        async def recipients() -> None:
            for url, body in todo:
                begun = time.perf_counter()
                async with session.post(url, data=body, allow_redirects=False) as response:
                    text = await response.text()
                series.seconds.append(time.perf_counter() - begun)
                if response.status != 200:
                    raise SystemExit(f"an answer was refused with {response.status}: {text[:300]}")

        begun = time.perf_counter()
        await asyncio.gather(*(recipients() for _ in range(at_once)))
        series.rates.append(len(posts) / (time.perf_counter() - begun))


async def compare(world: World, series: dict[str, Series], pairs: int, at_once: int) -> None:
    """Let the three take turns, then print what they took."""
    count = len(series[BARE].posts)
    for pair in range(pairs):
        part = slice(count * pair // pairs, count * (pair + 1) // pairs)
        order = [BARE, ACKNOWLEDGEMENT, ANSWER] if pair % 2 else [ACKNOWLEDGEMENT, ANSWER, BARE]
        for name in order:
            await burst(series[name], part, at_once)
            state = EXPECTED.get(name)
            if state is not None:
                found = world.one("SELECT count(*) FROM consignee WHERE state = %s", state)
                if found != part.stop - (0 if name == ANSWER else part.start):
                    raise SystemExit(f"{found} consignees are {state} after {part.stop} posts")
        told = ", ".join(f"{name} {series[name].rates[-1]:.0f}/s" for name in series)
        print(f"  part {pair + 1} of {part.stop - part.start} each: {told}", flush=True)
    bare = series[BARE]
    for name, each in series.items():
        ratio = statistics.median(own / other for own, other in zip(each.rates, bare.rates, strict=True))
        slower = each.percentile(0.5) / bare.percentile(0.5)
        print(
            f"{name:<16} {statistics.median(each.rates):6.0f}/s  p50 {each.percentile(0.5):7.1f} ms"
            f"  p99 {each.percentile(0.99):7.1f} ms  ratio of rates {ratio:.3f}, of p50 {slower:.1f}"
        )
    recorded = world.one("SELECT count(*) FROM reply")
    print(f"on record: {recorded} replies of {count} consignees")


async def measure(given: argparse.Namespace, addresses: PostgresForTests) -> None:
    """Start API, yardstick and Temporal around the database, then compare."""
    world = build(addresses.admin_url)
    links = await planned(world, addresses, given.submissions)
    world.run(TABLE)
    world.run("GRANT INSERT, SELECT ON bare_answer TO recall_app")
    ports = free_port(), free_port()
    api, bare = (f"http://127.0.0.1:{port}" for port in ports)
    async with AsyncExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="recall-bench-"))
        database = {"DATABASE_URL": addresses.app_url, "RECALL_STATE_DIR": folder}
        ours = {"RECALL_LINK_SECRET": SECRET, "RECALL_PUBLIC_URL": api, "RECALL_API_PORT": str(ports[0])}
        ours["TEMPORAL_ADDRESS"] = await running.enter_async_context(temporal())
        await running.enter_async_context(process("api", f"{api}/health/live", **database, **ours))
        plain = database | {"RECALL_API_PORT": str(ports[1])}
        await running.enter_async_context(process("bench.bare_insert", f"{bare}/health/live", **plain))
        await compare(world, forms(world, links, api, bare), given.pairs, given.at_once)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=10_000, help="of each kind")
    parser.add_argument("--at-once", type=int, default=50, help="recipients waiting for an answer at any moment")
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    if given.pairs < 1 or given.at_once < 1 or given.submissions < given.pairs:
        parser.error("expected at least one pair, one recipient at once, and one submission for each pair")
    print(f"{given.submissions} submissions, {given.at_once} at once, {os.cpu_count()} processors")
    with migrated_postgres() as addresses:
        asyncio.run(measure(given, addresses))


if __name__ == "__main__":
    main()
