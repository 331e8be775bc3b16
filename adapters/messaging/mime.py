"""Writes the RFC 5322 message of a notice: text first, HTML as alternative.

Written by hand rather than with `email.message`, which spends more time on one notice than sending it takes;
a test reads every message back with that package's strict parser. Values reach a header only through
`header_text`, which leaves no line break in them.
"""

import base64
import binascii
from collections.abc import Sequence
from email.charset import QP, Charset
from email.header import Header

_LONGEST_LINE = 900
_UTF8 = Charset("utf-8")
_UTF8.header_encoding = QP


def header_text(name: str, text: str) -> str:
    """A header value as one or more folded lines, non-ASCII as RFC 2047 encoded words."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if clean.isascii():
        if len(clean) <= 70 - len(name):
            return clean
        return Header(clean, "us-ascii", header_name=name, maxlinelen=76).encode(linesep="\r\n")
    charset = "utf-8" if _mostly_foreign(clean) else _UTF8
    return Header(clean, charset, header_name=name, maxlinelen=76).encode(linesep="\r\n")


def compose(headers: Sequence[tuple[str, str]], text: str, html: str | None, boundary: str) -> bytes:
    """The message as bytes with CRLF line ends.

    Args:
        headers: names and values that have gone through `header_text` or are plain ASCII tokens of ours.
        boundary: separator of the parts; must not occur in them, which the id of a delivery grants.
    """
    lines = [f"{name}: {value}" for name, value in headers]
    lines.append("MIME-Version: 1.0")
    head = "\r\n".join(lines).encode("ascii")
    if html is None:
        return head + b"\r\n" + _part("plain", text)
    mark = boundary.encode("ascii")
    return b"".join(
        (
            head,
            b'\r\nContent-Type: multipart/alternative; boundary="',
            mark,
            b'"\r\n\r\n--',
            mark,
            b"\r\n",
            _part("plain", text),
            b"\r\n--",
            mark,
            b"\r\n",
            _part("html", html),
            b"\r\n--",
            mark,
            b"--\r\n",
        )
    )


def _part(subtype: str, content: str) -> bytes:
    raw = content.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    if content.isascii() and max(map(len, raw.split(b"\r\n"))) <= _LONGEST_LINE:
        encoding, body = b"7bit", raw
    elif _mostly_foreign(content):
        encoding, body = b"base64", base64.encodebytes(raw).replace(b"\n", b"\r\n")
    else:
        encoding, body = b"quoted-printable", binascii.b2a_qp(raw, istext=True)
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: '.encode("ascii")
    return head + encoding + b"\r\n\r\n" + body


def _mostly_foreign(text: str) -> bool:
    """Quoted-printable triples every byte of Chinese; base64 is shorter once a sixth is not ASCII."""
    return len(text.encode("utf-8", "replace")) * 6 > len(text) * 7
