"""HTTP contracts of what is read beside the recall itself: trace, holds, consignees, deliveries, replies, notices."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from models.schemas_common import In, Out, Page, Reason, Units
from models.schemas_signing import SignatureBlock


class TraceLot(Out):
    """A lot in scope: a root named by the criteria, or reached through genealogy."""

    lot_id: int
    product_code: str
    number: str
    site_code: str | None
    supplier_lot: str | None
    root: bool
    depth: int
    """Genealogy steps from the nearest root."""
    parent_id: int | None
    """The lot one step nearer to a root; following it gives the path. None for a root."""
    quantity_shipped: Units
    """Sum of what consignees received of it, minus their returns; what one passed on to another counts at both."""


class TraceSite(Out):
    """A consignee the trace reached, with what it received in units of use."""

    consignee_id: int
    partner_code: str
    partner_name: str
    country: str | None
    tier: int
    lots: int
    shipped: Units
    returned: Units


class TracePosition(Out):
    """What one lot did at one place, in units of use, as the records stand now."""

    lot_id: int
    location_code: str
    location_name: str
    custody: str
    partner_code: str
    country: str | None
    shipped_to: Units
    """Sent there, arrived or not."""
    received: Units
    in_transit: Units
    """Sent there and not arrived yet."""
    returned_in: Units
    shipped_out: Units
    returned_out: Units
    consumed: Units
    destroyed: Units
    on_hand: Units
    """Last count plus later movements, or what the movements leave where nobody has counted."""
    counted: bool
    last_at: datetime | None
    """Newest record of the lot there."""


class GapOut(Out):
    """Something the trace could not know."""

    kind: str
    detail: dict[str, Any]


class TraceOut(Out):
    """Result of the trace: lots (paged) with their positions, all consignees, and gaps."""

    scope_version: int
    lots: Page[TraceLot]
    positions: list[TracePosition]
    """Of the lots on this page, at every place, ours included."""
    sites: list[TraceSite]
    """Consignees, complete on every page."""
    gaps: list[GapOut]
    gaps_total: int
    """Gaps found; at most 1,000 are listed."""


class HoldOut(Out):
    """One recall's claim on a lot at a location, or on its way there."""

    id: int
    lot_id: int
    lot_number: str
    product_code: str
    location_code: str
    location_name: str
    custody: str
    position: str
    document_no: str | None
    quantity: Units
    """Still under the claim."""
    released: Units
    """Taken out by a signed release."""
    state: str
    attempts: int
    last_error: str | None
    late: bool
    requested_at: datetime
    confirmed_at: datetime | None
    confirmed_by: str | None
    ended_at: datetime | None
    unconfirmed_seconds: int | None = None
    """Age of a request that nobody has confirmed yet; these come first."""
    keeper: str | None = None
    """Keeper outside our ledger that is asked for it."""
    keeper_held: Units | None = None
    """Units that the keeper has acknowledged as locked, at least."""
    keeper_error: str | None = None
    counted: Units | None = None
    """Units a person counted there last."""
    checked_at: datetime | None = None
    checked_by: str | None = None
    evidence_id: UUID | None = None
    verified: bool = False
    """A person has seen the units that are under the claim, and their number agreed."""


class ConsigneeHoldState(StrEnum):
    """How far a consignee is with holding a lot on our notice."""

    NOT_ASKED = "not_asked"
    """Its notice has not gone out."""
    REQUESTED = "requested"
    """Asked by the notice; it has stated nothing of the lot."""
    NOT_HELD = "not_held"
    """It states more on hand than it holds."""
    CONFIRMED = "confirmed"
    """It states that all it has is held, or that it has none."""
    VERIFIED = "verified"
    """A visit that passed has seen it since."""


class ConsigneeHoldOut(Out):
    """A lot at a consignee, which holds it on our notice."""

    consignee_id: int
    partner_code: str
    partner_name: str
    lot_id: int
    lot_number: str
    product_code: str
    received: Units
    """By our shipments, or by what others state to have passed on, less returns."""
    on_hand: Units | None
    """By its latest statement that counts."""
    held: Units | None
    state: ConsigneeHoldState
    requested_at: datetime | None
    """When its first notice went out."""
    stated_at: datetime | None
    checked_at: datetime | None
    checked_by: str | None
    unconfirmed_seconds: int | None
    """Age of a request that the consignee has not confirmed; these come first."""


class HoldsOut(Out):
    """Several holds."""

    holds: list[HoldOut]


