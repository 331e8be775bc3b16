"""A real Tryton for tests: its server as a process on loopback, its own client (proteus) to look with.

The database is made by `tryton_database.py` (half a minute) and kept in `build/tryton/` under the hash of what it is
made from; each run works on a copy. Tests tell their goods apart by names of their own, so one server serves a module.
"""

import hashlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "adapters" / "inventory" / "tryton_module"
KEPT = ROOT / "build" / "tryton"
MAKER = Path(__file__).with_name("tryton_database.py")
PACKAGES = ("trytond", "trytond-stock", "trytond-stock-lot", "trytond-sale", "trytond-purchase", "trytond-production")
PASSWORDS = {"admin": "tryton admin of tests", "recall": "recall user of tests"}
DATABASE = "erp"


def _environment(folder: Path) -> dict[str, str]:
    """The module is installed as pip would: found by its entry point."""
    info = folder / "site" / "trytond_recall_hold-8.2.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "entry_points.txt").write_text("[trytond.modules]\nrecall_hold = recall_hold\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trytond-recall-hold\nVersion: 8.2.0\n")
    password = folder / "password"
    password.write_text(PASSWORDS["admin"])
    return os.environ | {
        "PYTHONPATH": f"{MODULE}{os.pathsep}{info.parent}",
        "TRYTONPASSFILE": str(password),
        "RECALL_USER_PASSWORD": PASSWORDS["recall"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _hash(*files: Path) -> str:
    made_from = hashlib.sha256(" ".join(version(each) for each in PACKAGES).encode())
    for path in sorted([MAKER, *files]):
        made_from.update(path.read_bytes())
    return made_from.hexdigest()[:16]


def _database(folder: Path, environment: dict[str, str]) -> None:
    """First Tryton's own modules, which take longest and change never, then ours and the data."""
    ours = [path for path in MODULE.rglob("*") if path.suffix in {".py", ".xml", ".cfg"}]
    plain, filled = KEPT / f"plain-{_hash()}.sqlite", KEPT / f"filled-{_hash(*ours)}.sqlite"
    database = folder / "db" / f"{DATABASE}.sqlite"
    for kept, stage in ((filled, None), (plain, "filled"), (None, "plain")):
        if kept is None:
            database.touch()
        elif kept.exists():
            shutil.copy(kept, database)
        else:
            continue
        missing = {"plain": ["plain", "filled"], "filled": ["filled"], None: []}[stage]
        break
    for each in missing:
        command = [sys.executable, str(MAKER), str(folder / "trytond.conf"), DATABASE, each]
        made = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=170, check=False)
        assert made.returncode == 0, made.stderr[-3000:]
        KEPT.mkdir(parents=True, exist_ok=True)
        part = KEPT / f"{os.getpid()}.part"
        shutil.copy(database, part)
        part.replace(plain if each == "plain" else filled)


@dataclass
class TrytonForTests:
    """The running server."""

    url: str
    folder: Path
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    known: dict[str, Any] = field(default_factory=dict)
    """Records looked up once: places, partners, units."""
    _names: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        program = Path(sys.executable).with_name("trytond")
        command = [str(program), "-c", str(self.folder / "trytond.conf"), "-d", DATABASE]
        with (self.folder / "trytond.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        host, port = self.url.removeprefix("http://").split(":")
        deadline = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, (self.folder / "trytond.log").read_text()[-3000:]
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill -9 whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @contextmanager
    def client(self, user: str = "admin") -> Iterator[None]:
        """Tryton's own client, logged in, for `proteus.Model.get`."""
        from proteus import config

        address = f"{self.url}/{DATABASE}/rpc/"
        with config.set_xmlrpc_session(address, user, PASSWORDS[user]) as current:
            current._context = current.server.model.res.user.get_preferences(True, {})
            yield

    def name(self, what: str) -> str:
        """A name that no other test uses."""
        return f"{what}-{next(self._names)}"


@contextmanager
def running_tryton(folder: Path) -> Iterator[TrytonForTests]:
    """A server with a fresh copy of the database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "db").mkdir()
    (folder / "trytond.conf").write_text(
        f"[database]\nuri = sqlite://\npath = {folder / 'db'}\n[web]\nlisten = 127.0.0.1:{port}\n"
    )
    environment = _environment(folder)
    _database(folder, environment)
    tryton = TrytonForTests(f"http://127.0.0.1:{port}", folder, environment)
    try:
        tryton.start()
        yield tryton
    finally:
        tryton.kill()


def model(name: str) -> Any:
    """A model of Tryton's, within `TrytonForTests.client`."""
    from proteus import Model

    return Model.get(name)


__all__ = ["DATABASE", "PASSWORDS", "TrytonForTests", "model", "running_tryton"]
