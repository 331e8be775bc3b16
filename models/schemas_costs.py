"""HTTP contracts of money: cost entries, suggestions, imports, reports, exchange rates, account mapping, journals."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from domain.capa import CauseCategory
from domain.costs import CostKind, CostSource
from domain.journal import Side
from models.money import MappingState
from models.schemas_common import Code, In, Line, Out, Page, Reason, Units
from models.schemas_disposition import Amount, DocumentNo, Id


def _exact(value: object) -> object:
    if isinstance(value, float | int) and not isinstance(value, bool):
        raise ValueError('send the amount as text, such as "1250.40": JSON numbers lose cents')
    return value


def _money(value: Decimal) -> str:
    return f"{value.normalize():f}" if value == value.to_integral_value() else f"{value:f}".rstrip("0")


MoneyText = Annotated[
    Decimal,
    BeforeValidator(_exact, json_schema_input_type=str),
    Field(allow_inf_nan=False, max_digits=18, decimal_places=4, examples=["1250.40"]),
]
Money = Annotated[Decimal, PlainSerializer(_money, return_type=str, when_used="json")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
"""ISO 4217."""
Account = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._/ -]{0,39}$", examples=["6810"])]
ShortCode = Annotated[Code, Field(max_length=40)]


class CostIn(In):
    """Money spent (positive) or credited to us (negative), and what it belongs to."""

    kind: CostKind
    amount: MoneyText
    currency: Currency
    disposition: Id | None = None
    """Number of the disposition it belongs to; lot and place are the disposition's unless they are named."""
    lot_id: Id | None = None
    consignee_id: Id | None = None
    location_id: Id | None = None
    """Place of ours; never together with a consignee."""
    cause: CauseCategory | None = None
    """Without one the cause of the recall's CAPA counts, where all its CAPAs name the same."""
    quantity: Amount | None = None
    document_no: DocumentNo | None = None
    company: Code | None = None
    """Legal entity that bears it; a key of the account mapping."""
    jurisdiction: ShortCode | None = None
    incurred_on: date | None = None
    """Posting date, the day of exchange rate and accounts; today (UTC) if left out."""
    note: Annotated[Line, Field(max_length=200)] | None = None


class CostOut(Out):
    """One entry; wrong ones are reversed, never changed."""

    id: int
    kind: str
    amount: Money
    currency: str
    disposition_id: int | None
    lot_id: int | None
    consignee_id: int | None
    location_id: int | None
    cause: str | None
    quantity: Units | None
    document_no: str | None
    company: str | None
    jurisdiction: str | None
    incurred_on: date
    source: CostSource
    note: str | None
    reverses_id: int | None
    booked_by: str
    booked_at: datetime


class CostsOut(Page[CostOut]):
    """Entries, and the sum of all of them per currency."""

    totals: dict[str, Money]


class CostProposalOut(Out):
    """A cost that a carried-out part of a disposition suggests: its units times the product's unit value."""

    part_id: int
    disposition: int
    kind: CostKind
    amount: Money
    currency: str
    quantity: Units
    unit_value: Units
    lot_id: int
    lot_number: str
    consignee_id: int
    consignee_code: str
    document_no: str | None


class ConfirmCostIn(In):
    """Book what is suggested."""

    amount: MoneyText | None = None
    """Another amount, in the suggestion's currency."""
    note: Annotated[Line, Field(max_length=200)] | None = None


class CostsImported(Out):
    """What a file of costs did."""

    booked: int
    already_there: int
    """Rows whose reference is on record with the same values."""
    totals: dict[str, Money]
    """Of what was booked now, per currency."""


class CostGroupOut(Out):
    """One row of a cost report."""

    key: str
    sums: dict[str, Money]
    """Per currency, exact; never over two currencies."""
    converted: Money | None
    """In the currency asked for, by stated rates; null without one, or while a rate is missing."""
    without_rate: int
    """Entries that have no stated rate on or before their day."""
    entries: int


class RateOut(Out):
    """An exchange rate as stated."""

    id: int
    currency: str
    base: str
    rate: Units
    """Units of `base` for one unit of `currency`."""
    valid_on: date
    source: str


