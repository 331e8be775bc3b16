"""Numbers of files of quality that are no recall: `NC-YYYY-NNNNNN`, `CA-YYYY-NNNNNN`, `SC-YYYY-NNNNNN`.

A nonconformity, a CAPA without a recall and a supplier corrective action request each have one; the number names the
file in tasks, messages, evidence and the audit chain, as a recall's number does for a recall.
"""

import re
from enum import StrEnum
from typing import Final

PATTERN: Final = r"(NC|CA|SC)-[0-9]{4}-[0-9]{6}"
_NUMBER: Final = re.compile(PATTERN)


class QualityKind(StrEnum):
    """What a file of quality is about; the value is the prefix of its number."""

    NONCONFORMITY = "NC"
    CAPA = "CA"
    SUPPLIER_REQUEST = "SC"


def quality_number(kind: QualityKind, year: int, sequence: int) -> str:
    """The text of a number, for example `NC-2026-000012`.

    Raises:
        ValueError: the year or the running number is out of range.
    """
    if not 2000 <= year <= 9999 or not 1 <= sequence <= 999_999:
        raise ValueError(f"expected a year from 2000 and a running number to 999999, got {year} and {sequence}")
    return f"{kind.value}-{year:04d}-{sequence:06d}"


def is_quality_number(number: str) -> bool:
    """Whether the text is the number of a file of quality; a recall's is none."""
    return _NUMBER.fullmatch(number) is not None


def kind_of(number: str) -> QualityKind:
    """What the file with this number is about.

    Raises:
        ValueError: it is no number of quality's.
    """
    if not is_quality_number(number):
        raise ValueError(f"expected NC-YYYY-NNNNNN, CA-YYYY-NNNNNN or SC-YYYY-NNNNNN, got {number[:40]!r}")
    return QualityKind(number[:2])


__all__ = ["PATTERN", "QualityKind", "is_quality_number", "kind_of", "quality_number"]
