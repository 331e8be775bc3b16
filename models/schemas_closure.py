"""HTTP contracts of the way to completion: checklist, mass balance, and the signature for what stays missing."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from models.schemas_common import In, Out, Page, Reason, Units

_BLOCK = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"


class ChecklistItemOut(Out):
    """One line of the checklist; `open` names what is open (1,000 lines at most), `total` counts it."""

    key: str
    ok: bool
    title: str
    open: list[str]
    total: int


class ChecklistOut(Out):
    """Whether the recall could be signed as completed now, and what stands in the way."""

    at: datetime
    complete: bool
    items: list[ChecklistItemOut]


class TermsOut(Out):
    """The terms of the two identities in units of use; what is left of each stands at its end."""

    produced: Units | None
    distributed: Units
    own_stock: Units
    at_maker: Units
    retained: Units
    scrapped: Units
    own_use: Units
    reworked: Units
    residual: Units | None
    returned: Units
    returned_to_maker: Units
    destroyed_in_place: Units
    corrected: Units
    released: Units
    replaced: Units
    used: Units
    implanted: Units
    held_pending: Units
    unaccounted: Units
    unaccounted_percent: Units
    residual_percent: Units | None
    contradictions: list[str]
    """Terms that cannot be, such as more accounted for than distributed; never set to zero in silence."""


class LotBalanceOut(Out):
    """One lot. produced = distributed - returned - returned_to_maker + own_stock + at_maker + retained + scrapped
    + own_use + reworked + residual; distributed = returned + ... + held_pending + unaccounted."""

    lot_id: int
    lot_number: str
    product_code: str
    site_code: str | None
    unit: str
    basis: str
    """What `produced` rests on: made (batch record), received, unknown."""
    terms: TermsOut
    packages: list["PackedOut"]
    """The same in each packaging of the product."""
    needs_signature: bool
    """Beyond the policy's share or contradictory, and not covered by a signature."""


class ConsigneeBalanceOut(Out):
    """One consignee and lot. distributed = received + taken_over - passed_on; the rows of a lot add up to the lot."""

    consignee_id: int | None
    """Null for a partner that is no consignee of the recall, and for goods without a place on record."""
    consignee_code: str
    """Empty for goods that went to, or came from, no place on record."""
    consignee_name: str
    state: str | None
    lot_id: int
    lot_number: str
    product_code: str
    unit: str
    received: Units
    """From our side or a maker's."""
    taken_over: Units
    """From other consignees, by movements or by the sender's words."""
    passed_on: Units
    distributed: Units
    returned: Units
    returned_to_maker: Units
    destroyed_in_place: Units
    corrected: Units
    released: Units
    replaced: Units
    used: Units
    implanted: Units
    held_pending: Units
    unaccounted: Units
    packages: list["PackedOut"]


class PackedTerm(Out):
    """A quantity in whole packages and the units of use left over."""

    whole: int
    rest: Units


class PackedOut(Out):
    """The same quantities in one packaging of the product; nothing is rounded."""

    unit: str = Field(examples=["box"])
    units_of_use: Units
    terms: dict[str, PackedTerm]


class DifferenceOut(Out):
    """What was stated against what was counted; the counted quantity is the one in the balance."""

    kind: str
    """more_gone_than_stated, return_not_as_stated, return_stated_not_counted, destruction_stated_not_proven."""
    consignee_id: int
    consignee_code: str
    lot_id: int
    lot_number: str
    stated: Units
    counted: Units


class MassBalanceOut(Out):
    """The recall's mass balance: totals over all lots asked for, a page of lots, and the differences found."""

    allowed_percent: Units
    """The policy's share per lot that may stay unaccounted for."""
    total: TermsOut
    lots: Page[LotBalanceOut]
    differences: list[DifferenceOut]
    """The first 200, by lot."""


LotBalanceOut.model_rebuild()
ConsigneeBalanceOut.model_rebuild()


class UnaccountedIn(In):
    """The head of quality's account of the search, with its files."""

    account: Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=2000, pattern=_BLOCK)]
    """What was searched, where, by whom, and what it showed; 20 to 2,000 characters."""
    evidence_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]


class CarryOverIn(In):
    """Confirmed holds whose stock outlives the recall as nonconforming stock."""

    hold_ids: Annotated[tuple[Annotated[int, Field(ge=1, le=2**53)], ...], Field(min_length=1, max_length=1000)]
    reason: Reason


class CarriedHold(Out):
    """A hold that goes on as a nonconformity hold."""

    id: int
    lot_id: int
    location_id: int
    quantity: Units
    state: str


class CarriedOver(Out):
    """The holds asked for, as they are now."""

    holds: list[CarriedHold]


class SignedLotOut(Out):
    """What the signature covers of one lot; more missing later asks for a new one."""

    lot_id: int
    unaccounted: Units
    residual: Units | None


class UnaccountedSigned(Out):
    """The signature as recorded."""

    signed_by: str
    lots: list[SignedLotOut]


__all__ = [
    "CarriedHold",
    "CarriedOver",
    "CarryOverIn",
    "ChecklistItemOut",
    "ChecklistOut",
    "ConsigneeBalanceOut",
    "DifferenceOut",
    "LotBalanceOut",
    "MassBalanceOut",
    "PackedOut",
    "PackedTerm",
    "SignedLotOut",
    "TermsOut",
    "UnaccountedIn",
    "UnaccountedSigned",
]
