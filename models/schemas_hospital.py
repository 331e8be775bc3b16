"""HTTP contract of an answer that a recipient's system posts: JSON, or what a FHIR Task is read into."""

from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from domain.replies import Quantity
from models.schemas_common import Code, In, Line, Out, Reason
from models.schemas_replies import HarmIn

SCHEMA = "recall-answer/1.0"
_MOST_LOTS = 5000
QUANTITIES = ("on_hand", "held", "used", "passed_on")
"""Stated for every lot; zero is an answer, missing is not."""


class LotNamed(In):
    """A lot as the notice names it."""

    lot: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
    """As in `lots[].lot` of the notice."""
    gtin: Annotated[str, StringConstraints(pattern=r"^[0-9]{14}$")] | None = None
    """Needed where two products of the notice have a lot of the same number."""
    product: Line | None = None
    """Needed where such products have no GTIN."""


class LotAnswerIn(LotNamed):
    """Quantities of one lot in the unit of the notice; `held` is the part of `on_hand` that was set aside."""

    on_hand: Quantity
    held: Quantity
    used: Quantity
    passed_on: Quantity
    returned: Quantity | None = None
    """Sent back, as you state it."""
    destroyed: Quantity | None = None
    """Destroyed on site, as you state it."""


class LotPassedOnIn(LotNamed):
    """How much of a lot went to one receiver."""

    quantity: Annotated[Decimal, Field(gt=0, allow_inf_nan=False, max_digits=18, decimal_places=6)]


class ReceiverIn(In):
    """Who got affected product from you; it is told of the recall (21 CFR 7.49(d))."""

    name: Line
    kind: Literal["distributor", "hospital"] = "hospital"
    contact_name: Line | None = None
    email: Annotated[str, StringConstraints(max_length=320, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")] | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None
    """E.164."""
    lots: Annotated[tuple[LotPassedOnIn, ...], Field(min_length=1, max_length=1000)]


class ResponderIn(In):
    """Who stands behind the answer."""

    name: Line
    role: Annotated[Line, Field(max_length=100)] | None = None


class HospitalAnswerIn(In):
    """An answer: the notice arrived (`acknowledged`), whether you are affected, and quantities per lot.

    `affected: false` states zero for every lot of the notice. `lots` is complete per lot, but not every lot has to be
    in one message: the latest statement counts as a whole, and lots it leaves out are asked for again.
    """

    schema_version: Literal["recall-answer/1.0"]
    delivery_id: UUID
    """`delivery_id` of the notice; the same as in the address."""
    acknowledged: bool = False
    refused: bool = False
    """You will not do what the notice asks: a person calls you."""
    affected: bool | None = None
    lots: Annotated[tuple[LotAnswerIn, ...], Field(max_length=_MOST_LOTS)] = ()
    passed_on_to: Annotated[tuple[ReceiverIn, ...], Field(max_length=200)] = ()
    responder: ResponderIn | None = None
    remark: Reason | None = None
    harm: HarmIn | None = None
    """Somebody was or may have been harmed; never with a patient's name."""

    @model_validator(mode="after")
    def _says_something_and_one_thing(self) -> "HospitalAnswerIn":
        if not (self.acknowledged or self.refused or self.affected is not None or self.lots or self.harm):
            raise ValueError("expected acknowledged, refused, affected, lots or harm")
        if self.refused and (self.acknowledged or self.affected is not None or self.lots):
            raise ValueError("refused: expected without acknowledged, affected and lots")
        if self.affected is False and (self.lots or self.passed_on_to):
            raise ValueError("affected: expected true beside lots or passed_on_to")
        if self.passed_on_to and not self.lots:
            raise ValueError("passed_on_to: expected beside the quantities of the lots")
        return self


class HospitalAnswerOut(Out):
    """What the answer changed."""

    delivery_id: UUID
    recall: Code
    reply_id: int
    repeated: bool
    """This message had arrived before; nothing changed."""
    state: str
    """open, acknowledged (quantities are still owed), answered, documented or withdrawn."""
    findings: list[dict[str, Any]]
    """What cannot be, or is missing; somebody may ask you about it."""


__all__ = [
    "QUANTITIES",
    "SCHEMA",
    "HospitalAnswerIn",
    "HospitalAnswerOut",
    "LotAnswerIn",
    "LotNamed",
    "LotPassedOnIn",
    "ReceiverIn",
    "ResponderIn",
]