class CostReportOut(Out):
    """What the recall costs."""

    total: CostGroupOut
    by_kind: list[CostGroupOut]
    by_site: list[CostGroupOut]
    """Partner code of the consignee, or code of the place of ours."""
    by_cause: list[CostGroupOut]
    by_lot: list[CostGroupOut]
    distributed: Units
    """Units of use, by the mass balance."""
    recovered: Units
    """Returned, destroyed, corrected, replaced or released at consignees, as counted or proven."""
    per_distributed: dict[str, Money] | None
    """Cost of one unit per currency, to four places; null where there is no unit."""
    per_recovered: dict[str, Money] | None
    converted_to: str | None
    rates: list[RateOut]
    """Rates the conversion used."""


class RateIn(In):
    """What one unit of a currency is worth on a day, by whom."""

    currency: Currency
    base: Currency
    rate: Annotated[
        Decimal,
        BeforeValidator(_exact, json_schema_input_type=str),
        Field(gt=0, allow_inf_nan=False, max_digits=20, decimal_places=10, examples=["1.0842"]),
    ]
    """Units of `base` for one unit of `currency`, as text."""
    valid_on: date
    source: Line
    """For example "ECB euro reference rate"."""


class StatedRateOut(RateOut):
    """A rate on record."""

    recorded_by: str
    recorded_at: datetime


class AccountRuleIn(In):
    """Accounts for a kind of cost from a day on; keys left out fit everything. Without accounts: ends the mapping."""

    kind: CostKind
    company: Code | None = None
    jurisdiction: ShortCode | None = None
    family: Code | None = None
    """Product family."""
    debit: Account | None = None
    credit: Account | None = None
    cost_centre: Account | None = None
    valid_from: date
    valid_until: date | None = None
    """Last day."""
    note: Annotated[Line, Field(max_length=200)] | None = None


class AccountRuleOut(Out):
    """A row of the account mapping; only an approved one counts."""

    id: int
    kind: CostKind
    company: str | None
    jurisdiction: str | None
    family: str | None
    debit: str | None
    credit: str | None
    cost_centre: str | None
    valid_from: date
    valid_until: date | None
    note: str | None
    state: MappingState
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


class RejectRuleIn(In):
    """Why a row is not approved."""

    reason: Annotated[Reason, Field(max_length=500)]


class UnmappedOut(Out):
    """An entry without accounts."""

    entry: int
    kind: str
    missing: str


class LineOut(Out):
    """One side of a cost entry."""

    line_id: str | None
    """Recall, journal, line; never changes. Null in a draft."""
    posted_on: date
    account: str
    cost_centre: str | None
    side: Side
    amount: Money
    currency: str
    kind: str
    cost_entry: int
    reverses_entry: int | None
    document_no: str | None


class JournalDraftOut(Out):
    """What the next journal would hold, at most 1,000 entries shown; `entries` counts all."""

    entries: int
    totals: dict[str, Money]
    lines: list[LineOut]
    unmapped: list[UnmappedOut]


class CloseJournalIn(In):
    """Close the next journal."""

    leave_unmapped: bool = False
    """Leave entries without accounts to a later journal; otherwise they keep this one from being closed."""
    note: Annotated[Line, Field(max_length=200)] | None = None


class JournalOut(Out):
    """A closed journal."""

    sequence: int
    name: str
    line_count: int
    totals: dict[str, str]
    """What each side sums to, per currency."""
    sha256: str
    """Of the journal as CSV."""
    left_open: int
    note: str | None
    closed_by: str
    closed_at: datetime


class JournalWithLines(JournalOut):
    """A closed journal with its lines."""

    lines: list[LineOut]


__all__ = [
    "AccountRuleIn",
    "AccountRuleOut",
    "CloseJournalIn",
    "ConfirmCostIn",
    "CostGroupOut",
    "CostIn",
    "CostOut",
    "CostProposalOut",
    "CostReportOut",
    "CostsImported",
    "CostsOut",
    "Currency",
    "JournalDraftOut",
    "JournalOut",
    "JournalWithLines",
    "LineOut",
    "Money",
    "MoneyText",
    "RateIn",
    "RateOut",
    "RejectRuleIn",
    "ShortCode",
    "StatedRateOut",
    "UnmappedOut",
]
