"""A CAPA's real workflow over real records: Postgres, Temporal with time skipping, no stand-in but the mail server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest_asyncio
from sqlmodel import col, select
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.capa import CapaActivities
from activities.policies import PolicyStore
from activities.tasks import TaskActivities
from db.engine import SessionFactory
from db.repositories import capa as capas
from db.repositories import recalls
from domain.workflow_ids import capa_id
from models.audit import AuditEvent
from models.capa import Capa, CapaEntry, EntryKind
from models.evidence import Evidence
from models.messages import (
    EMAIL_QUEUE,
    RECALL_QUEUE,
    SMS_QUEUE,
    Actor,
    CapaInput,
    SendStaffMessages,
    StaffSent,
)
from models.messages_capa import (
    ApprovePlan,
    CapaReceipt,
    CompleteAction,
    RecordCause,
    RecordInvestigation,
    RecordVerification,
    SignOffCapa,
    WritePlan,
)
from models.recall import Recall
from models.task import Task
from plugin import workflow_runner
from tests.activities.conftest import ROOT
from tests.support.chain import Chain
from tests.support.clock import real_time
from tests.support.servers import PostgresForTests
from workflows.capa import CapaWorkflow

_numbers = count(700_001)
QUINN, SUNIL = Actor(principal="quinn", roles=("qa",)), Actor(principal="sunil", roles=("supplier_quality",))
ADA, HELGA = Actor(principal="ada", roles=("approver",)), Actor(principal="helga", roles=("head_of_quality",))
WANDA, RAFAEL = Actor(principal="wanda", roles=("warehouse",)), Actor(principal="rafael", roles=("regulatory",))
PERIOD = 60
"""Policy days after the last action until the effect is measured."""


def next_number() -> str:
    """A recall number no other test uses in the same Temporal."""
    return f"RC-2026-{next(_numbers):06d}"


class CapaRun:
    """One CAPA, its decisions as people take them, and its record."""

    def __init__(self, sessions: SessionFactory, handle: WorkflowHandle[Any, Any], number: str) -> None:
        self.sessions = sessions
        self.handle = handle
        self.number = number

    async def decide(self, update: str, decision: Any) -> CapaReceipt:
        """Send a decision as the API does."""
        receipt: CapaReceipt = await self.handle.execute_update(update, decision, result_type=CapaReceipt)
        return receipt

    async def wrote(self, kind: EntryKind, author: Actor, **body: Any) -> str:
        """Store what somebody wrote, as the API does before the decision."""
        entry = CapaEntry(
            id=uuid4(),
            capa_id=(await self.record()).id or 0,
            kind=kind.value,
            body=body,
            author=author.principal,
            written_at=datetime.now(UTC),
        )
        async with self.sessions.begin() as session:
            await capas.write_entry(session, entry)
        return str(entry.id)

    async def file(self) -> str:
        """An uploaded file, free to be cited."""
        row = Evidence(
            id=uuid4(),
            file_name="report.pdf",
            content_type="application/pdf",
            size=10,
            sha256="a" * 64,
            uploaded_by="quinn",
            uploaded_at=datetime.now(UTC),
        )
        async with self.sessions.begin() as session:
            session.add(row)
            the_id: UUID = row.id
        return str(the_id)

    async def record(self) -> Capa:
        async with self.sessions() as session:
            found = await capas.find(session, self.number, 1)
        assert found is not None
        return found

    async def tasks(self) -> dict[str, Task]:
        """Every task of the recall by key."""
        async with self.sessions() as session:
            rows = (await session.exec(select(Task).where(col(Task.recall_number) == self.number))).all()
        return {row.key: row for row in rows}

    async def open_tasks(self) -> set[str]:
        return {key for key, task in (await self.tasks()).items() if task.state in ("offered", "accepted")}

    async def audited(self) -> list[str]:
        """The CAPA's audit events in order."""
        query = select(AuditEvent.action).where(
            col(AuditEvent.stream) == self.number, col(AuditEvent.action).startswith("capa.")
        )
        async with self.sessions() as session:
            return list((await session.exec(query.order_by(col(AuditEvent.seq)))).all())

    # ------------------------------------------------------------------ the steps

    async def investigate(self, who: Actor = QUINN) -> CapaReceipt:
        entry = await self.wrote(EntryKind.investigation, who, account="The connectors of one mould crack.")
        return await self.decide("record_investigation", RecordInvestigation(actor=who, entry=entry))

    async def find_cause(self, who: Actor = QUINN) -> CapaReceipt:
        entry = await self.wrote(
            EntryKind.cause,
            who,
            five_whys=["It cracked.", "The resin was wet."],
            cause="Wet resin",
            category="material",
        )
        return await self.decide("record_cause", RecordCause(actor=who, entry=entry))

    async def plan(self, who: Actor = QUINN, *, owners: tuple[str, ...] = ("wanda",), **changes: Any) -> CapaReceipt:
        due_on = (datetime.now(UTC) + timedelta(days=20)).date()
        return await self.decide(
            "plan", WritePlan(actor=who, entry=await self.plan_entry(who, owners, due_on, **changes))
        )

    async def plan_entry(self, who: Actor, owners: tuple[str, ...], due_on: date, **changes: Any) -> str:
        body: dict[str, Any] = {
            "actions": [
                {"kind": "corrective", "what": "Dry the resin", "owner": owner, "due_on": due_on.isoformat()}
                for owner in owners
            ],
            "criterion": {
                "what": "Cracked connectors",
                "comparison": "at_most",
                "target": "2.5",
                "unit": "per 10,000 units",
            },
            "verify_after_days": PERIOD,
        }
        return await self.wrote(EntryKind.plan, who, **(body | changes))

    async def approve(self, who: Actor = ADA, version: int = 1) -> CapaReceipt:
        return await self.decide("approve_plan", ApprovePlan(actor=who, plan_version=version))

    async def act(self, who: Actor = WANDA, action: int = 1, *, evidence: bool = True) -> CapaReceipt:
        entry = await self.wrote(EntryKind.action, who, result="Dryer installed.")
        files = (await self.file(),) if evidence else ()
        decision = CompleteAction(actor=who, action=action, entry=entry, evidence_ids=files)
        return await self.decide("complete_action", decision)

    async def verify(self, measured: str, who: Actor = SUNIL) -> CapaReceipt:
        entry = await self.wrote(EntryKind.verification, who, measured=measured, account="Counted in complaints.")
        decision = RecordVerification(actor=who, entry=entry, evidence_ids=(await self.file(),))
        return await self.decide("record_verification", decision)

    async def sign_off(self, who: Actor = HELGA) -> CapaReceipt:
        return await self.decide("sign_off", SignOffCapa(actor=who))

    async def to_verification(self) -> None:
        """Everything up to the last action."""
        await self.investigate()
        await self.find_cause()
        await self.plan()
        await self.approve((await self._approver()), (await self.record()).plan_version)
        last = max(action.sequence for action in await self._actions())
        await self.act(action=last)

    async def _approver(self) -> Actor:
        return ADA

    async def _actions(self) -> Any:
        async with self.sessions() as session:
            capa = await capas.find(session, self.number, 1)
            assert capa is not None
            return await capas.actions(session, capa)


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
        policies = [store.in_force(each, now.date()) for each in row.jurisdictions]
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
