"""Writes the archive: uncompressed files in the one layout that the verifier derives again, and the seal at its end.

Compression would make the bytes depend on the library that compressed them; the layout (dates, flags, attributes) is
fixed, so the same content always makes the same archive.
"""

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from dossier.verify_file import BIG, CHUNK, NAME, SEAL, central_header, ending, local_header


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the archive as the manifest lists it."""

    name: str
    size: int
    sha256: str


class _Content:
    """Counts and hashes what is written of one file."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.size, self.crc, self.sha256 = 0, 0, hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._target.write(data)
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)
        self.sha256.update(data)


class ArchiveWriter:
    """Files go in one after another, of any size below 4 GiB each; `seal` ends it."""

    def __init__(self, target: BinaryIO) -> None:
        """`target` must be readable and seekable, and empty."""
        self._target = target
        self._directory = bytearray()
        self._names: set[str] = set()
        self.files: list[FileEntry] = []
        self.size = 0
        """Bytes of the whole archive, once it is sealed."""

    @contextmanager
    def file(self, name: str) -> Iterator[_Content]:
        """Write one file piece by piece.

        Raises:
            ValueError: the name is not allowed or there already, or the content is too large.
        """
        if not NAME.fullmatch(name) or name in self._names:
            raise ValueError(f"archive: name {name!r} is not allowed or there already")
        raw, start = name.encode(), self._target.tell()
        self._target.write(local_header(raw, 0, 0))
        content = _Content(self._target)
        yield content
        if content.size >= BIG:
            raise ValueError(f"archive: {name} has {content.size} bytes; a single file may have 4 GiB")
        end = self._target.tell()
        self._target.seek(start)
        self._target.write(local_header(raw, content.crc, content.size))
        self._target.seek(end)
        self._directory += central_header(raw, content.crc, content.size, start)
        self._names.add(name)
        self.files.append(FileEntry(name, content.size, content.sha256.hexdigest()))

    def add(self, name: str, content: bytes) -> None:
        """Write one small file."""
        with self.file(name) as file:
            file.write(content)

    def seal(self) -> str:
        """Write the directory and the seal; returns the SHA-256 of the whole archive."""
        start = self._target.tell()
        self._target.write(bytes(self._directory))
        self._target.write(ending(len(self.files), len(self._directory), start))
        # The headers were filled in afterwards, so the bytes are hashed as they lie there now.
        self._target.flush()
        self._target.seek(0)
        whole = hashlib.sha256()
        for chunk in iter(lambda: self._target.read(CHUNK), b""):
            whole.update(chunk)
        seal = SEAL + whole.hexdigest().encode()
        self._target.seek(0, 2)
        self._target.write(seal)
        whole.update(seal)
        self.size = self._target.tell()
        return whole.hexdigest()


__all__ = ["ArchiveWriter", "FileEntry"]
