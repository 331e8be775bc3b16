"""Writes the RFC 5322 message of a notice: text first, HTML as alternative, files behind both.

Written by hand rather than with `email.message`, which spends more time on one notice than sending it takes;
a test reads every message back with that package's strict parser. Values reach a header only through
`header_text`, which leaves no line break in them.
"""

import binascii
import re
import struct
from collections.abc import Sequence
from email.charset import QP, Charset
from email.header import Header
from functools import lru_cache

from domain.attachment import Attachment

_LONGEST_LINE = 900
_PIECE = 57 * 64
"""Bytes that become whole lines of base64."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; charset=[a-z0-9-]+)?")
_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+")
_UTF8 = Charset("utf-8")
_UTF8.header_encoding = QP


def header_text(name: str, text: str) -> str:
    """A header value as one or more folded lines, non-ASCII as RFC 2047 encoded words."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    clean = " ".join(shown.split())
    if clean.isascii() and len(clean) <= 70 - len(name):
        return clean
    return _folded(name, clean)


# Folding one subject costs as much as sending the mail, and a campaign has one subject per language.
@lru_cache(maxsize=512)
def _folded(name: str, clean: str) -> str:
    if clean.isascii():
        return Header(clean, "us-ascii", header_name=name, maxlinelen=76).encode(linesep="\r\n")
    charset = "utf-8" if _mostly_foreign(clean) else _UTF8
    return Header(clean, charset, header_name=name, maxlinelen=76).encode(linesep="\r\n")


def compose(
    headers: Sequence[tuple[str, str]],
    text: str,
    html: str | None,
    boundary: str,
    attachments: Sequence[Attachment] = (),
) -> bytes:
    """The message as bytes with CRLF line ends.

    Pictures that the HTML shows are related to it (RFC 2387); every other attachment is a file of the whole message.

    Args:
        headers: names and values that have gone through `header_text` or are plain ASCII tokens of ours.
        boundary: separator of the parts; must not occur in them, which the id of a delivery grants.

    Raises:
        ValueError: an attachment's name, type or id is not a plain ASCII token.
    """
    lines = [f"{name}: {value}" for name, value in headers]
    lines.append("MIME-Version: 1.0")
    head = "\r\n".join(lines).encode("ascii")
    pictures = [_file(each) for each in attachments if each.content_id and html is not None]
    files = [_file(each) for each in attachments if not (each.content_id and html is not None)]
    content = _part("plain", text)
    if html is not None:
        shown = _part("html", html)
        if pictures:
            shown = _multipart("related", f"{boundary}.r", [shown, *pictures])
        content = _multipart("alternative", f"{boundary}.a" if attachments else boundary, [content, shown])
    if files:
        content = _multipart("mixed", f"{boundary}.m", [content, *files])
    return head + b"\r\n" + content


def _multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    mark = boundary.encode("ascii")
    head = b'Content-Type: multipart/%s; boundary="%s"\r\n' % (subtype.encode("ascii"), mark)
    return head + b"".join(b"\r\n--" + mark + b"\r\n" + part for part in parts) + b"\r\n--" + mark + b"--\r\n"


def _file(file: Attachment) -> bytes:
    plain = _NAME.fullmatch(file.name) and _TYPE.fullmatch(file.content_type)
    if not plain or (file.content_id is not None and not _CONTENT_ID.fullmatch(file.content_id)):
        raise ValueError(f"attachment {file.name!r}: expected a plain ASCII name, type and id")
    lines = [
        f'Content-Type: {file.content_type}; name="{file.name}"',
        f'Content-Disposition: {"inline" if file.content_id else "attachment"}; filename="{file.name}"',
        *([f"Content-ID: <{file.content_id}>"] if file.content_id else []),
        "Content-Transfer-Encoding: base64",
    ]
    body = _base64(file.content)
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body


def _base64(raw: bytes) -> bytes:
    """In lines of 76 characters."""
    whole = len(raw) - len(raw) % _PIECE
    pieces = [_same_lines(raw[at : at + _PIECE]) for at in range(0, whole, _PIECE)]
    return b"".join([*pieces, _lines(raw[whole:])])


def _lines(raw: bytes) -> bytes:
    encoded = binascii.b2a_base64(raw, newline=False)
    whole = len(encoded) - len(encoded) % 76
    lines = [line for (line,) in struct.iter_unpack("76s", encoded[:whole])]
    return b"\r\n".join([*lines, encoded[whole:], b""] if whole < len(encoded) else [*lines, b""])


_same_lines = lru_cache(maxsize=256)(_lines)
"""The letter of a notice is the same in every mail up to the recipient's own sheet."""


def _part(subtype: str, content: str) -> bytes:
    raw = content.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    if content.isascii() and max(map(len, raw.split(b"\r\n"))) <= _LONGEST_LINE:
        encoding, body = b"7bit", raw
    elif _mostly_foreign(content):
        encoding, body = b"base64", _base64(raw)
    else:
        encoding, body = b"quoted-printable", binascii.b2a_qp(raw, istext=True)
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: '.encode("ascii")
    return head + encoding + b"\r\n\r\n" + body


def _mostly_foreign(text: str) -> bool:
    """Quoted-printable triples every byte of Chinese; base64 is shorter once a sixth is not ASCII."""
    return len(text.encode("utf-8", "replace")) * 6 > len(text) * 7
