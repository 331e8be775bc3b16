"""A decided recall over a real record: its clocks are started by hand, its obligations by the real activities."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio
from sqlmodel import col, select
from temporalio.testing import ActivityEnvironment

from activities.obligations import ObligationActivities
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import recalls
from models.complaint import Complaint
from models.messages import ObligationsFigures, ObligationsTurn, RecallRef
from models.recall import ClassDecision, ClockStart, Deadline
from models.task import Task
from tests.activities.conftest import ROOT
from tests.capa.conftest import next_number, write_recall


class Owing:
    """One recall that owes reports."""

    def __init__(self, sessions: SessionFactory, number: str, created_at: datetime) -> None:
        self.sessions = sessions
        self.number = number
        self.created_at = created_at
        self.proposals = 0
        self.activities = ObligationActivities(sessions, PolicyStore.load(ROOT / "policies"))

    def at(self, days: float) -> datetime:
        return self.created_at + timedelta(days=days)

    async def decide(
        self, jurisdiction: str, recall_class: str, level: str, *, action: str = "removal", at: datetime | None = None
    ) -> None:
        """The class of one product line, as an approver decided it (again, by a new proposal)."""
        self.proposals += 1
        async with self.sessions.begin() as session:
            session.add(
                ClassDecision(
                    recall_number=self.number,
                    product_line="kits",
                    jurisdiction=jurisdiction,
                    kind="approved",
                    proposal_id=self.proposals,
                    recall_class=recall_class,
                    level=level,
                    local_term=level,
                    market_action=action,
                    reasons=[],
                    decided_by="ada",
                    decided_at=at or self.created_at,
                )
            )

    async def start(self, clock: str, at: datetime, scope_version: int = 1) -> None:
        """A clock starts."""
        async with self.sessions.begin() as session:
            session.add(
                ClockStart(
                    recall_number=self.number,
                    name=clock,
                    scope_version=scope_version,
                    at=at,
                    source="test",
                    author="quinn",
                    recorded_at=at,
                )
            )

    async def complain(self, sequence: int, severity: str, at: datetime) -> int:
        """Harm was reported, and its clock runs."""
        row = Complaint(
            recall_number=self.number,
            sequence=sequence,
            source="staff",
            awareness_at=at,
            severity=severity,
            description="As reported.",
            state="open",
            recorded_by="quinn",
            recorded_at=at,
        )
        async with self.sessions.begin() as session:
            session.add(row)
            await session.flush()
            the_id = row.id or 0
        await self.start(f"harm_awareness:{sequence}", at)
        return the_id

    async def write(self, now: datetime) -> None:
        ref = RecallRef(number=self.number, now=now)
        await ActivityEnvironment().run(self.activities.write_deadlines, ref)

    async def turn(self, now: datetime, **changes: Any) -> ObligationsFigures:
        given = ObligationsTurn(number=self.number, now=now, **changes)
        found: ObligationsFigures = await ActivityEnvironment().run(self.activities.obligations_turn, given)
        return found

    async def deadlines(self) -> dict[str, Deadline]:
        """Every deadline by `{jurisdiction}:{name}`."""
        async with self.sessions() as session:
            rows = (await session.exec(select(Deadline).where(col(Deadline.recall_number) == self.number))).all()
        return {f"{row.jurisdiction}:{row.name}": row for row in rows}

    async def tasks(self) -> dict[str, Task]:
        async with self.sessions() as session:
            rows = (await session.exec(select(Task).where(col(Task.recall_number) == self.number))).all()
        return {row.key: row for row in rows}

    async def clocks(self) -> dict[str, datetime]:
        async with self.sessions() as session:
            return await recalls.clocks(session, self.number)


@pytest_asyncio.fixture
async def owing(db: SessionFactory) -> Owing:
    """A recall under US and EU law, created on a Friday, nothing decided yet."""
    created = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
    number = next_number()
    await write_recall(
        db, number, jurisdictions=["us-fda", "eu-mdr", "cn-nmpa"], created_at=created, awareness_at=created
    )
    return Owing(db, number, created)
