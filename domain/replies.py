"""A recipient's statement about one lot, checked against what was shipped to it (design §7).

A reply is a statement, not a count: it is stored as given, and what cannot be true opens a query to
the consignee. Zero is an answer, missing is not. `held` is the part of `on_hand` that was set aside,
so a lot is accounted for by on hand, used and passed on.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Quantity = Annotated[Decimal, Field(ge=0, allow_inf_nan=False, max_digits=18, decimal_places=6)]
"""An exact quantity in units of use, zero or more."""
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


class Shipped(BaseModel):
    """What our records say went to this consignee of one lot, in units of use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: Quantity
    """Net of returns that have reached our dock."""
    last_shipped_on: date | None = None


class FindingKind(StrEnum):
    """What is wrong with, or missing from, a statement."""

    UNKNOWN_LOT = "unknown_lot"
    MORE_THAN_SHIPPED = "more_than_shipped"
    ZERO_AFTER_SHIPMENT = "zero_after_shipment"
    HELD_MORE_THAN_ON_HAND = "held_more_than_on_hand"
    STATED_TWICE = "stated_twice"
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


def accounted(statement: LotStatement) -> Decimal:
    """Units the statement accounts for; answers not given count as nothing."""
    present = max(statement.on_hand or Decimal(0), statement.held or Decimal(0))
    return present + (statement.used or Decimal(0)) + (statement.passed_on or Decimal(0))


def is_settled(findings: Sequence[Finding]) -> bool:
    """Whether the statement counts as an answer: complete and nothing left to ask."""
    return all(finding.severity == Severity.NOTE for finding in findings)


def _check_lot(statement: LotStatement, sent: Shipped, stated_on: date, recent: timedelta) -> list[Finding]:
    lot, total = statement.lot, accounted(statement)
    missing = [name for name in FIELDS if getattr(statement, name) is None]
    found = []
    if missing:
        text = f"no answer for {', '.join(name.replace('_', ' ') for name in missing)}"
        found.append(_found(lot, FindingKind.NOT_ANSWERED, Severity.MISSING, text))
    if statement.on_hand is not None and (statement.held or 0) > statement.on_hand:
        text = f"{_n(statement.held)} set aside of {_n(statement.on_hand)} on hand"
        found.append(_found(lot, FindingKind.HELD_MORE_THAN_ON_HAND, Severity.WARNING, text))
    if total > sent.quantity:
        text = f"{_n(total)} stated, but {_n(sent.quantity)} shipped"
        found.append(_found(lot, FindingKind.MORE_THAN_SHIPPED, Severity.IMPOSSIBLE, text))
    elif not missing:
        found.extend(_check_balance(statement, sent, stated_on, recent))
    return found


def _check_balance(statement: LotStatement, sent: Shipped, stated_on: date, recent: timedelta) -> list[Finding]:
    lot, total, found = statement.lot, accounted(statement), []
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
