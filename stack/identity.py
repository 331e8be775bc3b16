"""Who a process is: pid, start time and command line together, never the pid alone.

A pid is reused after its process ends. Each child is therefore recorded in `run/<part>.json` with the
kernel's start mark and its command line, and only a process that matches all three is ever signalled.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from stack.secret_store import write_private

STACK_MARK = "RECALL_STACK_ID"
"""Environment variable of every child of the stack; its value is the state folder's `stack_id`."""


def start_mark(pid: int) -> str | None:
    """Start time of a process in a form that no clock adjustment changes; None if there is none.

    Linux: the boot's id and the start in clock ticks since boot. Elsewhere psutil's creation time.
    """
    stat, boot = Path(f"/proc/{pid}/stat"), Path("/proc/sys/kernel/random/boot_id")
    try:
        if boot.exists():
            ticks = stat.read_text().rpartition(")")[2].split()[19]
            return f"{boot.read_text().strip()}:{ticks}"
        return f"{psutil.Process(pid).create_time():.2f}"
    except (OSError, psutil.Error):
        return None


@dataclass(frozen=True)
class ProcessRecord:
    """A process as written down when it was started."""

    part: str
    pid: int
    started: str
    command: list[str]
    stop_signal: int = signal.SIGTERM
    hard_signal: int = signal.SIGKILL

    @classmethod
    def of(cls, part: str, pid: int, **signals: int) -> "ProcessRecord | None":
        """Record of a running process, or None if it has ended already."""
        started = start_mark(pid)
        try:
            process = psutil.Process(pid)
            # Just after exec the kernel shows an empty command line for a moment.
            while not (command := process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.001)
        except psutil.Error:
            return None
        return None if started is None else cls(part, pid, started, command, **signals)

    def process(self) -> psutil.Process | None:
        """The process, if it is still exactly the recorded one and has not ended."""
        try:
            process = psutil.Process(self.pid)
            same = start_mark(self.pid) == self.started and process.cmdline() == self.command
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    def write(self, run_dir: Path) -> None:
        """Keep the record as `run/<part>.json`."""
        write_private(run_dir / f"{self.part}.process.json", json.dumps(asdict(self)))


def read_record(run_dir: Path, part: str) -> ProcessRecord | None:
    """The record of a part; None where it is missing or was cut short by a crash."""
    try:
        return ProcessRecord(**json.loads((run_dir / f"{part}.process.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def records(run_dir: Path) -> list[ProcessRecord]:
    """All readable records of a state folder."""
    names = sorted(path.name.removesuffix(".process.json") for path in run_dir.glob("*.process.json"))
    return [record for name in names if (record := read_record(run_dir, name)) is not None]


def marked_processes(stack_id: str) -> Iterator[psutil.Process]:
    """Running processes that carry this state folder's mark: also those no record was written for."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(STACK_MARK) == stack_id:
                yield process
        except (psutil.Error, OSError):
            continue


def has_ended(process: psutil.Process) -> bool:
    """Gone, or a zombie that its new parent has not collected (some containers' pid 1 never does)."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end(process: psutil.Process, gentle: int, hard: int, timeout_s: float, say: Callable[[str], None]) -> None:
    """Stop a verified process that is not our child; psutil checks its identity at each signal."""
    for number, limit in ((gentle, timeout_s), (hard, 10.0)):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if has_ended(process):
                return
            time.sleep(0.02)
        say(f"pid {process.pid} did not stop within {limit:.0f} s")
