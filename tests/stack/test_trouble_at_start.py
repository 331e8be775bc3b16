"""What can go wrong at the start of the stack: one clear line, exit code 2, and nothing left running."""

import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from stack.identity import marked_processes
from stack.secret_store import load_secrets
from tests.support.servers import ThrowAwayPostgres, free_port
from tests.support.stack import (
    APPLICATION,
    SERVERS_ONLY,
    RunningStack,
    as_ordinary_user,
    free_port_base,
    recall,
    wait_for,
)

pytestmark = pytest.mark.e2e
NOBODY = pwd.getpwnam("nobody").pw_uid
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder that other users may pass through (pytest's own are closed)."""
    with tempfile.TemporaryDirectory(prefix="recall-test-trouble-") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


def _one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("recall: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_taken_port_is_named_with_its_holder_before_anything_is_started(folder: Path) -> None:
    base = free_port_base()
    with socket.create_server(("127.0.0.1", base + 1)):
        line = _one_line(recall("up", "--state-dir", str(folder / "state"), "--port-base", str(base)))
    assert f"port {base + 1} for temporal is taken by pid {os.getpid()}" in line
    assert "RECALL_TEMPORAL_PORT" in line
    assert not (folder / "state" / "postgres" / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ((), {"RECALL_PG_PORT": "many"}, "RECALL_PG_PORT: 'many' is not a port number"),
        ((), {"RECALL_PG_PORT": "8080"}, "port 8080 is given to both pg and api"),
        (("--port-base", "65533"), {}, "'65536' is not a port number"),
        (("--without", "postgres"), {}, "--without postgres: only api, mail, sms, worker can be left out"),
        ((), {"RECALL_PG_USER": "no-such-account"}, "no system account is called 'no-such-account'"),
        ((), {"DATABASE_URL": "postgresql://h:port/x"}, "the address configured for postgres is not host:port"),
    ],
)
def test_a_wrong_setting_is_named(
    folder: Path, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    if "RECALL_PG_USER" in environment and os.geteuid() != 0:
        pytest.skip("the account matters to root only")
    if not arguments:
        arguments = ("--port-base", str(free_port_base()))
    if environment.get("RECALL_PG_PORT") == "8080":
        arguments = ()
    line = _one_line(recall("up", "--state-dir", str(folder / "state"), *arguments, env=environment))
    assert said in line


def _ordinary_user(home: Path) -> dict[str, Any]:
    options = as_ordinary_user(NOBODY, pwd.getpwuid(NOBODY).pw_gid, home)
    if options is None:
        pytest.skip("an ordinary user can reach neither this checkout nor an interpreter for it")
    return options


@needs_root
def test_an_unwritable_state_folder_is_one_line(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o755)
    line = _one_line(recall("up", "--state-dir", str(closed / "state"), **_ordinary_user(folder)))
    assert f"the state folder {closed / 'state'} cannot be written: Permission denied" in line


@needs_root
def test_a_state_folder_of_another_user_is_refused(folder: Path) -> None:
    state = folder / "state"
    state.mkdir()
    load_secrets(state)
    os.chown(state / "secrets.json", NOBODY, -1)
    line = _one_line(recall("up", "--state-dir", str(state), "--port-base", str(free_port_base())))
    assert f"belongs to uid {NOBODY}" in line


def test_a_server_that_dies_at_its_start_is_one_line_and_stops_the_others(folder: Path) -> None:
    state = folder / "state"
    state.mkdir(mode=0o711)
    (state / "temporal.db").write_bytes(b"this is no SQLite file" * 100)
    (state / "temporal.complete").touch()
    base = free_port_base()
    line = _one_line(recall("up", "--state-dir", str(state), "--port-base", str(base), *SERVERS_ONLY))
    assert "temporal ended while starting (exit code" in line
    assert "temporal.log" in line
    assert list(marked_processes(load_secrets(state).stack_id)) == []


def test_a_temporal_file_whose_first_start_never_ended_is_set_aside_and_made_anew(folder: Path) -> None:
    state = folder / "state"
    state.mkdir(mode=0o711)
    (state / "temporal.db").write_bytes(b"cut short" * 100)
    stack = RunningStack(state, free_port_base(), *SERVERS_ONLY)
    try:
        stack.start()
        assert "its file is set aside as temporal.db.unfinished-" in stack.output()
        (aside,) = state.glob("temporal.db.unfinished-*")
        assert aside.read_bytes().startswith(b"cut short")
        assert stack.record("temporal") is not None
    finally:
        stack.clean_up()


@needs_root
def test_root_and_an_ordinary_user_run_side_by_side_and_change_no_folder_of_others(folder: Path) -> None:
    own = folder / "of-nobody"
    own.mkdir(mode=0o700)
    os.chown(own, NOBODY, -1)
    modes = {path: path.stat().st_mode for path in (Path("/"), folder.parent, folder, own)}
    by_root = RunningStack(folder / "of-root", free_port_base(), *SERVERS_ONLY)
    by_user = RunningStack(own / "state", free_port_base(), *SERVERS_ONLY, **_ordinary_user(own))
    try:
        by_root.start()
        by_user.start()
        for stack, uid in ((by_root, 0), (by_user, NOBODY)):
            record = stack.record("temporal")
            assert record is not None
            assert psutil.Process(record.pid).uids().effective == uid
        assert by_user.stop() == 0
        assert recall("status", "--state-dir", str(by_root.state_dir)).returncode == 0
        assert {path: path.stat().st_mode for path in modes} == modes
    finally:
        by_user.clean_up()
        by_root.clean_up()


def test_with_a_real_database_nothing_embedded_is_started_and_migrations_wait_until_it_answers(
    folder: Path,
) -> None:
    database = ThrowAwayPostgres(free_port())
    urls = database.addresses()
    environment = {"DATABASE_URL": urls.app_url, "DATABASE_OWNER_URL": urls.owner_url}
    stack = RunningStack(folder / "state", free_port_base(), *SERVERS_ONLY, env=environment)
    try:
        stack.start(wait=False)
        wait_for("the table", lambda: "external, does not answer" in stack.output())
        wait_for("word of the migrations", lambda: "(migrations will be tried again" in stack.output())
        database.start()
        wait_for("readiness", stack.addresses_if_ready, 60)
        with psycopg.connect(urls.owner_url) as owner:
            assert owner.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
        wait_for("word that they are done", lambda: "migrations: done" in stack.output())
        assert not (stack.state_dir / "postgres").exists()
        assert stack.addresses()["postgres"] is None
        assert "external, answers" in recall("status", "--state-dir", str(stack.state_dir)).stdout
    finally:
        stack.clean_up()
        database.stop()


def test_the_stack_outlives_the_pipe_it_prints_to(folder: Path) -> None:
    reading, writing = os.pipe()
    stack = RunningStack(folder / "state", free_port_base(), *SERVERS_ONLY, output=writing)
    try:
        stack.start(wait=False)
        os.close(writing)
        os.close(reading)
        wait_for("readiness without anybody reading", stack.addresses_if_ready, 60)
        record = stack.record("temporal")
        assert record is not None
        psutil.Process(record.pid).kill()
        wait_for("a restart, which wants to be said", lambda: stack.record("temporal") not in (None, record))
        assert stack.stop() == 0
        assert stack.processes() == []
    finally:
        stack.clean_up()


def test_real_mail_and_sms_without_a_public_address_are_warned_about(folder: Path) -> None:
    accounts = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(free_port()), "TWILIO_ACCOUNT_SID": "AC0"}
    accounts["TWILIO_BASE_URL"] = f"http://127.0.0.1:{free_port()}"
    stack = RunningStack(folder / "state", free_port_base(), *APPLICATION, env=accounts)
    try:
        stack.start(wait=False)
        wait_for("the warning", lambda: "WARNING: RECALL_PUBLIC_URL is not set" in stack.output())
        wait_for("the table", lambda: "mail      127.0.0.1" in stack.output())
        assert stack.record("mail") is None
        assert not {"SMTP_HOST", "TWILIO_AUTH_TOKEN"} & set(stack.environment())
    finally:
        stack.clean_up()
