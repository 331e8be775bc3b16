"""HTTP contracts of clock starts: recorded facts that limits run from, and their corrections (design §2a)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from models.schemas_common import In, Line, Out, Reason
from models.schemas_recall import Jurisdiction

Proof = Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]


class ClockStartIn(In):
    """A first communication outside the campaign, or an order of an authority."""

    clock: Literal["first_communication", "authority_order"]
    at: AwareDatetime
    channel: Literal["telephone", "press", "visit", "letter", "email", "website", "other"] | None = None
    """How accounts or the public were told; of a first communication."""
    jurisdiction: Jurisdiction | None = None
    """Whose authority gave the order."""
    reference: Line = Field(examples=["Call to St Mary's, log 2026-117"])
    evidence_ids: Proof

    @model_validator(mode="after")
    def _says_what_its_clock_needs(self) -> "ClockStartIn":
        told = self.clock == "first_communication"
        if told != (self.channel is not None):
            raise ValueError("channel is needed for first_communication and only there")
        if told != (self.jurisdiction is None):
            raise ValueError("jurisdiction is needed for authority_order and only there")
        return self


class ClockCorrectionIn(In):
    """The right instant of a clock start that was recorded wrongly."""

    at: AwareDatetime
    reason: Reason
    reference: Line
    evidence_ids: Proof


class ClockStartOut(Out):
    """One recorded clock start; a corrected one stays and names the row that took its place."""

    id: int
    name: str
    scope_version: int
    at: datetime
    source: str
    author: str
    recorded_at: datetime
    corrects: str | None
    """The clock this row corrects."""
    corrected_by: int | None


__all__ = ["ClockCorrectionIn", "ClockStartIn", "ClockStartOut"]
