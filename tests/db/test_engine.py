"""Sessions and their errors: reading cannot write, and what an error says is never the values: it reaches logs."""

import asyncio
import subprocess
import sys
import traceback
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlmodel import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory, make_engine, make_session_factory
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
ROOT = Path(__file__).parents[2]
WHO = {"to": "", "address": "nurse@clinic.example"}


async def test_the_text_of_an_error_does_not_quote_its_parameters(db: SessionFactory) -> None:
    query = text("SELECT 1 / length(:to) WHERE CAST(:address AS text) <> ''")
    async with db() as session:
        connection = await session.connection()
        with pytest.raises(DBAPIError) as failed:
            await connection.execute(query, WHO)
    assert "division by zero" in str(failed.value)
    assert "nurse@clinic.example" not in str(failed.value)


async def test_nor_does_it_quote_the_row_or_key_that_the_database_refused(db: SessionFactory) -> None:
    partner = text(
        "INSERT INTO partner (code, name, kind, language, time_zone) VALUES ('P', 'Clinic', 'hospital', 'en', 'UTC')"
        " RETURNING id"
    )
    contact = text(
        "INSERT INTO contact (partner_id, position, name, role, email, phone, channels, status)"
        " VALUES (:partner, 1, :name, 'stores', :address, :phone, '{email}', 'verified')"
    )
    async with db.begin() as session:
        made = (await (await session.connection()).execute(partner)).scalar_one()
        who = WHO | {"partner": made, "name": "Nurse Grace"}
        await (await session.connection()).execute(contact, who | {"phone": "+254700000001"})
    for phone, refused in (("0700", "ck_contact_phone_e164"), ("+254700000001", "uq_contact")):
        with pytest.raises(IntegrityError, match=refused) as failed:
            async with db.begin() as session:
                await (await session.connection()).execute(contact, who | {"phone": phone})
        told = "".join(traceback.format_exception(failed.value))
        assert "Grace" not in told
        assert "nurse@clinic.example" not in told
        assert f"({made}, 1)" not in told


def test_whoever_has_an_engine_knows_every_table_a_foreign_key_leads_to() -> None:
    """In a process of its own: the tests import more than a worker does."""
    script = (
        "import db.engine; from sqlmodel import SQLModel\n"
        "for table in SQLModel.metadata.tables.values():\n"
        "    for key in table.foreign_keys:\n"
        "        key.column\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-500:]


async def test_a_reading_session_cannot_write_and_leaves_no_trace_on_its_connection(db: SessionFactory) -> None:
    query = text("INSERT INTO audit_head (stream, seq, hash) VALUES ('a', 0, '')")
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with db() as session:
            await (await session.connection()).execute(query)
    async with db.begin() as session:
        await (await session.connection()).execute(query)


async def cut(session: AsyncSession, postgres: PostgresForTests) -> int:
    """End the server's side of a session's connection; returns which one it was."""
    pid = int((await (await session.connection()).execute(text("SELECT pg_backend_pid()"))).scalar_one())
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    return pid


async def test_a_database_that_goes_away_while_it_is_read_is_told_as_such(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    """Whoever waits for the database to come back knows it by this error; any other one is a fault of ours."""

    async def read() -> None:
        async with db() as session:
            await cut(session, postgres)
            await (await session.connection()).execute(text("SELECT 1"))

    with pytest.raises(OperationalError):
        await read()


async def test_what_was_read_stays_read_when_the_database_goes_away_afterwards(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    async with db() as session:
        gone = await cut(session, postgres)
    async with db() as session:
        assert (await (await session.connection()).execute(text("SELECT pg_backend_pid()"))).scalar_one() != gone


async def test_a_process_that_stands_still_in_a_transaction_does_not_keep_its_rows_locked(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    still = make_engine(postgres.app_url, application_name="frozen", idle_transaction_ms=200)
    taking = text("INSERT INTO audit_head (stream, seq, hash) VALUES ('frozen', 0, '') ON CONFLICT DO NOTHING")

    async def stand_still() -> None:
        async with make_session_factory(still).begin() as frozen:
            await (await frozen.connection()).execute(taking)
            async with asyncio.timeout(20), db.begin() as other:
                # It waits for the row until the server has ended the transaction that holds it.
                assert (await (await other.connection()).execute(taking)).rowcount == 1

    with pytest.raises(OperationalError):
        await stand_still()
    await still.dispose()


async def test_a_transaction_that_stood_still_too_long_has_lost_its_connection_as_any_other(
    postgres: PostgresForTests,
) -> None:
    """What waits for the database tries again; what was read stays read."""
    engine = make_engine(postgres.app_url, application_name="frozen", idle_transaction_ms=100)
    sessions = make_session_factory(engine)
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:

        async def stand_still(session: AsyncSession) -> None:
            pid = (await (await session.connection()).execute(text("SELECT pg_backend_pid()"))).scalar_one()
            while admin.execute("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)).rowcount:
                pass  # until the server has ended it

        async def use() -> None:
            async with sessions.begin() as session:
                await stand_still(session)
                await (await session.connection()).execute(text("SELECT 1"))

        async def commit() -> None:
            async with sessions.begin() as session:
                await stand_still(session)

        for late in (use, commit):
            with pytest.raises(OperationalError):
                await late()
        async with sessions() as session:
            await stand_still(session)
        async with sessions.begin() as session:
            assert (await (await session.connection()).execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()


async def test_both_ends_of_a_connection_ask_whether_the_other_is_still_there(db: SessionFactory) -> None:
    async with db() as session:
        connection = await session.connection()
        shown = {
            name: (await connection.execute(text(f"SHOW {name}"))).scalar_one()
            for name in ("tcp_keepalives_idle", "tcp_user_timeout", "idle_in_transaction_session_timeout")
        }
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        ours = raw.info.get_parameters()
    assert shown["idle_in_transaction_session_timeout"] == "10min"
    if raw.info.host.startswith("/"):
        pytest.skip("a socket of this machine has no other end that could vanish")
    assert (shown["tcp_keepalives_idle"], shown["tcp_user_timeout"]) == ("60", "120000")
    assert (ours["keepalives_idle"], ours["tcp_user_timeout"]) == ("60", "120000")
