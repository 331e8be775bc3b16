"""One launcher per state folder: a kernel lock that vanishes with its process, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.errors import StackError
from stack.identity import read_record


class AlreadyRunningError(StackError):
    """Another launcher holds the state folder."""


@contextmanager
def exclusive(state_dir: Path) -> Iterator[None]:
    """Hold the state folder.

    Raises:
        AlreadyRunningError: somebody else does; the text names the pid where it is known.
    """
    descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            record = read_record(state_dir / "run", "launcher")
            by = f" (pid {record.pid})" if record is not None and record.process() is not None else ""
            raise AlreadyRunningError(
                f"the stack in {state_dir} is already running{by}; see `recall status`, or `recall down`"
            ) from None
        yield
    finally:
        os.close(descriptor)
