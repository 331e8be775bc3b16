"""HTTP contracts of traces: questions before any recall, frozen runs of a recall, what differs between two of them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from domain.scope import ScopeCriteria, Window
from models.schemas_common import In, Out, Page, Units


class TraceIn(In):
    """A question: from which lots, in which direction, within which span of time."""

    direction: Literal["forward", "backward"] = "forward"
    """Forward: what was made from the lots and where it went. Backward: what went into them and where that lies."""
    scope: ScopeCriteria
    window: Window | None = None
    """Count only movements within it; stock that nobody counted and balances are then not stated."""


class TraceSourceOut(Out):
    """How old the data of one source system was."""

    source_system: str
    newest_movement: datetime | None
    """Of the traced lots."""
    newest_count: datetime | None
    """Of the traced lots."""
    newest_import: datetime | None
    """Of anything."""


class TraceRunOut(Out):
    """One frozen result."""

    run: int
    scope_version: int
    traced_at: datetime
    lots: int
    positions: int
    """Lots at places."""
    consignees: int
    sites: int
    """Customers' places that received the product."""
    quantity: Units
    """Units of use shipped to customers, each once."""
    returned: Units
    countries: list[str]
    gaps: dict[str, int]
    sources: list[TraceSourceOut]
    sha256: str


class RunLotOut(Out):
    """A lot of a frozen result."""

    lot_id: int
    product_code: str
    number: str
    site_code: str | None
    supplier_lot: str | None
    quantity_made: Units | None
    root: bool
    depth: int
    by_serial: bool
    """In scope only for units named by serial number."""


class RunSiteOut(Out):
    """What one lot did at one place, in units of use."""

    lot_id: int
    lot: str
    location_code: str
    location_name: str
    custody: str
    partner_code: str
    country: str | None
    shipped_to: Units
    received: Units
    in_transit: Units
    returned_in: Units
    shipped_out: Units
    returned_out: Units
    consumed: Units
    destroyed: Units
    adjusted: Units
    on_hand: Units
    is_counted: bool
    last_at: datetime | None


class RunGapOut(Out):
    """What a frozen result could not know."""

    kind: str
    detail: dict[str, Any]


class ChangeCounts(Out):
    """How many of one kind differ."""

    added: int
    removed: int
    changed: int


class RunChangeOut(Out):
    """One lot, place or gap that differs between two runs."""

    change: Literal["added", "removed", "changed"]
    product: str | None = None
    lot: str | None = None
    site: str | None = None
    partner: str | None = None
    before: dict[str, Any] | None
    """As the earlier run had it."""
    after: dict[str, Any] | None
    """As the later run had it."""


class RunDifferenceOut(Out):
    """What changed from one run to a later one."""

    since: int
    run: int
    counts: dict[str, ChangeCounts] | None = Field(examples=[{"sites": {"added": 2, "removed": 0, "changed": 1}}])
    """By lots, sites and gaps; on the first page only."""
    changes: Page[RunChangeOut]


class AffectedSerialOut(Out):
    """An affected serialised unit and where it was last seen."""

    serial: str
    lot_id: int
    lot: str
    product_code: str
    named: bool
    """Named by the recall, one by one or in a range; otherwise affected because its whole lot is."""
    location_code: str | None
    """None: nobody knows; a gap of the trace."""
    custody: str | None
    partner_code: str | None
    consignee_id: int | None
    as_of: datetime | None
    """When it was seen there."""


__all__ = [
    "AffectedSerialOut",
    "ChangeCounts",
    "RunChangeOut",
    "RunDifferenceOut",
    "RunGapOut",
    "RunLotOut",
    "RunSiteOut",
    "TraceIn",
    "TraceRunOut",
    "TraceSourceOut",
]
