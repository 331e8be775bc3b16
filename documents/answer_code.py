"""The QR code of a recipient's answer link, from what the codes of other links have shown.

In codes of one version, level and mask every module is a sum modulo 2 of data bits (ISO/IEC 18004: the correction words
are linear, the rest is placement and a constant mask). Links of one length differ in their token only, so a code is
that of another link plus one known pattern for each character that differs. The patterns are read off codes that
`segno` has drawn, a character's place at a time, so a campaign's first few dozen messages cost a moment more.
"""

from dataclasses import dataclass
from typing import Final

import segno

_MASK: Final = 3
"""One fixed mask: every mask is readable, and trying all eight to find the finest costs five times the time."""
_BITS: Final = 7
"""Of a character in ASCII."""
_FAMILIES: Final = 64


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code without its quiet zone."""

    side: int
    """Modules of a row and of a column."""
    rows: bytes
    """A bit for each module, 1 = dark; each row ends with its byte, as in the pictures that are made of it."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return -(-self.side // 8)


class _Family:
    """Codes of all links of one length, as the bits of one integer each."""

    def __init__(self, link: bytes) -> None:
        self._link = link
        drawn = _drawn(link)
        self._side, self._length = drawn.side, len(drawn.rows)
        self._base = int.from_bytes(drawn.rows)
        self._patterns: dict[int, list[int]] = {}
        """Place in the link -> what each bit of the character adds."""
        self._sums: dict[tuple[int, int], int] = {}
        """Place and difference of the character -> what it adds in all."""

    def code(self, link: bytes) -> Code:
        """The code of a link of this length."""
        bits = self._base
        for place, (one, other) in enumerate(zip(self._link, link, strict=True)):
            if one != other:
                if place not in self._patterns:
                    self._learn(place)
                    return _drawn(link)
                bits ^= self._sum(place, one ^ other)
        return Code(self._side, bits.to_bytes(self._length))

    def _sum(self, place: int, difference: int) -> int:
        known = self._sums.get((place, difference))
        if known is None:
            known = 0
            for bit, pattern in enumerate(self._patterns[place]):
                if difference >> bit & 1:
                    known ^= pattern
            self._sums[place, difference] = known
        return known

    def _learn(self, place: int) -> None:
        patterns = []
        for bit in range(_BITS):
            other = bytearray(self._link)
            other[place] ^= 1 << bit
            patterns.append(int.from_bytes(_drawn(bytes(other)).rows) ^ self._base)
        self._patterns[place] = patterns


_families: dict[int, _Family] = {}


def answer_code(link: str) -> Code:
    """The QR code of a link: byte mode, level M, as small as its length allows."""
    if not link.isascii():  # a host name that is not written as it goes over the wire: rare, so drawn each time
        return _rows(segno.make_qr(link, error="m", boost_error=False, mask=_MASK))
    raw = link.encode("ascii")
    family = _families.get(len(raw))
    if family is None:
        if len(_families) >= _FAMILIES:
            _families.clear()
        family = _families[len(raw)] = _Family(raw)
    return family.code(raw)


def _drawn(link: bytes) -> Code:
    return _rows(segno.make_qr(link, error="m", mode="byte", boost_error=False, mask=_MASK))


def _rows(drawn: segno.QRCode) -> Code:
    side = len(drawn.matrix)
    padding = "0" * (-side % 8)
    bits = "".join("".join(map(str, row)) + padding for row in drawn.matrix)
    return Code(side, int(bits, 2).to_bytes(len(bits) // 8))


__all__ = ["Code", "answer_code"]
