"""Supplier corrective action requests: stages, whose turn it is, deadlines, and the signed link of the supplier.

The supplier acknowledges, says what was contained, the root cause with its corrective action, and proves the effect;
every answer but the first is accepted or sent back by supplier quality, and another person closes the request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final
from uuid import UUID

from domain.numbered_links import make_numbered_token, read_numbered_token
from domain.quality_numbers import QualityKind, kind_of, quality_number

SUPPLIER_PATH: Final = "/q/"
"""Path of the supplier's page, followed by the token."""
_PURPOSE: Final = b"supplier corrective action request"
_PER_YEAR: Final = 1_000_000
LINK_AFTER: Final = timedelta(days=30)
"""How long the link outlives the last deadline, or the mail it is in: a late answer is better than none."""


class Stage(StrEnum):
    """What the supplier owes, in this order."""

    ACKNOWLEDGE = "acknowledge"
    CONTAINMENT = "containment"
    CAUSE = "cause"
    VERIFICATION = "verification"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a supplier is asked."""

    title: str
    supplier_code: str
    contact_name: str
    contact_email: str
    language: str
    question: str
    capa: tuple[str, int] | None = None
    """File and number of the CAPA it is of."""
    nonconformity: str | None = None
    days: Mapping[Stage, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """What a supplier answers."""

    account: str
    name: str
    position: str
    action: str | None = None
    action_due_on: date | None = None
    codes: Sequence[str] = ()
    file_ids: Sequence[UUID] = ()


class RequestState(StrEnum):
    """asked: the supplier's turn; answered: ours; accepted: all stages are; then closed. Or withdrawn."""

    ASKED = "asked"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


HOUSE_DAYS: Final[Mapping[Stage, int]] = {
    Stage.ACKNOWLEDGE: 2,
    Stage.CONTAINMENT: 5,
    Stage.CAUSE: 30,
    Stage.VERIFICATION: 120,
}
"""House figures: days from the issue to each stage's deadline, where no profile has its own."""
MOST_DAYS: Final = 1095


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a request stands."""

    stage: Stage
    state: RequestState


def after_answer(turn: Turn) -> Turn:
    """Where an answer leads: an acknowledgement to the next stage at once, any other to us."""
    if turn.stage is Stage.ACKNOWLEDGE:
        return Turn(Stage.CONTAINMENT, RequestState.ASKED)
    return Turn(turn.stage, RequestState.ANSWERED)


def after_review(turn: Turn, *, accepted: bool) -> Turn:
    """Where our word on an answer leads."""
    if not accepted:
        return Turn(turn.stage, RequestState.ASKED)
    following = {Stage.CONTAINMENT: Stage.CAUSE, Stage.CAUSE: Stage.VERIFICATION}
    if turn.stage in following:
        return Turn(following[turn.stage], RequestState.ASKED)
    return Turn(turn.stage, RequestState.ACCEPTED)


def deadlines(
    issued_at: datetime, limits: Mapping[Stage, timedelta], days: Mapping[Stage, int], pace: float
) -> dict[Stage, datetime]:
    """Deadline of each stage in real time: the days given for it, else its limit.

    Raises:
        ValueError: a stage would be due before the one ahead of it, or out of range.
    """
    chosen = {stage: timedelta(days=days[stage]) if stage in days else limits[stage] for stage in Stage}
    before, most = timedelta(0), timedelta(days=MOST_DAYS)
    for stage, limit in chosen.items():
        if not before <= limit <= most or not limit:
            least = max(before / timedelta(days=1), 1)
            raise ValueError(
                f"{stage.value}: expected {least:g} to {MOST_DAYS} days, got {limit / timedelta(days=1):g}"
            )
        before = limit
    return {stage: issued_at + limit / pace for stage, limit in chosen.items()}


def check_extension(
    turn: Turn, due: Mapping[Stage, datetime], wanted: Mapping[Stage, datetime], now: datetime, pace: float
) -> dict[Stage, datetime]:
    """Every stage's deadline once those of `wanted` are moved.

    Raises:
        ValueError: a stage is over, or its deadline would not be a later one to come, or be before the one ahead of it.
    """
    order, last = list(Stage), now + timedelta(days=MOST_DAYS) / pace
    after = dict(due) | dict(wanted)
    for stage, at in wanted.items():
        if order.index(stage) < order.index(turn.stage):
            raise ValueError(f"{stage.value}: expected a stage that is not over")
        earliest = max(due[stage], now)
        if not earliest < at <= last:
            raise ValueError(f"{stage.value}: expected after {earliest.isoformat()}, up to {last.isoformat()}")
    for ahead, stage in pairwise(order):
        if after[stage] < after[ahead]:
            raise ValueError(f"{stage.value}: expected not before {ahead.value}, {after[ahead].isoformat()}")
    return after


def link_until(last_due_at: datetime, mailed_at: datetime) -> datetime:
    """Until when the link of a mail is good: whoever is asked late, or again, has time to answer too."""
    return max(last_due_at, mailed_at) + LINK_AFTER


class SupplierLinkExpired(Exception):  # noqa: N818 - reads as what the link is
    """Once valid; `number` tells which request it was."""

    kind = "supplier_link_expired"

    def __init__(self, number: str) -> None:
        super().__init__("the link has expired")
        self.number = number


def make_supplier_token(secret: str, number: str, expires_at: datetime) -> str:
    """Token of one request.

    Raises:
        ValueError: the secret is too short, the expiry naive, or the number none of a request.
    """
    if kind_of(number) is not QualityKind.SUPPLIER_REQUEST:
        raise ValueError(f"expected SC-YYYY-NNNNNN, got {number}")
    return make_numbered_token(secret, _PURPOSE, int(number[3:7]) * _PER_YEAR + int(number[8:]), expires_at)


def read_supplier_token(secret: str, token: str, now: datetime) -> str:
    """Number of the request a valid token names.

    Raises:
        domain.links.LinkError: not a token of ours, or of another purpose.
        SupplierLinkExpired: `now` is at or after its expiry.
    """
    serial, expires_at = read_numbered_token(secret, _PURPOSE, token)
    number = quality_number(QualityKind.SUPPLIER_REQUEST, serial // _PER_YEAR, serial % _PER_YEAR)
    if now >= expires_at:
        raise SupplierLinkExpired(number)
    return number


def supplier_url(public_url: str, token: str) -> str:
    """Address of the supplier's page for a token."""
    return f"{public_url.rstrip('/')}{SUPPLIER_PATH}{token}"


__all__ = [
    "HOUSE_DAYS",
    "LINK_AFTER",
    "MOST_DAYS",
    "SUPPLIER_PATH",
    "RequestState",
    "Stage",
    "SupplierLinkExpired",
    "Turn",
    "after_answer",
    "after_review",
    "check_extension",
    "deadlines",
    "link_until",
    "make_supplier_token",
    "read_supplier_token",
    "supplier_url",
]
