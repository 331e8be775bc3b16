"""What a recipient's photo or document really is, by its content alone: JPEG, PNG or PDF, whole and nothing else.

Nothing is decoded: dimensions are read from headers, so that an image made to fill the memory is refused before
anybody draws it. A file that is also something else (a page, an archive, a program behind a picture) is refused; this
is a check of form, no search for viruses, and files are only ever given out as downloads.
"""

import re
import struct
from pathlib import PurePosixPath
from typing import Final

MAX_PIXELS: Final = 100_000_000
"""Larger than any telephone's camera; an image of more is not opened."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_FOREIGN: Final = (b"<script", b"<html", b"<svg", b"<?php", b"<!doctype", b"javascript:")
"""Active content that has no business in a photograph."""
_PDF_ACTIVE: Final = (
    *(b"/JavaScript", b"/Launch", b"/Rendition", b"/RichMedia", b"/SubmitForm", b"/ImportData", b"/GoToE"),
    *(b"/EmbeddedFile", b"/EmbeddedFiles", b"/FileAttachment"),
)
"""What runs, sends or holds something, as the names of PDF objects say it (ISO 32000)."""
_PDF_SHORT: Final = (b"/JS", b"/EF", b"/XFA")
"""The same, but so short that the bytes of a coded stream spell them by chance: looked for outside of these only."""
_NAME_ESCAPE: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_LONGEST_DICTIONARY: Final = 2000
_TAIL: Final = 70_000
_SUFFIXES: Final = {"image/jpeg": (".jpg", ".jpeg"), "image/png": (".png",), "application/pdf": (".pdf",)}
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""JPEG markers that begin a frame and carry its size."""


class FileRefused(ValueError):  # noqa: N818 - what happens to it
    """Why a file is not taken, as a key of the page's messages: `error_file_<reason>`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def photo_or_document(content: bytes) -> str:
    """The media type of a file, from its content.

    Raises:
        FileRefused: empty, none of the three types, cut off, with a second file in it, or too many pixels.
    """
    if not content:
        raise FileRefused("empty")
    if content.startswith(_PNG):
        _check_png(content)
        found = "image/png"
    elif content.startswith(b"\xff\xd8\xff"):
        _check_jpeg(content)
        found = "image/jpeg"
    elif content.startswith(b"%PDF-"):
        _check_pdf(content)
        found = "application/pdf"
    else:
        raise FileRefused("type")
    if b"PK\x05\x06" in content[-_TAIL:]:
        raise FileRefused("mixed")
    return found


def named(file_name: str, media_type: str) -> str:
    """The last part of the name without control characters, with an ending that says what the content is."""
    last = "".join(char for char in file_name.replace("\\", "/").rsplit("/", 1)[-1] if char.isprintable()).strip()
    suffixes = _SUFFIXES[media_type]
    shown = last if last.lower().endswith(suffixes) else f"{last or 'unnamed'}{suffixes[0]}"
    stem = shown[: -len(PurePosixPath(shown).suffix)]
    return stem[-150:] + PurePosixPath(shown).suffix


def _check_png(content: bytes) -> None:
    at, first = len(_PNG), True
    while at + 12 <= len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        if first:
            if kind != b"IHDR" or size != 13 or at + 16 > len(content):
                raise FileRefused("broken")
            _check_size(*struct.unpack(">II", content[at + 8 : at + 16]))
            first = False
        if kind in {b"tEXt", b"iTXt", b"zTXt"}:
            _check_foreign(content[at + 8 : at + 8 + size])
        at += 12 + size
        if kind == b"IEND":
            if at != len(content):
                raise FileRefused("mixed")
            return
    raise FileRefused("broken")


def _check_jpeg(content: bytes) -> None:
    at, framed = 2, False
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            raise FileRefused("broken")
        marker = content[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        size = int.from_bytes(content[at + 2 : at + 4])
        segment = content[at + 4 : at + 2 + size]
        if size < 2 or at + 2 + size > len(content):
            raise FileRefused("broken")
        if marker in _FRAMES and len(segment) >= 5:
            _check_size(int.from_bytes(segment[3:5]), int.from_bytes(segment[1:3]))
            framed = True
        if marker == 0xFE:
            _check_foreign(segment)
        at += 2 + size
        if marker == 0xDA:
            break
    end = content.rfind(b"\xff\xd9")
    if not framed or end < at:
        raise FileRefused("broken")
    # Telephones put previews and depth maps behind the picture: data are let be, another file is not.
    behind = content[end + 2 :]
    _check_foreign(behind)
    if (
        b"%PDF-" in content[:1024]
        or b"%PDF-" in behind
        or behind.startswith((b"MZ", b"\x7fELF", b"PK\x03\x04", b"Rar!"))
    ):
        raise FileRefused("mixed")


def _check_pdf(content: bytes) -> None:
    if b"%%EOF" not in content[-_TAIL:]:
        raise FileRefused("broken")
    # `/J#53` is the same name as `/JS` (ISO 32000-2, 7.3.5).
    spelled = _NAME_ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), content)
    plain = _without_coded_streams(spelled)
    if any(_named_in(spelled, name) for name in _PDF_ACTIVE) or any(_named_in(plain, name) for name in _PDF_SHORT):
        raise FileRefused("active")


def _without_coded_streams(content: bytes) -> bytes:
    """A PDF without the bodies of streams that have a filter; one that never ends stays."""
    parts, done, at = [], 0, content.find(b"stream")
    while at >= 0:
        end = content.find(b"endstream", at)
        if end < 0:
            break
        if b"/Filter" in content[max(at - _LONGEST_DICTIONARY, done) : at]:
            parts.append(content[done:at])
            done = end
        at = content.find(b"stream", end + len(b"endstream"))
    return b"".join((*parts, content[done:]))


def _named_in(content: bytes, name: bytes) -> bool:
    """Whether a PDF uses this very name: `/JS` is none of `/JSomething`."""
    at = content.find(name)
    while at >= 0:
        follows = content[at + len(name) : at + len(name) + 1]
        if not follows.isalnum():
            return True
        at = content.find(name, at + 1)
    return False


def _check_foreign(part: bytes) -> None:
    lower = part.lower()
    if any(sign in lower for sign in _FOREIGN):
        raise FileRefused("mixed")


def _check_size(width: int, height: int) -> None:
    if not width or not height:
        raise FileRefused("broken")
    if width * height > MAX_PIXELS:
        raise FileRefused("pixels")


__all__ = ["MAX_PIXELS", "FileRefused", "named", "photo_or_document"]
