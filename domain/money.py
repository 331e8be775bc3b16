"""Money of a recall: exact decimals in ISO 4217 currencies, never a float, never a sum over two currencies."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel.core import get_global
from babel.numbers import get_currency_precision, get_territory_currencies

MOST: Final = Decimal("99999999999999")
"""More than this in one entry is a typing error."""
_AS_OF: Final = date(2026, 1, 1)
"""Currencies in use on this day; older ones (DEM, FRF) cannot be paid with."""


class MoneyError(ValueError):
    """An amount or a currency that cannot be booked; the text says what was expected."""


@lru_cache(maxsize=1)
def currencies() -> frozenset[str]:
    """ISO 4217 codes in which costs may be booked: legal tender somewhere."""
    territories = get_global("territory_currencies")
    return frozenset(code for each in territories for code in get_territory_currencies(each, _AS_OF, _AS_OF))


def smallest_unit(currency: str) -> Decimal:
    """0.01 for EUR, 1 for JPY, 0.001 for KWD."""
    return Decimal(1).scaleb(-int(get_currency_precision(currency)))


def check_money(amount: Decimal, currency: str) -> Decimal:
    """The amount, with no more decimals than the currency has.

    Raises:
        MoneyError: unknown currency, zero, not finite, too large, or smaller than the currency's smallest unit.
    """
    if currency not in currencies():
        raise MoneyError(f"currency: expected an ISO 4217 code such as EUR, got {currency[:10]!r}")
    if not amount.is_finite() or amount == 0 or abs(amount) > MOST:
        raise MoneyError(f"amount: expected a decimal other than 0, at most {MOST:f}")
    smallest = smallest_unit(currency)
    if amount != amount.quantize(smallest):
        raise MoneyError(f"amount: {currency} has {-int(smallest.as_tuple().exponent)} decimals, got {amount:f}")
    return amount.quantize(smallest)


def sums(entries: Iterable[tuple[Decimal, str]]) -> dict[str, Decimal]:
    """Sum per currency, in order of the codes."""
    total: dict[str, Decimal] = {}
    for amount, currency in entries:
        total[currency] = total.get(currency, Decimal(0)) + amount
    return dict(sorted(total.items()))


__all__ = ["MOST", "MoneyError", "check_money", "currencies", "smallest_unit", "sums"]
