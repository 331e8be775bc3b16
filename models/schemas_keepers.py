"""HTTP contracts of keepers of stock: who they are, which places they keep, how they fare."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from domain.keepers import VARIABLE_PATTERN, KeeperAuth, KeeperKind, KeeperState
from domain.web_addresses import WebAddressError, checked_url
from models.schemas_common import Code, In, Line, Out

Variable = Annotated[str, StringConstraints(pattern=VARIABLE_PATTERN)]
_Place = Annotated[str, StringConstraints(min_length=1, max_length=160, pattern=r"^[^\x00-\x1f\x7f]+$")]


class KeeperIn(In):
    """A keeper of stock as it is called; secrets stay in the environment, here are the names of their variables."""

    kind: KeeperKind
    name: Line
    base_url: Annotated[str, Field(max_length=500, examples=["https://wms.example.com/recall"])]
    """Where its interface begins; https, unless it is this machine."""
    database: Code | None = None
    """Name of the database; of Tryton only."""
    auth: KeeperAuth = KeeperAuth.BEARER
    credential_variable: Annotated[Variable, Field(examples=["RECALL_KEEPER_EAST_TOKEN"])]
    webhook_variable: Annotated[Variable | None, Field(examples=["RECALL_KEEPER_EAST_WEBHOOK"])] = None
    """Variable with the key that signs its webhooks; without one it is only asked, once a minute."""
    per_second: Annotated[float | None, Field(gt=0, le=10_000, allow_inf_nan=False)] = None
    """Most requests per second of all processes together; unlimited until it complains where left out."""
    timeout_seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 20
    """Longest single request."""
    give_up_seconds: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 60
    """Longest call with all its repeats."""
    state: KeeperState = KeeperState.ACTIVE

    @model_validator(mode="after")
    def _fits(self) -> "KeeperIn":
        try:
            checked_url(self.base_url)
        except WebAddressError as error:
            raise ValueError(f"base_url: {error}") from None
        if "?" in self.base_url:
            raise ValueError("base_url: expected an address without a query")
        if (self.kind is KeeperKind.TRYTON) != (self.database is not None):
            raise ValueError("database: expected for the kind tryton, and only for it")
        if (self.kind is KeeperKind.TRYTON) != (self.auth is KeeperAuth.PASSWORD):
            raise ValueError("auth: expected password for the kind tryton, bearer or hmac for http")
        if self.give_up_seconds < self.timeout_seconds:
            raise ValueError("give_up_seconds: expected at least timeout_seconds")
        return self


class PlaceIn(In):
    """A place by our code, and by the keeper's where it has another."""

    location: _Place
    own_code: _Place | None = None


class PlacesIn(In):
    """Places that this keeper keeps from now on."""

    places: Annotated[list[PlaceIn], Field(min_length=1, max_length=1000)]


class PlacesOut(Out):
    """What the assignment changed."""

    keeper: str
    moved: int
    """Places that had another keeper before."""
    asked_again: dict[str, int]
    """Recall -> its holds there that are asked for again, because this keeper has confirmed none of them."""


class KeeperHealth(Out):
    """How a keeper fares; instants are those of the last looks at its changes."""

    reachable: bool | None
    """Whether the last look succeeded; null: nobody has looked yet."""
    failures: int
    """Failed looks in a row."""
    lag_seconds: float | None
    """Age of the newest complete look at its changes."""
    read_at: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_error: str | None
    rows_skipped: int
    """Different rows of its answers that could not be taken; the keeper's own page says which and why."""


class KeeperOut(Out):
    """A keeper of stock; our own ledger is the first."""

    code: str
    kind: Literal["ledger", "http", "tryton"]
    name: str
    state: KeeperState
    base_url: str | None
    database: str | None
    auth: KeeperAuth | None
    credential_variable: str | None
    webhook_variable: str | None
    per_second: float | None
    timeout_seconds: float | None
    give_up_seconds: float | None
    places: int | None
    """Places it keeps; null for the ledger, which keeps all others."""
    health: KeeperHealth | None


class KeepersOut(Out):
    """Every keeper."""

    items: list[KeeperOut]


class KeptPlaceOut(Out):
    """A place by our code and by the keeper's."""

    location: str
    own_code: str


class SkippedOut(Out):
    """A row of an answer that could not be taken."""

    what: str
    subject: str
    reason: str
    first_seen_at: datetime
    last_seen_at: datetime
    times: int


class KeeperDetailOut(KeeperOut):
    """A keeper with its places (the first 1,000) and the rows that were skipped (the newest 200)."""

    kept: list[KeptPlaceOut]
    skipped: list[SkippedOut]


class ProbeOut(Out):
    """The workers have been asked to look; read the keeper again to see what came of it."""

    asked: bool
    """False: Temporal did not take the request, the next look comes by itself."""


__all__ = [
    "KeeperDetailOut",
    "KeeperHealth",
    "KeeperIn",
    "KeeperOut",
    "KeepersOut",
    "KeptPlaceOut",
    "PlaceIn",
    "PlacesIn",
    "PlacesOut",
    "ProbeOut",
    "SkippedOut",
]
