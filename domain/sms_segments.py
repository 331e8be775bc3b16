"""How many segments an SMS takes: the unit in which providers bill, queue and limit.

A text of GSM 03.38 characters fits 160 septets in one segment, 153 in each of several; a single character
outside that alphabet turns the whole text to UCS-2 with 70 or 67 units (3GPP TS 23.038 and 23.040).
"""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM = _GSM_BASIC | _GSM_EXTENDED


class SmsEncoding(StrEnum):
    """Alphabet of a text message."""

    GSM_7 = "gsm-7"
    UCS_2 = "ucs-2"


@dataclass(frozen=True, slots=True)
class SmsSize:
    """Encoding, length in its units (septets or 16-bit units), and number of segments."""

    encoding: SmsEncoding
    units: int
    segments: int


def sms_size(text: str) -> SmsSize:
    """Size of a message body; an empty body still takes one segment."""
    used = set(text)
    if used <= _GSM:
        return _size(SmsEncoding.GSM_7, text, used & _GSM_EXTENDED, single=160, part=153)
    wide = {character for character in used if ord(character) > 0xFFFF}
    return _size(SmsEncoding.UCS_2, text, wide, single=70, part=67)


def _size(encoding: SmsEncoding, text: str, wide: Set[str], *, single: int, part: int) -> SmsSize:
    """`wide` are the characters of the text that take two units."""
    units = len(text) + sum(map(text.count, wide))
    if units <= single:
        return SmsSize(encoding, units, 1)
    if not wide:
        return SmsSize(encoding, units, -(-units // part))
    segments, room = 1, part
    for character in text:
        width = 2 if character in wide else 1
        # A two-unit character is never split over two segments.
        if width > room:
            segments, room = segments + 1, part
        room -= width
    return SmsSize(encoding, units, segments)
