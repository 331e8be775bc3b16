"""The one table of the stack: part, address, state; and its notes in `run/stack.json` for other commands."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from stack.child import Part
from stack.errors import StackError
from stack.identity import read_record
from stack.probes import Probe
from stack.secret_store import write_private

Row = tuple[str, str, str]


def table(rows: Sequence[Row]) -> str:
    """Plain aligned text: never cut, and readable in a log."""
    lines = [("part", "address", "state"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    return "\n".join(f"{name:<{widths[0]}}  {address:<{widths[1]}}  {state}" for name, address, state in lines)


def note_parts(run_dir: Path, parts: Sequence[Part]) -> None:
    """Write down which parts this start has, for `recall status`."""
    noted = [
        {"name": part.name, "address": part.address, "external": not part.command, "probe": asdict(part.probe)}
        for part in parts
    ]
    write_private(run_dir / "stack.json", json.dumps(noted))


def state_of(part_name: str, *, external: bool, probe: Probe, run_dir: Path) -> tuple[bool, str]:
    """Whether a part works, and its state in words: identity first, then what it answers."""
    if external:
        answers = probe.check(None)
        return answers, "external, answers" if answers else "external, does not answer"
    record = read_record(run_dir, part_name)
    process = record.process() if record is not None else None
    if process is None:
        return False, "down"
    answers = probe.check(process.pid)
    return answers, f"up (pid {process.pid})" if answers else f"running, not ready (pid {process.pid})"


def status(state_dir: Path) -> tuple[bool, list[Row]]:
    """State of every part now; True if all work.

    Raises:
        StackError: this folder has never held a stack.
    """
    run_dir = state_dir / "run"
    try:
        noted = json.loads((run_dir / "stack.json").read_text())
    except (OSError, ValueError):
        raise StackError(f"there is no stack in {state_dir}") from None
    rows: list[Row] = []
    all_up = True
    for part in noted:
        up, words = state_of(part["name"], external=part["external"], probe=Probe(**part["probe"]), run_dir=run_dir)
        rows.append((part["name"], part["address"], words))
        all_up = all_up and up
    record = read_record(run_dir, "launcher")
    if record is None or record.process() is None:
        rows.append(("launcher", str(state_dir), "down: nothing restarts a part that dies"))
        all_up = False
    return all_up, rows
