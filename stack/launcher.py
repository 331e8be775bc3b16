"""`recall up`: brings the parts up in order, keeps them up, and takes them down in order.

Order: leftovers of a killed launcher are stopped, PostgreSQL, migrations, development tokens (embedded
database only), Temporal, search attributes, then sinks, API and workers. Whatever the operator runs
himself is only waited for: what must be done in it is retried in the background until it answers.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from os import getpid
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from db.development_tokens import ensure_development_tokens
from db.migrate import upgrade
from stack import parts as catalogue
from stack import temporal_admin
from stack.child import Part
from stack.console import print_line, say
from stack.environment import Wiring, wire
from stack.errors import StackError
from stack.folders import prepare_state_dir
from stack.identity import ProcessRecord
from stack.lock import exclusive
from stack.options import Ports, StackOptions
from stack.probes import require_free
from stack.secret_store import StackSecrets, load_secrets, write_private
from stack.shared_environment import publish
from stack.shutdown import stop_leftovers
from stack.status import note_parts, state_of, table
from stack.supervisor import StopRequested, Supervisor
from stack.temporal_server import TemporalFile

TOKENS_FILE = "tokens.json"
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 10.0


def _first_line(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@dataclass
class Launcher:
    """One run of `recall up`."""

    options: StackOptions
    secrets: StackSecrets
    wiring: Wiring
    supervisor: Supervisor
    _parts: list[Part] = field(default_factory=list)
    _unsettled: dict[str, Callable[[], None]] = field(default_factory=dict)
    """Work on external servers that has not succeeded yet, by its name."""
    _next_try: float = 0.0
    _retry_s: float = _FIRST_RETRY_S
    _told: set[str] = field(default_factory=set)
    _ready_told: bool = False

    @property
    def run_dir(self) -> Path:
        """Folder of process records."""
        return self.options.state_dir / "run"

    def run(self) -> None:
        """Start, watch, stop. Returns after an orderly stop.

        Raises:
            StackError: something could not be started; everything started before is stopped again.
        """
        with self.supervisor.signals():
            try:
                self._start()
                self.supervisor.watch(self._regularly)
            except StopRequested:
                say("stopping")
            finally:
                if self.options.ready_file is not None:
                    self.options.ready_file.unlink(missing_ok=True)
                self.supervisor.stop_all()
                stop_leftovers(self.options.state_dir, self.secrets.stack_id, say)
        say("stopped")

    def _wanted(self, name: str) -> bool:
        return name.partition("-")[0] not in self.options.without

    def _start(self) -> None:
        record = ProcessRecord.of("launcher", getpid())
        stop_leftovers(self.options.state_dir, self.secrets.stack_id, say)
        if record is not None:
            record.write(self.run_dir)
        for name, port in catalogue.required_ports(self.options, self.wiring.external):
            require_free(name, port, Ports.variable(name))
        self._start_database()
        self._start_temporal()
        applications = [p for p in catalogue.application_parts(self.options, self.wiring) if self._wanted(p.name)]
        self._parts += applications
        publish(self.run_dir, self.wiring.environment)
        note_parts(self.run_dir, self._parts)
        children = [self.supervisor.start(part) for part in applications if part.command]
        if self._unsettled:
            say("not waiting for readiness: an external server does not answer yet")
        else:
            for child in children:
                self.supervisor.wait_until_ready(child)
        self._announce()
        self._write_ready_file()

    def _start_database(self) -> None:
        external = self.wiring.external.database
        if external is not None:
            self._parts.append(catalogue.external_part("postgres", external, 5432))
            self._unsettled["migrations"] = self._migrate
            self._settle()
            return
        cluster, secrets = catalogue.embedded_cluster(self.options), self.secrets
        part = catalogue.postgres_part(cluster, secrets)
        self._parts.append(part)
        child = self.supervisor.start(part)
        self.supervisor.wait_until(child, lambda: cluster.accepts(secrets.pg_admin))
        cluster.ensure_roles(secrets.pg_admin, secrets.pg_owner, secrets.pg_app)
        self._migrate()
        try:
            ensure_development_tokens(self.wiring.environment["DATABASE_URL"], self.options.state_dir / TOKENS_FILE)
        except (SQLAlchemyError, OSError) as error:
            raise StackError(f"development tokens: {_first_line(error)}") from None

    def _migrate(self) -> None:
        try:
            upgrade(self.wiring.owner_url)
        except (SQLAlchemyError, CommandError) as error:
            raise StackError(f"migrations: {_first_line(error)}") from None

    def _start_temporal(self) -> None:
        address, namespace = self.wiring.temporal_address, self.wiring.temporal_namespace
        if self.wiring.external.temporal is not None:
            self._parts.append(catalogue.external_part("temporal", address, 7233))
            self._unsettled["search attributes"] = self._add_search_attributes
            self._settle()
            return
        part = catalogue.temporal_part(self.options, self.wiring, say)
        self._parts.append(part)
        child = self.supervisor.start(part)
        self.supervisor.wait_until_ready(child)
        self.supervisor.wait_until(child, lambda: temporal_admin.is_serving(address, namespace))
        temporal_admin.ensure_retention(address, namespace)
        self._add_search_attributes()
        TemporalFile(self.options.state_dir).complete()

    def _add_search_attributes(self) -> None:
        added = temporal_admin.ensure_search_attributes(self.wiring.temporal_address, self.wiring.temporal_namespace)
        if added:
            say(f"search attributes added: {', '.join(added)}")

    def _regularly(self) -> None:
        self._settle()
        self._write_ready_file()

    def _settle(self) -> None:
        """Try what is still to be done on external servers; say so at the first failure only."""
        if not self._unsettled or time.monotonic() < self._next_try:
            return
        for name, work in list(self._unsettled.items()):
            try:
                work()
                del self._unsettled[name]
                if name in self._told:
                    say(f"{name}: done")
            except StackError as error:
                if name not in self._told:
                    say(f"{error} ({name} will be tried again until it works)")
                self._told.add(name)
        self._next_try = time.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2, _LONGEST_RETRY_S)

    def _states(self) -> list[tuple[Part, bool, str]]:
        return [
            (part, *state_of(part.name, external=not part.command, probe=part.probe, run_dir=self.run_dir))
            for part in self._parts
        ]

    def _announce(self) -> None:
        rows = [(part.name, part.address, words) for part, _up, words in self._states()]
        print_line(table(rows))
        tokens = self.options.state_dir / TOKENS_FILE
        if tokens.exists():
            print_line(f"development tokens: {tokens}")
        external = self.wiring.external
        if (external.smtp or external.twilio) and "RECALL_PUBLIC_URL" in self.wiring.defaulted:
            say("WARNING: RECALL_PUBLIC_URL is not set, so real recipients will get links to 127.0.0.1")

    def _write_ready_file(self) -> None:
        """Once every part works; for programs that wait for it."""
        ready_file = self.options.ready_file
        if ready_file is None or self._ready_told or self._unsettled:
            return
        if all(up for _part, up, _words in self._states()):
            write_private(ready_file, json.dumps(self._addresses(), indent=1))
            self._ready_told = True

    def _addresses(self) -> dict[str, str | None]:
        """What a program needs to talk to this stack; secrets only as the names of their files."""
        ports, environment = self.options.ports, self.wiring.environment
        external = self.wiring.external
        return {
            "state_dir": str(self.options.state_dir),
            "api": f"http://127.0.0.1:{ports.api}",
            "temporal": self.wiring.temporal_address,
            "temporal_namespace": self.wiring.temporal_namespace,
            "temporal_ui": None if external.temporal else f"http://127.0.0.1:{ports.temporal_ui}",
            "postgres": None if external.database else f"127.0.0.1:{ports.pg}",
            "smtp": external.smtp or f"127.0.0.1:{ports.smtp}",
            "inbox": None if external.smtp else f"http://127.0.0.1:{ports.inbox}",
            "twilio": external.twilio or environment["TWILIO_BASE_URL"],
            "tokens_file": str(self.options.state_dir / TOKENS_FILE),
            "environment_file": str(self.run_dir / "environment.json"),
        }


def up(options: StackOptions) -> None:
    """Run the stack until it is told to stop.

    Raises:
        StackError: one clear line for the operator.
    """
    state_dir = prepare_state_dir(options.state_dir)
    ready_file = options.ready_file.absolute() if options.ready_file is not None else None
    options = replace(options, state_dir=state_dir, ready_file=ready_file)
    with exclusive(state_dir):
        secrets = load_secrets(state_dir)
        supervisor = Supervisor(state_dir, secrets.stack_id, say)
        Launcher(options, secrets, wire(options, secrets), supervisor).run()
