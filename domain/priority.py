"""Which silent consignee matters most: units of use x weight of the class x hours since the notice, highest first.

A thousand units of a class III product weigh as much as ten of class I; a day of silence counts as twice half a day.
The weights are a house rule: no law says how silent consignees are ordered.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

CLASS_WEIGHT: Final[Mapping[str, int]] = MappingProxyType({"I": 100, "II": 10, "III": 1})
"""Our class -> weight of one unit."""
UNKNOWN: Final = CLASS_WEIGHT["I"]
"""Where no class is decided: as the worst one, until somebody knows better."""


def weight_of(classes: Iterable[str]) -> int:
    """The weight of a product line with these classes (of several laws): the highest counts."""
    return max((CLASS_WEIGHT.get(each, UNKNOWN) for each in classes), default=UNKNOWN)


def score(weighted_units: Decimal, hours: Decimal) -> Decimal:
    """What the list is ordered by; `weighted_units` is the sum of units x weight over the lots.

    Whoever has no units on record is still owed a call: it counts as one of them.
    """
    return max(weighted_units, Decimal(1)) * max(hours, Decimal(0))


__all__ = ["CLASS_WEIGHT", "UNKNOWN", "score", "weight_of"]
