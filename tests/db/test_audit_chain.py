"""The audit chain in a real database: unbroken under concurrency, and tampering is named."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.exc import ProgrammingError
from sqlmodel import text

from db.engine import SessionFactory
from db.repositories import audit
from tests.campaign.world import NUMBER, build
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
AT = datetime(2026, 11, 21, 8, tzinfo=UTC)


async def _append(db: SessionFactory, number: int, stream: str = "RC-2026-000001") -> None:
    async with db.begin() as session:
        await audit.append(
            session,
            stream,
            actor="ada",
            role="qa",
            action="test.event",
            at=AT,
            data={"n": number, "quantity": Decimal("1.50"), "when": AT, "text": "召回"},
        )


async def test_concurrent_writers_make_one_unbroken_chain(db: SessionFactory) -> None:
    await asyncio.gather(*(_append(db, n) for n in range(12)))
    async with db() as session:
        events = [event async for event in audit.read_all(session, "RC-2026-000001")]
        assert [event.seq for event in events] == list(range(1, 13))
        assert await audit.first_broken_link(session, "RC-2026-000001") is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_event SET reason = 'nobody noticed' WHERE seq = 2",
        "UPDATE audit_event SET at = at + interval '1 microsecond' WHERE seq = 2",
        "UPDATE audit_event SET data = '{}' WHERE seq = 2",
        "DELETE FROM audit_event WHERE seq = 2",
    ],
)
async def test_a_changed_or_missing_event_is_named(db: SessionFactory, postgres: PostgresForTests, change: str) -> None:
    for number in range(3):
        await _append(db, number)
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute(change)
    async with db() as session:
        assert await audit.first_broken_link(session, "RC-2026-000001") == 2


async def test_a_chain_cut_off_at_its_end_is_named(db: SessionFactory, postgres: PostgresForTests) -> None:
    for number in range(3):
        await _append(db, number)
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("DELETE FROM audit_event WHERE seq = 3")
    async with db() as session:
        assert await audit.first_broken_link(session, "RC-2026-000001") == 3


async def test_a_chain_without_its_head_is_broken_even_if_what_is_left_fits(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    for number in range(3):
        await _append(db, number)
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("DELETE FROM audit_event WHERE seq = 3")
        admin.execute("DELETE FROM audit_head")
    async with db() as session:
        assert await audit.first_broken_link(session, "RC-2026-000001") == 3
        assert await audit.first_broken_link(session, "RC-2026-000404") is None


async def test_a_head_that_counts_other_than_the_events_is_named(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    for number in range(3):
        await _append(db, number)
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("UPDATE audit_head SET seq = 1")
    async with db() as session:
        assert await audit.first_broken_link(session, "RC-2026-000001") == 1


async def test_an_event_behind_the_head_is_named(db: SessionFactory, postgres: PostgresForTests) -> None:
    for number in range(3):
        await _append(db, number)
    with psycopg.connect(postgres.admin_url) as admin:
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit_event WHERE seq = 2)")
    async with db() as session:
        assert await audit.first_broken_link(session, "RC-2026-000001") == 3


async def test_events_appended_while_a_chain_is_read_are_no_break(db: SessionFactory) -> None:
    await _append(db, 0)
    async with db() as session:
        checked = session.exec

        async def exec_then_append(*args: Any, **kwargs: Any) -> Any:
            found = await checked(*args, **kwargs)
            if not appended:
                appended.append(True)
                await _append(db, 1)  # between the head and the events
            return found

        appended: list[bool] = []
        session.exec = exec_then_append  # type: ignore[method-assign]
        assert await audit.first_broken_link(session, "RC-2026-000001") is None
        assert appended


_MORE = """
INSERT INTO audit_event (stream, seq, at, actor, role, action, data, prev_hash, hash)
SELECT stream, seq + 1, now(), 'a', 'a', 'a', '{}', hash, repeat('a', 64) FROM audit_head"""
_LOOSE = _MORE.replace("hash, repeat", "repeat('0', 64), repeat")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_head SET seq = 1",
        "UPDATE audit_head SET seq = seq + 2",
        "UPDATE audit_head SET hash = repeat('0', 64)",
        "UPDATE audit_head SET stream = 'other', seq = seq + 1",
        "UPDATE audit_head SET seq = seq + 1, hash = repeat('0', 64)",
        _MORE + "; UPDATE audit_head SET seq = seq + 2, hash = repeat('a', 64)",  # noqa: S608 - constants
        _MORE + "; UPDATE audit_head SET seq = seq + 1, hash = repeat('b', 64)",  # noqa: S608 - constants
        _LOOSE + "; UPDATE audit_head SET seq = seq + 1, hash = repeat('a', 64)",  # noqa: S608 - constants
    ],
)
async def test_the_head_moves_with_its_events_only(db: SessionFactory, postgres: PostgresForTests, change: str) -> None:
    for number in range(3):
        await _append(db, number)
    with psycopg.connect(postgres.app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(sql.SQL(change))
    await _append(db, 3)


async def test_a_recall_whose_whole_chain_is_gone_is_broken_from_the_start(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    build(clean_db.admin_url)
    async with db() as session:
        assert await audit.first_broken_link(session, NUMBER) == 1


@pytest.mark.parametrize("statement", ["UPDATE audit_event SET actor = 'eve'", "DELETE FROM audit_event"])
async def test_the_application_role_cannot_change_the_audit(db: SessionFactory, statement: str) -> None:
    await _append(db, 1)
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with db.begin() as session:
            await session.exec(text(statement))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_event SET actor = 'eve'", "DELETE FROM audit_event", "TRUNCATE audit_event"]
)
async def test_even_the_owner_is_refused_by_trigger(
    db: SessionFactory, postgres: PostgresForTests, statement: str
) -> None:
    await _append(db, 1)
    with psycopg.connect(postgres.owner_url) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(statement)
