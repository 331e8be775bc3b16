"""What the file of a recall shows of its changes and its end: scope versions, signatures, authorities' answers."""

from datetime import datetime
from typing import Literal

from models.schemas_common import Out
from models.schemas_signing import SignatureBlock


class ScopeVersionOut(Out):
    """One version of the scope: what changed, who decided it, why."""

    version: int
    change: Literal["initial", "expand", "reduce"]
    lots: int
    """Lots in scope in this version, traced ones included."""
    reason: str | None
    decided_by: str
    decided_at: datetime


class CompletionSignatureOut(Out):
    """One signature under a completion, or a reopening; `void` when the recall was reopened after it."""

    outcome: str
    capacity: str | None
    """quality or regulatory; empty for a reopening."""
    round: int
    """Which completion of the recall it belongs to."""
    actor: str
    role: str
    meaning: str
    reason: str | None
    signed_at: datetime
    signature: SignatureBlock | None = None
    """As it is printed: name, instant, meaning."""
    void: bool


class AuthorityAnswerOut(Out):
    """An authority's word; `void` when the recall was reopened after it."""

    jurisdiction: str
    answer: Literal["terminated", "more_ordered", "no_authority"]
    reference: str | None
    reason: str | None
    recorded_by: str
    recorded_at: datetime
    void: bool


__all__ = ["AuthorityAnswerOut", "CompletionSignatureOut", "ScopeVersionOut"]
