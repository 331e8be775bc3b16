"""Recalls with an approved notice on the embedded stack (`recall up`), for benchmarks that run whole campaigns.

They are written straight into the database as intake and approval leave them, because a benchmark of sending is not one
of importing; from there on everything is the product: Temporal, the worker process, PostgreSQL and the local sinks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psycopg
from temporalio.client import Client, WorkflowHandle

from bench.bodies import recall_with_notice
from domain import workflow_ids
from models.messages import RECALL_QUEUE, CampaignInput
from plugin import recall_plugin
from stack import postgres as pg
from stack.secret_store import load_secrets
from tests.campaign.world import LADDER, NUMBER, T0
from tests.e2e.chain import group
from tests.e2e.running import World, running_world
from workflows.campaign import BATCH

_COPIES = """
INSERT INTO recall (number, title, reason, hazard, trigger_source, awareness_at, jurisdictions, suspect, drill, pace,
                    owner, started_by, created_at, phase, phase_since, scope_version, version)
SELECT copy, title, reason, hazard, trigger_source, awareness_at, jurisdictions, suspect, drill, pace, owner,
       started_by, created_at, phase, phase_since, scope_version, version
FROM recall, unnest(%(copies)s::text[]) copy WHERE number = %(number)s;
INSERT INTO pinned_policy (recall_number, policy_id, version, sha256, body, pinned_at)
SELECT copy, policy_id, version, sha256, body, pinned_at
FROM pinned_policy, unnest(%(copies)s::text[]) copy WHERE recall_number = %(number)s;
INSERT INTO notice (recall_number, version, kind, sha256, drafted_by, drafted_at)
SELECT copy, version, kind, sha256, drafted_by, drafted_at
FROM notice, unnest(%(copies)s::text[]) copy WHERE recall_number = %(number)s;
INSERT INTO notice_body (notice_id, kind, channel, language, body, sha256)
SELECT other.id, b.kind, b.channel, b.language, b.body, b.sha256
FROM notice_body b JOIN notice n ON n.id = b.notice_id, notice other
WHERE n.recall_number = %(number)s AND other.recall_number = ANY (%(copies)s::text[]);
INSERT INTO campaign (recall_number, sequence, notice_id, started_at)
SELECT recall_number, 1, id, drafted_at FROM notice WHERE recall_number = ANY (%(copies)s::text[]);
INSERT INTO partner (code, name, kind, country, language, time_zone)
SELECT number || '/' || n, 'Hospital ' || n, 'hospital', 'KE', 'en', 'UTC'
FROM recall, generate_series(1, %(each)s) n;
INSERT INTO contact (partner_id, position, name, role, email, phone, channels, status)
SELECT id, 1, name, 'stores', 'stores' || id || '@' || lower(split_part(code, '/', 1)) || '.example',
       '+2547' || lpad(id::text, 8, '0'), ARRAY[(%(channels)s::text[])[1 + id %% cardinality(%(channels)s::text[])]],
       'verified'
FROM partner WHERE code LIKE 'R_-%%/%%';
INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at)
SELECT split_part(code, '/', 1), id, 1, 'open', 0, %(now)s FROM partner WHERE code LIKE 'R_-%%/%%';
INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated)
SELECT consignee.id, %(lot)s, 10, 0, false FROM consignee
"""


@dataclass
class BenchStack:
    """A running stack with recalls whose first notices are due."""

    world: World
    url: str
    """Of the database's superuser."""
    campaigns: dict[str, tuple[int, int]]
    """Recall number -> ids of its campaign and its notice."""

    async def client(self) -> Client:
        """The stack's Temporal."""
        return await Client.connect(self.world.stack.addresses()["temporal"], plugins=[recall_plugin()])

    async def begin(self, client: Client, number: str, priority: int) -> WorkflowHandle[object, object]:
        """Start the campaign of a recall as its workflow would; 1 is class I, 5 class III."""
        campaign_id, notice_id = self.campaigns[number]
        start = CampaignInput(
            number=number,
            sequence=1,
            campaign_id=campaign_id,
            notice_id=notice_id,
            ladder=LADDER,
            priority=priority,
            notify_due_at=T0,
        )
        return await client.start_workflow(
            "CampaignWorkflow",
            start,
            id=workflow_ids.campaign_id(number, 1),
            task_queue=RECALL_QUEUE,
        )

    def sinks_hold(self) -> tuple[int, int]:
        """Mails and text messages that have arrived, with repeats."""
        addresses = self.world.stack.addresses()
        mails, texts = (httpx.get(f"{addresses[at]}/stats", trust_env=False).json() for at in ("inbox", "twilio"))
        return int(mails["messages"]), int(texts["outbound"])


def numbers(count: int) -> list[str]:
    """Recall numbers; the first is the one that the tests' world begins with."""
    return [NUMBER, *(f"RC-2026-{900_000 + n:06d}" for n in range(1, count))]


@contextmanager
def bench_stack(
    recalls: Sequence[str], each: int, channels: Sequence[str], *, old_statistics: bool = False
) -> Iterator[BenchStack]:
    """`recall up` with these recalls of `each` consignees, whose contacts take turns with the channels.

    With `old_statistics` PostgreSQL has looked at its tables before these recalls came in and not since, as where a
    recall begins between two looks; its autovacuum goes on and may look again at any time.
    """
    with running_world([group("Seed", 1, 0)]) as world:
        stack = world.stack
        admin = load_secrets(stack.state_dir).pg_admin
        url = pg.url_of(pg.ADMIN, admin, stack.port_base)
        built = recall_with_notice(url)
        values = {"number": NUMBER, "copies": list(recalls[1:]), "each": each, "channels": list(channels), "now": T0}
        if old_statistics:
            _look(url)
        with psycopg.connect(url) as db:
            for statement in _COPIES.split(";"):
                db.execute(statement, values | {"lot": built.lot_ids[0]})
            rows = db.execute("SELECT recall_number, id, notice_id FROM campaign").fetchall()
        if not old_statistics:
            _look(url)
        yield BenchStack(world, url, {row[0]: (row[1], row[2]) for row in rows})


def _look(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("VACUUM ANALYZE")


def allowed_events(*consignees: int) -> int:
    """Events that design §5 allows a campaign: 5 for each batch of 500 of each channel, and 250."""
    return 5 * sum(-(-count // BATCH) for count in consignees) + 250


__all__ = ["BenchStack", "allowed_events", "bench_stack", "numbers"]
