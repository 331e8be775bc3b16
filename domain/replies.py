"""A recipient's statement about one lot, checked against what was shipped to it (design §7).

A reply is a statement, not a count: it is stored as given, and what cannot be true opens a query to
the consignee. Zero is an answer, missing is not. `held` is the part of `on_hand` that was set aside,
so a lot is accounted for by on hand, used, passed on, and what is said to have been sent back or destroyed. Both of
these are words only: the mass balance waits for our dock's count and for the certificate. Whoever got what was passed
on has to be told as well, so every unit of it needs a receiver.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Quantity = Annotated[Decimal, Field(ge=0, allow_inf_nan=False, max_digits=18, decimal_places=6)]
"""An exact quantity in units of use, zero or more."""
Sum = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
"""What several quantities add up to: larger than any of them, and nobody's typing error to be refused."""
FIELDS = ("on_hand", "used", "held", "passed_on")


class LotStatement(BaseModel):
    """What the recipient states about one lot; None means "not answered"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lot: str = Field(min_length=1, max_length=600)
    """Key of the lot in the notice: its number, where needed with product and site."""
    on_hand: Quantity | None = None
    used: Quantity | None = None
    held: Quantity | None = None
    """Of those on hand, how many are set aside."""
    passed_on: Quantity | None = None
    returned: Quantity | None = None
    """Sent back, whether or not it has arrived; not every way in asks for it, so None is no gap."""
    destroyed: Quantity | None = None
    """Destroyed on site; None is no gap."""
    named: Sum = Decimal(0)
    """Units of those passed on for which the statement says who got them (21 CFR 7.49(d))."""


class Shipped(BaseModel):
    """What our records say went to this consignee of one lot, in units of use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: Sum
    """Net of returns that have reached our dock."""
    returned: Sum = Decimal(0)
    """Those returns: a recipient that states them does not state them twice."""
    last_shipped_on: date | None = None


class FindingKind(StrEnum):
    """What is wrong with, or missing from, a statement."""

    UNKNOWN_LOT = "unknown_lot"
    MORE_THAN_SHIPPED = "more_than_shipped"
    ZERO_AFTER_SHIPMENT = "zero_after_shipment"
    HELD_MORE_THAN_ON_HAND = "held_more_than_on_hand"
    STATED_TWICE = "stated_twice"
    MORE_NAMED_THAN_PASSED_ON = "more_named_than_passed_on"
    RECEIVER_NOT_NAMED = "receiver_not_named"
    NOT_ANSWERED = "not_answered"
    LESS_THAN_SHIPPED = "less_than_shipped"
    NOT_HELD = "not_held"


class Severity(StrEnum):
    """What a finding leads to."""

    IMPOSSIBLE = "impossible"
    """Cannot be true: a query to the consignee is opened and the statement counts as unanswered."""
    WARNING = "warning"
    """Unlikely: a query is opened, too."""
    MISSING = "missing"
    """Not answered: the statement is incomplete."""
    NOTE = "note"
    """Possible and of interest to the mass balance; nobody is asked."""


class Finding(BaseModel):
    """One finding about one lot of a statement."""

    model_config = ConfigDict(frozen=True)

    lot: str
    kind: FindingKind
    severity: Severity
    message: str

    @property
    def opens_query(self) -> bool:
        """Whether the consignee is asked again."""
        return self.severity in (Severity.IMPOSSIBLE, Severity.WARNING)


def check_statement(
    statements: Sequence[LotStatement],
    shipped: Mapping[str, Shipped],
    stated_on: date,
    recent: timedelta = timedelta(days=14),
) -> tuple[Finding, ...]:
    """Every finding about a recipient's statement, lots in the order of the notice.

    Args:
        statements: one entry per lot stated.
        shipped: per lot of the notice to this consignee, what was shipped.
        stated_on: day of the statement at the consignee.
        recent: zero pieces this soon after a shipment are not believed without asking.
    """
    findings: list[Finding] = []
    by_lot: dict[str, LotStatement] = {}
    for statement in statements:
        if statement.lot not in shipped:
            findings.append(_unknown(statement))
        elif statement.lot in by_lot:
            findings.append(_found(statement.lot, FindingKind.STATED_TWICE, Severity.IMPOSSIBLE, "stated twice"))
        else:
            by_lot[statement.lot] = statement
    for lot, sent in shipped.items():
        findings.extend(_check_lot(by_lot.get(lot, LotStatement(lot=lot)), sent, stated_on, recent))
    return tuple(findings)


