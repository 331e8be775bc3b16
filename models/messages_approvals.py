"""Contracts of approvals that several people sign one after another."""

from typing import Any

from pydantic import AwareDatetime, Field

from models.message_base import Actor, Message


class SignApproval(Message):
    """One signature of several under a decision; the last one is recorded with the decision itself."""

    number: str
    now: AwareDatetime
    step: str
    """What is signed: assessment, notice."""
    subject: str
    """Which proposal or draft."""
    operation: str
    role: str
    """Function the signature counts for."""
    place: int = Field(ge=1)
    of: int = Field(ge=2)
    actor: Actor
    reason: str | None = None
    body: dict[str, Any]
    """What was signed, as ids, classes and hashes."""
    task_key: str


class VoidApprovals(Message):
    """What was signed is not to be decided any more: another proposal or draft has taken its place."""

    number: str
    now: AwareDatetime
    step: str
    subject: str
    signers: tuple[str, ...]
    why: str


__all__ = ["SignApproval", "VoidApprovals"]
