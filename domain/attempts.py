"""When a consignee that never answered may be documented instead: so many attempts, channels and live ones.

The numbers are the policy's (`closing`), never fewer than three, two and one (design §7). Pure rules over what was
tried. A message we handed to a provider counts until it bounces; a call to a wrong number counts as little as a bounce
does. A live attempt is a human being tried in person, so it names whom and where.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.policy_parts import Closing

LIVE_CHANNELS: Final = frozenset({"phone", "visit"})


class Outcome(StrEnum):
    """What came of an attempt."""

    REACHED = "reached"
    NOT_REACHED = "not_reached"
    REFUSED = "refused"
    WRONG_NUMBER = "wrong_number"
    """The number or address is not the consignee's: nobody was tried, so it does not count."""
    OUT_OF_BUSINESS = "out_of_business"
    CALLED_BACK = "called_back"


class DocumentedKind(StrEnum):
    """Why a consignee counts as done without an answer of its own."""

    NO_RESPONSE = "no_response"
    REFUSED = "refused"
    OUT_OF_BUSINESS = "out_of_business"


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt as far as the rule looks at it."""

    channel: str
    live: bool
    outcome: Outcome | None = None
    """None for a message we sent."""

    @property
    def counts(self) -> bool:
        """Whether the consignee itself was tried."""
        return self.outcome is not Outcome.WRONG_NUMBER


@dataclass(frozen=True, slots=True)
class Effort:
    """What was tried, as counted."""

    attempts: int
    channels: tuple[str, ...]
    live: int
    refused: int
    out_of_business: int


@dataclass(frozen=True, slots=True)
class Needed:
    """How much has to be tried before silence may be documented."""

    attempts: int = 3
    channels: int = 2
    live: int = 1


def strictest(rules: Iterable[Closing]) -> Needed:
    """What all of several policies together ask for; design §7's numbers where there is none."""
    given = list(rules)
    if not given:
        return Needed()
    return Needed(
        attempts=max(rule.attempts for rule in given),
        channels=max(rule.channels for rule in given),
        live=max(rule.live for rule in given),
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an entry: the field, and what was expected."""

    field: str
    expected: str


def effort(tried: Iterable[Tried]) -> Effort:
    """Count what counts."""
    counted = [each for each in tried if each.counts]
    return Effort(
        attempts=len(counted),
        channels=tuple(sorted({each.channel for each in counted})),
        live=sum(each.live for each in counted),
        refused=sum(each.outcome is Outcome.REFUSED and each.live for each in counted),
        out_of_business=sum(each.outcome is Outcome.OUT_OF_BUSINESS for each in counted),
    )


def missing(kind: DocumentedKind, made: Effort, evidence: int, needed: Needed) -> tuple[str, ...]:
    """What still has to be done before a consignee may be documented as `kind`; empty when it may be.

    Args:
        kind: the reason given.
        made: what was tried.
        evidence: number of files the account cites.
        needed: what the policies of the recall ask for.
    """
    if kind is DocumentedKind.OUT_OF_BUSINESS:
        return (
            () if evidence else ("a file that proves it is out of business (register entry, returned letter, photo)",)
        )
    if kind is DocumentedKind.REFUSED:
        return () if made.refused else ("a live attempt with the outcome refused, with person and number",)
    wanted = []
    if made.attempts < needed.attempts:
        wanted.append(f"{needed.attempts} attempts, {made.attempts} made")
    if len(made.channels) < needed.channels:
        wanted.append(f"{needed.channels} channels, tried by {', '.join(made.channels) or 'none'}")
    if made.live < needed.live:
        live = "one live attempt" if needed.live == 1 else f"{needed.live} live attempts"
        wanted.append(f"{live} by telephone or visit")
    return tuple(wanted)


def faults_of_attempt(
    *,
    channel: str,
    at: datetime,
    person: str | None,
    number: str | None,
    first_notice_at: datetime | None,
    now: datetime,
) -> tuple[Fault, ...]:
    """What makes an entry no attempt: it lies in the future or before the notice, or nobody can check it.

    `first_notice_at` is when the first notice went out to the consignee, or, where no address worked, when its
    campaign began; None when there was no notice at all.
    """
    faults = []
    if at > now:
        faults.append(Fault("at", f"expected an instant that has passed, not after {now.isoformat()}"))
    if first_notice_at is None:
        faults.append(Fault("at", "expected an instant after the first notice, which has not been sent yet"))
    elif at < first_notice_at:
        faults.append(Fault("at", f"expected an instant after the first notice of {first_notice_at.isoformat()}"))
    if channel in LIVE_CHANNELS:
        if not person:
            faults.append(Fault("person", f"expected who was spoken to or asked for: a {channel} attempt is live"))
        if not number:
            faults.append(Fault("number", "expected the telephone number dialled or the address visited"))
    return tuple(faults)
