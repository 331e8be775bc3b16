"""The unprivileged account that PostgreSQL runs under when the stack is started as root.

PostgreSQL refuses to run as root. An ordinary user runs everything as himself; root hands the server
to a fixed account (`nobody`, or `RECALL_PG_USER`), which must then be able to reach data and binaries.
"""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.errors import StackError


@dataclass(frozen=True)
class Account:
    """A resolved system account; `uid` is never 0."""

    name: str
    uid: int
    gid: int

    def spawn_options(self) -> dict[str, Any]:
        """Arguments for `subprocess` that drop every privilege before exec."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_execute(self, path: Path) -> bool:
        """Whether the kernel lets this account reach and search (folder) or execute (file) `path`.

        Asked of the kernel with the account's own identity, so ACLs and mounts count too.
        """
        probe = subprocess.run(
            ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)], check=False, cwd="/", **self.spawn_options()
        )
        return probe.returncode == 0


def service_account() -> Account | None:
    """Account for PostgreSQL, or None when we are not root and simply run it as ourselves.

    Raises:
        StackError: the account named by `RECALL_PG_USER` does not exist or is root itself.
    """
    if os.geteuid() != 0:
        return None
    name = os.environ.get("RECALL_PG_USER", "nobody")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise StackError(f"RECALL_PG_USER: no system account is called {name!r}") from None
    if entry.pw_uid == 0:
        raise StackError("RECALL_PG_USER: PostgreSQL refuses to run as root, name another account")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
