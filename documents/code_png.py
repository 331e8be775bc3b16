"""A QR code as a PNG picture, black on white, four pixels a module with its quiet zone.

Written by hand because a picture goes into every message: a byte of the code is eight modules, four bytes of pixels, so
the picture is one table looked up byte by byte, twenty times as fast as drawing it point by point.
"""

import struct
import zlib
from typing import Final

from documents.answer_code import Code

_QUIET: Final = 4
"""Modules of quiet zone on each side (ISO/IEC 18004)."""
_SCALE: Final = 4
_FAST: Final = 1
"""Level of compression: a better one saves a hundred bytes and takes twice the time."""
_PIXELS: Final = tuple(
    bytes.fromhex("".join("0" if each >> bit & 1 else "f" for bit in range(7, -1, -1))) for each in range(256)
)
"""Eight modules as the pixels of one line."""


def code_png(code: Code) -> bytes:
    """The picture; the same code gives the same bytes.

    Args:
        code: of a link.
    """
    side = code.side + 2 * _QUIET
    long, wide = 1 + -(-side * _SCALE // 8), code.row_bytes * _SCALE
    margin = b"\xff" * (_QUIET * _SCALE // 8)
    blank = (b"\0".ljust(long, b"\xff")) * (_QUIET * _SCALE)
    modules = b"".join(map(_PIXELS.__getitem__, code.rows))
    # A line begins with its filter (none); what fills the last byte of a row of modules is white like the margin.
    rows = [(b"\0" + margin + modules[at : at + wide] + margin)[:long] * _SCALE for at in range(0, len(modules), wide)]
    lines = b"".join([blank, *rows, blank])
    pixels = side * _SCALE
    head = struct.pack(">IIBBBBB", pixels, pixels, 1, 0, 0, 0, 0)  # one bit of grey a pixel
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, _FAST)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


__all__ = ["code_png"]
