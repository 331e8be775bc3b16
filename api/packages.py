"""Terms of the mass balance in the packagings of their product, for answers."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from domain.mass_balance import MARKET_TERMS, OWN_TERMS
from domain.packages import Package, packed
from models.schemas_closure import PackedOut, PackedTerm

MARKET: Final = ("distributed", *MARKET_TERMS, "unaccounted")
ALL_TERMS: Final = ("produced", *OWN_TERMS, *MARKET, "residual")


def packed_out(packages: Sequence[Package], terms: Mapping[str, Decimal | None]) -> list[PackedOut]:
    """Each packaging with every known term in it."""
    return [
        PackedOut(
            unit=package.unit,
            units_of_use=package.units_of_use,
            terms={
                name: PackedTerm(whole=found.whole, rest=found.rest)
                for name, units in terms.items()
                if units is not None
                for found in [packed(units, package)]
            },
        )
        for package in packages
    ]


__all__ = ["ALL_TERMS", "MARKET", "packed_out"]
