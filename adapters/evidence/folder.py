"""Evidence in a folder, one file per content named by its SHA-256: written once, synced before anything cites it."""

import asyncio
import hashlib
import os
import secrets
from pathlib import Path

from adapters.evidence.base import EvidenceDamaged, EvidenceUnavailable, checked_hash


class FolderEvidence:
    """`{root}/ab/{sha256}`, read-only files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path_of(self, sha256: str) -> Path:
        """Where the content with this hash lies."""
        return self.root / checked_hash(sha256)[:2] / sha256

    async def store(self, content: bytes) -> str:
        """Write the content durably and return its SHA-256; a damaged file of this hash is replaced."""
        try:
            return await asyncio.to_thread(self._store, content)
        except OSError as error:
            raise EvidenceUnavailable(f"evidence folder {self.root}: {error.strerror or error}") from error

    def _store(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        target = self.path_of(sha256)
        if _holds(target, content):
            return sha256
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{sha256}.{secrets.token_hex(4)}")
        try:
            with fresh.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.chmod(0o440)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        # A rename is durable only when its folder is.
        for folder in (target.parent, self.root):
            _sync_folder(folder)
        return sha256

    async def read(self, sha256: str) -> bytes:
        """The content, checked against its hash."""
        return await asyncio.to_thread(self._read, sha256)

    def _read(self, sha256: str) -> bytes:
        try:
            content = self.path_of(sha256).read_bytes()
        except OSError as error:
            raise EvidenceDamaged(f"evidence {sha256} cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise EvidenceDamaged(f"evidence {sha256} no longer has its hash")
        return content

    async def exists(self, sha256: str) -> bool:
        """Whether there is a file of this hash."""
        return await asyncio.to_thread(self.path_of(sha256).is_file)

    async def remove(self, sha256: str) -> None:
        """Remove the file of this hash."""
        await asyncio.to_thread(self._remove, sha256)

    def _remove(self, sha256: str) -> None:
        target = self.path_of(sha256)
        try:
            target.unlink(missing_ok=True)
            if target.parent.is_dir():
                _sync_folder(target.parent)
        except OSError as error:
            raise EvidenceUnavailable(f"evidence {sha256} cannot be removed: {error.strerror}") from error

    async def close(self) -> None:
        """Nothing is held open."""


def _holds(target: Path, content: bytes) -> bool:
    """Whether the file is there as it should be; equal size is not enough, a damaged file must be healed."""
    try:
        return target.read_bytes() == content
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["FolderEvidence"]
