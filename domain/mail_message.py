"""A mail from outside, read within bounds: what arrives at a mailbox may be huge, broken or made to hurt the reader.

The standard library's parser does the parsing; everything around it is limited first (parts, nesting, lengths), header
values are decoded piece by piece without its slow strict grammar, and text is decoded by a list of known character
sets. Reading never fails for a reason other than `MailUnreadable`.
"""

import email.message
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header
from email.parser import BytesParser
from email.utils import getaddresses
from typing import Any, Final

DELIVERY_STATUS: Final = "message/delivery-status"
_CONTAINER: Final = re.compile(rb"^content-type:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
_MOST_CONTAINERS: Final = 40
_BOUNDARY_LINE: Final = re.compile(rb"^--", re.MULTILINE)
_MOST_BOUNDARIES: Final = 5_000
_MOST_HEADER_LINES: Final = 2_000
_MOST_PARTS: Final = 200
_HEADER_CHARS: Final = 8_000
_HEAD_BYTES: Final = 64 * 1024
_TEXT_BYTES: Final = 256 * 1024
_NAMED: Final = (
    "us-ascii ascii utf-8 utf8 utf-16 utf-16le utf-16be big5 big5hkscs euc-kr ks_c_5601-1987 shift_jis iso-2022-jp"
    " euc-jp koi8-r koi8-u hz-gb-2312 tis-620 mac-roman"
)
_CHARSETS: Final = frozenset(_NAMED.split()) | {
    f"{name}{number}" for name in ("iso-8859-", "windows-125", "cp125") for number in range(17)
}
_CHINESE: Final = frozenset({"gb2312", "gbk", "gb18030", "gb_2312-80", "cp936", "x-gbk"})
"""All read as GB 18030, which contains the others; mailers use the names loosely."""
_PARSER_FAULTS: Final = (
    *(RecursionError, ValueError, LookupError, AttributeError, TypeError, AssertionError),
    MessageError,
)
"""What the parser raises on broken input has no common base."""


class MailUnreadable(ValueError):  # noqa: N818 - what it is
    """A mail that is not read on purpose (too many parts) or cannot be; the text is safe for the record."""


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of a mail."""

    content_type: str
    content: bytes
    """Decoded from its transfer encoding, at most 256 KiB."""
    charset: str | None = None

    @property
    def text(self) -> str:
        """The content as text; what cannot be decoded is replaced."""
        return decode(self.content, self.charset)


@dataclass(frozen=True, slots=True)
class Mail:
    """A parsed mail: its own headers, its leaves, and of attached messages their headers."""

    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in their order; values decoded, on one line."""
    parts: tuple[Part, ...]
    content_type: str
    report_type: str | None
    """`delivery-status` for a multipart/report of that type."""
    original: tuple[tuple[str, str], ...] = ()
    """Headers of the message that is attached to a report."""

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        """The first value of a header, or an empty text."""
        return next((value for key, value in self.headers if key == name), "")

    def addresses(self, *names: str) -> list[str]:
        """The addresses in these headers, in lower case."""
        values = [value for name in names for value in self.all(name)]
        return [address for value in values[:50] for address in _addresses(value)]

    @property
    def sender(self) -> str:
        """Address of the From header in lower case; empty without one."""
        return next(iter(_addresses(self.first("from"))), "")


def read_mail(raw: bytes) -> Mail:
    """Parse a mail.

    Raises:
        MailUnreadable: it has more parts, containers or header lines than a person's mail or a report can have.
    """
    _bounded(raw)
    try:
        message = _parsed(raw)
        leaves, original = _leaves(message)
        return Mail(
            headers=_headers(message),
            parts=tuple(leaves),
            content_type=message.get_content_type(),
            report_type=_report_type(message),
            original=original,
        )
    except _PARSER_FAULTS as error:
        raise MailUnreadable(f"the mail cannot be parsed ({type(error).__name__})") from None


def _parsed(raw: bytes) -> email.message.Message:
    """The mail in its parts, or as one where they cannot be told apart: its headers still say whose it is."""
    parser = BytesParser(policy=email.policy.compat32)
    try:
        return parser.parsebytes(raw)
    except _PARSER_FAULTS:
        return parser.parsebytes(raw, headersonly=True)


def read_head(raw: bytes) -> Mail:
    """The headers alone, of a mail whose parts are not read: at most 64 KiB of them.

    Raises:
        MailUnreadable: not even these.
    """
    head = raw[: len(raw) - len(body_of(raw))] or raw
    try:
        message = BytesParser(policy=email.policy.compat32).parsebytes(head[:_HEAD_BYTES], headersonly=True)
        return Mail(_headers(message), (), message.get_content_type(), _report_type(message))
    except _PARSER_FAULTS as error:
        raise MailUnreadable(f"the headers cannot be parsed ({type(error).__name__})") from None


def body_of(raw: bytes) -> bytes:
    """What follows the headers: two copies of one mail that came on two ways differ only before it."""
    found = re.search(rb"\r?\n\r?\n", raw)
    return raw[found.end() :] if found else raw


def decode(content: bytes, charset: str | None) -> str:
    """Text of bytes by a known character set, else as UTF-8; undecodable bytes are replaced, line ends unified."""
    name = (charset or "utf-8").strip().strip("\"'").lower()
    known = "gb18030" if name in _CHINESE else name if name in _CHARSETS else "utf-8"
    try:
        text = content.decode(known, "replace")
    except (LookupError, UnicodeError):
        text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _addresses(value: str) -> list[str]:
    try:
        found = getaddresses([value])
    except RecursionError:  # comments within comments
        return []
    return [address.lower() for _, address in found if "@" in address]


def _bounded(raw: bytes) -> None:
    if sum(1 for _ in _limited(_CONTAINER, raw, _MOST_CONTAINERS)) > _MOST_CONTAINERS:
        raise MailUnreadable(f"more than {_MOST_CONTAINERS} nested parts")
    if sum(1 for _ in _limited(_BOUNDARY_LINE, raw, _MOST_BOUNDARIES)) > _MOST_BOUNDARIES:
        raise MailUnreadable(f"more than {_MOST_BOUNDARIES} part boundaries")
    body = body_of(raw)
    head_lines = raw.count(b"\n") - (body.count(b"\n") if len(body) < len(raw) else 0)
    if head_lines > _MOST_HEADER_LINES:
        raise MailUnreadable(f"more than {_MOST_HEADER_LINES} header lines")


def _limited(pattern: re.Pattern[bytes], raw: bytes, limit: int) -> Iterator[None]:
    for count, _ in enumerate(pattern.finditer(raw)):
        yield None
        if count > limit:
            return


def _report_type(message: email.message.Message) -> str | None:
    if message.get_content_type() != "multipart/report":
        return None
    kind = _parameter(message, "report-type")
    return kind.lower() if kind else None


def _parameter(part: email.message.Message, name: str) -> str | None:
    """A parameter of the content type; None for one that is missing or broken (RFC 2231 lets much go wrong)."""
    try:
        value = part.get_param(name)
    except _PARSER_FAULTS:
        return None
    return value if isinstance(value, str) else None


def _headers(message: email.message.Message) -> tuple[tuple[str, str], ...]:
    # The raw values: `items` replaces what is not ASCII, which mail systems do send (RFC 6532).
    return tuple((name.lower(), _value(str(value)[:_HEADER_CHARS])) for name, value in message.raw_items())


def _value(value: str) -> str:
    cut = value if value.isascii() else _undeclared(value.encode("utf-8", "surrogateescape"))
    try:
        pieces = decode_header(cut)
    except (ValueError, LookupError, MessageError):  # a broken encoded word: as it stands
        pieces = [(cut, None)]
    text = "".join(
        piece if isinstance(piece, str) else decode(piece, charset or "latin-1" if _is_high(piece) else charset)
        for piece, charset in pieces
    )
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _undeclared(raw: bytes) -> str:
    """A header in bytes of no named character set: UTF-8 if it can be, else what is usual in China."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def _is_high(piece: bytes) -> bool:
    return max(piece, default=0) > 0x7F


def _leaves(message: email.message.Message) -> tuple[list[Part], tuple[tuple[str, str], ...]]:
    """The leaves of a mail; an attached message is not entered, its headers are enough."""
    leaves: list[Part] = []
    original: tuple[tuple[str, str], ...] = ()
    waiting = [message]
    while waiting and len(leaves) < _MOST_PARTS:
        part = waiting.pop(0)
        kind = part.get_content_type()
        # Only of containers: of a leaf it would be text, decoded by whatever character set the mail names.
        inner: Any = part.get_payload() if part.is_multipart() else None
        if kind in {DELIVERY_STATUS, "message/global-delivery-status"} and isinstance(inner, list):
            # The parser makes a message of each block of fields (RFC 3464 2.1); of the second type it knows nothing.
            fields = "\n".join(_block(block) for block in inner[:_MOST_PARTS])
            leaves.append(Part(DELIVERY_STATUS, fields.encode("utf-8", "replace")[:_TEXT_BYTES], "utf-8"))
        elif kind in {"message/rfc822", "message/global"} and isinstance(inner, list):
            original = original or (_headers(inner[0]) if inner else ())
        elif isinstance(inner, list):
            waiting = [*inner[:_MOST_PARTS], *waiting]
        else:
            leaf = _leaf(part, kind)
            leaves.append(leaf)
            if kind in {"text/rfc822-headers", "message/global-headers"}:
                original = original or _headers(BytesParser(policy=email.policy.compat32).parsebytes(leaf.content))
    return leaves, original


def _block(block: email.message.Message) -> str:
    content = block.get_payload(decode=True)
    rest = decode(content, None) if isinstance(content, bytes) else ""
    fields = "\n".join(f"{name}: {value}" for name, value in _headers(block))
    return f"{fields}\n\n{rest}\n" if rest.strip() else f"{fields}\n"


def _leaf(part: email.message.Message, kind: str) -> Part:
    content = part.get_payload(decode=True)
    return Part(kind, content[:_TEXT_BYTES] if isinstance(content, bytes) else b"", _parameter(part, "charset"))


__all__ = ["DELIVERY_STATUS", "Mail", "MailUnreadable", "Part", "body_of", "decode", "read_head", "read_mail"]
