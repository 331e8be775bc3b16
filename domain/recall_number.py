"""The number of a recall: `RC-YYYY-NNNNNN`; drills have their own range `RD-YYYY-NNNNNN`.

Year and running number come from the database; this module only builds and reads the text. The
prefix keeps a drill recognisable wherever its number appears (design §2, promise 10).
"""

import re
from dataclasses import dataclass
from typing import Final

_PATTERN: Final = re.compile(r"(RC|RD)-([0-9]{4})-([0-9]{6})")


class RecallNumberError(ValueError):
    """The text is not a recall number; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class RecallNumber:
    """A recall number in parts; `str()` gives its text."""

    year: int
    sequence: int
    drill: bool = False

    def __post_init__(self) -> None:
        if not 2000 <= self.year <= 9999:
            raise RecallNumberError(f"year of a recall number: expected 2000 to 9999, got {self.year}")
        if not 1 <= self.sequence <= 999_999:
            raise RecallNumberError(f"recall numbers run from 1 to 999999 a year, got {self.sequence}")

    def __str__(self) -> str:
        return f"{'RD' if self.drill else 'RC'}-{self.year:04d}-{self.sequence:06d}"

    @classmethod
    def parse(cls, text: str) -> "RecallNumber":
        """Read `RC-2026-000123`; outer spaces and lower case are accepted.

        Raises:
            RecallNumberError: for any other text, quoting it.
        """
        match = _PATTERN.fullmatch(text.strip().upper())
        if match is None:
            raise RecallNumberError(f"{text[:40]!r} is not a recall number; expected RC-YYYY-NNNNNN")
        prefix, year, sequence = match.groups()
        return cls(int(year), int(sequence), drill=prefix == "RD")


def build_recall_number(year: int, sequence: int, *, drill: bool = False) -> str:
    """The text of a recall number, for example `RC-2026-000123`."""
    return str(RecallNumber(year, sequence, drill))
