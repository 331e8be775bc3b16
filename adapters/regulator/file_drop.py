"""The file drop: a parcel appears in `out/{key}/` complete or not at all, and only once; receipts: `in/{key}.json`.

Whatever fetches parcels (a gateway's client, a person with a portal) may take them away at once, so `out` says nothing
about what was dropped before. That is known by two names which change by atomic renames only: a parcel lies complete
in `staged/{key}`; then `sent/{key}` is written; then the staged folder is renamed to `out/{key}`. Marked and not staged
any more means dropped, at whatever step the process was killed. A lock file keeps two workers apart.
"""

import asyncio
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from adapters.regulator.base import FailureKind, HandOverFailed, Parcel, Receipt

MANIFEST: Final = "manifest.json"
SCHEMA: Final = "recall-regulator-drop/1"
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LARGEST_RECEIPT: Final = 64 * 1024
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")
]


class ReceiptFile(BaseModel):
    """What the receiver writes to `in/{key}.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: Line
    outcome: Literal["accepted", "refused"]
    reference: Line
    received_at: AwareDatetime
    reason: Line | None = None


class FileDrop:
    """One folder with `out` and `in`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def hand_over(self, parcel: Parcel) -> None:
        """Drop the parcel once (see the module).

        Raises:
            HandOverFailed: drill; a key that is no file name (permanent); the folder cannot be used now (transient).
        """
        if parcel.drill:
            raise HandOverFailed(FailureKind.DRILL, f"{parcel.recall} is a drill: nothing is dropped")
        _checked(parcel.key)
        try:
            await asyncio.to_thread(self._drop, parcel)
        except OSError as error:
            raise HandOverFailed(FailureKind.TRANSIENT, f"the folder cannot be used: {error.strerror}") from error

    async def receipt(self, key: str) -> Receipt | None:
        """What `in/{key}.json` says, if it is there.

        Raises:
            HandOverFailed: it cannot be read, or is no receipt of this parcel (transient: it may be replaced).
        """
        return await asyncio.to_thread(self._read, _checked(key))

    def _drop(self, parcel: Parcel) -> None:
        with self._alone():
            staged, sent = self._folder / "staged" / parcel.key, self._folder / "sent" / parcel.key
            if not staged.exists():
                if sent.exists():
                    return
                self._stage(parcel, staged)
            if not sent.exists():
                sent.write_text(parcel.sha256, encoding="ascii")
                _flush(sent)
                _flush(sent.parent)
            staged.rename(self._folder / "out" / parcel.key)
            _flush(self._folder / "out")
            _flush(staged.parent)

    def _stage(self, parcel: Parcel, staged: Path) -> None:
        work = self._folder / "work" / uuid4().hex
        work.mkdir()
        for number, each in enumerate(parcel.files, 1):
            path = work / file_name(number, each.name)
            path.write_bytes(each.content)
            _flush(path)
        manifest = work / MANIFEST
        manifest.write_text(json.dumps(_manifest(parcel), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        _flush(manifest)
        _flush(work)
        work.rename(staged)
        _flush(staged.parent)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        for name in ("work", "staged", "sent", "out", "in"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Whatever lies there was left by a process that was killed: we are alone.
            for left in (self._folder / "work").iterdir():
                shutil.rmtree(left)
            yield

    def _read(self, key: str) -> Receipt | None:
        path = self._folder / "in" / f"{key}.json"
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST_RECEIPT + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HandOverFailed(FailureKind.TRANSIENT, f"in/{key}.json cannot be read: {error.strerror}") from error
        if len(content) > _LARGEST_RECEIPT:
            raise HandOverFailed(FailureKind.TRANSIENT, f"in/{key}.json is larger than {_LARGEST_RECEIPT} bytes")
        try:
            found = ReceiptFile.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise HandOverFailed(
                FailureKind.TRANSIENT, f"in/{key}.json is no receipt: {where}: {first['msg']}"[:400]
            ) from error
        if found.key != key:
            raise HandOverFailed(FailureKind.TRANSIENT, f"in/{key}.json is the receipt of another parcel")
        return Receipt(found.outcome == "accepted", found.reference, found.received_at, found.reason)


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise HandOverFailed(FailureKind.PERMANENT, f"{key[:80]!r} is no key of a parcel")
    return key


def file_name(number: int, name: str) -> str:
    """A file name that is safe everywhere, in the order of the parcel."""
    return f"{number}-{_NAME.sub('-', name).strip('-.')[:100] or 'file'}"


def _manifest(parcel: Parcel) -> dict[str, object]:
    at: datetime = parcel.submitted_at
    return {
        "schema": SCHEMA,
        "key": parcel.key,
        "recall": parcel.recall,
        "jurisdiction": parcel.jurisdiction,
        "recipient": parcel.recipient,
        "obligation": parcel.obligation,
        "kind": parcel.kind,
        "model_version": parcel.model_version,
        "version": parcel.version,
        "corrects": parcel.corrects,
        "sha256": parcel.sha256,
        "submitted_at": at.isoformat(),
        "files": [
            {
                "name": file_name(number, each.name),
                "media_type": each.media_type,
                "size": len(each.content),
                "sha256": each.sha256,
            }
            for number, each in enumerate(parcel.files, 1)
        ],
    }


def _flush(path: Path) -> None:
    """Write a file or folder through to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


__all__ = ["MANIFEST", "FileDrop", "ReceiptFile", "file_name"]
