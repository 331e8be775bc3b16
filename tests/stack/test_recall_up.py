"""`recall up | status | down` with real servers: restarts, kills, leftovers and a clean end."""

import asyncio
import signal
import smtplib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import httpx
import psutil
import psycopg
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from tests.support.stack import SERVERS_ONLY, RunningStack, free_port_base, recall, wait_for
from workflows.search_attributes import ALL

pytestmark = pytest.mark.e2e
PARTS = ("postgres", "temporal", "mail", "sms", "api", "worker-1")


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """One running stack with every part, shared by the tests of this file."""
    with tempfile.TemporaryDirectory(prefix="recall-test-up-") as folder:
        Path(folder).chmod(0o711)
        running = RunningStack(Path(folder) / "state", free_port_base())
        try:
            yield running.start()
        finally:
            running.clean_up()
            for home in _shared_homes(running.state_dir):
                rmtree(home, ignore_errors=True)


def _shared_homes(state_dir: Path) -> list[Path]:
    pointer = state_dir / "postgres.json"
    return [Path(pointer.read_text().split('"')[3])] if pointer.exists() else []


def _app_url(stack: RunningStack) -> str:
    return stack.environment()["DATABASE_URL"]


def _send_mail(stack: RunningStack, subject: str) -> None:
    host, port = stack.addresses()["smtp"].split(":")
    with smtplib.SMTP(host, int(port), timeout=10) as smtp:
        smtp.sendmail("a@recall.invalid", ["b@recall.invalid"], f"Subject: {subject}\r\n\r\nbody")


def _subjects(stack: RunningStack) -> list[str]:
    listed = httpx.get(f"{stack.addresses()['inbox']}/messages", trust_env=False).json()
    messages = listed if isinstance(listed, list) else listed["messages"]
    return [message["subject"] for message in messages]


def test_the_table_names_every_part_and_status_agrees(stack: RunningStack) -> None:
    status = recall("status", "--state-dir", str(stack.state_dir))
    assert status.returncode == 0, status.stdout
    for part in PARTS:
        line = next(line for line in status.stdout.splitlines() if line.startswith(part))
        assert "up (pid" in line
        assert line in stack.output(), "recall up printed another table"


def test_secrets_are_private_and_the_owner_of_the_database_is_kept_from_the_children(stack: RunningStack) -> None:
    for name in ("secrets.json", "run/environment.json"):
        assert (stack.state_dir / name).stat().st_mode & 0o077 == 0
    assert "recall_owner" not in str(stack.environment())
    for process in stack.processes():
        assert "recall_owner" not in str(process.environ())


async def test_search_attributes_and_ten_years_of_retention_are_in_place(stack: RunningStack) -> None:
    client = await Client.connect(stack.addresses()["temporal"])
    listed = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    assert {key.name for key in ALL} <= set(listed.custom_attributes)
    namespace = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert namespace.config.workflow_execution_retention_ttl.ToTimedelta().days == 3650


def test_a_second_launcher_on_the_same_state_folder_is_refused_in_one_line(stack: RunningStack) -> None:
    second = recall("up", "--state-dir", str(stack.state_dir), "--port-base", str(free_port_base()))
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert "already running" in second.stderr
    assert recall("status", "--state-dir", str(stack.state_dir)).returncode == 0


@pytest.mark.parametrize("part", PARTS)
def test_a_part_killed_with_signal_9_is_started_again_and_said_so(stack: RunningStack, part: str) -> None:
    before = stack.record(part)
    assert before is not None
    psutil.Process(before.pid).kill()

    def restarted() -> bool:
        record = stack.record(part)
        return record is not None and record.pid != before.pid

    wait_for(f"{part} to be started again", restarted)
    wait_for("status to be clean", lambda: recall("status", "--state-dir", str(stack.state_dir)).returncode == 0)
    assert f"{part} ended (killed by signal 9), starting it again in" in stack.output()


async def test_state_survives_the_kill_of_launcher_and_parts_and_the_next_start_takes_over(
    stack: RunningStack,
) -> None:
    with psycopg.connect(stack_owner_url(stack)) as owner:
        owner.execute("CREATE TABLE survivor AS SELECT 42 AS answer")
    _send_mail(stack, "before the kill")
    client = await Client.connect(stack.addresses()["temporal"])
    await client.start_workflow("NobodyRunsThis", id="survivor", task_queue="nobody")
    old = {part: stack.record(part) for part in PARTS}

    stack.kill()
    down = recall("status", "--state-dir", str(stack.state_dir))
    assert down.returncode == 1
    assert "nothing restarts a part that dies" in down.stdout
    assert all(stack.record(part) is not None for part in PARTS), "children must outlive their launcher"
    for part in ("postgres", "temporal"):
        psutil.Process(old[part].pid).kill()  # type: ignore[union-attr]

    await asyncio.to_thread(stack.start)
    assert all(record is not None and record.process() is None for record in old.values())
    with psycopg.connect(stack_owner_url(stack)) as owner:
        assert owner.execute("SELECT answer FROM survivor").fetchone() == (42,)
    assert "before the kill" in _subjects(stack)
    client = await Client.connect(stack.addresses()["temporal"])
    assert (await client.get_workflow_handle("survivor").describe()).id == "survivor"


def stack_owner_url(stack: RunningStack) -> str:
    """The owner's URL, which only this test process may know."""
    from stack.postgres import OWNER, url_of
    from stack.secret_store import load_secrets

    return url_of(OWNER, load_secrets(stack.state_dir).pg_owner, stack.port_base)


def test_ctrl_c_stops_everything_in_order_and_leaves_no_process(stack: RunningStack) -> None:
    assert len(stack.processes()) >= len(PARTS)
    assert stack.stop(signal.SIGINT) == 0
    _assert_stopped(stack)
    assert "did not stop" not in stack.output()
    assert "polling" in (stack.state_dir / "logs" / "worker-1.log").read_text()


def _assert_stopped(stack: RunningStack) -> None:
    assert stack.processes() == []
    assert list((stack.state_dir / "run").glob("*.process.json")) == []
    assert "database system is shut down" in (stack.state_dir / "logs" / "postgres.log").read_text()
    assert recall("status", "--state-dir", str(stack.state_dir)).returncode == 1


def test_sigterm_stops_everything_and_down_stops_what_a_killed_launcher_left() -> None:
    with tempfile.TemporaryDirectory(prefix="recall-test-down-") as folder:
        Path(folder).chmod(0o711)
        servers = RunningStack(Path(folder) / "state", free_port_base(), *SERVERS_ONLY)
        try:
            servers.start()
            assert servers.stop(signal.SIGTERM) == 0
            _assert_stopped(servers)

            servers.start()
            servers.kill()
            stopped = recall("down", "--state-dir", str(servers.state_dir))
            assert stopped.returncode == 0, stopped.stderr
            assert "stopping postgres" in stopped.stdout
            _assert_stopped(servers)
            assert "nothing was running" in recall("down", "--state-dir", str(servers.state_dir)).stdout
        finally:
            servers.clean_up()
