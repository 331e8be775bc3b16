"""Throw-away servers for one test run: a PostgreSQL cluster and helpers to find ports."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from stack import postgres as pg
from stack.account import service_account
from stack.folders import postgres_binaries, postgres_home, prepare_state_dir


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class PostgresForTests:
    """Addresses of a running server; the database behind owner and app URL is migrated."""

    admin_url: str
    owner_url: str
    app_url: str

    def truncate(self) -> None:
        """Empty every table that has rows. As superuser, because the audit refuses even its owner.

        TRUNCATE makes new files for each table and index, also of all that refer to it: slow for a few rows. So only
        tables that have grown are truncated, from the others the rows are deleted. The connection stays: a new one
        would read the description of every table again.
        """
        admin = kept_connection(self.admin_url)
        with admin.transaction():
            sizes: dict[str, int] = dict(admin.execute(_TABLES).fetchall())
            if not sizes:
                return
            probes = [
                sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
                for name in sizes
            ]
            probe = sql.SQL(" UNION ALL ").join(probes)
            filled = [row[0] for row in admin.execute(probe, prepare=True)]
            admin.execute("SET LOCAL session_replication_role = replica")  # no triggers, no foreign keys
            grown = [name for name in filled if sizes[name] > _SMALL]
            if grown:
                names = sql.SQL(", ").join(sql.Identifier(name) for name in grown)
                admin.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
            for name in filled:
                admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
            admin.execute(_RESTART_NUMBERS)


_kept: Final[dict[str, psycopg.Connection]] = {}


def kept_connection(url: str) -> psycopg.Connection:
    """This process' one connection for `url`, closed with its server; a new one where the last was lost."""
    if (kept := _kept.get(url)) is not None:
        with contextlib.suppress(psycopg.OperationalError):
            kept.execute("")
            return kept
        kept.close()
    _kept[url] = psycopg.connect(url, autocommit=True)
    return _kept[url]


_TABLES: Final = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version' ORDER BY relname
"""
_SMALL: Final = 512 * 1024
"""Bytes; deleted rows are found again by every later scan of the table until they are vacuumed."""
_RESTART_NUMBERS: Final = """
SELECT setval(seqrelid, seqstart, false) FROM pg_sequence
WHERE EXISTS (SELECT FROM pg_depend WHERE objid = seqrelid AND deptype IN ('i', 'a'))
  AND pg_sequence_last_value(seqrelid) > 0
"""
"""Those of a column, be it an identity or a serial: numbers of recalls stay unique, for their workflows are in a server
that is not emptied."""


class ThrowAwayPostgres:
    """A server in its own temporary folder, gone with everything in it at the end."""

    def __init__(self, port: int | None = None) -> None:
        self.state_dir = prepare_state_dir(Path(tempfile.mkdtemp(prefix="recall-test-pg-")))
        account = service_account()
        self.home = postgres_home(self.state_dir, account)
        self.cluster = pg.Cluster(self.home, postgres_binaries(account), port or free_port(), account)
        self._passwords = [secrets.token_hex(16) for _ in range(3)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server without durability and make `recall` with both roles."""
        admin, owner, app = self._passwords
        self.cluster.initialise(admin)
        with (self.state_dir / "logs" / "postgres.log").open("ab") as log:
            process = subprocess.Popen(
                self.cluster.command(durable=False),
                stdout=log,
                stderr=log,
                **self.cluster.spawn_options(),
            )
        self.process = process
        self.cluster.wait_until_ready(admin, lambda: process.poll() is None)
        self.cluster.ensure_roles(admin, owner, app)

    def addresses(self, database: str = pg.DATABASE) -> PostgresForTests:
        """URLs of the three roles for a database of this server."""
        roles = zip((pg.ADMIN, pg.OWNER, pg.APP), self._passwords, strict=True)
        return PostgresForTests(*(pg.url_of(role, pw, self.cluster.port, database) for role, pw in roles))

    def create_database(self, name: str) -> PostgresForTests:
        """Another empty database of the same server, for tests that migrate or corrupt."""
        admin, owner, app = self._passwords
        self.cluster.ensure_roles(admin, owner, app, name)
        return self.addresses(name)

    def stop(self) -> None:
        """Fast shutdown, then remove the folder."""
        for url in [url for url in _kept if f":{self.cluster.port}/" in url]:
            _kept.pop(url).close()
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait(10)
        for folder in {self.home, self.state_dir}:
            shutil.rmtree(folder, ignore_errors=True)
