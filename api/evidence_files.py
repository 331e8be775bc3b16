"""Evidence files on disk, named by their SHA-256: written once, synced before anything cites them.

Two uploads of the same content share one file; who uploaded what, when and under which name is in the
`evidence` table.
"""

import asyncio
import hashlib
import os
import secrets
from pathlib import Path


class EvidenceDamaged(Exception):  # noqa: N818 - what is wrong, in the words of the archive
    """A stored file is gone or no longer has the hash it was recorded with."""


class EvidenceFiles:
    """`{root}/ab/{sha256}`; `max_bytes` limits one file."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.root = root
        self.max_bytes = max_bytes

    def path_of(self, sha256: str) -> Path:
        """Where the content with this hash lies."""
        return self.root / sha256[:2] / sha256

    async def store(self, content: bytes) -> str:
        """Write the content durably and return its SHA-256."""
        return await asyncio.to_thread(self._store, content)

    def _store(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        target = self.path_of(sha256)
        if target.exists() and target.stat().st_size == len(content):
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
        """The content, checked against its hash.

        Raises:
            EvidenceDamaged: the file is missing or was changed.
        """
        return await asyncio.to_thread(self._read, sha256)

    def _read(self, sha256: str) -> bytes:
        try:
            content = self.path_of(sha256).read_bytes()
        except OSError as error:
            raise EvidenceDamaged(f"evidence {sha256} cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise EvidenceDamaged(f"evidence {sha256} no longer has its hash")
        return content


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["EvidenceDamaged", "EvidenceFiles"]
