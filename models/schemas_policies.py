"""HTTP contracts of regulation profiles under change control: versions, their texts, steps, differences."""

from datetime import date
from typing import Any

from pydantic import AwareDatetime, Field

from domain.policy_text import MAX_CHARACTERS
from domain.policy_versions import VersionState
from models.schemas_common import In, Out, Reason

Sha256 = Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$", examples=["0" * 64])


class PolicyTextIn(In):
    """A profile as YAML, and what is changed and why."""

    text: str = Field(min_length=1, max_length=MAX_CHARACTERS, examples=["schema: recall-policy/1\nid: us-fda\n..."])
    note: Reason = Field(examples=["Class I notices within 12 hours (management review of 2026-11)."])


class PolicyContentIn(In):
    """The content a step is about, by its hash: what the person has read."""

    sha256: str = Sha256


class PolicyReasonIn(In):
    """Why a version is sent back or withdrawn."""

    reason: Reason


class ActivationIn(In):
    """From which day a version counts."""

    sha256: str = Sha256
    from_day: date = Field(examples=["2026-12-01"])
    """A day of UTC, today or later: recalls that start on it or after are held to the version."""


class RollbackIn(In):
    """Which version to bring back, and why."""

    to: int = Field(ge=1, le=1_000_000)
    note: Reason


class PolicyItem(Out):
    """One profile: which version is in force today, and which are on their way."""

    id: str
    title: str
    title_zh: str
    in_force: int | None
    """Version in force today; null where none is."""
    in_force_from: date | None
    open_versions: list[int]
    """Drafts, reviewed and approved versions, and those in force from a later day."""
    newest: int


class PolicyVersionItem(Out):
    """One version and who moved it on."""

    policy_id: str
    version: int
    state: VersionState
    """As of today: one put in force from a later day is still approved."""
    shipped: bool
    """Whether it came with the software."""
    sha256: str
    title: str
    note: str
    based_on: int | None
    rollback_to: int | None
    authored_by: str
    authored_at: AwareDatetime
    reviewed_by: str | None
    reviewed_at: AwareDatetime | None
    approved_by: str | None
    approved_at: AwareDatetime | None
    activated_by: str | None
    activated_at: AwareDatetime | None
    in_force_from: date | None
    superseded_from: date | None
    superseded_by: int | None
    withdrawn_by: str | None
    withdrawn_at: AwareDatetime | None


class PolicyVersionOut(PolicyVersionItem):
    """One version with its content."""

    body: dict[str, Any]
    """The profile as data; its YAML with comments is at `.../text`."""


class PolicyChangeOut(Out):
    """One difference between two versions."""

    path: str
    kind: str
    """changed, added, removed."""
    before: Any = None
    after: Any = None
    en: str
    zh: str


class PolicyDiffOut(Out):
    """Everything that differs between two versions."""

    policy_id: str
    before: int | None
    """The version compared with; null when there is none, and everything is new."""
    after: int
    changes: list[PolicyChangeOut]


__all__ = [
    "ActivationIn",
    "PolicyChangeOut",
    "PolicyContentIn",
    "PolicyDiffOut",
    "PolicyItem",
    "PolicyReasonIn",
    "PolicyTextIn",
    "PolicyVersionItem",
    "PolicyVersionOut",
    "RollbackIn",
]
