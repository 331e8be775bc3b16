"""What a recall costs: kinds of cost, and the money a carried-out disposition suggests.

A suggestion is units times what one unit is worth, for goods that are credited or replaced; a person confirms or
changes it, nothing is booked by itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

from domain.money import smallest_unit


class CostKind(StrEnum):
    """What money was spent on; the first key of the account mapping."""

    LABOUR = "labour"
    LOGISTICS = "logistics"
    """Carriage, storage, packing."""
    DESTRUCTION = "destruction"
    REPLACEMENT = "replacement"
    CREDIT = "credit"
    """Refunded or credited to customers."""
    FINES = "fines"
    MATERIAL = "material"
    REWORK = "rework"
    OTHER = "other"


EARLIER_NAMES: Final[Mapping[str, CostKind]] = {"transport": CostKind.LOGISTICS}
"""Kinds of entries on record under an earlier name; an entry is never rewritten."""


class CostSource(StrEnum):
    """How an entry came about."""

    HAND = "hand"
    IMPORT = "import"
    PROPOSAL = "proposal"


def kind_of(stored: str) -> CostKind:
    """The kind of an entry on record."""
    return EARLIER_NAMES.get(stored) or CostKind(stored)


PROPOSED: Final[Mapping[str, CostKind]] = {
    "return_to_us": CostKind.CREDIT,
    "destroy": CostKind.CREDIT,
    "replace": CostKind.REPLACEMENT,
}
"""Kind of disposition of a consignee's units -> the cost it suggests: what it gave up is credited or replaced."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A cost that a carried-out part of a disposition suggests."""

    part_id: int
    kind: CostKind
    amount: Decimal
    currency: str


def propose(part_id: int, disposition_kind: str, units: Decimal, value: Decimal, currency: str) -> Proposal | None:
    """Units times their value, rounded half up to the currency's smallest unit; None where nothing follows from it."""
    kind = PROPOSED.get(disposition_kind)
    amount = (units * value).quantize(smallest_unit(currency), ROUND_HALF_UP)
    return Proposal(part_id, kind, amount, currency) if kind is not None and amount > 0 else None


def per_unit(sums: Mapping[str, Decimal], units: Decimal) -> dict[str, Decimal] | None:
    """Cost of one unit per currency, to four places; None where there is no unit."""
    if units <= 0:
        return None
    return {code: (amount / units).quantize(Decimal("0.0001"), ROUND_HALF_UP) for code, amount in sums.items()}


def total_by(rows: Iterable[tuple[str, str, Decimal]]) -> dict[str, dict[str, Decimal]]:
    """(key, currency, amount) summed per key and currency; never over two currencies."""
    found: dict[str, dict[str, Decimal]] = {}
    for key, currency, amount in rows:
        of_key = found.setdefault(key, {})
        of_key[currency] = of_key.get(currency, Decimal(0)) + amount
    return {key: dict(sorted(each.items())) for key, each in sorted(found.items())}


__all__ = [
    "EARLIER_NAMES",
    "PROPOSED",
    "CostKind",
    "CostSource",
    "Proposal",
    "kind_of",
    "per_unit",
    "propose",
    "total_by",
]
