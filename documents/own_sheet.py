"""A recipient's own sheet behind an approved PDF: its deliveries, its link and the link's QR code.

Written as an incremental update (ISO 32000-1, 7.5.6): the approved bytes stay as they are and come first, so anybody
can check that the file begins with what was approved. Drawing it costs about a millisecond; a whole PDF costs fifty.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from documents.answer_code import Code
from documents.notice_pdf import Anchor

_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, 553.0, 800.0, 48.0
_SIZE, _SMALL, _LARGE = 9.0, 7.5, 14.0
_LEADING: Final = 1.35
_QR: Final = 104.0
"""Side of the QR code in points, about 37 mm."""
_SHARES: Final = (0.25, 0.15, 0.15, 0.15, 0.1, 0.1, 0.1)
_FAST: Final = 1
"""Level of compression, of a few kilobytes a recipient."""
_MOST_TEXTS: Final = 2048
MAX_PAGES: Final = 40
"""A longer list ends with the sentence that names the complete one."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one recipient's sheet says, in words of its language."""

    title: str
    lines: tuple[str, ...]
    """Whom it is for, of which recall, by when to answer."""
    titles: tuple[str, ...]
    """Column titles of the table."""
    rows: tuple[tuple[str, ...], ...]
    scan: str
    """Beside the QR code."""
    link: str
    more: str
    """Said where the list is longer than the sheet."""


def with_own_sheet(approved: bytes, anchor: Anchor, sheet: Sheet, code: Code) -> bytes:
    """The approved PDF with the sheet as its last pages."""
    streams = list(_pages(anchor, sheet, code))
    first = anchor.size
    out, offsets = [approved if approved.endswith(b"\n") else approved + b"\n"], {}
    at = len(out[0])

    def add(number: int, body: bytes) -> None:
        nonlocal at
        written = b"%d 0 obj\n%s\nendobj\n" % (number, body)
        offsets[number] = at
        at += len(written)
        out.append(written)

    pages = []
    for index, stream in enumerate(streams):
        page, content = first + 2 * index, first + 2 * index + 1
        pages.append(page)
        packed = zlib.compress(stream, _FAST)
        add(content, b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed))
        link = _link(sheet.link) if index == 0 else b""
        add(
            page,
            b"<< /Type /Page /Parent %d 0 R /Resources %d 0 R /Contents %d 0 R%s >>"
            % (anchor.pages, anchor.resources, content, link),
        )
    kids = b" ".join(b"%d 0 R" % each for each in (*anchor.kids, *pages))
    count = len(anchor.kids) + len(pages)
    add(anchor.pages, b"<< /Type /Pages /Count %d /Kids [%s] /MediaBox [0 0 595.28 841.89] >>" % (count, kids))
    out.append(_xref(anchor, offsets, first + 2 * len(streams), at))
    return b"".join(out)


def _xref(anchor: Anchor, offsets: dict[int, int], size: int, at: int) -> bytes:
    lines = [
        b"xref\n0 1\n0000000000 65535 f \n%d 1\n%010d 00000 n \n%d %d\n"
        % (anchor.pages, offsets[anchor.pages], anchor.size, len(offsets) - 1)
    ]
    lines += [b"%010d 00000 n \n" % offsets[number] for number in range(anchor.size, size)]
    identity = anchor.document_id.encode()
    lines.append(
        b"trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R /ID [<%s><%s>] /Prev %d >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, anchor.root, anchor.info, identity, identity, anchor.xref, at)
    )
    return b"".join(lines)


def _pages(anchor: Anchor, sheet: Sheet, code: Code) -> Iterator[bytes]:
    pen = _Pen(anchor)
    y = _TOP - _LARGE
    pen.text(_LEFT, y, sheet.title, _LARGE)
    for line in sheet.lines:
        for part in pen.wrapped(line, _RIGHT - _QR - 20 - _LEFT, _SIZE):
            y -= _SIZE * _LEADING
            pen.text(_LEFT, y, part, _SIZE)
    pen.code(_RIGHT - _QR, _TOP - _QR, code)
    y = min(y, _TOP - _QR) - _SIZE * _LEADING
    pen.text(_LEFT, y, sheet.scan, _SIZE)
    for part in pen.wrapped(sheet.link, _RIGHT - _LEFT, _SMALL):
        y -= _SMALL * _LEADING
        pen.text(_LEFT, y, part, _SMALL)
    titles = pen.cells(sheet.titles)
    y = pen.row(y - 8, titles)
    done = 1
    for row in sheet.rows:
        cells = pen.cells(row)
        if y - _height(cells) < _BOTTOM:
            if done == MAX_PAGES:
                pen.text(_LEFT, _BOTTOM - 12, sheet.more, _SIZE)
                break
            yield pen.taken()
            done += 1
            y = pen.row(_TOP, titles)
        y = pen.row(y, cells)
    yield pen.taken()


def _link(address: str) -> bytes:
    """The code is a link too, for readers on a screen."""
    escaped = address.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("ascii", "replace")
    place = b"%.1f %.1f %.1f %.1f" % (_RIGHT - _QR, _TOP - _QR, _RIGHT, _TOP)
    annotation = b"<< /Type /Annot /Subtype /Link /Rect [%s] /Border [0 0 0] /A << /S /URI /URI (%s) >> >>"
    return b" /Annots [" + annotation % (place, escaped) + b"]"


