"""Units of use shown in a package: how many whole ones and how many units are left over; nothing is rounded away."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Package:
    """A packaging of a product (`models.master.PackageLevel`)."""

    unit: str
    """Box, case, pallet."""
    units_of_use: Decimal
    """How many units of use one holds."""


@dataclass(frozen=True, slots=True)
class Packed:
    """`whole` packages and `rest` units of use; of what is negative both are negative or zero."""

    whole: int
    rest: Decimal


def packed(units: Decimal, package: Package) -> Packed:
    """A quantity in this packaging.

    Raises:
        ValueError: the packaging holds nothing.
    """
    if package.units_of_use <= 0:
        raise ValueError(f"{package.unit}: expected more than 0 units of use, got {package.units_of_use}")
    whole = int(units / package.units_of_use)
    rest = units - whole * package.units_of_use
    # A quotient rounded up to the next whole number by the precision of decimals is taken back.
    if rest * units < 0:
        step = 1 if units > 0 else -1
        whole, rest = whole - step, rest + step * package.units_of_use
    return Packed(whole, rest)


__all__ = ["Package", "Packed", "packed"]