def accounted(statement: LotStatement, counted: Decimal = Decimal(0)) -> Decimal:
    """Units the statement accounts for; answers not given count as nothing.

    Args:
        statement: about one lot.
        counted: returns already counted at our dock; the quantity it is compared with is net of them.
    """
    nothing = Decimal(0)
    present = max(statement.on_hand or nothing, statement.held or nothing)
    under_way = max((statement.returned or nothing) - counted, nothing)
    gone = (statement.used or nothing) + (statement.passed_on or nothing) + (statement.destroyed or nothing)
    return present + under_way + gone


def is_settled(findings: Sequence[Finding]) -> bool:
    """Whether the statement counts as an answer: complete and nothing left to ask."""
    return all(finding.severity == Severity.NOTE for finding in findings)


def _check_lot(statement: LotStatement, sent: Shipped, stated_on: date, recent: timedelta) -> list[Finding]:
    lot, total = statement.lot, accounted(statement, sent.returned)
    missing = [name for name in FIELDS if getattr(statement, name) is None]
    found = []
    if missing:
        text = f"no answer for {', '.join(name.replace('_', ' ') for name in missing)}"
        found.append(_found(lot, FindingKind.NOT_ANSWERED, Severity.MISSING, text))
    if statement.on_hand is not None and (statement.held or 0) > statement.on_hand:
        text = f"{_n(statement.held)} set aside of {_n(statement.on_hand)} on hand"
        found.append(_found(lot, FindingKind.HELD_MORE_THAN_ON_HAND, Severity.WARNING, text))
    if statement.passed_on is not None:
        found.extend(_check_receivers(lot, statement.passed_on, statement.named))
    if total > sent.quantity:
        text = f"{_n(total)} stated, but {_n(sent.quantity)} shipped"
        found.append(_found(lot, FindingKind.MORE_THAN_SHIPPED, Severity.IMPOSSIBLE, text))
    elif not missing:
        found.extend(_check_balance(statement, sent, stated_on, recent))
    return found


def _check_receivers(lot: str, passed_on: Decimal, named: Decimal) -> list[Finding]:
    """Whoever is not named is not told, so units without a receiver are no answer."""
    if named > passed_on:
        text = f"{_n(passed_on)} stated as passed on, but receivers of {_n(named)} named"
        return [_found(lot, FindingKind.MORE_NAMED_THAN_PASSED_ON, Severity.IMPOSSIBLE, text)]
    if named < passed_on:
        text = f"nobody named as receiver of {_n(passed_on - named)} of {_n(passed_on)} passed on"
        return [_found(lot, FindingKind.RECEIVER_NOT_NAMED, Severity.WARNING, text)]
    return []


def _check_balance(statement: LotStatement, sent: Shipped, stated_on: date, recent: timedelta) -> list[Finding]:
    lot, total, found = statement.lot, accounted(statement, sent.returned), []
    if total == 0 and sent.quantity > 0 and _is_recent(sent, stated_on, recent):
        text = f"nothing accounted for, but {_n(sent.quantity)} shipped, last on {sent.last_shipped_on}"
        found.append(_found(lot, FindingKind.ZERO_AFTER_SHIPMENT, Severity.WARNING, text))
    elif total < sent.quantity:
        text = f"{_n(sent.quantity - total)} of {_n(sent.quantity)} shipped are not accounted for"
        found.append(_found(lot, FindingKind.LESS_THAN_SHIPPED, Severity.NOTE, text))
    if (statement.held or 0) < (statement.on_hand or 0):
        open_units = (statement.on_hand or Decimal(0)) - (statement.held or Decimal(0))
        text = f"{_n(open_units)} on hand are not set aside yet"
        found.append(_found(lot, FindingKind.NOT_HELD, Severity.NOTE, text))
    return found


def _is_recent(sent: Shipped, stated_on: date, recent: timedelta) -> bool:
    # A shipment of unknown date is asked about: not knowing must not silence the question.
    return sent.last_shipped_on is None or stated_on - sent.last_shipped_on <= recent


def _unknown(statement: LotStatement) -> Finding:
    text = "this lot was not shipped to this consignee under this recall"
    return _found(statement.lot, FindingKind.UNKNOWN_LOT, Severity.IMPOSSIBLE, text)


def _found(lot: str, kind: FindingKind, severity: Severity, text: str) -> Finding:
    return Finding(lot=lot, kind=kind, severity=severity, message=f"lot {lot}: {text}")


def _n(quantity: Decimal | None) -> str:
    text = format(quantity or Decimal(0), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
