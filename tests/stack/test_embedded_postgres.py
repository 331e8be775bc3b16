"""The embedded PostgreSQL: roles, passwords, process and permissions."""

import time

import psutil
import psycopg
import pytest
from sqlalchemy import text

from db.engine import SessionFactory
from tests.support.servers import PostgresForTests, ThrowAwayPostgres

pytestmark = pytest.mark.db


def test_the_server_is_postgresql_18_and_speaks_utc(postgres: PostgresForTests) -> None:
    with psycopg.connect(postgres.app_url) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)


def test_a_wrong_password_is_refused_on_tcp(postgres: PostgresForTests) -> None:
    wrong = postgres.app_url.replace("recall_app:", "recall_app:0")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_neither_role_is_a_superuser_and_only_the_owner_makes_tables(postgres: PostgresForTests) -> None:
    with psycopg.connect(postgres.app_url) as app:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE TABLE not_mine (id int)")
        app.rollback()
        rows = app.execute("SELECT rolname, rolsuper FROM pg_roles WHERE rolname LIKE 'recall%'").fetchall()
    assert dict(rows) == {"recall_admin": True, "recall_owner": False, "recall_app": False}


def test_the_server_never_runs_as_root(postgres_server: ThrowAwayPostgres) -> None:
    pid = int((postgres_server.cluster.data / "postmaster.pid").read_text().split()[0])
    process = psutil.Process(pid)
    assert process.uids().effective != 0
    assert postgres_server.cluster.data.stat().st_mode & 0o077 == 0
    assert (postgres_server.home / "socket").stat().st_mode & 0o777 == 0o700


async def test_a_session_of_the_application_role_reaches_the_migrated_database(db: SessionFactory) -> None:
    async with db() as session:
        result = await session.exec(text("SELECT current_user"))  # type: ignore[call-overload]
        assert result.scalar_one() == "recall_app"


def test_a_killed_server_nobody_reaped_does_not_block_the_next_start() -> None:
    server = ThrowAwayPostgres()
    try:
        server.start()
        killed = server.process
        assert killed is not None
        killed.kill()
        deadline = time.monotonic() + 10
        while psutil.Process(killed.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
        server.cluster.clear_foreign_pid_file()
        server.start()
        with psycopg.connect(server.addresses().app_url) as again:
            assert again.execute("SELECT 1").fetchone() == (1,)
        killed.wait()
    finally:
        server.stop()


def test_the_lock_of_a_living_server_is_left_alone(postgres_server: ThrowAwayPostgres) -> None:
    postgres_server.cluster.clear_foreign_pid_file()
    assert (postgres_server.cluster.data / "postmaster.pid").exists()
