"""HTTP contracts of dry runs and of moving a running recall to other versions of its profiles."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from domain.dry_run_asks import Ask, Difference
from domain.dry_run_case import PolicyId
from domain.policy_text import MAX_CHARACTERS
from models.schemas_common import In, Out, Reason

VersionNumber = Annotated[int, Field(ge=1, le=1_000_000)]
Versions = dict[PolicyId, VersionNumber]


class DryRunIn(In):
    """A case or a recall, and the versions to run it under."""

    case: str | None = Field(default=None, max_length=MAX_CHARACTERS)
    """YAML, schema `recall-case/1` (docs/policies.md)."""
    recall: str | None = Field(default=None, max_length=20, examples=["RC-2026-000123"])
    """A recall whose record is used instead of a case."""
    versions: Versions = Field(default_factory=dict, max_length=40, examples=[{"us-fda": 2}])
    """Versions to use, of any state; what is not named is in force today, or pinned by the recall."""
    compare: Versions = Field(default_factory=dict, max_length=40)
    """Versions in place of those for a second run, beside the first."""

    @model_validator(mode="after")
    def _says_what(self) -> "DryRunIn":
        if (self.case is None) == (self.recall is None):
            raise ValueError("give either a case or a recall")
        return self


class DryRunOut(Out):
    """Who is asked what, when, under which rule."""

    versions: list[str]
    asks: list[Ask]
    compared_with: list[str] = Field(default_factory=list)
    """Versions of the second run; empty without one."""
    differences: list[Difference] = Field(default_factory=list)
    """What the second run asks differently."""


class PinOut(Out):
    """A version a recall is or was held to."""

    policy: str
    version: int
    sha256: str
    pinned_at: AwareDatetime
    pinned_by: str | None
    """Who moved the recall; null for the versions it started with."""
    in_force: bool
    """Whether it is the one that counts now."""


class PolicyMoveOut(Out):
    """One profile's way to another version."""

    policy: str
    before: int
    after: int
    before_sha256: str
    after_sha256: str


class DeadlineChangeOut(Out):
    """One deadline under the new versions."""

    jurisdiction: str
    name: str
    title: str
    outcome: str
    """new; earlier; stays (it would be later, and an open one never becomes later); stays_owed."""
    was: AwareDatetime | None
    becomes: AwareDatetime | None
    would_be: AwareDatetime | None


class PolicyMovePreviewOut(Out):
    """Everything a move would change; its hash is what is signed."""

    sha256: str
    moves: list[PolicyMoveOut]
    deadlines: list[DeadlineChangeOut]
    asked: list[Difference]
    """Task limits, gates, signers, reports, channels' times and branches that become others."""


class PolicyMoveIn(In):
    """Move the recall to versions whose preview was read."""

    versions: Versions = Field(min_length=1, max_length=40, examples=[{"us-fda": 2}])
    preview_sha256: str = Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$")
    reason: Annotated[Reason, StringConstraints(max_length=2000)]


__all__ = [
    "DeadlineChangeOut",
    "DryRunIn",
    "DryRunOut",
    "PinOut",
    "PolicyMoveIn",
    "PolicyMoveOut",
    "PolicyMovePreviewOut",
]
