"""Sending at full size: the real `send_batch` pipeline against a bare loop over the same client library and sinks.

    python -m bench.notify [--channel email|sms|both] [--notices 5000] [--pairs 5] [--callbacks] [--profile]

Both hand the same number of notices to the local mail catcher or Twilio stand-in (processes of their own, every message
on disk before it is acknowledged). The bare loop has its messages rendered beforehand and writes nothing down; it uses
the same library, connections and number of calls under way. The pipeline claims, renders, sends and records in a
PostgreSQL that syncs every commit, in batches of 500 through a window of 8 as a campaign does. Pairs are interleaved
and change their order. Printed: notices per second of each run, the medians, and the median of the pairs' ratios.
With `--callbacks` a second figure for SMS: the stand-in reports to the real API, which writes into the same database.
"""

import argparse
import asyncio
import cProfile
import gc
import os
import pstats
import secrets
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
from temporalio.testing import ActivityEnvironment

from activities.compose import NoticeComposer, NoticeLinks
from activities.delivery_outcomes import SendingLimits
from activities.notify import NotifyActivities
from adapters.messaging.base import OutgoingMessage, SendResult
from adapters.messaging.factory import build_blocked_adapters
from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from adapters.messaging.twilio_connection import TwilioConfig, TwilioConnection
from adapters.messaging.twilio_sms import TwilioSmsAdapter
from bench.bodies import recall_with_notice
from bench.runs import Runs, spent
from bench.servers import migrated_postgres, process
from db.engine import SessionFactory, make_engine, make_session_factory
from db.repositories import campaign, deliveries
from domain.channels import Channel
from models.messages import AdvanceCampaign, SendBatch
from tests.campaign.world import LADDER, NUMBER, SECRET, T0, World
from tests.messaging.conftest import free_port
from workflows.campaign import BATCH, WINDOW

ACCOUNT, TOKEN = "AC" + "0123456789abcdef" * 2, secrets.token_hex(16)
LIMITS = SendingLimits()
CONNECTIONS = 20
PART = 10_000
"""Notices of the bare loop that are rendered at once: an e-mail with its files is 45 kB."""
_ACCEPTED = "UPDATE delivery SET state = 'submitted', submitted_at = now() WHERE state = 'submitting'"
FROM = "Recall <recall@firm.example>"


class Silent(TwilioSmsAdapter):
    """The real adapter without the address for delivery reports."""

    async def send(self, message: OutgoingMessage) -> SendResult:
        """As the adapter does."""
        return await super().send(replace(message, status_callback=None))


