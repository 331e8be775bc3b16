"""Contracts of moving a running recall to other versions of its regulation profiles."""

from pydantic import Field

from models.message_base import Message
from models.messages_decisions import Decision


class PolicyTarget(Message):
    """A profile and the version the recall moves to."""

    policy: str = Field(min_length=1, max_length=20)
    version: int = Field(ge=1, le=1_000_000)


class MovePolicies(Decision):
    """Hold the recall to other versions from now on; `preview_sha256` is the hash of the changes that were read."""

    targets: tuple[PolicyTarget, ...] = Field(min_length=1, max_length=40)
    preview_sha256: str = Field(min_length=64, max_length=64)


__all__ = ["MovePolicies", "PolicyTarget"]
