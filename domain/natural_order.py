"""The order in which people read lot and serial numbers: runs of digits compare as numbers, whatever their length.

`A9` comes before `A10`, `A007` equals `A7`, small letters equal capital ones; everything else compares character by
character (Unicode code points), digits before letters. A range holds every number between its ends in this order,
whatever its form: `A1-3` and `A1B` lie between `A1` and `A2`. The database has the same rule as the function
`natural_key`; a test holds the two together.
"""

import re
from typing import Final

_PART: Final = re.compile(r"([^0-9]*)([0-9]*)")
_LENGTH_DIGITS: Final = 3
"""Digits of the length of a run; numbers are at most 80 characters long."""
_FOLDED: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def natural_key(number: str) -> str:
    """A text whose order by code points is the natural order of `number`; equal for numbers that count as equal."""
    parts = []
    for match in _PART.finditer(number.translate(_FOLDED)):
        words, run = match.groups()
        digits = run.lstrip("0")
        parts.append(words + (f"{len(digits):0{_LENGTH_DIGITS}}{digits}" if run else ""))
    return "".join(parts)


__all__ = ["natural_key"]
