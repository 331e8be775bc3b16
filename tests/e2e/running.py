"""A whole stack with the test's chain on it, and what tests look at: record, sinks, workflows, processes."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.e2e.chain import Group, write
from tests.e2e.office import Office, RecallCase
from tests.e2e.sinks import Sinks
from tests.support.stack import RunningStack, free_port_base, recall, wait_for


@dataclass
class World:
    """One running stack."""

    stack: RunningStack
    office: Office
    sinks: Sinks
    groups: dict[str, Group]

    def case(self, brand: str) -> RecallCase:
        """A recall of a brand, not started yet."""
        return RecallCase(self.office, self.groups[brand])

    def process(self, part: str) -> psutil.Process:
        """The running process of a part."""
        record = wait_for(f"{part} to run", lambda: self.stack.record(part))
        return psutil.Process(record.pid)

    def log(self, part: str) -> str:
        """What a part has logged so far."""
        return (self.stack.state_dir / "logs" / f"{part}.log").read_text(errors="replace")


@contextlib.contextmanager
def running_world(
    groups: Sequence[Group],
    *arguments: str,
    port_base: int | None = None,
    env: Mapping[str, str] | None = None,
    sinks: Sinks | None = None,
) -> Iterator[World]:
    """Start a stack, import the groups, hand it out, and leave no process and no file.

    Args:
        groups: the chain.
        arguments: more options of `recall up`.
        port_base: first of its ports; free ones by default.
        env: configures it for providers outside, whose books are `sinks`.
        sinks: where what left it is read; its own mail catcher and Twilio stand-in by default.

    Raises:
        AssertionError: the stack did not come up or did not stop in order.
    """
    folder = Path(tempfile.mkdtemp(prefix="recall-e2e-"))
    folder.chmod(0o711)  # PostgreSQL of a root's stack runs as another user, who has to pass through
    ports = free_port_base() if port_base is None else port_base
    stack = RunningStack(folder / "state", ports, "--pace-allowed", *arguments, env=env or {})
    try:
        addresses = stack.start().addresses()
        for order in write(folder, groups):
            run_import(stack, order.kind, order.file, order.mapping)
        office = Office(addresses["api"], json.loads(Path(addresses["tokens_file"]).read_text()))
        sinks = sinks or Sinks(addresses["inbox"], addresses["twilio"])
        try:
            yield World(stack, office, sinks, {group.brand: group for group in groups})
        finally:
            office.close()
            sinks.close()
        assert stack.stop() == 0, stack.output()
        assert stack.processes() == []
    finally:
        stack.clean_up()
        pointer = stack.state_dir / "postgres.json"
        if pointer.exists():
            home = Path(json.loads(pointer.read_text())["home"])
            if not home.is_relative_to(folder):
                shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def run_import(stack: RunningStack, kind: str, file: Path, mapping: Path) -> None:
    """`recall import` on a running stack; nothing may be rejected."""
    rejects = file.with_suffix(".rejects.csv")
    done = recall(
        *("import", kind, str(file), "--map", str(mapping), "--rejects", str(rejects), "--json"),
        env={"RECALL_STATE_DIR": str(stack.state_dir)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["rejected"] == 0, done.stdout
