"""HTTP contracts of signing: passwords, signing periods, signatures as printed, training records."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, SecretStr, field_validator

from models.schemas_common import Code, In, Line, Out, Reason

Password = Annotated[SecretStr, Field(min_length=1, max_length=128, description="Never logged, never answered.")]


class SigningSessionIn(In):
    """The second component of a signature, given once per period."""

    password: Password


class PasswordChangeIn(In):
    """The old password and the new one."""

    current: Password
    new: Password


class SigningSessionOut(Out):
    """A period in which the token alone signs."""

    id: UUID
    opened_at: datetime
    ends_at: datetime
    """At the latest."""
    idle_minutes: int
    """It ends earlier after this long without a signature."""


class SignatureBlock(Out):
    """A signature as it is printed (21 CFR 11.50): name, instant with its zone, meaning."""

    id: UUID
    printed_name: str = Field(examples=["Ada Moreau"])
    signed_at: datetime
    meaning: str
    sha256: str
    """Over the whole of what was signed."""
    text: str = Field(examples=["Signed by Ada Moreau on 2026-01-05 08:30:00 UTC: I approve the proposed classes"])


class SignedDocumentOut(SignatureBlock):
    """One act of signing with everything it covers."""

    principal: str
    role: str
    operation: str
    used: bool
    """Whether the act it was made for took place; an unused one is an attempt that was refused."""
    document: dict[str, Any]
    """What was signed; `sha256` is over its canonical JSON (docs/signatures.md)."""


class UnlockIn(In):
    """Why a locked person may try again."""

    reason: Reason


class UnlockedOut(Out):
    """Who may try again."""

    principal: str


class TrainingIn(In):
    """Somebody was trained on one version of one policy."""

    principal: Code
    policy_id: Annotated[str, Field(pattern=r"^[a-z]{2}-[a-z0-9-]{1,16}$", examples=["us-fda"])]
    version: int = Field(ge=1, le=1_000_000)
    trained_on: date
    evidence: Line = Field(examples=["TR-2026-031, test passed"])
    """Reference of what proves it."""

    @field_validator("policy_id", mode="after")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 20:
            raise ValueError("expected at most 20 characters")
        return value


class TrainingOut(Out):
    """A training on record."""

    id: int
    principal: str
    policy_id: str
    version: int
    trained_on: date
    evidence: str
    recorded_by: str
    recorded_at: datetime


class TrainingRecorded(Out):
    """What is on record now."""

    principal: str
    policy_id: str
    version: int
    trained_on: date


class UntrainedOut(Out):
    """A person who may not sign under a policy in force, and what is missing."""

    principal: str
    policy_id: str
    version: int
    trained_version: int | None
    """The newest version the person was trained on; null: none."""


__all__ = [
    "PasswordChangeIn",
    "SignatureBlock",
    "SignedDocumentOut",
    "SigningSessionIn",
    "SigningSessionOut",
    "TrainingIn",
    "TrainingOut",
    "TrainingRecorded",
    "UnlockIn",
    "UnlockedOut",
    "UntrainedOut",
]
