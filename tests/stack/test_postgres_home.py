"""Where PostgreSQL's files go when root starts it: the state folder, or a shared place if that is closed."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack import folders
from stack.account import Account, service_account
from stack.errors import StackError
from stack.postgres import Cluster
from tests.support.servers import free_port

pytestmark = [
    pytest.mark.db,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user keeps everything in his state folder"),
]


@pytest.fixture
def shared_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands in for /var/lib/recall-orchestrator."""
    with tempfile.TemporaryDirectory(prefix="recall-test-shared-") as name:
        Path(name).chmod(0o711)
        root = Path(name) / "recall-orchestrator"
        monkeypatch.setattr(folders, "SHARED_ROOT", root)
        yield root


@pytest.fixture
def account() -> Account:
    found = service_account()
    assert found is not None
    return found


@dataclass(frozen=True)
class ShutOut(Account):
    """The same account, for whom the virtual environment is closed."""

    def can_execute(self, path: Path) -> bool:
        return "site-packages" not in path.parts and super().can_execute(path)


def test_behind_a_closed_parent_the_data_go_to_the_shared_root_and_are_found_again(
    tmp_path: Path, shared_root: Path, account: Account
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    state = folders.prepare_state_dir(closed / "state")
    home = folders.postgres_home(state, account)
    assert home.parent == shared_root
    assert folders.postgres_home(state, account) == home
    assert home.stat().st_uid == account.uid
    assert home.stat().st_mode & 0o777 == 0o700
    assert closed.stat().st_mode & 0o777 == 0o700, "a folder that is not ours was opened"


def test_two_state_folders_never_share_data(tmp_path: Path, shared_root: Path, account: Account) -> None:
    tmp_path.chmod(0o700)
    states = [folders.prepare_state_dir(tmp_path / name) for name in ("one", "two")]
    assert len({folders.postgres_home(state, account) for state in states}) == 2


def test_binaries_behind_a_closed_virtual_environment_are_copied_and_work(shared_root: Path, account: Account) -> None:
    shut_out = ShutOut(account.name, account.uid, account.gid)
    binaries = folders.postgres_binaries(shut_out)
    assert binaries.is_relative_to(shared_root)
    assert folders.postgres_binaries(shut_out) == binaries
    home = shared_root / "home"
    home.mkdir(mode=0o700)
    os.chown(home, account.uid, account.gid)
    cluster = Cluster(home, binaries, free_port(), account)
    assert cluster.initialise("secret")
    assert (cluster.data / "PG_VERSION").read_text().strip() == "18"
    assert not list(home.glob("initial-password"))


def test_a_folder_with_content_keeps_its_mode(tmp_path: Path) -> None:
    existing = tmp_path / "existing"
    existing.mkdir(mode=0o700)
    (existing / "mine.txt").touch()
    folders.prepare_state_dir(existing)
    assert existing.stat().st_mode & 0o777 == 0o700


def test_data_of_another_major_version_are_refused_in_our_words(tmp_path: Path, account: Account) -> None:
    with tempfile.TemporaryDirectory(prefix="recall-test-major-") as name:
        home = Path(name)
        os.chown(home, account.uid, account.gid)
        (home / "data").mkdir()
        (home / "data" / "PG_VERSION").write_text("15\n")
        cluster = Cluster(home, folders.postgres_binaries(account), free_port(), account)
        with pytest.raises(StackError, match="are of PostgreSQL 15, installed is 18"):
            cluster.initialise("secret")