class HoldCountIn(In):
    """What was counted of one hold."""

    hold_id: Annotated[int, Field(ge=1, le=2**53)]
    counted: Annotated[Decimal, Field(ge=0, max_digits=20, decimal_places=6, allow_inf_nan=False, examples=["12"])]
    """Units of use."""
    note: Reason | None = None
    evidence_id: UUID | None = None
    """A photo or sheet, where one was taken."""


class HoldCountsIn(In):
    """Somebody went and counted held units where they lie."""

    counts: Annotated[list[HoldCountIn], Field(min_length=1, max_length=500)]


class HoldConfirmIn(In):
    """The stock is locked where it lies."""

    note: Reason | None = None
    """What was done and where, for the audit."""


class ConsigneeLotOut(Out):
    """What a consignee received of a lot, and the last statement on it."""

    lot_id: int
    product_code: str
    lot_number: str
    shipped: Units
    returned: Units
    stated: bool
    """True when the quantity is another consignee's statement, not our shipment record."""
    scope_version: int
    """Scope version in which the consignee got to have this lot."""
    withdrawn_in: int | None
    """Scope version that took the lot out again; the consignee is not asked for it any more."""


class ConsigneeOut(Out):
    """A partner that received affected product, and where it stands."""

    id: int
    partner_code: str
    partner_name: str
    partner_kind: str
    country: str | None
    language: str
    tier: int
    parent_id: int | None
    state: str
    campaign_sequence: int
    """The campaign that chases it; 0 while its amended notice is not approved."""
    step: int
    first_notified_at: datetime | None
    next_step_at: datetime | None
    acknowledged_at: datetime | None
    answered_at: datetime | None
    lots: list[ConsigneeLotOut]
    replies: int
    last_reply_at: datetime | None


class DeliveryOut(Out):
    """One message to one contact. Addresses are not shown: the contact's id is enough to follow it up."""

    id: UUID
    consignee_id: int
    contact_id: int
    step: int
    kind: str
    channel: str
    language: str
    state: str
    attempt: int
    provider_id: str | None
    error_kind: str | None
    error_code: str | None
    ambiguous: bool
    carried_by: UUID | None = None
    """Sent as part of the message of this other delivery, to a person who has several sites."""
    created_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None


class ReplyLineOut(Out):
    """Stated quantities of one lot, in units of use."""

    lot_id: int
    lot_number: str
    on_hand: Units
    used: Units
    held: Units
    passed_on: Units
    returned: Units | None = None
    """Sent back, as stated; null where it was not asked or not said. The mass balance counts what our dock counted."""
    destroyed: Units | None = None
    """Destroyed on site, as stated; the mass balance counts what a certificate proves."""


class ReplyOut(Out):
    """One statement of a consignee, as given."""

    id: int
    consignee_id: int
    delivery_id: UUID | None
    channel: str
    kind: str
    affected: bool | None
    responder_role: str | None
    entered_by: str | None
    findings: list[dict[str, Any]]
    received_at: datetime
    lines: list[ReplyLineOut]
    evidence_ids: list[UUID]
    """Photos and documents the recipient sent with it."""
    corrected_by: int | None = None
    """The same consignee's next statement; this one stays on record as it was given. Null: nothing was stated since."""


class NoticeItem(Out):
    """One version of the notice."""

    id: int
    version: int
    kind: str
    """initial, amendment, retraction or closure."""
    scope_version: int
    change: dict[str, Any] | None
    """What it changes against the last notice sent: lot ids added and taken out, class before and now."""
    sha256: str
    """What an approver approves."""
    drafted_by: str
    drafted_at: datetime
    approved_by: str | None
    approved_at: datetime | None


class NoticeBodyOut(Out):
    """A rendered body with its recipient slots."""

    kind: str
    channel: str
    language: str
    sha256: str
    body: dict[str, Any]


class NoticeOut(NoticeItem):
    """A notice with every body, for reading before approval."""

    bodies: list[NoticeBodyOut]


class SignOffOut(Out):
    """Who approved which step, as what, when."""

    step: str
    outcome: str
    actor: str
    role: str
    meaning: str
    reason: str | None
    reference: str | None
    body: dict[str, Any]
    signed_at: datetime
    signature: SignatureBlock | None = None
    """As it is printed: name, instant, meaning."""


__all__ = [
    "ConsigneeLotOut",
    "ConsigneeOut",
    "DeliveryOut",
    "GapOut",
    "HoldConfirmIn",
    "HoldCountIn",
    "HoldCountsIn",
    "HoldOut",
    "HoldsOut",
    "NoticeBodyOut",
    "NoticeItem",
    "NoticeOut",
    "ReplyLineOut",
    "ReplyOut",
    "SignOffOut",
    "TraceLot",
    "TraceOut",
    "TraceSite",
]
