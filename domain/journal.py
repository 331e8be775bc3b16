"""Journal entries: each cost entry becomes one debit and one credit line of the same amount, in one closed journal.

A credit (negative) and a reversal swap the sides, amounts stay positive. A reversal takes the accounts of what it
reverses. Within a journal debits equal credits per currency, checked here and by the database. The CSV of a journal
follows from its lines alone; its SHA-256 is in the audit.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from domain.lots_csv import sheet_cell


class Side(StrEnum):
    """Of a journal line."""

    DEBIT = "debit"
    CREDIT = "credit"


class UnbalancedError(ValueError):
    """Debits and credits of a journal differ in a currency."""


@dataclass(frozen=True, slots=True)
class Posting:
    """A cost entry with its accounts."""

    entry_id: int
    amount: Decimal
    currency: str
    kind: str
    debit: str
    credit: str
    cost_centre: str | None
    rule_id: int | None
    posted_on: date
    document_no: str | None
    reverses_entry_id: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `id` never changes: recall, journal, line."""

    id: str
    line_no: int
    entry_id: int
    side: Side
    account: str
    cost_centre: str | None
    amount: Decimal
    currency: str
    kind: str
    rule_id: int | None
    posted_on: date
    document_no: str | None
    reverses_entry_id: int | None


COLUMNS: Final = (
    "line_id",
    "journal",
    "posted_on",
    "account",
    "cost_centre",
    "side",
    "amount",
    "currency",
    "kind",
    "cost_entry",
    "reverses_entry",
    "document_no",
)


def journal_name(number: str, sequence: int) -> str:
    """`RC-2026-000001-J0003`."""
    return f"{number}-J{sequence:04d}"


def lines(number: str, sequence: int, postings: Iterable[Posting]) -> list[Line]:
    """The lines of a journal, two per entry, debit first.

    Raises:
        ValueError: an amount of 0, or one account on both sides.
    """
    found: list[Line] = []
    for posting in postings:
        if posting.amount == 0 or posting.debit == posting.credit:
            raise ValueError(f"entry {posting.entry_id}: expected an amount other than 0 and two accounts")
        debit, credit = posting.debit, posting.credit
        if posting.amount < 0:
            debit, credit = credit, debit
        for side, account in ((Side.DEBIT, debit), (Side.CREDIT, credit)):
            number_of = len(found) + 1
            found.append(
                Line(
                    id=f"{journal_name(number, sequence)}-{number_of:06d}",
                    line_no=number_of,
                    entry_id=posting.entry_id,
                    side=side,
                    account=account,
                    cost_centre=posting.cost_centre,
                    amount=abs(posting.amount),
                    currency=posting.currency,
                    kind=posting.kind,
                    rule_id=posting.rule_id,
                    posted_on=posting.posted_on,
                    document_no=posting.document_no,
                    reverses_entry_id=posting.reverses_entry_id,
                )
            )
    balance(found)
    return found


def balance(journal: Sequence[Line]) -> dict[str, Decimal]:
    """What each side of a journal sums to, per currency.

    Raises:
        UnbalancedError: the sides differ in a currency.
    """
    debit: dict[str, Decimal] = {}
    credit: dict[str, Decimal] = {}
    for line in journal:
        side = debit if line.side is Side.DEBIT else credit
        side[line.currency] = side.get(line.currency, Decimal(0)) + line.amount
    if debit != credit:
        raise UnbalancedError(f"debit {_shown(debit)} and credit {_shown(credit)} differ")
    return dict(sorted(debit.items()))


def _shown(sums: dict[str, Decimal]) -> str:
    return ", ".join(f"{amount:f} {currency}" for currency, amount in sorted(sums.items())) or "nothing"


def csv_text(name: str, journal: Sequence[Line]) -> str:
    """The journal as CSV (RFC 4180, UTF-8, point as decimal separator); the same lines give the same bytes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in journal:
        writer.writerow(
            (
                line.id,
                name,
                line.posted_on.isoformat(),
                sheet_cell(line.account),
                sheet_cell(line.cost_centre or ""),
                line.side.value,
                money_text(line.amount),
                line.currency,
                line.kind,
                line.entry_id,
                line.reverses_entry_id or "",
                sheet_cell(line.document_no or ""),
            )
        )
    return out.getvalue()


def money_text(amount: Decimal) -> str:
    """An amount as exact decimal text without trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def sha256_of(text: str) -> str:
    """Hash of an exported journal, over its UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


__all__ = [
    "COLUMNS",
    "Line",
    "Posting",
    "Side",
    "UnbalancedError",
    "balance",
    "csv_text",
    "journal_name",
    "lines",
    "money_text",
    "sha256_of",
]
