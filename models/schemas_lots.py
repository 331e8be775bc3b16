"""HTTP contracts of a lot's status and of the places where held units lie."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from domain.lot_status import LotStatus
from models.keeper_hold import StatusTold
from models.schemas_common import In, Out, Units
from models.schemas_disposition import Amount


class QuarantinePlaceOut(Out):
    """A place of ours with what is locked there, of all lots, in units of use."""

    location_id: int
    code: str
    name: str
    held: Units
    capacity: Units | None
    room: Units | None
    """Units that still fit; negative where more is locked than fits, null where no capacity is known."""


class LotAtPlaceOut(Out):
    """One lot at one place of ours."""

    place: QuarantinePlaceOut
    on_hand: Units
    held: Units
    free: Units
    """Units nobody holds."""
    held_by: list[str]
    nonconforming: bool
    """Only nonconformity holds lock it."""


class LotToldOut(Out):
    """What a keeper outside our ledger is to know of the lot, and whether it was told."""

    keeper: str
    status: LotStatus
    recalls: list[str]
    """Running recalls it is told of."""
    state: StatusTold
    changed_at: datetime
    attempts: int
    asked_at: datetime | None
    told_at: datetime | None
    """When the keeper acknowledged this status."""
    last_error: str | None


class LotOut(Out):
    """A lot, what may be done with it, and where it lies."""

    lot_id: int
    number: str
    product_code: str
    unit: str
    expires_on: date | None
    status: LotStatus
    places: list[LotAtPlaceOut]
    keepers: list[LotToldOut]
    """Keepers of stock that are told of it: those on record while a recall of it runs."""


class CapacityIn(In):
    """Room for locked units at a place; null takes the figure away."""

    units: Annotated[Amount | None, Field()]


__all__ = ["CapacityIn", "LotAtPlaceOut", "LotOut", "LotToldOut", "QuarantinePlaceOut"]
