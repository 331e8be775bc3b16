"""Verifier, part 1: the file. Its seal, its layout byte by byte, and the manifest of what is in it."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from typing import Any, BinaryIO, Iterator  # noqa: UP035 - Python 3.9

FORMAT = "recall-dossier/1"
SEAL = b"recall-dossier/1 sha256="
GENESIS = "0" * 64
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
BIG, MANY, CHUNK = 0xFFFFFFFF, 0xFFFF, 1 << 20
STARTED, CONTINUED = "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"


class Fault(Exception):  # noqa: N818
    """What does not hold."""


# The layout: every byte of a dossier that is not a file's content follows from the files' names, sizes and checksums.
def local_header(name: bytes, crc: int, size: int) -> bytes:
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0x0800, 0, 0, 0x21, crc, size, size, len(name), 0) + name


def central_header(name: bytes, crc: int, size: int, offset: int) -> bytes:
    extra = struct.pack("<2HQ", 1, 8, offset) if offset >= BIG else b""
    fixed = ("<4s6H3L5H2L", b"PK\1\2", 0x0314, 45 if extra else 20, 0x0800, 0, 0, 0x21, crc, size, size)
    return struct.pack(*fixed, len(name), len(extra), 0, 0, 0, 0o100444 << 16, min(offset, BIG)) + name + extra


def ending(count: int, size: int, offset: int) -> bytes:
    out = b""
    if count >= MANY or size >= BIG or offset >= BIG:
        out = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 0x032D, 45, 0, 0, count, count, size, offset)
        out += struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1)
        count, size, offset = MANY, BIG, BIG
    return out + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, len(SEAL) + 64)


def digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def link_hash(event: dict[str, Any]) -> str:
    content = {key: value for key, value in event.items() if key not in ("hash", "prev_hash")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(f"{event['prev_hash']}\n{text}".encode()).hexdigest()


def need(condition: object, fault: str) -> None:
    if not condition:
        raise Fault(fault)


class Dossier:
    """An open dossier; `files` is filled by the layout check: name -> (offset, size, crc)."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, 2)
        self.files: dict[str, tuple[int, int, int]] = {}
        self.manifest: dict[str, Any] = {}
        self.notes: list[str] = []
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def part(self, offset: int, size: int) -> bytes:
        self.file.seek(offset)
        data = self.file.read(size)
        need(len(data) == size, f"the file ends before byte {offset + size}")
        return data

    def chunks(self, offset: int, size: int) -> Iterator[bytes]:
        for start in range(offset, offset + size, CHUNK):
            yield self.part(start, min(CHUNK, offset + size - start))

    def content(self, name: str) -> bytes:
        need(name in self.files, f"{name} is missing")
        return self.part(*self.files[name][:2])

    def json(self, name: str) -> Any:
        return json.loads(self.content(name).decode())

    def rows(self, table: str) -> list[dict[str, Any]]:
        if table not in self._rows:
            self._rows[table] = self.json(f"record/{table}.json")
        return self._rows[table]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.content(name).decode().split("\n") if line]

    def lost(self, kind: str) -> set[str]:
        return {gap["what"] for gap in self.manifest["gaps"] if gap["kind"] == kind}


def check_seal(d: Dossier) -> str:
    end = d.size - len(SEAL) - 64
    need(end > 0 and d.part(end, len(SEAL)) == SEAL, "there is no seal at the end of the file")
    seal, found = d.part(end + len(SEAL), 64), hashlib.sha256()
    for chunk in d.chunks(0, end):
        found.update(chunk)
    need(found.hexdigest().encode() == seal, "the bytes before the seal are not those that were sealed")
    return f"{d.size} bytes"


def check_layout(d: Dossier) -> str:
    end = d.size - len(SEAL) - 64
    _, _, _, _, count, size, offset, _ = struct.unpack("<4s4H2LH", d.part(end - 22, 22))
    if count == MANY:
        *_, count, size, offset = struct.unpack("<4sQ2H2L4Q", d.part(end - 98, 56))
    tail = ending(count, size, offset)
    need(offset + size + len(tail) == end, "the directory does not end where it should")
    need(d.part(offset + size, len(tail)) == tail, "the directory's end is changed")
    directory, at, place, files = d.part(offset, size), 0, 0, {}
    for _ in range(count):
        crc, length, _, name_length = struct.unpack("<3LH", directory[at + 16 : at + 30])
        raw = directory[at + 46 : at + 46 + name_length]
        name, header = raw.decode("ascii"), central_header(raw, crc, length, place)
        need(NAME.fullmatch(name) and name not in files, f"file name {name!r} is not allowed or there twice")
        need(directory[at : at + len(header)] == header, f"directory entry of {name} is changed")
        local = local_header(raw, crc, length)
        need(d.part(place, len(local)) == local, f"header of {name} is changed")
        files[name] = (place + len(local), length, crc)
        at, place = at + len(header), place + len(local) + length
    need((at, place) == (size, offset), "there are bytes that belong to no file")
    d.files = files
    return f"{count} files"


def check_manifest(d: Dossier) -> str:
    d.manifest = d.json("manifest.json")
    need(d.manifest["format"] == FORMAT, f"format {d.manifest['format']!r}, this verifier knows {FORMAT}")
    listed = {entry["name"]: entry for entry in d.manifest["files"]}
    need(set(listed) | {"manifest.json"} == set(d.files), f"not the files listed: {sorted(set(listed) ^ set(d.files))}")
    for name, (offset, size, crc) in d.files.items():
        sha256, found = hashlib.sha256(), 0
        for chunk in d.chunks(offset, size):
            sha256.update(chunk)
            found = zlib.crc32(chunk, found)
        need(found == crc, f"{name} does not have its checksum")
        entry = listed.get(name, {"size": size, "sha256": sha256.hexdigest()})
        need((entry["size"], entry["sha256"]) == (size, sha256.hexdigest()), f"{name} does not have its hash")
    return f"{len(listed)} files have size and hash as listed"
