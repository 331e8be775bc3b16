"""The supervisor's wake-up: safe to set from a signal handler that interrupts another one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from stack.supervisor import Supervisor

pytestmark = pytest.mark.unit

_TURNS = 2_000


@contextmanager
def _given_up_after(seconds: int) -> Iterator[None]:
    """A blocked main thread cannot look at a clock, but an alarm's handler still raises inside its wait."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"the watch stood still for {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_storm_of_signals_never_blocks_the_watch(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, "test", lambda _: None)
    gusts = f"[os.kill({os.getpid()}, signal.SIGCHLD) for _ in range(200)]; time.sleep(0.001)"  # room for a turn
    storm = f"import os, signal, time\nwhile True: {gusts}"
    with supervisor.signals(), _given_up_after(60):
        sender = subprocess.Popen([sys.executable, "-c", storm])  # a process: a thread would take turns with us
        try:
            for _ in range(_TURNS):
                supervisor._wake.wait(60)  # ends by a signal: the alarm would come first otherwise
                supervisor._wake.clear()
        finally:
            sender.kill()
            sender.wait()
