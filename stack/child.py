"""One supervised child process: started in a session of its own, recorded, restarted with backoff."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack.errors import StackError
from stack.identity import STACK_MARK, ProcessRecord
from stack.probes import Probe

_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S, _STEADY_S = 0.5, 30.0, 60.0
_LOG_LIMIT = 20 * 1024 * 1024


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Part:
    """What the supervisor needs to know of a part. `command` empty: external, never started."""

    name: str
    address: str
    probe: Probe
    command: Sequence[str] = ()
    spawn: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `subprocess.Popen`: cwd, env, account."""
    stop_signal: int = signal.SIGTERM
    hard_signal: int = signal.SIGKILL
    stop_timeout_s: float = 15
    ready_timeout_s: float = 60
    before: Callable[[], None] = _nothing
    """Runs before each start: puts right what a killed predecessor left."""


class Child:
    """The running process of a part and its restart clock (monotonic seconds)."""

    def __init__(self, part: Part, logs: Path, run_dir: Path, stack_id: str) -> None:
        self.part = part
        self.log = logs / f"{part.name}.log"
        self._run_dir = run_dir
        self._stack_id = stack_id
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._backoff_s = _FIRST_BACKOFF_S
        self.restart_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Pid while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process and write its record.

        Raises:
            StackError: the program cannot be executed.
        """
        self.part.before()
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "start_new_session": True, "umask": 0o077} | dict(
            self.part.spawn
        )
        options["env"] = dict(options.get("env", os.environ)) | {STACK_MARK: self._stack_id}
        try:
            with self.log.open("ab") as log:
                os.fchmod(log.fileno(), 0o600)
                process: subprocess.Popen[bytes] = subprocess.Popen(
                    list(self.part.command), stdout=log, stderr=log, **options
                )
        except OSError as error:
            raise StackError(f"{self.part.name} cannot be started: {error}") from None
        self._process = process
        self._started_at, self.restart_at = time.monotonic(), None
        record = ProcessRecord.of(
            self.part.name,
            process.pid,
            stop_signal=self.part.stop_signal,
            hard_signal=self.part.hard_signal,
        )
        if record is not None:
            record.write(self._run_dir)

    def ending(self) -> str | None:
        """How it ended, in words; None while it runs."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return None
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def last_words(self) -> str:
        """Last line of its log, for the one clear line."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 4000))
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip()[:300] if lines else ""

    def schedule_restart(self) -> float:
        """Plan the next start; returns the wait in seconds, doubled unless it had run steadily."""
        if time.monotonic() - self._started_at > _STEADY_S:
            self._backoff_s = _FIRST_BACKOFF_S
        wait = self._backoff_s
        self.restart_at = time.monotonic() + wait
        self._backoff_s = min(self._backoff_s * 2, _LONGEST_BACKOFF_S)
        return wait

    def stop(self, impatient: Callable[[], bool], say: Callable[[str], None]) -> None:
        """Stop and reap; killed (and said so) after the part's time limit or once we are told to hurry."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(self.part.stop_signal)
            deadline = time.monotonic() + self.part.stop_timeout_s
            while process.poll() is None and time.monotonic() < deadline and not impatient():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
            if process.poll() is None:
                say(f"{self.part.name} (pid {process.pid}) did not stop in time, killing it")
                process.send_signal(self.part.hard_signal)
                process.wait(10)
        (self._run_dir / f"{self.part.name}.process.json").unlink(missing_ok=True)
