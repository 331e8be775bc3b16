"""What a second shell borrows of a running stack: the environment its children were given (0600)."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from stack.secret_store import write_private

_FILE = "environment.json"


def publish(run_dir: Path, environment: Mapping[str, str]) -> None:
    """Let other commands of the same user reach the stack."""
    write_private(run_dir / _FILE, json.dumps(dict(environment)))


def borrow(state_dir: Path) -> None:
    """Point this process at the stack last started on `state_dir`, where the operator set nothing.

    For commands such as `recall import` in a second shell; without a state folder it does nothing.
    """
    try:
        shared = json.loads((state_dir / "run" / _FILE).read_text())
    except (OSError, ValueError):
        return
    for name, value in shared.items():
        os.environ.setdefault(name, value)