class Bench:
    """One channel's recall in the database, its pipeline and its bare loop."""

    def __init__(
        self, sessions: SessionFactory, world: World, channel: Channel, port: int, public_url: str, *, callbacks: bool
    ) -> None:
        self.sessions, self.world, self.channel = sessions, world, channel
        self.callbacks = callbacks
        self.cost: defaultdict[str, float] = defaultdict(float)
        """Processor seconds of a run by who spent them."""
        self.links = NoticeLinks(public_url, SECRET, FROM)
        self.mail = SmtpConfig("127.0.0.1", port, FROM, connections=CONNECTIONS)
        self.texts = TwilioConfig(ACCOUNT, TOKEN, "+12025550100", base_url=f"http://127.0.0.1:{port}")

    @contextmanager
    def timed(self) -> Iterator[list[float]]:
        """Seconds of what runs within, in the list afterwards; what it costs is added to `cost`."""
        took: list[float] = []
        before, begun = spent(), time.perf_counter()
        yield took
        took.append(time.perf_counter() - begun)
        for name, seconds in spent().items():
            self.cost[name] += seconds - before[name]

    async def prepare(self) -> None:
        """Every consignee is due for its first notice again."""
        with psycopg.connect(self.world.url, autocommit=True) as db:
            # With everything that points to them: reports of the run before may still come in, for nobody.
            db.execute("TRUNCATE delivery CASCADE")
            db.execute("UPDATE consignee SET step = 0, next_step_at = NULL, first_notified_at = NULL")
            db.execute("VACUUM ANALYZE delivery, consignee, delivery_event")
        request = AdvanceCampaign(
            number=NUMBER, campaign_id=self.world.campaign_id, ladder=LADDER, pace=1.0, priority=1, now=T0
        )
        async with self.sessions.begin() as session:
            await campaign.advance(session, request)

    async def pipeline(self, notices: int) -> float:
        """Seconds from the first claim to the last commit."""
        adapter = self._adapter()
        notify = NotifyActivities(self.sessions, {self.channel: adapter}, build_blocked_adapters(), self.links, LIMITS)
        window = asyncio.Semaphore(WINDOW)

        async def batch() -> int:
            request = SendBatch(
                number=NUMBER,
                campaign_id=self.world.campaign_id,
                channel=self.channel.value,
                limit=BATCH,
                priority=1,
                now=datetime.now(UTC),
            )
            async with window:
                result = await ActivityEnvironment().run(notify.send_batch, request)
            return int(result.submitted)

        with self.timed() as took:
            sent = sum(await asyncio.gather(*(batch() for _ in range(-(-notices // BATCH)))))
        await adapter.close()
        assert sent == notices, f"{sent} of {notices} notices were sent"
        return took[0]

    async def bare(self, notices: int) -> float:
        """Seconds for the same notices without a record; rendered beforehand in parts that fit into memory."""
        composer, took, left = NoticeComposer(NUMBER, self.world.campaign_id, self.links), 0.0, notices
        while left:
            messages = await self._rendered(composer, min(left, PART))
            if self.callbacks:  # what the reports find is what they find of the pipeline
                self.world.run(_ACCEPTED)
            left -= len(messages)
            took += await (self._bare_mail if self.channel is Channel.EMAIL else self._bare_texts)(messages)
        return took

    async def _bare_mail(self, messages: list[OutgoingMessage]) -> float:
        adapter = SmtpEmailAdapter(self.mail)
        ready = [(message.to, adapter.build(message)) for message in messages]
        messages.clear()
        todo = iter(ready)

        async def worker() -> None:
            client = adapter._new_client()
            await client.connect()
            for to, body in todo:
                await client.mail("recall@firm.example", options=[f"size={len(body)}"])
                await client.rcpt(to)
                await client.data(body)
            await client.quit()

        with self.timed() as took:
            await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
        return took[0]

    async def _bare_texts(self, messages: list[OutgoingMessage]) -> float:
        connection, todo = TwilioConnection(self.texts), iter(messages)
        client = connection.client()

        async def worker() -> None:
            for message in todo:
                more = {"status_callback": message.status_callback} if self.callbacks else {}
                await client.messages.create_async(to=message.to, body=message.text, from_=self.texts.sender, **more)

        with self.timed() as took:
            await asyncio.gather(*(worker() for _ in range(WINDOW * LIMITS.concurrency)))
        await connection.close()
        return took[0]

    async def _rendered(self, composer: NoticeComposer, count: int) -> list[OutgoingMessage]:
        """What the pipeline would send now, claimed as it does."""
        now = datetime.now(UTC)
        async with self.sessions.begin() as session:
            rows = await deliveries.claim(
                session,
                campaign_id=self.world.campaign_id,
                channel=self.channel.value,
                now=now,
                lease_until=now + timedelta(hours=1),
                limit=count,
            )
            drafts = await composer.drafts(session, rows)
        assert len(rows) == count, f"{len(rows)} of {count} notices are due"
        return [drafts[row.id]() for row in rows]

    def _adapter(self) -> SmtpEmailAdapter | TwilioSmsAdapter:
        if self.channel is Channel.EMAIL:
            return SmtpEmailAdapter(self.mail)
        return TwilioSmsAdapter(self.texts) if self.callbacks else Silent(self.texts)


def fill(world: World, count: int) -> None:
    """`count` consignees with one address of either kind each; the channel of a run is the campaign's."""
    world.many(count)
    world.run(
        "UPDATE contact SET email = 'stores' || id || '@hospital.example', phone = '+2547' || lpad(id::text, 8, '0')"
    )


async def compare(bench: Bench, notices: int, pairs: int) -> None:
    """Interleaved pairs; prints each and the medians."""
    runs, ratios = {"pipeline": Runs(), "bare": Runs()}, []
    for pair in range(pairs + 1):
        for name in ("bare", "pipeline") if pair % 2 else ("pipeline", "bare"):
            await bench.prepare()
            bench.cost.clear()
            run = bench.pipeline if name == "pipeline" else bench.bare
            runs[name].rates.append(notices / await run(notices))
            runs[name].costs.append({each: 1000 * seconds / notices for each, seconds in bench.cost.items()})
        if not pair:  # the first pair warms up: connections, caches, compiled statements
            runs = {name: Runs() for name in runs}
            continue
        ratios.append(runs["pipeline"].rates[-1] / runs["bare"].rates[-1])
        rates = "  ".join(f"{name} {each.rates[-1]:7.0f}/s" for name, each in runs.items())
        memory = psutil.Process().memory_info().rss / 2**20
        print(f"  pair {pair}: {rates}  ratio {ratios[-1]:.2f}  memory {memory:.0f} MiB", flush=True)
    mid = {name: statistics.median(each.rates) for name, each in runs.items()}
    title = f"{bench.channel.value}, delivery reports {'on' if bench.callbacks else 'off'}"
    print(f"{title}: pipeline {mid['pipeline']:.0f}/s, bare {mid['bare']:.0f}/s, ratio {statistics.median(ratios):.2f}")
    for name, each in runs.items():
        print(f"  milliseconds of a processor a notice, {name}: {each.cost()}")


async def measure(given: argparse.Namespace, world: World, app_url: str, folder: Path) -> None:
    """Every figure asked for."""
    fill(world, given.notices)
    engine = make_engine(app_url, application_name="bench", pool_size=20)
    sessions = make_session_factory(engine)
    api = f"http://127.0.0.1:{free_port()}"
    gc.collect()
    gc.freeze()  # as the worker does once it is built
    for channel, callbacks in figures(given):
        world.run("UPDATE contact SET channels = %s", [channel.value])
        smtp, http = free_port(), free_port()
        place = {"RECALL_STATE_DIR": str(folder / f"{channel}-{callbacks}"), "TWILIO_ACCOUNT_SID": ACCOUNT}
        place |= {"TWILIO_AUTH_TOKEN": TOKEN, "RECALL_SMTP_PORT": str(smtp), "RECALL_INBOX_PORT": str(http)}
        place |= {"RECALL_SMS_PORT": str(http), "RECALL_SMS_WEBHOOK_URL": f"{api}/v1/webhooks/twilio/inbound"}
        module = "stack.mail_catcher" if channel is Channel.EMAIL else "stack.twilio_standin"
        port = smtp if channel is Channel.EMAIL else http
        bench = Bench(sessions, world, channel, port, api, callbacks=callbacks)
        async with process(module, f"http://127.0.0.1:{http}/stats", **place):
            if callbacks:
                ours = {"DATABASE_URL": app_url, "RECALL_LINK_SECRET": SECRET, "RECALL_PUBLIC_URL": api}
                ours |= {"RECALL_API_PORT": api.rsplit(":", 1)[1], **place}
                async with process("api", f"{api}/health/live", **ours):
                    await compare(bench, given.notices, given.pairs)
            else:
                await compare(bench, given.notices, given.pairs)
                if given.profile:
                    await profile(bench, given.notices)
    await engine.dispose()


async def profile(bench: Bench, notices: int) -> None:
    """Where the pipeline's process spends its time."""
    await bench.prepare()
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    await bench.pipeline(notices)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


def figures(given: argparse.Namespace) -> list[tuple[Channel, bool]]:
    """Channel and whether delivery reports come back."""
    wanted = [Channel.EMAIL, Channel.SMS] if given.channel == "both" else [Channel(given.channel)]
    plain = [(channel, False) for channel in wanted]
    return [*plain, (Channel.SMS, True)] if given.callbacks and Channel.SMS in wanted else plain


def main() -> None:
    """Start the database and the sinks, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channel", choices=("email", "sms", "both"), default="both")
    parser.add_argument("--notices", type=int, default=5000, help="per run; 100000 for the full size")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--callbacks", action="store_true", help="also SMS with delivery reports to the real API")
    parser.add_argument("--profile", action="store_true", help="profile one more run of each pipeline")
    given = parser.parse_args()
    print(
        f"{given.notices} notices, batches of {BATCH}, window {WINDOW}, {LIMITS.concurrency} calls under way per batch,"
        f" {CONNECTIONS} SMTP connections; claimed in groups of {LIMITS.claim_group}, recorded in groups of"
        f" {LIMITS.record_group} or {LIMITS.record_every.total_seconds() * 1000:.0f} ms; {os.cpu_count()} processors"
    )
    with migrated_postgres() as addresses, tempfile.TemporaryDirectory(prefix="recall-bench-") as folder:
        asyncio.run(measure(given, recall_with_notice(addresses.admin_url), addresses.app_url, Path(folder)))


if __name__ == "__main__":
    main()
