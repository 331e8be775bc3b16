"""How many segments an SMS takes: the unit in which providers bill, queue and limit.

A text of GSM 03.38 characters fits 160 septets in one segment, 153 in each of several; a single character
outside that alphabet turns the whole text to UCS-2 with 70 or 67 units (3GPP TS 23.038 and 23.040).
"""

from dataclasses import dataclass
from enum import StrEnum

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")


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
    if all(character in _GSM_BASIC or character in _GSM_EXTENDED for character in text):
        widths = [2 if character in _GSM_EXTENDED else 1 for character in text]
        return SmsSize(SmsEncoding.GSM_7, sum(widths), _count(widths, single=160, part=153))
    widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return SmsSize(SmsEncoding.UCS_2, sum(widths), _count(widths, single=70, part=67))


def _count(widths: list[int], *, single: int, part: int) -> int:
    if sum(widths) <= single:
        return 1
    segments, room = 1, part
    for width in widths:
        # A two-unit character is never split over two segments.
        if width > room:
            segments, room = segments + 1, part
        room -= width
    return segments
