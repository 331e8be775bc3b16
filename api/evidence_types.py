"""What an evidence file really is: its content against the type it claims, from an allow-list.

Signatures ("magic bytes") decide for binary types; text types must decode as UTF-8 without control
characters, JSON and CSV must parse, an e-mail must begin with the header fields of one. A file that is
not what it claims is refused, because evidence is read years later by people who trust its label.
"""

import csv
import io
import json
import re
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


def _is_csv(content: bytes) -> bool:
    """Text that reads as a table with one of the usual separators; markup is no table."""
    if not _is_text(content) or content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return False
    return any(_parses(content.decode("utf-8-sig"), separator) for separator in ",;\t|")


def _parses(text: str, separator: str) -> bool:
    try:
        # To its end: a quote left open is found there only.
        return any(list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)))
    except csv.Error:
        return False


def _is_mail(content: bytes) -> bool:
    """RFC 5322: ASCII header fields with sender and date (both are required there) before an empty line.

    The body may be in any charset, so it need not be UTF-8.
    """
    head = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0]
    if b"\0" in content or not head.isascii():
        return False
    fields = {name.lower() for name in re.findall(rb"^([!-9;-~]+):", head, re.MULTILINE)}
    return {b"from", b"date"} <= fields and re.match(rb"[!-9;-~]+:", head) is not None


def _office(part: str) -> Callable[[bytes], bool]:
    def check(content: bytes) -> bool:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return {"[Content_Types].xml", part} <= set(archive.namelist())
        except (zipfile.BadZipFile, RuntimeError, OSError, ValueError):
            return False  # zipfile refuses a directory that needs a later zip version with a kind of RuntimeError

    return check


CHECKS: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "application/pdf": _starts(b"%PDF-"),
    "image/png": _starts(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": _starts(b"\xff\xd8\xff"),
    "image/tiff": _starts(b"II*\x00", b"MM\x00*"),
    "text/plain": _is_text,
    "text/csv": _is_csv,
    "message/rfc822": _is_mail,
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
