"""A Maildir on this machine: what a local mail system delivers to, and the mailbox of the embedded stack.

Every message is a file; moving it is one rename, which either happens or does not. Read mail goes to the Maildir++
folder `.Processed` beside it. A mail program that marks messages as seen (`new` to `cur`) does not hide them from us.
"""

import asyncio
import mailbox
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from adapters.mailbox.base import HEAD_BYTES, Fetched, MailboxUnavailable

_Answer = TypeVar("_Answer")
DONE_FOLDER: Final = "Processed"


class MaildirMailbox:
    """`Mailbox` over a Maildir; it is made when the folder above it exists."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def list_new(self, limit: int) -> Sequence[str]:
        """File names, oldest first; see `Mailbox`."""
        return await self._at_disk(lambda: self._list(limit))

    async def fetch(self, key: str, max_bytes: int) -> Fetched | None:
        """One file's content; see `Mailbox`."""
        return await self._at_disk(lambda: self._read(key, max_bytes))

    async def mark_done(self, key: str) -> None:
        """Rename the file into `.Processed`; see `Mailbox`."""
        await self._at_disk(lambda: self._move(key))

    async def close(self) -> None:
        """Nothing is held open."""

    async def _at_disk(self, work: Callable[[], _Answer]) -> _Answer:
        try:
            return await asyncio.to_thread(work)
        except (OSError, mailbox.Error) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise MailboxUnavailable(f"the Maildir cannot be used: {why}") from None

    def _folder(self) -> mailbox.Maildir:
        for folder in (self._path, *(self._path / name for name in ("tmp", "new", "cur"))):
            folder.mkdir(mode=0o700, exist_ok=True)
        return mailbox.Maildir(self._path, factory=None, create=False)

    def _list(self, limit: int) -> list[str]:
        self._folder()  # makes it when it is missing
        files = [path for name in ("new", "cur") for path in (self._path / name).iterdir() if path.is_file()]
        dated = sorted((found, path.name) for path in files if (found := _modified(path)) is not None)
        return [name for _, name in dated[:limit]]

    def _find(self, key: str) -> Path | None:
        plain = Path(key).name.partition(":")[0]
        if not plain:
            return None
        for name in ("new", "cur"):
            folder = self._path / name
            exact = folder / Path(key).name
            if exact.is_file():
                return exact
            # A mail program may have changed the flags behind the colon meanwhile.
            for path in folder.iterdir():
                if path.name.partition(":")[0] == plain:
                    return path
        return None

    def _read(self, key: str, max_bytes: int) -> Fetched | None:
        path = self._find(key)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                raw = file.read(max_bytes + 1)
            arrived = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        complete = len(raw) <= max_bytes
        return Fetched(raw if complete else raw[:HEAD_BYTES], arrived, complete)

    def _move(self, key: str) -> None:
        path = self._find(key)
        if path is None:
            return
        box = self._folder()
        if DONE_FOLDER not in box.list_folders():
            box.add_folder(DONE_FOLDER)
        base = path.name.partition(":")[0]
        try:
            path.rename(self._path / f".{DONE_FOLDER}" / "cur" / f"{base}:2,S")
        except FileNotFoundError:
            return


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


__all__ = ["DONE_FOLDER", "MaildirMailbox"]
