"""Mass balance of a recall, per lot, in units of use (design §7): where everything that was made has gone.

Two identities. Our side: produced = distributed (less what came back) + own stock + at the maker + retained samples +
scrapped + own use + reworked + residual. The market's side: distributed = returned (counted at our dock) + returned to
the maker + destroyed in place + corrected + released + replaced + used + implanted + held pending + unaccounted.
Residual and unaccounted are what is left, so the terms always add up; a negative one is no gift but a contradiction,
and is reported as one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

ZERO: Final = Decimal(0)


class Basis(StrEnum):
    """What `produced` rests on."""

    MADE = "made"
    """The batch record's quantity."""
    RECEIVED = "received"
    """No batch quantity on record: what the manufacturing site sent and still has, and receipts from elsewhere."""
    UNKNOWN = "unknown"
    """Neither is on record: our side cannot be balanced, and says so."""


OWN_TERMS: Final = ("own_stock", "at_maker", "retained", "scrapped", "own_use", "reworked")
"""Terms of our side beside `distributed` and what came back."""
CAME_BACK: Final = ("returned", "returned_to_maker")
"""In `distributed` and, once back, in stock or scrapped as well: taken out of `distributed` on our side."""
MARKET_TERMS: Final = (
    *CAME_BACK,
    "destroyed_in_place",
    "corrected",
    "released",
    "replaced",
    "used",
    "implanted",
    "held_pending",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The counted and stated terms of one lot or of a sum of lots; units of use."""

    produced: Decimal | None = None
    distributed: Decimal = ZERO
    """Left for consignees, each unit once however often it was passed on."""
    own_stock: Decimal = ZERO
    """At our own and logistics places and on the way between them, without retained samples."""
    at_maker: Decimal = ZERO
    """At a supplier's or contract manufacturer's place that is not ours to lock."""
    retained: Decimal = ZERO
    scrapped: Decimal = ZERO
    own_use: Decimal = ZERO
    """Used by us: built into other lots, tests."""
    reworked: Decimal = ZERO
    """Became another lot by a disposition."""
    returned: Decimal = ZERO
    returned_to_maker: Decimal = ZERO
    destroyed_in_place: Decimal = ZERO
    corrected: Decimal = ZERO
    released: Decimal = ZERO
    """Found conforming at the consignee and released there."""
    replaced: Decimal = ZERO
    """Taken out and replaced at the consignee, by a disposition that names no return."""
    used: Decimal = ZERO
    implanted: Decimal = ZERO
    """Used, of an implantable product."""
    held_pending: Decimal = ZERO
    """Stated as on hand and not yet returned or disposed of."""

    @property
    def unaccounted(self) -> Decimal:
        """Distributed and nowhere to be found; negative: more is accounted for than ever went out."""
        return self.distributed - sum((getattr(self, name) for name in MARKET_TERMS), ZERO)

    @property
    def net_distributed(self) -> Decimal:
        """Distributed less what came back."""
        return self.distributed - sum((getattr(self, name) for name in CAME_BACK), ZERO)

    @property
    def residual(self) -> Decimal | None:
        """Made and not found on our side; None where nobody recorded how much was made."""
        if self.produced is None:
            return None
        return self.produced - self.net_distributed - sum((getattr(self, name) for name in OWN_TERMS), ZERO)

    @property
    def unaccounted_share(self) -> Decimal:
        """Percent of `distributed`; 100 where something is missing of nothing that was distributed."""
        return share(self.unaccounted, self.distributed)

    @property
    def residual_share(self) -> Decimal | None:
        """Percent of `produced`."""
        return None if self.residual is None or self.produced is None else share(self.residual, self.produced)

    def contradictions(self) -> tuple[str, ...]:
        """What cannot be, in plain words; each is shown and needs a signature, none is set to zero."""
        found = [
            f"{each.name.replace('_', ' ')} is {plain(value)}"
            for each in fields(Terms)
            if (value := getattr(self, each.name)) is not None and value < 0
        ]
        if self.unaccounted < 0:
            found.append(f"{plain(-self.unaccounted)} more accounted for than distributed")
        if self.residual is not None and self.residual < 0:
            found.append(f"{plain(-self.residual)} more accounted for than produced")
        return tuple(found)

    def is_beyond(self, percent: Decimal) -> bool:
        """Whether somebody must sign for it: a contradiction, or a larger share missing than the policy allows."""
        missing = [(self.unaccounted, self.distributed), (self.residual or ZERO, self.produced or ZERO)]
        # Compared before any rounding: nothing just above the limit is rounded down to it.
        return bool(self.contradictions()) or any(part * 100 > percent * whole for part, whole in missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class LotBalance:
    """One lot with its terms."""

    lot_id: int
    number: str
    product_code: str
    site_code: str | None
    unit: str
    basis: Basis
    terms: Terms


@dataclass(frozen=True, slots=True)
class SignedShare:
    """What the head of quality signed for of one lot."""

    unaccounted: Decimal
    residual: Decimal | None


def is_covered(terms: Terms, signed: SignedShare | None) -> bool:
    """Whether a signature still covers a lot: what is missing (or too much) has not grown since."""
    if signed is None:
        return False
    return _within(terms.unaccounted, signed.unaccounted) and _within(terms.residual, signed.residual)


def _within(now: Decimal | None, then: Decimal | None) -> bool:
    if now is None or now == 0:
        return True
    if then is None:
        return False
    return then <= now < 0 if now < 0 else now <= then


def share(part: Decimal, whole: Decimal) -> Decimal:
    """Percent to four places, to be shown; limits are compared with the exact quantities."""
    if part == 0:
        return ZERO
    if whole == 0:
        return Decimal(100).copy_sign(part)
    return (part * 100 / whole).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def total(lots: Iterable[Terms]) -> Terms:
    """The sum over lots; `produced` is unknown as soon as one lot's is."""
    listed = list(lots)
    sums: dict[str, Decimal | None] = {
        each.name: sum((getattr(lot, each.name) for lot in listed), ZERO)
        for each in fields(Terms)
        if each.name != "produced"
    }
    made = [lot.produced for lot in listed]
    sums["produced"] = None if None in made else sum((each for each in made if each is not None), ZERO)
    return Terms(**sums)  # type: ignore[arg-type]


def beyond(lots: Iterable[LotBalance], percent: Decimal, signed: Mapping[int, SignedShare]) -> list[LotBalance]:
    """The lots that need a signature and have none that covers them."""
    return [lot for lot in lots if lot.terms.is_beyond(percent) and not is_covered(lot.terms, signed.get(lot.lot_id))]


def plain(quantity: Decimal) -> str:
    """A quantity as people write it."""
    text = format(quantity, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


__all__ = [
    "CAME_BACK",
    "MARKET_TERMS",
    "OWN_TERMS",
    "Basis",
    "LotBalance",
    "SignedShare",
    "Terms",
    "beyond",
    "is_covered",
    "plain",
    "share",
    "total",
]
