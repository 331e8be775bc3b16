"""The product as a process of its own: `recall up` on a fresh folder, and short `recall` commands beside it.

Whatever configures the product in the caller's environment is left out: a demonstration must never write to a real
database, nor send to a real person.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo.waiting import Deadline, DemoError

PROJECT = Path(__file__).parents[1]
_CONFIGURING = ("DATABASE_", "SMTP_", "TEMPORAL_", "TWILIO_", "RECALL_", "PG")
_PORTS = 7
INVENTED_SRN = "XX-MF-000000000"
"""The demonstration's firm is invented, and so is its registration: its notices under the MDR have to name one."""
_START_S = 180.0
_STOP_S = 90.0
_SHARED_ROOT = Path("/var/lib/recall-orchestrator")


def recall_command() -> list[str]:
    """The `recall` command of this checkout, whatever else is installed."""
    return [sys.executable, "-m", "cli"]


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without anything that configures the product."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_CONFIGURING)}
    return kept | dict(extra or {})


def free_port_base(count: int = _PORTS) -> int:
    """First of `count` neighbouring ports that are free now, below the kernel's own range.

    Raises:
        DemoError: none found.
    """
    for _ in range(200):
        base = random.randrange(20_000, 32_000, 10)  # noqa: S311 - no secret
        if all(_is_free(port) for port in range(base, base + count)):
            return base
    raise DemoError("no free neighbouring ports between 20000 and 32000")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass
class Embedded:
    """One running stack in a temporary folder."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="recall-demo-")))
    process: subprocess.Popen[bytes] | None = None
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def state_dir(self) -> Path:
        """The product's state folder."""
        return self.folder / "state"

    @property
    def output(self) -> Path:
        """What `recall up` printed."""
        return self.folder / "recall-up.log"

    def start(self, deadline: Deadline) -> None:
        """Start and wait until every part works; another program may take a port first, so three tries.

        Raises:
            DemoError: the stack did not come up; the message holds its own words.
        """
        # PostgreSQL of a root's stack runs as another user, who has to pass through.
        self.folder.chmod(0o711)
        ready = self.folder / "ready.json"
        for _ in range(3):
            self._launch(free_port_base(), ready)
            if deadline.wait_for("the embedded stack to be ready", lambda: self._up_or_ended(ready), _START_S) == "up":
                self.addresses = json.loads(ready.read_text())
                return
            if "port" not in self.last_words():
                break
        raise DemoError(f"recall up ended early: {self.last_words()}")

    def _launch(self, base: int, ready: Path) -> None:
        command = [*recall_command(), "up", "--state-dir", str(self.state_dir), "--port-base", str(base)]
        command += ["--pace-allowed", "--ready-file", str(ready)]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=clean_environment({"RECALL_EU_SRN": INVENTED_SRN}),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is ours to handle: the stack is stopped in order
            )

    def _up_or_ended(self, ready: Path) -> str:
        if self.process is None or self.process.poll() is not None:
            return "ended"
        return "up" if ready.exists() else ""

    def check_alive(self) -> None:
        """Raise when the launcher has ended behind our back.

        Raises:
            DemoError: with its last words.
        """
        if self.process is None or self.process.poll() is not None:
            raise DemoError(f"recall up has ended: {self.last_words()}")

    def last_words(self, lines: int = 3) -> str:
        """The end of what `recall up` printed."""
        text = self.output.read_text(errors="replace") if self.output.exists() else ""
        return " / ".join(text.strip().splitlines()[-lines:]) or "(nothing printed)"

    def run(self, *arguments: str, timeout_s: float = 300, codes: tuple[int, ...] = (0,)) -> str:
        """Run a short `recall` command on this stack and return what it printed.

        Raises:
            DemoError: it ended with a code that is not among `codes`.
        """
        done = subprocess.run(
            [*recall_command(), *arguments],
            cwd=PROJECT,
            env=clean_environment({"RECALL_STATE_DIR": str(self.state_dir)}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode not in codes:
            words = (done.stderr.strip() or done.stdout.strip())[-1500:]
            raise DemoError(f"recall {' '.join(arguments)}: exit code {done.returncode}\n{words}")
        return done.stdout

    def stop(self) -> str | None:
        """Stop everything in order; returns a complaint when that failed, None when it went well."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._sweep()
            return f"recall up did not stop within {_STOP_S:.0f} s of SIGTERM"
        if code != 0:
            self._sweep()
            return f"recall up ended with code {code}: {self.last_words()}"
        return None

    def _sweep(self) -> None:
        """Let the product itself take down what a dead launcher left."""
        if (self.state_dir / "secrets.json").exists():
            self.run("down", "--state-dir", str(self.state_dir), codes=(0, 1, 2))

    def tails(self, lines: int = 15) -> str:
        """The last lines of every part's log, for a person who has to find out what went wrong."""
        shown = [f"--- {self.output.name}\n{_tail(self.output, lines)}"]
        shown += [f"--- {log.name}\n{_tail(log, lines)}" for log in sorted((self.state_dir / "logs").glob("*.log"))]
        return "\n".join(shown)

    def remove(self) -> None:
        """Remove the folder, and PostgreSQL's data where they had to live elsewhere."""
        pointer = self.state_dir / "postgres.json"
        if pointer.exists():
            home = Path(json.loads(pointer.read_text())["home"])
            if home.parent == _SHARED_ROOT:
                shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _tail(path: Path, lines: int) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"
