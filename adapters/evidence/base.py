"""The evidence boundary: one Protocol for content kept under its SHA-256, and what may be wrong with a store.

Content is never changed, and removed only with a file whose retention date has passed. Two uploads of the same content
share one object; who uploaded what, when and under which name is in the `evidence` table.
"""

from typing import Final, Protocol

SHA256_HEX: Final = 64


class EvidenceDamaged(Exception):  # noqa: N818 - what is wrong, in the words of the archive
    """A stored file is gone or no longer has the hash it was recorded with."""


class EvidenceUnavailable(Exception):  # noqa: N818
    """The store itself cannot be used now: not reachable, no such bucket, not permitted. One line, no secret."""


class EvidenceStore(Protocol):
    """Content by its SHA-256 (64 lower-case hex digits)."""

    async def store(self, content: bytes) -> str:
        """Keep the content durably and return its SHA-256; the same content again changes nothing.

        Raises:
            EvidenceUnavailable: the store cannot be used now; nothing may be recorded.
        """

    async def read(self, sha256: str) -> bytes:
        """The content, checked against its hash.

        Raises:
            EvidenceDamaged: the content is missing or was changed.
            EvidenceUnavailable: the store cannot be used now.
        """

    async def exists(self, sha256: str) -> bool:
        """Whether content is kept under this hash; it is not read, so damage is not seen.

        Raises:
            EvidenceUnavailable: the store cannot be used now.
        """

    async def remove(self, sha256: str) -> None:
        """Remove what is kept under this hash; nothing there is no error. The caller knows that no record cites it.

        Raises:
            EvidenceUnavailable: the store cannot be used now, or does not let us (a bucket with object lock).
        """

    async def close(self) -> None:
        """Give back connections; the store is not used afterwards."""


def checked_hash(sha256: str) -> str:
    """The hash as given, if it is one: it becomes part of a path or key.

    Raises:
        ValueError: not 64 lower-case hex digits.
    """
    if len(sha256) != SHA256_HEX or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"sha256: expected {SHA256_HEX} lower-case hex digits, got {sha256[:80]!r}")
    return sha256


__all__ = ["EvidenceDamaged", "EvidenceStore", "EvidenceUnavailable", "checked_hash"]
