"""Leftovers are recognised by pid, start time and command line together; a stranger is never touched."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stack.identity import STACK_MARK, ProcessRecord
from stack.shutdown import stop_leftovers

pytestmark = pytest.mark.e2e
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
OURS = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A stranger's process."""
    process = subprocess.Popen(SLEEPER)
    yield process
    process.kill()
    process.wait(10)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with a folder of process records."""
    (tmp_path / "run").mkdir()
    return tmp_path


def _record(process: subprocess.Popen[bytes]) -> ProcessRecord:
    record = ProcessRecord.of("api", process.pid)
    assert record is not None
    return record


@pytest.mark.parametrize(
    "forged",
    [
        {"started": "another-boot:12345"},
        {"command": ["postgres", "-D", "/somewhere/data"]},
        {"started": "", "command": []},
    ],
)
def test_a_stranger_who_got_the_recorded_pid_is_never_signalled(
    state: Path, sleeper: subprocess.Popen[bytes], forged: dict[str, object]
) -> None:
    replace(_record(sleeper), **forged).write(state / "run")  # type: ignore[arg-type]
    assert stop_leftovers(state, OURS, pytest.fail) == 0
    assert sleeper.poll() is None
    assert list((state / "run").iterdir()) == []


def test_a_leftover_that_matches_its_record_is_stopped(state: Path, sleeper: subprocess.Popen[bytes]) -> None:
    _record(sleeper).write(state / "run")
    said: list[str] = []
    assert stop_leftovers(state, OURS, said.append) == 1
    assert sleeper.wait(5) == -15
    assert said == [f"stopping api (pid {sleeper.pid}), left over from an earlier start"]


def test_a_child_without_a_record_is_found_by_its_mark_and_one_of_another_folder_is_not(state: Path) -> None:
    ours = subprocess.Popen(SLEEPER, env=os.environ | {STACK_MARK: OURS})
    theirs = subprocess.Popen(SLEEPER, env=os.environ | {STACK_MARK: OURS[::-1]})
    try:
        assert stop_leftovers(state, OURS, lambda _line: None) == 1
        assert ours.wait(5) == -15
        assert theirs.poll() is None
    finally:
        for process in (ours, theirs):
            process.kill()
            process.wait(10)


def test_a_damaged_record_is_ignored(state: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (state / "run" / "api.process.json").write_text(json.dumps({"pid": sleeper.pid}))
    (state / "run" / "mail.process.json").write_text('{"pid": 1')
    assert stop_leftovers(state, OURS, pytest.fail) == 0
    assert sleeper.poll() is None


def test_an_ended_process_is_not_taken_for_running_even_as_a_zombie() -> None:
    process = subprocess.Popen(SLEEPER)
    record = _record(process)
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert record.process() is None
    process.wait(10)
    assert record.process() is None
