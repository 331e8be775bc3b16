"""The parts of the stack in the order in which they start: who they are, how they run, how we see them work."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from stack.account import service_account
from stack.child import Part
from stack.environment import External, Wiring
from stack.errors import StackError
from stack.folders import postgres_binaries, postgres_home
from stack.options import StackOptions
from stack.postgres import Cluster
from stack.probes import LOOPBACK, Probe
from stack.secret_store import StackSecrets
from stack.temporal_server import TemporalFile

PROJECT = Path(__file__).parent.parent
WORKFLOW_QUEUE = "recall"


def required_ports(options: StackOptions, external: External) -> list[tuple[str, int]]:
    """Name and number of each port that an embedded part will listen on."""
    wanted = {
        "pg": external.database is None,
        "temporal": external.temporal is None,
        "temporal_ui": external.temporal is None,
        "api": "api" not in options.without,
        "smtp": external.smtp is None and "mail" not in options.without,
        "inbox": external.smtp is None and "mail" not in options.without,
        "sms": external.twilio is None and "sms" not in options.without,
    }
    return [(name, getattr(options.ports, name)) for name, needed in wanted.items() if needed]


def embedded_cluster(options: StackOptions) -> Cluster:
    """The PostgreSQL cluster of this state folder."""
    account = service_account()
    home = postgres_home(options.state_dir, account)
    return Cluster(home, postgres_binaries(account), options.ports.pg, account)


def postgres_part(cluster: Cluster, secrets: StackSecrets) -> Part:
    """Embedded PostgreSQL: SIGINT is its fast shutdown, SIGQUIT the immediate one."""
    cluster.initialise(secrets.pg_admin)
    return Part(
        name="postgres",
        address=f"{LOOPBACK}:{cluster.port}",
        probe=Probe("tcp", f"{LOOPBACK}:{cluster.port}"),
        command=cluster.command(),
        spawn=cluster.spawn_options(),
        stop_signal=signal.SIGINT,
        hard_signal=signal.SIGQUIT,
        stop_timeout_s=30,
        before=cluster.clear_foreign_pid_file,
    )


def temporal_part(options: StackOptions, wiring: Wiring, say: Callable[[str], None]) -> Part:
    """Embedded Temporal server with its Web UI."""
    file, ports = TemporalFile(options.state_dir), options.ports
    return Part(
        name="temporal",
        address=f"{wiring.temporal_address}  (web UI http://{LOOPBACK}:{ports.temporal_ui})",
        probe=Probe("tcp", wiring.temporal_address),
        command=file.command(ports.temporal, ports.temporal_ui, wiring.temporal_namespace),
        spawn={"cwd": options.state_dir},
        before=lambda: file.set_aside_unfinished(say),
    )


def external_part(name: str, address: str, default_port: int) -> Part:
    """Something the operator runs himself: shown and probed, never started."""
    try:
        split = urlsplit(address if "//" in address else f"//{address}")
        host, port = split.hostname, split.port or default_port
    except ValueError:
        raise StackError(f"the address configured for {name} is not host:port or a URL") from None
    if host is None:  # a database by local socket: libpq's business
        return Part(name=name, address="local socket", probe=Probe("none"))
    return Part(name=name, address=f"{host}:{port}", probe=Probe("tcp", f"{host}:{port}"))


def _module(
    name: str,
    module: str,
    *,
    wiring: Wiring,
    address: str,
    probe: Probe,
    stop_timeout_s: float = 15,
) -> Part:
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_OWNER_URL"}
    return Part(
        name=name,
        address=address,
        probe=probe,
        command=[sys.executable, "-m", module],
        spawn={"cwd": PROJECT, "env": inherited | wiring.environment | {"PYTHONUNBUFFERED": "1"}},
        stop_timeout_s=stop_timeout_s,
    )


def application_parts(options: StackOptions, wiring: Wiring) -> list[Part]:
    """Everything that needs database and Temporal: sinks first, then API, then workers."""
    imap = wiring.external.imap
    returned = [external_part("mailbox", imap, 993)] if imap else []
    sinks = [_mail(options, wiring), *returned, _sms(options, wiring)]
    return [*sinks, _api(options, wiring), *_workers(options, wiring)]


def _mail(options: StackOptions, wiring: Wiring) -> Part:
    if wiring.external.smtp:
        return external_part("mail", wiring.external.smtp, 25)
    smtp, inbox = options.ports.smtp, options.ports.inbox
    return _module(
        "mail",
        "stack.mail_catcher",
        wiring=wiring,
        address=f"{LOOPBACK}:{smtp}  (inbox http://{LOOPBACK}:{inbox}{_returned(wiring)})",
        probe=Probe("tcp", f"{LOOPBACK}:{smtp}"),
    )


def _returned(wiring: Wiring) -> str:
    """Where mail that comes back lies, for the table."""
    maildir = wiring.environment.get("RECALL_MAILBOX_MAILDIR")
    return f", returned mail in {maildir}" if maildir else ""


def _sms(options: StackOptions, wiring: Wiring) -> Part:
    if wiring.external.twilio:
        return external_part("sms", wiring.external.twilio, 443)
    port = options.ports.sms
    return _module(
        "sms",
        "stack.twilio_standin",
        wiring=wiring,
        address=f"http://{LOOPBACK}:{port}",
        probe=Probe("tcp", f"{LOOPBACK}:{port}"),
    )


def _api(options: StackOptions, wiring: Wiring) -> Part:
    port = options.ports.api
    address = f"http://{LOOPBACK}:{port}"
    return _module(
        "api",
        "api",
        wiring=wiring,
        address=address,
        probe=Probe("http", f"{address}/readyz"),
    )


def _workers(options: StackOptions, wiring: Wiring) -> list[Part]:
    polled = f"{WORKFLOW_QUEUE}@{wiring.temporal_address}/{wiring.temporal_namespace}"
    return [
        _module(
            f"worker-{number}",
            "worker",
            wiring=wiring,
            address=f"task queue {WORKFLOW_QUEUE}",
            probe=Probe("poller", polled),
            stop_timeout_s=45,
        )
        for number in range(1, options.workers + 1)
    ]
