"""Sites left short by a recall, and what of the unaffected stock each gets: pure arithmetic over units of use.

What a site holds, has returned or destroyed is gone for it; what it states as used says that it needs the product.
Stock that expires first goes first. When there is less than all sites lack, each gets its share in whole units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

ZERO = Decimal(0)


class ShippedTwice(StrEnum):
    """Whether a replacement may go twice: by hand, and by a keeper's order that nobody waited for."""

    POSSIBLE = "possible"
    """The keeper has not answered what became of its order."""
    HAPPENED = "happened"


@dataclass(frozen=True, slots=True)
class Need:
    """What one site lacks of one product, in units of use."""

    site: int
    short: Decimal
    demand: Decimal = ZERO
    """Units it states as used; decides who gets an odd unit when there is too little."""


@dataclass(frozen=True, slots=True)
class FreeLot:
    """Units of an unaffected lot at a place of ours that nobody claims, reserves or was promised."""

    lot: int
    place: int
    free: Decimal
    expires_on: date | None


@dataclass(frozen=True, slots=True)
class Share:
    """Units of one lot at one place for one site."""

    site: int
    lot: int
    place: int
    quantity: Decimal


def shortage(removed: Decimal, replaced: Decimal) -> Decimal:
    """Units still to be replaced: what the recall took from a site, less what has replaced it; never negative."""
    return max(removed - replaced, ZERO)


def shares(needs: Sequence[Need], available: Decimal) -> dict[int, Decimal]:
    """Units per site: everything when there is enough, else in proportion to what each lacks, whole units only.

    Odd units go to the largest remainders, then to the higher demand, then to the lower site id.
    """
    wanted = [need for need in needs if need.short > 0]
    total = sum((need.short for need in wanted), ZERO)
    if total <= available:
        return {need.site: need.short for need in wanted}
    available = available.to_integral_value(ROUND_FLOOR)
    if available <= 0:
        return {}
    exact = {need.site: need.short * available / total for need in wanted}
    given = {site: share.to_integral_value(ROUND_FLOOR) for site, share in exact.items()}
    left = int(available - sum(given.values(), ZERO))
    order = sorted(wanted, key=lambda need: (given[need.site] - exact[need.site], -need.demand, need.site))
    for need in order[:left]:
        given[need.site] = min(given[need.site] + 1, need.short)
    return {site: units for site, units in given.items() if units > 0}


def allocate(needs: Sequence[Need], lots: Sequence[FreeLot], today: date) -> list[Share]:
    """First expired, first out: shares of unaffected lots for sites left short of one product.

    Expired lots are no replacement; lots without an expiry date come last. Never more of a lot than is free there.
    """
    usable = sorted(
        (lot for lot in lots if lot.free > 0 and (lot.expires_on is None or lot.expires_on > today)),
        key=lambda lot: (lot.expires_on is None, lot.expires_on or date.max, lot.lot, lot.place),
    )
    given = shares(needs, sum((lot.free for lot in usable), ZERO))
    found: list[Share] = []
    left_of = {(lot.lot, lot.place): lot.free for lot in usable}
    for site in sorted(given, key=lambda each: (-given[each], each)):
        missing = given[site]
        for lot in usable:
            taken = min(missing, left_of[lot.lot, lot.place])
            if taken > 0:
                found.append(Share(site, lot.lot, lot.place, taken))
                left_of[lot.lot, lot.place] -= taken
                missing -= taken
    return found


__all__ = ["FreeLot", "Need", "Share", "ShippedTwice", "allocate", "shares", "shortage"]
