"""HTTP contracts of entering a reply on a consignee's behalf."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from domain.replies import Quantity
from models.complaint import HarmSeverity
from models.replies import PassedOnTo, StatedLot
from models.schemas_common import Block, In, Line, Out, Reason

LotId = Annotated[int, Field(ge=1, le=2**53)]


class StatedLotIn(In):
    """One lot as stated; every quantity must be asked for, zero included. `held` is the part of `on_hand` set aside."""

    lot_id: LotId
    on_hand: Quantity
    used: Quantity
    held: Quantity
    passed_on: Quantity


class HarmIn(In):
    """Harm the consignee reports; never with a patient's name."""

    severity: HarmSeverity = HarmSeverity.unknown
    patients: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    description: Block


class PhoneReplyIn(In):
    """What a consignee says on the telephone; without statements it is an acknowledgement only."""

    affected: bool | None = None
    statements: Annotated[tuple[StatedLotIn, ...], Field(max_length=10_000)] = ()
    passed_on: Annotated[tuple[PassedOnTo, ...], Field(max_length=200)] = ()
    responder_name: Line
    responder_role: Annotated[Line, Field(max_length=100)] | None = None
    free_text: Reason | None = None
    harm: HarmIn | None = None
    """Somebody was or may have been harmed: makes a complaint and pages whoever is on call."""

    @model_validator(mode="after")
    def _receivers_beside_quantities(self) -> "PhoneReplyIn":
        if self.passed_on and not self.statements:
            raise ValueError("passed_on: expected beside the quantities of the lots in statements")
        return self

    def stated(self) -> tuple[StatedLot, ...]:
        """The statements as they are recorded."""
        return tuple(StatedLot(**each.model_dump()) for each in self.statements)


class ReplyRecorded(Out):
    """What recording the reply changed."""

    reply_id: int
    consignee_state: str
    findings: list[dict[str, Any]]
    """What cannot be, or is missing; a finding that asks back opened a task."""
    new_consignees: list[int]
    """Consignees that joined because product was passed on to them."""
    complaint: int | None
    """Number of the complaint that the reply made."""


__all__ = ["HarmIn", "PhoneReplyIn", "ReplyRecorded", "StatedLotIn"]
