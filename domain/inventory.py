"""Stock as a recall sees it: positions to be held, and what the keeper of the stock answers.

Shared by the inventory adapters and the records; both sides speak of a lot at a location by these values only.
"""

from dataclasses import dataclass
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
