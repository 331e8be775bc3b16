"""HTTP contracts of complaints: harm reported under a recall, and what came of it."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, field_validator

from models.complaint import ComplaintState, HarmSeverity
from models.schemas_common import Block, Code, In, Out, Reason
from models.schemas_nonconformities import CodeOut, Codes
from models.schemas_recall import EARLIEST_AWARENESS

EvidenceIds = Annotated[list[UUID], Field(default_factory=list, max_length=50)]
Ref = Annotated[int, Field(ge=1, le=2**53)]


class ComplaintIn(In):
    """Harm reported to staff; never with a patient's name."""

    source: Literal["phone", "staff"] = "staff"
    awareness_at: AwareDatetime = Field(examples=["2026-11-22T08:30:00+00:00"])
    """The first instant anybody of the firm knew (21 CFR 803.3); not in the future."""
    severity: HarmSeverity
    """Worst outcome reported."""
    patients: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    description: Block
    consignee_id: Ref | None = None
    lot_id: Ref | None = None
    product_line: Code | None = None
    codes: Codes = Field(default_factory=list)
    """IMDRF codes of annexes A (problem), E (signs), F (health impact) and G (component)."""
    evidence_ids: EvidenceIds

    @field_validator("awareness_at")
    @classmethod
    def _is_of_this_age(cls, awareness_at: datetime) -> datetime:
        # The clocks of a report that nothing can compute would be tried for ever, and the recall's next steps with it.
        if awareness_at < EARLIEST_AWARENESS:
            raise ValueError("expected an instant since 1970")
        return awareness_at


class ComplaintCodesIn(In):
    """All codes the complaint is to carry; those left out are taken off."""

    codes: Codes


class ComplaintCloseIn(In):
    """What came of a complaint."""

    outcome: Reason
    evidence_ids: EvidenceIds


class ComplaintOut(Out):
    """One report of harm."""

    sequence: int
    """Its number within the recall; its clock is `harm_awareness:{sequence}`."""
    state: ComplaintState
    source: str
    severity: HarmSeverity
    patients: int | None
    description: str
    awareness_at: datetime
    consignee_id: int | None
    reply_id: int | None
    lot_id: int | None
    product_line: str | None
    recorded_by: str
    recorded_at: datetime
    paged: str | None
    """Who was paged first."""
    taken_up_at: datetime | None
    """When the recall started its deadlines and opened the evaluation again."""
    closed_by: str | None
    closed_at: datetime | None
    outcome: str | None
    codes: list[CodeOut] = Field(default_factory=list)


__all__ = ["ComplaintCloseIn", "ComplaintCodesIn", "ComplaintIn", "ComplaintOut"]
