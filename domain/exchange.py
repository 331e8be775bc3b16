"""Exchange rates as stated: dated, with their source. An amount is converted by the latest rate on or before its day.

Only a stated pair counts, in either direction; no rate is derived over a third currency. What has no rate is listed,
and there is no total over it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext

from domain.money import smallest_unit


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `currency` is worth `rate` units of `base`."""

    id: int
    currency: str
    base: str
    rate: Decimal
    valid_on: date
    source: str


@dataclass(frozen=True, slots=True)
class Converted:
    """An amount in another currency, and by which rate; none where both are the same."""

    amount: Decimal
    rate: Rate | None


def convert(amount: Decimal, currency: str, base: str, day: date, rates: Sequence[Rate]) -> Converted | None:
    """The amount in `base`, rounded half up to its smallest unit; None without a rate for the day or before."""
    if currency == base:
        return Converted(amount, None)
    rate = _latest(rates, currency, base, day)
    if rate is None:
        return None
    with localcontext(prec=60):  # the default of 28 digits could not hold every amount at every rate
        exact = amount * rate.rate if rate.currency == currency else amount / rate.rate
        return Converted(exact.quantize(smallest_unit(base), ROUND_HALF_UP), rate)


def _latest(rates: Iterable[Rate], currency: str, base: str, day: date) -> Rate | None:
    """The latest of the pair; of several of one day the direct one, then the one recorded last."""
    pairs = [
        rate
        for rate in rates
        if rate.valid_on <= day and {rate.currency, rate.base} == {currency, base} and rate.rate > 0
    ]
    return max(pairs, key=lambda rate: (rate.valid_on, rate.currency == currency, rate.id), default=None)


__all__ = ["Converted", "Rate", "convert"]
