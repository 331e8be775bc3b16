"""Stopping what a killed launcher left behind, and `recall down`."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from stack.errors import StackError
from stack.identity import end, marked_processes, read_record, records
from stack.lock import AlreadyRunningError, exclusive
from stack.secret_store import load_secrets

_ORDER = ("worker", "api", "sms", "mail", "temporal", "postgres")
_STOP_S = 30.0
_LAUNCHER_STOP_S = 150.0


def stop_leftovers(state_dir: Path, stack_id: str, say: Callable[[str], None]) -> int:
    """End every process that provably belongs to this state folder; returns how many there were.

    The caller holds the lock. Recorded ones go first, in the order of a normal stop; then any that
    carry the folder's mark but were started in the instant before their record was written.
    """
    run_dir, stopped = state_dir / "run", 0
    for prefix in _ORDER:
        for record in records(run_dir):
            process = record.process() if record.part.startswith(prefix) else None
            if process is not None:
                say(f"stopping {record.part} (pid {record.pid}), left over from an earlier start")
                end(process, record.stop_signal, record.hard_signal, _STOP_S, say)
                stopped += 1
    for process in marked_processes(stack_id):
        say(f"stopping pid {process.pid}, an unrecorded process of this state folder")
        with suppress(psutil.Error):
            end(process, 15, 9, 5, say)
        stopped += 1
    for path in run_dir.glob("*.process.json"):
        path.unlink(missing_ok=True)
    return stopped


def down(state_dir: Path, say: Callable[[str], None]) -> None:
    """Stop the stack of a state folder, whether its launcher lives or was killed.

    Raises:
        StackError: there is no state folder, or its launcher does not end.
    """
    if not (state_dir / "run").is_dir():
        raise StackError(f"there is no stack in {state_dir}")
    deadline = time.monotonic() + _LAUNCHER_STOP_S
    asked = False
    while True:
        try:
            with exclusive(state_dir):
                left = stop_leftovers(state_dir, load_secrets(state_dir).stack_id, say)
                say("stopped" if asked or left else "nothing was running")
                return
        except AlreadyRunningError:
            record = read_record(state_dir / "run", "launcher")
            launcher = record.process() if record is not None else None
            if launcher is not None and not asked:
                say(f"asking the launcher (pid {launcher.pid}) to stop everything")
                with suppress(psutil.NoSuchProcess):
                    launcher.terminate()
                asked = True
            if time.monotonic() > deadline:
                raise StackError(f"the launcher of {state_dir} did not stop within {_LAUNCHER_STOP_S:.0f} s") from None
            time.sleep(0.1)
