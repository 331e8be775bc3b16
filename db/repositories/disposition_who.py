"""Who acts on held units."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts, in which role, when, by which request."""

    principal: str
    role: str
    at: datetime
    request: str = ""
    """Id over principal, operation and Idempotency-Key; what it wrote once it never writes again."""
    signature: str | None = None
    """Id of the electronic signature, where the act is a signed decision."""


__all__ = ["Who"]
