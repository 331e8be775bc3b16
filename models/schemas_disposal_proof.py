"""HTTP contracts of inspections and of destructions under the authority's eyes."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from domain.policy_disposition import InspectionKind, SupervisionStep
from models.schemas_common import In, Line, Out, Reason, Units
from models.schemas_disposition import Amount, Id, Proof

_Long = Annotated[Line, Field(max_length=200)]


class InspectionIn(In):
    """An inspection of a lot of the recall, with its report."""

    lot_id: Id
    location_id: Id | None = None
    """Where the inspected units lie; without it the inspection speaks for the lot everywhere."""
    kind: InspectionKind
    passed: bool
    criterion: _Long
    """What was tested against which limit."""
    sampled: Amount | None = None
    """Units of use inspected."""
    report_no: Annotated[Line, Field(max_length=120)]
    inspected_by: _Long
    """Inspector or laboratory."""
    inspected_at: AwareDatetime
    evidence_ids: Proof


class InspectionOut(Out):
    """An inspection on record; a later one of its kind counts instead."""

    id: int
    lot_id: int
    location_id: int | None
    kind: InspectionKind
    passed: bool
    criterion: str
    sampled: Units | None
    report_no: str
    inspected_by: str
    inspected_at: datetime
    recorded_by: str
    recorded_at: datetime


class SupervisionIn(In):
    """What the authority was told of a destruction, appointed or waived, with its letter."""

    jurisdiction: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,19}$")]
    """Policy that wants to watch."""
    step: SupervisionStep
    at: AwareDatetime
    """When it was told, will watch, or waived."""
    office: _Long
    """Which office of the authority."""
    reference: _Long
    """Its or our number of the letter."""
    note: Reason | None = None
    evidence_ids: Proof


class SupervisionOut(Out):
    """A step on record."""

    id: int
    jurisdiction: str
    step: SupervisionStep
    at: datetime
    office: str
    reference: str
    note: str | None
    recorded_by: str
    recorded_at: datetime


__all__ = ["InspectionIn", "InspectionOut", "SupervisionIn", "SupervisionOut"]
