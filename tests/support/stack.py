"""Runs the real `recall up` as a process and looks at it from outside."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from stack.identity import ProcessRecord, marked_processes, read_record
from stack.secret_store import load_secrets

PROJECT = Path(__file__).parents[2]
CONFIGURED = ("DATABASE_URL", "DATABASE_OWNER_URL", "SMTP_HOST", "TEMPORAL_", "TWILIO_", "RECALL_")
APPLICATION = ("--without", "api", "--without", "worker")
"""Options for tests without API and worker."""
SERVERS_ONLY = (*APPLICATION, "--without", "mail", "--without", "sms")
"""Options for tests of PostgreSQL and Temporal alone."""


def free_port_base(count: int = 7) -> int:
    """First of `count` neighbouring ports that are all free, below the kernel's own range."""
    for _ in range(200):
        base = random.randrange(20_000, 32_000, 10)  # noqa: S311 - no secret
        try:
            for port in range(base, base + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


def wait_for(what: str, condition: Callable[[], Any], within_s: float = 60, every_s: float = 0.02) -> Any:
    """Poll until the condition is true and return its value; fails with `what` when time is over."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(every_s)


def as_ordinary_user(uid: int, gid: int, home: Path) -> dict[str, Any] | None:
    """Options of `recall` and `RunningStack` that run it as another user; None where he cannot reach it.

    Our own interpreter may lie in a closed folder (pyenv beneath /root); then the system's Python of the
    same version does, with our packages on its path.
    """
    tools = {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    packages = {"PYTHONPATH": sysconfig.get_path("purelib")}
    same_version = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    identity: dict[str, Any] = {"user": uid, "group": gid, "extra_groups": []}
    for python, env in ((sys.executable, tools), (same_version, tools | packages)):
        command = [python, "-c", "import cli"]
        try:
            done = subprocess.run(command, cwd=PROJECT, env=clean_environment(env), check=False, **identity)
        except OSError:
            continue
        if done.returncode == 0:
            return identity | {"python": python, "env": env}
    return None


def recall(
    *arguments: str, env: Mapping[str, str] | None = None, python: str = sys.executable, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a short `recall` command to its end."""
    return subprocess.run(
        [python, "-m", "cli", *arguments],
        cwd=PROJECT,
        env=clean_environment(env),
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
        **options,
    )


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without anything that configures the product."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURED)}
    return kept | dict(extra or {})


class RunningStack:
    """One `recall up`; `start` again after `kill` to see what the next start makes of the leftovers."""

    def __init__(self, state_dir: Path, port_base: int, *arguments: str, **options: Any) -> None:
        self.state_dir = state_dir
        self.port_base = port_base
        self._arguments = arguments
        self._env: Mapping[str, str] = options.pop("env", {})
        self._python: str = options.pop("python", sys.executable)
        self._output: int | None = options.pop("output", None)
        self._options = options
        self._ready = state_dir.with_name(state_dir.name + "-ready") / "ready.json"
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, wait: bool = True) -> "RunningStack":
        """Start the launcher; unless told otherwise, return when its ready file says so."""
        self._ready.parent.mkdir(exist_ok=True)
        if "user" in self._options:
            os.chown(self._ready.parent, self._options["user"], -1)
        self._ready.unlink(missing_ok=True)
        command = [self._python, "-m", "cli", "up", "--state-dir", str(self.state_dir)]
        command += ["--port-base", str(self.port_base), "--ready-file", str(self._ready), *self._arguments]
        with (self._ready.parent / "output.txt").open("a") as output:
            self.process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=clean_environment(self._env),
                text=True,
                stdout=output if self._output is None else self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._options,
            )
        if wait:
            wait_for("recall up to be ready", lambda: self._ready.exists() or self._died(), 90)
        return self

    def _died(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"recall up ended with {self.process.returncode}: {self.output()}")
        return False

    def output(self) -> str:
        """Everything printed so far, by all starts."""
        return (self._ready.parent / "output.txt").read_text()

    def addresses(self) -> dict[str, str]:
        """The ready file."""
        loaded: dict[str, str] = json.loads(self._ready.read_text())
        return loaded

    def addresses_if_ready(self) -> dict[str, str] | None:
        """The ready file, or None while the stack is not ready."""
        return self.addresses() if self._ready.exists() else None

    def environment(self) -> dict[str, str]:
        """What the children were given."""
        loaded: dict[str, str] = json.loads((self.state_dir / "run" / "environment.json").read_text())
        return loaded

    def record(self, part: str) -> ProcessRecord | None:
        """Record of a part, if it runs."""
        record = read_record(self.state_dir / "run", part)
        return record if record is not None and record.process() is not None else None

    def processes(self) -> list[psutil.Process]:
        """Every process of this state folder, found by its mark and not by its record."""
        return list(marked_processes(load_secrets(self.state_dir).stack_id))

    def kill(self) -> None:
        """kill -9 of the launcher alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask the launcher to stop and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(90)

    def clean_up(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        if (self.state_dir / "secrets.json").exists():
            recall("down", "--state-dir", str(self.state_dir), env=self._env, python=self._python, **self._options)
