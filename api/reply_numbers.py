"""Numbers as people type them on the recipient page. Nothing is guessed: "1,200" could be two numbers in two countries,
so it is asked again; an empty box is not zero.
"""

import re
from decimal import Decimal
from typing import Final

from api.reply_fields import FieldError

_NUMBER: Final = re.compile(r"\d{1,12}(\.\d{1,6})?")
_COUNT: Final = re.compile(r"\d{1,6}")


def number(text: str) -> Decimal | None:
    """The quantity, or None where the text is none."""
    return Decimal(text) if text.isascii() and _NUMBER.fullmatch(text) else None


def count(text: str) -> int | None:
    """The whole number up to a million, or None where the text is none."""
    return int(text) if text.isascii() and _COUNT.fullmatch(text) else None


def read_number(
    field: str, text: str, *, lot_key: str | None = None, receiver: int | None = None
) -> tuple[FieldError | None, Decimal | None]:
    """The quantity in a box, or the complaint about it."""
    found = number(text)
    if found is not None:
        return None, found
    message = (
        "error_required" if not text else "error_too_large" if text.isascii() and text.isdigit() else "error_number"
    )
    return FieldError(field, message, lot_key=lot_key, receiver=receiver), None


__all__ = ["count", "number", "read_number"]
