"""HTTP contracts of requests to logistics providers."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from models.logistics import LogisticsKind, LogisticsState
from models.schemas_common import In, Line, Out, Page, Reason, Units
from models.schemas_disposition import DocumentNo, Id


class LogisticsAskIn(In):
    """What a provider is asked about one position in transit."""

    hold_id: Id
    kind: LogisticsKind
    provider: Annotated[Line, Field(max_length=160)] | None = None
    """Code of the provider; empty: as the shipment's document names it."""
    to_location_id: Id | None = None
    """Where the goods are to go instead; needed for a redirect, refused for a stop."""


class LogisticsAsksIn(In):
    """Requests, all or none."""

    requests: Annotated[list[LogisticsAskIn], Field(min_length=1, max_length=200)]


class LogisticsAnswerIn(In):
    """The provider's document number and when the goods are expected."""

    reference: DocumentNo
    expected_at: AwareDatetime | None = None
    note: Reason | None = None


class LogisticsEndIn(In):
    """Why the provider refused, or why the request is withdrawn."""

    reason: Reason


class LogisticsOut(Out):
    """A request and its answer."""

    id: int
    hold_id: int
    kind: LogisticsKind
    state: LogisticsState
    provider_id: int | None
    """Empty: no record says who moves the goods; the task is to find out."""
    quantity: Units
    """Units of use under way when it was asked."""
    to_location_id: int | None
    asked_by: str
    """`system`: the recall asked by itself."""
    asked_at: datetime
    reference: str | None
    expected_at: datetime | None
    note: str | None
    ended_at: datetime | None
    ended_by: str | None


class LogisticsPage(Page[LogisticsOut]):
    """Requests, oldest first."""


class LogisticsMadeOut(Out):
    """Requests that were opened."""

    items: list[LogisticsOut]


__all__ = [
    "LogisticsAnswerIn",
    "LogisticsAskIn",
    "LogisticsAsksIn",
    "LogisticsEndIn",
    "LogisticsMadeOut",
    "LogisticsOut",
    "LogisticsPage",
]
