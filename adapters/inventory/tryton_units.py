"""Quantities in Tryton's units and ours: Tryton counts in a product's default unit, a recall in units of use."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any

from adapters.inventory.base import Directory, InventoryError
from adapters.inventory.tryton_rpc import TrytonClient

ONE_EACH = "u"
"""Symbol of Tryton's own unit for a single piece."""


class TrytonUnits:
    """Units of use in one default unit of each product, asked for once.

    Our record's package levels come first (name or symbol of the default unit, then of the units that Tryton converts
    it to). A product that our record has no such level for counts by the piece, where Tryton does.
    """

    def __init__(self, client: TrytonClient, directory: Directory) -> None:
        self._client = client
        self._directory = directory
        self._known: dict[str, tuple[Decimal, Decimal]] = {}

    async def learn(self, products: Sequence[str]) -> None:
        """Ask for products not asked for yet.

        Raises:
            InventoryError: Tryton's unit of a product means nothing to our record.
        """
        if faults := await self.faults(products):
            raise InventoryError(next(iter(faults.values())))

    async def faults(self, products: Sequence[str]) -> dict[str, str]:
        """`learn`, and what is wrong with the products whose unit means nothing to our record."""
        faults: dict[str, str] = {}
        new = sorted(set(products) - set(self._known))
        found = await self._client.call("model.recall.positions.units", new) if new else {}
        for code, unit in found.items():
            try:
                self._known[code] = (await self._in_units_of_use(code, unit), Decimal(unit["rounding"]))
            except InventoryError as fault:
                faults[code] = str(fault)
        return faults

    def in_use(self, product: str, quantity: Decimal | int) -> Decimal:
        """Units of use in this many default units."""
        return (Decimal(quantity) * self._factor(product)[0]).normalize() + 0

    def in_default(self, product: str, units: Decimal, *, exactly: bool = False) -> float:
        """Default units that hold these units of use; a broken package counts whole, or not at all if `exactly`.

        Raises:
            InventoryError: the units break a package where they must not.
        """
        each, rounding = self._factor(product)
        steps = units / each / rounding
        whole = steps.to_integral_value(ROUND_CEILING)
        if exactly and whole != steps:
            raise InventoryError(
                f'Tryton keeps "{product}" by {(each * rounding).normalize():f} units of use; {units:f} is no multiple'
            )
        return float(whole * rounding)

    def _factor(self, product: str) -> tuple[Decimal, Decimal]:
        if product not in self._known:
            raise InventoryError(f'Tryton has no product with the code "{product}"')
        return self._known[product]

    async def _in_units_of_use(self, product: str, unit: Mapping[str, Any]) -> Decimal:
        for name in (unit["name"], unit["symbol"]):
            if (each := await self._directory.units_of_use(product, name)) is not None:
                return each
        factor = Decimal(unit["factor"])
        for other in unit["beside"]:
            for name in (other["name"], other["symbol"]):
                if (each := await self._directory.units_of_use(product, name)) is not None:
                    return each * factor / Decimal(other["factor"])
        for other in unit["beside"]:
            if other["symbol"] == ONE_EACH:
                return factor / Decimal(other["factor"])
        raise InventoryError(f'product "{product}": our record has no package level "{unit["name"]}", Tryton\'s unit')
