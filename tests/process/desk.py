"""Doing things to the record as the product's own callers do, and telling what happened: done, repeated or refused.

A refused operation must leave every table as it was; an accepted one must leave an audit event behind. Both are
checked here, for every single operation.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from db.engine import SessionFactory
from db.repositories import complaint_followup, documented
from db.repositories.attempts import AttemptRefused
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.evidence import EvidenceUnusable
from db.repositories.onward import PassedOnToItself
from db.repositories.statements import UnknownLot
from db.repositories.task_actions import EvidenceRequired, NotAssignable
from db.repositories.task_list import TaskNotOpen
from tests.support.chain import day
from tests.support.servers import PostgresForTests

REFUSALS = (
    ApplicationError,
    AttemptRefused,
    DisposalRefused,
    EvidenceRequired,
    EvidenceUnusable,
    NotAssignable,
    PassedOnToItself,
    TaskNotOpen,
    UnknownLot,
    complaint_followup.ComplaintNotOpen,
    documented.NotDocumentable,
    documented.OwnEntry,
    documented.QueryNotOpen,
)
"""What the product answers a request with that it does not carry out; anything else is a fault of the product."""
SILENT = frozenset({"retrace"})
"""Operations that may move a mere counter of the read model (`recall.traced_batches`), and then leave no event."""


@dataclass(frozen=True)
class Refused:
    """The operation was not carried out."""

    why: str


class Refusal(Exception):  # noqa: N818
    """Raised by an operation to take everything back that it has done so far."""


@dataclass
class Bench:
    """What outlives one example: the database, the loop its connections belong to, and what was done how often."""

    postgres: PostgresForTests
    engine: AsyncEngine
    sessions: SessionFactory
    runner: asyncio.Runner
    folder: Path
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    examples: int = 0


@dataclass
class Desk:
    """One example's way to the record."""

    bench: Bench
    connection: "psycopg.Connection[Any]"
    hours: int = 0
    digest: str = ""
    events: int = 0
    log: list[str] = field(default_factory=list)
    _digest_query: str = ""

    @property
    def now(self) -> datetime:
        """The instant of this step; every step is an hour."""
        return day(200) + timedelta(hours=self.hours)

    def who(self, principal: str, role: str) -> Who:
        """Somebody, now, by a request of its own."""
        return Who(principal, role, self.now, f"request-{self.hours}")

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of any query, as the owner."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return list(cursor.execute(query, values or None))

    def run(self, statement: str, *values: Any) -> None:
        """Any statement, as the owner; what the test's world does by itself."""
        self.connection.execute(statement, values or None)

    def one(self, query: str, *values: Any) -> Any:
        """The only value."""
        (row,) = self.rows(query, *values)
        (value,) = row.values()
        return value

    # ------------------------------------------------------------------ one operation

    def look(self) -> str:
        """A digest over every row of every table."""
        if not self._digest_query:
            tables = self.rows(
                "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
                " ORDER BY 1"
            )
            parts = [
                f"SELECT {at} AS at, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS sum"  # noqa: S608
                f' FROM "{row["name"]}" t'
                for at, row in enumerate(tables)
            ]
            every = " UNION ALL ".join(parts)
            self._digest_query = f"SELECT md5(string_agg(sum, '|' ORDER BY at)) FROM ({every}) AS each"  # noqa: S608
        return str(self.one(self._digest_query))

    def settle(self) -> None:
        """Take the tables as they are now for what the next operation finds."""
        self.digest = self.look()
        self.events = self.one("SELECT count(*) FROM audit_event")

    def attempt(self, name: str, work: Callable[[], Awaitable[Any]], note: str = "") -> Any:
        """Carry out an operation; its result, or `Refused`."""
        self.hours += 1
        before, events = self.digest, self.events
        try:
            result = self.bench.runner.run(_as_coroutine(work))
        except (*REFUSALS, Refusal) as error:
            result = Refused(str(error) or type(error).__name__)
        self.settle()
        self.log.append(f"{self.hours}: {name} {note} -> {result if isinstance(result, Refused) else 'done'}")
        if isinstance(result, Refused):
            assert self.digest == before, f"{name} was refused ({result.why}) and changed the record"
            self.bench.refused[f"{name}: {result.why[:40]}"] += 1
            return result
        self.bench.done[name] += 1
        if self.digest != before and name not in SILENT:
            assert self.events > events, f"{name} changed the record and left no audit event"
        return result

    def in_transaction(self, name: str, work: Callable[[AsyncSession], Awaitable[Any]], note: str = "") -> Any:
        """`attempt` of something done in one transaction of its own."""

        async def whole() -> Any:
            async with self.bench.sessions.begin() as session:
                return await work(session)

        return self.attempt(name, whole, note)

    def repeated(self, name: str, work: Callable[[AsyncSession], Awaitable[Any]]) -> None:
        """The very same request once more: it answers, and changes nothing."""

        async def whole() -> Any:
            async with self.bench.sessions.begin() as session:
                return await work(session)

        before = self.digest
        try:
            self.bench.runner.run(whole())
        except REFUSALS as error:
            raise AssertionError(f"{name} once more was refused: {error}") from error
        assert self.look() == before, f"{name} once more changed the record"

    async def activity(self, activity: Any, argument: Any, workflow_id: str = "") -> Any:
        """Run an activity as a worker does."""
        environment = ActivityEnvironment()
        if workflow_id:
            environment.info = replace(environment.info, workflow_id=workflow_id)
        return await environment.run(activity, argument)


async def _as_coroutine(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


__all__ = ["REFUSALS", "Bench", "Desk", "Refusal", "Refused"]