Cells = Sequence[Sequence[str]]
"""The lines of each cell of a table row."""


def _height(cells: Cells) -> float:
    """Height of a table row in points."""
    return max(map(len, cells)) * _SMALL * _LEADING + 5


class _Font:
    """The codes of a letter's font; a character it lacks is written as its code point."""

    def __init__(self, anchor: Anchor) -> None:
        self.anchor = anchor
        self.widths = anchor.widths
        self._hex = {ord(each): f"{code:04x}" for each, code in anchor.codes.items()}
        self.lines = lru_cache(maxsize=_MOST_TEXTS)(self._lines)
        """Of `text`, no wider than `width` points at a size: products, lots and titles are the same on most sheets."""
        self.written = lru_cache(maxsize=_MOST_TEXTS)(self._written)

    def drawable(self, text: str) -> str:
        """The text in characters that the font has."""
        if self._hex.keys() >= set(map(ord, text)):
            return text
        return "".join(each if ord(each) in self._hex else f"[U+{ord(each):04X}]" for each in text)

    def _written(self, text: str) -> str:
        """The codes of a text, in hexadecimal digits."""
        return self.drawable(text).translate(self._hex)

    def _lines(self, text: str, width: float, size: float) -> tuple[str, ...]:
        """A text broken at spaces or, where there is none, anywhere."""
        return tuple(self._wrapped(self.drawable(text), width / size * 1000))

    def _wrapped(self, text: str, limit: float) -> Iterator[str]:
        widths = self.widths
        if sum(map(widths.__getitem__, text)) <= limit:
            yield text
            return
        line, used = "", 0
        for each in text:
            wide = widths[each]
            if used + wide > limit and line:
                cut = line.rfind(" ")
                head, tail = (line[:cut], line[cut + 1 :]) if cut > len(line) // 2 else (line, "")
                yield head
                line, used = tail, sum(widths[other] for other in tail)
            line, used = line + each, used + wide
        yield line


class _Pen:
    """Writes page contents."""

    def __init__(self, anchor: Anchor) -> None:
        self._font = _font(anchor)
        self._out: list[str] = []
        self._columns = [share * (_RIGHT - _LEFT) for share in _SHARES]

    def taken(self) -> bytes:
        """The finished page; the next one starts empty."""
        page, self._out = "\n".join(self._out).encode("ascii"), []
        return page

    def text(self, x: float, y: float, text: str, size: float) -> None:
        """One line with its baseline at y."""
        self._out.append(f"BT /F1 {size:g} Tf {x:.2f} {y:.2f} Td <{self._font.written(text)}> Tj ET")

    def wrapped(self, text: str, width: float, size: float) -> Sequence[str]:
        """Lines no wider than `width` points, broken at spaces or, where there is none, anywhere."""
        return self._font.lines(text, width, size)

    def cells(self, texts: Sequence[str]) -> Cells:
        """The texts of a table row, broken to the widths of its columns."""
        pairs = zip(texts, self._columns, strict=True)
        return [
            [part for line in text.split("\n") for part in self.wrapped(line, width - 4, _SMALL)]
            for text, width in pairs
        ]

    def row(self, y: float, cells: Cells) -> float:
        """A table row with its upper edge at y; returns its lower edge."""
        bottom, x = y - _height(cells), _LEFT
        for lines, width in zip(cells, self._columns, strict=True):
            self._out.append(f"0.4 w {x:.2f} {bottom:.2f} {width:.2f} {y - bottom:.2f} re S")
            for index, line in enumerate(lines):
                self.text(x + 2, y - 2 - (index + 0.85) * _SMALL * _LEADING, line, _SMALL)
            x += width
        return bottom

    def code(self, x: float, y: float, code: Code) -> None:
        """The QR code as a picture of one dot a module, which no reader smooths unless told to."""
        modules = code.side
        side = _QR / (modules + 8)  # four modules of quiet zone on each side
        size, left, bottom = modules * side, x + 4 * side, y + 4 * side
        picture = f"BI /W {modules} /H {modules} /IM true /D [1 0] /F /AHx ID {code.rows.hex()}> EI"
        self._out.append(f"q {size:.3f} 0 0 {size:.3f} {left:.3f} {bottom:.3f} cm {picture} Q")


_fonts: dict[str, _Font] = {}
"""By the letter's document id; the last used last."""
_MOST_FONTS: Final = 16


def _font(anchor: Anchor) -> _Font:
    """The font of a letter, made once for all its recipients."""
    known = _fonts.pop(anchor.document_id, None)
    if known is None or (known.anchor is not anchor and known.anchor != anchor):
        known = _Font(anchor)
        for oldest in list(_fonts)[: 1 - _MOST_FONTS]:
            _fonts.pop(oldest, None)
    _fonts[anchor.document_id] = known
    return known


def shared(anchor: Anchor) -> Anchor:
    """The anchor that others who read this letter have: batches of a campaign share what is known of its font."""
    return _font(anchor).anchor


__all__ = ["MAX_PAGES", "Sheet", "shared", "with_own_sheet"]
