"""One CAPA in a test: its decisions as people take them, what they write, and what is on record afterwards."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select
from temporalio.client import WorkflowHandle

from db.engine import SessionFactory
from db.repositories import capa as capas
from models.audit import AuditEvent
from models.capa import Capa, CapaEntry, EntryKind
from models.evidence import Evidence
from models.messages import Actor
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
from models.task import Task

QUINN, SUNIL = Actor(principal="quinn", roles=("qa",)), Actor(principal="sunil", roles=("supplier_quality",))
ADA, HELGA = Actor(principal="ada", roles=("approver",)), Actor(principal="helga", roles=("head_of_quality",))
WANDA, RAFAEL = Actor(principal="wanda", roles=("warehouse",)), Actor(principal="rafael", roles=("regulatory",))
PERIOD = 60
"""Policy days after the last action until the effect is measured."""


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
        await self.approve(ADA, (await self.record()).plan_version)
        last = max(action.sequence for action in await self._actions())
        await self.act(action=last)

    async def _actions(self) -> Any:
        async with self.sessions() as session:
            capa = await capas.find(session, self.number, 1)
            assert capa is not None
            return await capas.actions(session, capa)
