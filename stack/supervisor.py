"""Starts children, waits until they work, starts dead ones again, and stops all of them in reverse order."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from stack.child import Child, Part
from stack.errors import StackError

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CHECK_EVERY_S = 1.0
_READY_POLL_S = 0.1


class StopRequested(Exception):  # noqa: N818 - a wish, not an error
    """Somebody pressed Ctrl-C, sent SIGTERM or closed the terminal."""


class _Wake:
    """An event that signal handlers may set: a pipe, because `threading.Event` deadlocks on a nested signal."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def set(self) -> None:
        with suppress(BlockingIOError):  # full: set already
            os.write(self._write, b"!")

    def wait(self, seconds: float) -> None:
        select.select([self._read], [], [], seconds)

    def clear(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass


class Supervisor:
    """The children of one launcher, in start order."""

    def __init__(self, state_dir: Path, stack_id: str, say: Callable[[str], None]) -> None:
        self._logs, self._run_dir = state_dir / "logs", state_dir / "run"
        self._stack_id = stack_id
        self._say = say
        self._wake = _Wake()
        self._stops = 0
        self.children: list[Child] = []

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Turn stop signals into `StopRequested` and let a child's death wake the watch."""

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self._stops += 1
            self._wake.set()

        def child_changed(_signal: int, _frame: FrameType | None) -> None:
            self._wake.set()

        before = {number: signal.signal(number, stop) for number in _STOP_SIGNALS}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, child_changed)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check_stop(self) -> None:
        """Raise `StopRequested` once a stop was asked for."""
        if self._stops:
            raise StopRequested

    def start(self, part: Part) -> Child:
        """Start a part and look after it from now on."""
        self.check_stop()
        child = Child(part, self._logs, self._run_dir, self._stack_id)
        self.children.append(child)
        child.start()
        return child

    def wait_until(self, child: Child, ready: Callable[[], bool]) -> None:
        """Block until `ready`; dead or slow children end the start with one clear line.

        Raises:
            StackError: it ended, or its time is over.
            StopRequested: we were told to stop meanwhile.
        """
        name, limit = child.part.name, child.part.ready_timeout_s
        deadline = time.monotonic() + limit
        while not ready():
            self.check_stop()
            ending = child.ending()
            if ending is not None:
                raise StackError(f"{name} ended while starting ({ending}): {child.last_words()}  [log: {child.log}]")
            if time.monotonic() > deadline:
                raise StackError(f"{name} was not ready within {limit:.0f} s: {child.last_words()}  [log: {child.log}]")
            self._wake.wait(_READY_POLL_S)
            if not self._stops:
                self._wake.clear()
        self.check_stop()

    def wait_until_ready(self, child: Child) -> None:
        """Block until the part's own probe is satisfied."""
        self.wait_until(child, lambda: child.part.probe.check(child.pid))

    def watch(self, regularly: Callable[[], None]) -> None:
        """Keep every child alive until a stop is asked for; `regularly` runs about once a second.

        Raises:
            StopRequested: always, at the end.
        """
        while True:
            self.check_stop()
            for child in self.children:
                self._look_after(child)
            regularly()
            self._wake.wait(_CHECK_EVERY_S)
            if not self._stops:
                self._wake.clear()

    def _look_after(self, child: Child) -> None:
        ending = child.ending()
        if ending is None:
            return
        if child.restart_at is None:
            wait = child.schedule_restart()
            self._say(f"{child.part.name} ended ({ending}), starting it again in {wait:.1f} s  [log: {child.log}]")
            self._wake_in(wait)
        elif time.monotonic() >= child.restart_at:
            try:
                child.start()
                self._say(f"{child.part.name} runs again (pid {child.pid})")
            except (StackError, OSError) as error:
                self._say(f"{error}; trying again in {child.schedule_restart():.1f} s")

    def _wake_in(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._wake.set)
        timer.daemon = True
        timer.start()

    def stop_all(self) -> None:
        """Stop children in reverse order of start; a second stop signal kills them."""
        for child in reversed(self.children):
            child.stop(lambda: self._stops > 1, self._say)
        self.children.clear()
