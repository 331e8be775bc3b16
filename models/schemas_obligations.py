"""HTTP contracts of obligations: reports owed to authorities and the public, their submission and their stop."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from models.schemas_common import In, Line, Out, Reason
from models.schemas_recall import BothTimes


class SubmissionIn(In):
    """The report is with its recipient."""

    reference: Line = Field(examples=["FDA acknowledgement 2026-11-22 / RES 98112"])
    """What the recipient gave back, or the letter's own number."""
    evidence_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]


class ObligationStopIn(In):
    """The report is not owed any more, and why; of a recurring report the series ends with it."""

    reason: Annotated[Reason, Field(max_length=500)]


class ObligationOut(Out):
    """One time a report is owed, or could come to be owed.

    `state`: open, overdue, met, met_late, stopped; and for what has no deadline (yet): not_running (its clock has not
    started), if_asked (the authority has to ask for it), record (a record is kept instead), by_gate (met by passing an
    authority gate before the notice).
    """

    id: int | None
    """The deadline's id, for submission; none without a deadline."""
    name: str
    jurisdiction: str
    title: str
    title_zh: str
    recipient: str | None
    role: str
    state: str
    basis: str
    source: str
    law_text: str | None
    limit: str
    clock: str | None
    clock_started_at: datetime | None
    due: BothTimes | None
    every: str | None
    """Interval of a recurring report."""
    complaint: int | None
    """Number of the complaint that made it owed."""
    met_at: datetime | None
    met_by: str | None
    reference: str | None
    evidence_ids: list[UUID]
    stopped_at: datetime | None
    stopped_reason: str | None
    record_instead: str | None


__all__ = ["ObligationOut", "ObligationStopIn", "SubmissionIn"]
