"""What an evidence file really is: its content against the type it claims, from an allow-list.

Signatures ("magic bytes") decide for binary types; text types must decode as UTF-8 without control
characters, JSON must parse. A file that is not what it claims is refused, because evidence is read years
later by people who trust its label.
"""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Final

_OOXML: Final = "application/vnd.openxmlformats-officedocument."
_CONTROL: Final = bytes(set(range(32)) - {9, 10, 12, 13}) + b"\x7f"


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(signatures)


def _is_text(content: bytes) -> bool:
    if content.translate(None, _CONTROL) != content:
        return False
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return True


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        return False
    return True


def _office(part: str) -> Callable[[bytes], bool]:
    def check(content: bytes) -> bool:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return {"[Content_Types].xml", part} <= set(archive.namelist())
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
            return False

    return check


CHECKS: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "application/pdf": _starts(b"%PDF-"),
    "image/png": _starts(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": _starts(b"\xff\xd8\xff"),
    "image/tiff": _starts(b"II*\x00", b"MM\x00*"),
    "text/plain": _is_text,
    "text/csv": _is_text,
    "message/rfc822": _is_text,
    "application/json": _is_json,
    f"{_OOXML}spreadsheetml.sheet": _office("xl/workbook.xml"),
    f"{_OOXML}wordprocessingml.document": _office("word/document.xml"),
}
"""Allowed type -> whether the content is of that type."""


def verified_type(claimed: str, content: bytes) -> str | None:
    """The media type without parameters, or None when it is not allowed or the content is something else."""
    media_type = claimed.partition(";")[0].strip().lower()
    check = CHECKS.get(media_type)
    return media_type if check is not None and content and check(content) else None


__all__ = ["CHECKS", "verified_type"]
