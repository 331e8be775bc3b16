"""HTTP contracts of obligations: reports owed to authorities and the public, their submission and their stop."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from models.schemas_common import In, Line, Out, Reason
from models.schemas_recall import BothTimes, Jurisdiction


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

    `state`: open, overdue, met, met_late, stopped; and for what has no deadline (yet): by_hand (owed, but no calendar
    covers it, so its due instant has to be worked out), not_running (its clock has not started), if_asked (the
    authority has to ask for it), record (a record is kept instead), by_gate (met by passing an authority gate before
    the notice), not_owed (the market action is no recall in law).
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
    internal_due: datetime | None
    """In policy time, without the roll to the next working day: the date to work towards."""
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
    stopped_by: str | None
    record_instead: str | None


class WorkedOutIn(In):
    """The due instant of a report that no calendar covers, worked out by hand."""

    jurisdiction: Jurisdiction
    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[a-z0-9_:#-]+$", examples=["closure"])]
    due_at: AwareDatetime
    """The last instant of its last day, in policy time."""
    working: Annotated[Reason, Field(max_length=2000)]
    """How it was counted, and which notice of days off was used."""


class DeadlineEventOut(Out):
    """One thing that happened to a deadline: computed, made earlier by new facts, met, stopped, worked out by hand."""

    what: str
    at: datetime
    actor: str
    role: str
    due_at: datetime | None
    was: datetime | None
    """What it was due at before, where it became earlier."""
    why: str | None


__all__ = ["DeadlineEventOut", "ObligationOut", "ObligationStopIn", "SubmissionIn", "WorkedOutIn"]
