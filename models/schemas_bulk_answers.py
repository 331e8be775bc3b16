"""HTTP contract of a file with the answers of many consignees: what was recorded, or what would be."""

from datetime import datetime
from typing import Any
from uuid import UUID

from models.schemas_common import Out


class SiteAnswerOut(Out):
    """One consignee of the file."""

    line: int
    """Its first line in the file."""
    consignee_id: int
    code: str
    name: str
    lots: int
    findings: list[dict[str, Any]]
    """What cannot be, or is worth knowing; a finding that asks back opens a query, and the answer counts as open."""
    counts_as_answered: bool
    """Whether it is complete and nothing has to be asked back."""
    replaces_answer_of: datetime | None
    """When the statement was given that counted until now; it stays on record."""
    passed_on_to: int
    """Sites it names as having got product."""
    speaks_of_harm: bool
    """The remark reads as a report of harm: it makes a complaint."""
    reply_id: int | None
    """None where nothing was recorded."""
    repeated: bool
    """The same file recorded it before."""
    new_consignees: list[int]
    complaint: int | None
    refused: str | None
    """Why it was not recorded though the file was right: the record changed while it was being taken."""


class SiteLeftOut(Out):
    """A consignee of which the file fills in nothing."""

    consignee_id: int
    code: str
    name: str


class BulkAnswersOut(Out):
    """What a file of answers did, or would do."""

    preview: bool
    evidence_id: UUID | None
    """The file as it came; None in a preview."""
    rows: int
    recorded: int
    """Consignees whose answer was recorded now or by the same file before; in a preview: would be."""
    refused: int
    items: list[SiteAnswerOut]
    left_blank: list[SiteLeftOut]
    """Nothing is recorded for them, and they are still asked."""


__all__ = ["BulkAnswersOut", "SiteAnswerOut", "SiteLeftOut"]
