"""Quantities as people read them: exact decimals without trailing zeros."""

from decimal import Decimal


def plain(quantity: Decimal) -> str:
    """`12.500000` -> "12.5", `40` -> "40"; never an exponent."""
    text = format(quantity, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


__all__ = ["plain"]
