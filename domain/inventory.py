"""Stock as a recall sees it: positions to be held, and what the keeper of the stock answers.

Shared by the inventory adapters and the records; both sides speak of a lot at a location by these values only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class PositionState(StrEnum):
    """How a quantity of a lot is bound where it was found."""

    ON_HAND = "on_hand"
    """Free stock."""
    RESERVED = "reserved"
    """Allocated to an order; holding it breaks the reservation."""
    IN_TRANSIT = "in_transit"
    """Shipped and not received; holding it stops the document."""


OWN_BOOKINGS = "recall:ledger"
"""Source system of the movements this product books itself; an import cannot use it (its names hold no colon)."""


def hold_key(recall_number: str, hold_id: int, turn: int = 0) -> str:
    """The idempotency key of a hold at its keeper; a hold that ended and was raised again has a new one."""
    return f"{recall_number}:hold:{hold_id}" + (f":{turn}" if turn else "")


class LedgerRefused(Exception):  # noqa: N818 - what our own ledger says
    """Our own ledger does not do what it was asked as a keeper; the text says why."""


@dataclass(frozen=True, slots=True)
class Position:
    """A quantity of one lot in our own or a logistics partner's custody, in units of use."""

    lot_id: int
    location_id: int
    """Where it lies; for goods in transit where they go (or left, when nobody knows where they go)."""
    custody: str
    state: PositionState
    quantity: Decimal
    document_no: str | None = None
    """The shipment, for goods in transit."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Part of a keeper's report that could not be read: of this, what is not reported is unknown, not nothing."""

    lot_id: int
    location_id: int | None
    """None: it may lie at any place of the keeper."""
    reason: str


class Located(list[Position]):
    """What a keeper reports of lots, with what of its report could not be read."""

    def __init__(self, positions: Iterable[Position] = (), unread: Iterable[Unread] = ()) -> None:
        super().__init__(positions)
        self.unread = tuple(unread)


@dataclass(frozen=True, slots=True)
class HoldReceipt:
    """The keeper has taken the request; not yet proof that the stock is locked."""

    key: str
    reference: str
    """The keeper's own number of the hold."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The keeper says that the stock is locked."""

    key: str
    quantity: Decimal
    """Units of use under the hold; less than asked when less was found."""
    by: str
    """System or person that confirmed."""


class DocumentKind(StrEnum):
    """A keeper's document that can move, reserve or bring goods of a lot."""

    ORDER = "order"
    """A sales or transfer order not yet picked."""
    PICK = "pick"
    SHIPMENT = "shipment"
    RECEIPT = "receipt"
    """Goods announced to the keeper (purchase, transfer in)."""
    RETURN = "return"


class DocumentState(StrEnum):
    """How far a document can still move goods."""

    OPEN = "open"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    DONE = "done"
    """Carried out before anybody could stop it."""


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """Units of use of one lot (or of a product, where the keeper allocates lots later) on a document."""

    product_code: str
    lot_id: int | None
    quantity: Decimal
    may_be: tuple[int, ...] = ()
    """Lots one of which it may be, where the keeper names a lot by a name that does not say which."""


@dataclass(frozen=True, slots=True)
class Document:
    """A keeper's document as it stands there."""

    number: str
    kind: DocumentKind
    state: DocumentState
    location_id: int
    """The keeper's place it concerns: where goods leave, or where they are to arrive."""
    other_location_id: int | None
    """The other end, where it is on record with us."""
    lines: tuple[DocumentLine, ...]
    source: str = ""
    """What tells it from another one of the same kind, number and place; empty where the keeper needs nothing more.

    Our own ledger's: the source system it was imported from.
    """


@dataclass(frozen=True, slots=True)
class UnreadDocument:
    """A row of a keeper's documents that could not be read and may name a lot asked about: nobody stops it."""

    number: str | None
    """None: not even its number could be read."""
    reason: str


class Documents(list[Document]):
    """What a keeper says is open, with the rows of its answer that could not be read."""

    def __init__(self, documents: Iterable[Document] = (), unread: Iterable[UnreadDocument] = ()) -> None:
        super().__init__(documents)
        self.unread = tuple(unread)


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
    """What a keeper did with a document it was asked to block, cancel or free."""

    number: str
    state: DocumentState
    """As it stands now; `done` when the goods had moved already."""
    reference: str | None = None
    """The keeper's own number of what it did (a stop request, a credit of the reservation)."""


@dataclass(frozen=True, slots=True)
class Disposal:
    """Units that leave a hold at a keeper for good: destroyed, shipped back, reworked or freed by a signed release."""

    kind: str
    """A `domain.disposition.DispositionKind`."""
    lot_id: int
    location_id: int
    quantity: Decimal
    document_no: str | None = None
    """Certificate, delivery note or work order it rests on."""
    result_lot_id: int | None = None
    """The lot made by a rework."""


@dataclass(frozen=True, slots=True)
class DisposalReceipt:
    """The keeper has booked the disposal."""

    key: str
    reference: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """Units of an unaffected lot that a keeper is to send to a site left short."""

    lot_id: int
    location_id: int
    """The keeper's place they leave."""
    to_location_id: int
    quantity: Decimal
    """Units of use."""


@dataclass(frozen=True, slots=True)
class LotTold:
    """What may be done with a lot, as its keepers are told."""

    lot_id: int
    status: str
    """A `domain.lot_status.LotStatus`."""
    recalls: tuple[str, ...]
    """Running recalls that have it in scope or hold units of it."""
    changed_at: datetime
    """Since when: what was said of an earlier instant no longer counts."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something at a keeper that may concern a recall: look at this lot again."""

    lot_id: int
    location_id: int | None
    what: str
    """`stock`, `document`, `hold` or `disposal`."""


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of a keeper's feed; `cursor` is where the next page begins."""

    changes: tuple[Change, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class LotName:
    """A lot as the outside world names it; lot text alone is never unique."""

    product_code: str
    number: str
    site_code: str | None = None
