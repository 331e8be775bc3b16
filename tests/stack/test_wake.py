"""The supervisor's wake-up: safe to set from a signal handler that interrupts another one."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from stack.supervisor import Supervisor

pytestmark = pytest.mark.unit


def _storm() -> None:
    for _ in range(20_000):
        os.kill(os.getpid(), signal.SIGCHLD)


def test_a_storm_of_signals_never_blocks_the_watch(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, "test", lambda _: None)
    turns = 0
    with supervisor.signals():
        storm = threading.Thread(target=_storm)
        storm.start()
        deadline = time.monotonic() + 30
        while storm.is_alive():
            supervisor._wake.wait(1)
            supervisor._wake.clear()
            turns += 1
            assert time.monotonic() < deadline
        storm.join()
    assert turns > 0
