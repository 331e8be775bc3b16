"""HTTP contracts of effectiveness checks: what a person records of one, and how rounds and checks are shown.

The person spoken to is kept in the record and not shown in lists.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from domain.replies import Quantity
from models.schemas_common import In, Line, Out, Reason, Units

Method = Literal["visit", "phone", "letter", "email", "record"]
Level = Literal["A", "B", "C", "D", "E"]
CheckState = Literal["pending", "done", "no_response", "void"]


class FoundIn(In):
    """What was counted of one lot, units of use; less than expected needs an explanation."""

    lot_id: Annotated[int, Field(ge=1, le=2**53)]
    quantity: Quantity
    explanation: Reason | None = None
    """Why less was found, with the paper that shows it (return note, certificate)."""


class CheckIn(In):
    """An effectiveness check: the three facts and every lot's count, or `no_response`."""

    no_response: bool = False
    received: bool | None = None
    """The notice arrived."""
    understood: bool | None = None
    acted: bool | None = None
    """What the notice asks for was done."""
    found: Annotated[tuple[FoundIn, ...], Field(max_length=10_000)] = ()
    method: Method
    person: Line | None = None
    """Who was spoken to or looked in."""
    evidence_ids: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> "CheckIn":
        facts = {name: getattr(self, name) for name in ("received", "understood", "acted")}
        missing = [name for name, value in facts.items() if value is None]
        if self.no_response and (len(missing) < len(facts) or self.found):
            raise ValueError("no_response: give neither received, understood, acted nor found with it")
        if not self.no_response and missing:
            raise ValueError(f"{', '.join(missing)}: expected true or false, or no_response true")
        if not self.no_response and self.person is None and self.method != "record":
            raise ValueError(f"person: expected who was spoken to, for a check by {self.method}")
        return self


class FoundOut(Out):
    """One lot of a check."""

    lot_id: int
    lot: str
    found: Units
    expected: Units
    """Stated as on hand, less what has come back to us or was disposed of since."""
    explanation: str | None


class CheckOut(Out):
    """One consignee's check."""

    id: int
    round: int
    consignee_id: int
    consignee_code: str
    state: CheckState
    received: bool | None
    understood: bool | None
    acted: bool | None
    found: list[FoundOut]
    passed: bool | None
    why: str | None
    """What kept it from passing."""
    method: str | None
    checked_by: str | None
    checked_at: datetime | None


class CheckRecorded(Out):
    """What recording a check came to."""

    id: int
    state: CheckState
    passed: bool
    why: str | None


class RoundOut(Out):
    """One drawn sample. It can be drawn again by hand.

    Sort the candidates by the hexadecimal SHA-256 of `{seed}/{consignee id}`; take whoever failed before, then the
    first candidates without a standing passed check, until checks that stand or are drawn make up the percentage.
    """

    sequence: int
    level: Level
    percent: int
    depth: str
    seed: str
    population: int
    candidates: list[int]
    sample_size: int
    pending: int
    outcome: Literal["passed", "failed"] | None
    drawn_at: datetime
    judged_at: datetime | None


class EffectivenessOut(Out):
    """Where the effectiveness checks of a recall stand (21 CFR 7.42(b)(3))."""

    level: Level | None
    """Of the signed strategy; rounds show what it was widened to."""
    depth: str | None
    met: bool
    candidates: int
    passed: int
    failed: int
    waiting: int
    """Consignees of the recall that still have to answer."""
    rounds: list[RoundOut]


__all__ = ["CheckIn", "CheckOut", "CheckRecorded", "CheckState", "EffectivenessOut", "FoundOut", "RoundOut"]
