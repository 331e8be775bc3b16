"""HTTP contract of messages that belong to nobody: what they say, and what a person did about them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from models.notice import Settled
from models.schemas_common import In, Out, Reason

RecallNumber = Annotated[str, Field(pattern=r"^R[CD]-[0-9]{4}-[0-9]{6}$")]


class SettledOut(Out):
    """What a person did about it."""

    at: datetime
    by: str
    how: Settled
    note: str
    recall_number: str | None


class UnplacedOut(Out):
    """One message nobody could place."""

    id: int
    channel: Literal["sms", "email", "page"]
    """`page`: harm told on the page of a recall that has ended; `sms`: also a key pressed in a call."""
    sender: str | None
    """Telephone or address it came from, as claimed."""
    contact_id: int | None
    """The contact known with it."""
    text: str
    """What was written; of a mail without quoted parts."""
    speaks_of_harm: bool
    outcome: str
    """Why it was placed nowhere: `unknown_sender`, `no_open_recall`, `unclear`, `unreadable`, `forged_sender` ..."""
    received_at: datetime
    harm_aware_at: datetime | None
    """Since when we know of the harm it tells of: it pages whoever is on call until it is settled."""
    evidence_id: UUID | None
    """The mail as it came."""
    recall_number: str | None
    """The recall it answers, where that has ended."""
    settled: SettledOut | None


class SettleMessageIn(In):
    """What became of a message."""

    how: Settled
    note: Reason
    """What was done, by whom and where it is recorded."""
    recall_number: RecallNumber | None = None
    """Where `how` is `recorded`: under which recall."""

    @model_validator(mode="after")
    def _recorded_somewhere(self) -> "SettleMessageIn":
        if (self.how is Settled.recorded) != (self.recall_number is not None):
            raise ValueError("recall_number: expected with `recorded`, and with nothing else")
        return self


__all__ = ["SettleMessageIn", "SettledOut", "UnplacedOut"]
