"""The folder store: what was stored comes back unchanged, damage is never given out, and is healed by a new upload."""

import asyncio
import hashlib
import stat
from pathlib import Path

import pytest

from adapters.evidence.base import EvidenceDamaged, EvidenceUnavailable
from adapters.evidence.folder import FolderEvidence

pytestmark = pytest.mark.unit
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"


async def test_content_lies_under_its_hash_read_only_and_once(tmp_path: Path) -> None:
    store = FolderEvidence(tmp_path)
    sha256 = await store.store(PDF)
    assert sha256 == hashlib.sha256(PDF).hexdigest()
    assert await store.store(PDF) == sha256
    path = store.path_of(sha256)
    assert stat.S_IMODE(path.stat().st_mode) == 0o440
    assert await store.read(sha256) == PDF
    assert await store.exists(sha256)
    kept = await asyncio.to_thread(lambda: [each for each in tmp_path.rglob("*") if each.is_file()])
    assert kept == [path], "no temporary file is left"


async def test_a_stored_file_that_was_changed_or_removed_is_not_given_out(tmp_path: Path) -> None:
    store = FolderEvidence(tmp_path)
    sha256 = await store.store(PDF)
    path = store.path_of(sha256)
    path.chmod(0o640)
    path.write_bytes(PDF.replace(b"1.7", b"1.4"))
    with pytest.raises(EvidenceDamaged, match="no longer has its hash"):
        await store.read(sha256)
    path.unlink()
    with pytest.raises(EvidenceDamaged, match="cannot be read"):
        await store.read(sha256)
    assert not await store.exists(sha256)


async def test_uploading_the_content_again_heals_a_damaged_file_of_the_same_size(tmp_path: Path) -> None:
    store = FolderEvidence(tmp_path)
    sha256 = await store.store(PDF)
    path = store.path_of(sha256)
    path.chmod(0o640)
    path.write_bytes(PDF.replace(b"1.7", b"1.4"))
    assert await store.store(PDF) == sha256
    assert await store.read(sha256) == PDF


async def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file in the way")
    with pytest.raises(EvidenceUnavailable, match=r"^evidence folder .*: Not a directory$"):
        await FolderEvidence(tmp_path / "evidence").store(PDF)


@pytest.mark.parametrize("name", ["", "ab", "../../etc/passwd", "A" * 64, "g" * 64, "0" * 65])
async def test_only_a_hash_becomes_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        await FolderEvidence(tmp_path).read(name)
