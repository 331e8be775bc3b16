"""A CAPA's real workflow over real records: Postgres, Temporal with time skipping, no stand-in but the mail server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest_asyncio
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.capa import CapaActivities
from activities.policies import PolicyStore
from activities.tasks import TaskActivities
from db.engine import SessionFactory
from db.repositories import recalls
from domain.workflow_ids import capa_id
from models.messages import (
    EMAIL_QUEUE,
    RECALL_QUEUE,
    SMS_QUEUE,
    CapaInput,
    SendStaffMessages,
    StaffSent,
)
from models.recall import Recall
from plugin import workflow_runner
from tests.activities.conftest import ROOT
from tests.capa.capa_run import CapaRun
from tests.support.chain import Chain
from tests.support.clock import real_time
from tests.support.servers import PostgresForTests
from workflows.capa import CapaWorkflow

_numbers = count(700_001)


def next_number() -> str:
    """A recall number no other test uses in the same Temporal."""
    return f"RC-2026-{next(_numbers):06d}"


@activity.defn(name="send_staff_messages")
async def no_mail_server(_: SendStaffMessages) -> StaffSent:
    """Messages to staff wait; their sending has tests of its own."""
    return StaffSent()


async def write_recall(sessions: SessionFactory, number: str, **changes: Any) -> Recall:
    """A recall with its policies pinned, as its CAPA finds it."""
    now = datetime.now(UTC)
    facts: dict[str, Any] = {
        "number": number,
        "title": "Kits",
        "reason": "Cracked connectors",
        "hazard": "Leakage",
        "trigger_source": "complaint",
        "awareness_at": now - timedelta(hours=3),
        "jurisdictions": ["us-fda"],
        "suspect": {},
        "owner": "quinn",
        "started_by": "quinn",
        "created_at": now,
        "phase": "notification",
        "phase_since": now,
        "scope_version": 1,
    }
    row = Recall(**(facts | changes))
    store = PolicyStore.load(ROOT / "policies")
    async with sessions.begin() as session:
        session.add(row)
        await session.flush()
        policies = [store.shipped(each, now.date()) for each in row.jurisdictions]
        await recalls.pin(session, number, [policy for policy in policies if policy is not None], now)
    return row


def write_suspects(url: str, number: str) -> None:
    """Two shipped lots of the scope, made at one site from one resin lot that also went into a lot outside it."""
    chain = Chain()
    plant, supplier, hospital = chain.place("own", "manufacturer"), chain.place("customer", "supplier"), chain.place()
    resin, cap, kit = chain.product("resin"), chain.product("cap"), chain.product("kits")
    wet = chain.lot(resin, number="R-7", site=supplier, supplier_lot="SUP-77")
    caps = chain.lot(cap, number="C-1", site=supplier)
    lots = [chain.lot(kit, number=name, site=plant) for name in ("A1", "A2", "B1")]
    for lot in lots:
        chain.step(wet, lot, 5)
    chain.step(caps, lots[0], 5)
    chain.move("receipt", wet, 100, supplier, plant, day=1, document="GRN-4711")
    for lot in lots:
        chain.move("shipment", lot, 10, plant, hospital, day=5, delivered=True)
    chain.write(url)
    partner = chain.places[hospital].partner
    with psycopg.connect(url) as admin:
        for lot in lots[:2]:
            admin.execute("INSERT INTO scope_lot VALUES (%s, 1, %s, true, 0)", [number, lot])
        row = admin.execute(
            "INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at) "
            "VALUES (%s, %s, 1, 'open', 0, now()) RETURNING id",
            [number, partner],
        ).fetchone()
        assert row is not None
        for lot in lots[:2]:
            admin.execute(
                "INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated) VALUES (%s,%s,10,0,false)",
                [row[0], lot],
            )


@pytest_asyncio.fixture
async def worker(temporal: WorkflowEnvironment, db: SessionFactory) -> AsyncIterator[None]:
    """Workers of every queue a CAPA uses."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(capa_worker(temporal, db))
        for queue in (EMAIL_QUEUE, SMS_QUEUE):
            await stack.enter_async_context(Worker(temporal.client, task_queue=queue, activities=[no_mail_server]))
        yield


def capa_worker(env: WorkflowEnvironment, db: SessionFactory, *workflows: type, **options: Any) -> Worker:
    """The worker of the queue `recall`, with the real activities."""
    capa, tasks = CapaActivities(db), TaskActivities(db)
    return Worker(
        env.client,
        task_queue=RECALL_QUEUE,
        workflows=[CapaWorkflow, *workflows],
        activities=[
            capa.open_capa,
            capa.capa_turn,
            capa.record_capa_investigation,
            capa.record_capa_cause,
            capa.record_capa_plan,
            capa.approve_capa_plan,
            capa.complete_capa_action,
            capa.record_capa_verification,
            capa.sign_off_capa,
            capa.reopen_capa,
            capa.merge_capa,
            tasks.task_clock,
            tasks.turn_tasks,
        ],
        workflow_runner=workflow_runner(),
        **options,
    )


@pytest_asyncio.fixture
async def run(
    temporal: WorkflowEnvironment, db: SessionFactory, postgres: PostgresForTests, worker: None
) -> AsyncIterator[CapaRun]:
    """A CAPA that has just been opened, in real time; whatever is left of it is terminated."""
    number = next_number()
    await write_recall(db, number)
    write_suspects(postgres.owner_url, number)
    handle = await start_capa(temporal, number)
    found = CapaRun(db, handle, number)
    await until_open(found)
    yield found
    with suppress(RPCError):
        await handle.terminate("test over")


async def start_capa(env: WorkflowEnvironment, number: str, **changes: Any) -> WorkflowHandle[Any, Any]:
    """Start one without time skipping."""
    given = CapaInput(number=number, sequence=1, title="Cracked connectors", created_at=datetime.now(UTC), **changes)
    with real_time(env):
        return await env.client.start_workflow("CapaWorkflow", given, id=capa_id(number, 1), task_queue=RECALL_QUEUE)


async def until_open(run: CapaRun) -> None:
    """Until the workflow has opened its record (the test's own timeout bounds it)."""
    while await run.handle.query("snapshot") is None:  # noqa: ASYNC110
        # An unbroken row of queries starves the workflow's own tasks.
        await asyncio.sleep(0.05)
