"""HTTP contracts of retention: until when a file is kept, legal holds, its deletion, tombstones."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from models.schemas_common import In, Line, Out, Reason

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PolicyRetentionOut(Out):
    """How long one pinned policy has the file kept."""

    policy: str
    version: int
    years: int
    after: str
    source: str | None
    counted_from: date
    because: str
    until: date


class LegalHoldOut(Out):
    """A reason to keep the file beyond its retention date."""

    id: int
    reference: str
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None
    lift_reason: str | None


class DeletionRequestOut(Out):
    """Somebody asked that the file be deleted; another person signs, or it is withdrawn."""

    id: int
    reason: str
    archive_sha256: str | None
    keep_until: date
    requested_by: str
    requested_at: datetime


class RetentionOut(Out):
    """The retention of a recall's file: every record, delivery, reply, signature and stored file of it."""

    number: str
    keep_until: date | None
    """The latest date of all pinned policies. While the recall runs, as if it ended today."""
    policies: list[PolicyRetentionOut]
    legal_holds: list[LegalHoldOut]
    must_stay_because: list[str]
    """Why the file cannot be deleted now; empty when it can."""
    request: DeletionRequestOut | None


class LegalHoldIn(In):
    """Keep the file, whatever its retention date."""

    reference: Line = Field(examples=["Docket 3:26-cv-00123"])
    reason: Reason = Field(examples=["Product liability suit of a hospital"])


class LegalHoldLiftIn(In):
    """The matter is over."""

    reason: Reason


class DeletionIn(In):
    """Ask that the file be deleted after its retention date."""

    reason: Reason = Field(examples=["Retention ended on 2043-04-01; nothing is pending"])
    archive_sha256: Sha256 | None = None
    """Hash of the dossier kept elsewhere, where one is."""


class DeletionOrderIn(In):
    """The order to delete names the request that was read; another one is refused."""

    request: int = Field(ge=1, le=2**53)
    """Id of the open request, as `GET .../retention` shows it."""


class WithdrawalIn(In):
    """Take the request back."""

    reason: Reason


class DeletedFileOut(Out):
    """A stored file that went."""

    sha256: str
    size: int


class TombstoneOut(Out):
    """What remains of a deleted file beside its audit trail."""

    number: str
    title: str
    keep_until: date
    policies: list[PolicyRetentionOut]
    reason: str
    archive_sha256: str | None
    requested_by: str
    approved_by: str
    deleted_at: datetime
    tables: dict[str, int]
    """Rows deleted per table."""
    files: list[DeletedFileOut]
    finished_at: datetime | None
    """When the stored files and the workflow histories were gone as well; null: ask again to finish."""


__all__ = [
    "DeletedFileOut",
    "DeletionIn",
    "DeletionOrderIn",
    "DeletionRequestOut",
    "LegalHoldIn",
    "LegalHoldLiftIn",
    "LegalHoldOut",
    "PolicyRetentionOut",
    "RetentionOut",
    "Sha256",
    "TombstoneOut",
    "WithdrawalIn",
]
