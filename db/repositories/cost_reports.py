"""What a recall costs, by kind, site, cause, lot and unit: per currency, and in one currency by stated rates only.

Every sum is over the entries themselves, reversals included. Where a conversion lacks a rate, the entries without one
are counted and there is no converted total.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import exchange_rates, mass_balance
from domain.costs import EARLIER_NAMES, per_unit
from domain.exchange import Rate, convert
from domain.mass_balance import Terms, total

_ROWS: Final = """
WITH caused AS (
    SELECT CASE WHEN count(DISTINCT cause_category) = 1 THEN max(cause_category) END AS cause
    FROM capa WHERE recall_number = :number
)
SELECT e.kind, e.currency, e.incurred_on, coalesce(e.cause, caused.cause) AS cause,
       coalesce(partner.code, location.code) AS site, lot.number AS lot, e.amount AS each, count(*) AS entries
FROM cost_entry e CROSS JOIN caused
LEFT JOIN consignee c ON c.id = e.consignee_id LEFT JOIN partner ON partner.id = c.partner_id
LEFT JOIN location ON location.id = e.location_id
LEFT JOIN lot ON lot.id = e.lot_id
WHERE e.recall_number = :number
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
"""Entries of the same amount, day and attribution together: each is converted and rounded by itself."""
NOT_ATTRIBUTED: Final = "not attributed"
RECOVERED: Final = (
    "returned",
    "returned_to_maker",
    "destroyed_in_place",
    "corrected",
    "released",
    "replaced",
)
"""Terms of the mass balance that a unit was got back under control by."""
GROUPS: Final = ("kind", "site", "cause", "lot")


@dataclass(frozen=True, slots=True)
class Group:
    """One row of a report."""

    key: str
    sums: Mapping[str, Decimal]
    """Per currency, exact."""
    converted: Decimal | None
    """In the currency asked for; None where none was, or a rate is missing."""
    without_rate: int
    """Entries that have no stated rate."""
    entries: int


@dataclass(frozen=True, slots=True)
class Report:
    """The costs of a recall as they stand."""

    total: Group
    by: Mapping[str, tuple[Group, ...]]
    distributed: Decimal
    recovered: Decimal
    per_distributed: dict[str, Decimal] | None
    """Cost of one unit per currency; None where no unit was distributed."""
    per_recovered: dict[str, Decimal] | None
    converted_to: str | None
    rates: tuple[Rate, ...]
    """Stated rates the conversion used."""


async def report(session: AsyncSession, number: str, into: str | None = None) -> Report:
    """All groups at once; `into`: also in this currency, by the rates on record."""
    rows = [dict(row) for row in (await run(session, _ROWS, {"number": number})).mappings()]
    for row in rows:
        row["kind"] = EARLIER_NAMES.get(row["kind"], row["kind"])
        row["amount"] = row["each"] * row["entries"]
    known: list[Rate] = []
    if into is not None:
        known = await exchange_rates.between(session, into, {row["currency"] for row in rows})
    used: dict[int, Rate] = {}
    for row in rows:
        row["converted"] = _converted(row, into, known, used)
    by = {name: _grouped(rows, name, into) for name in GROUPS}
    whole = _group("total", rows, into)
    terms = total(lot.terms for lot in (await mass_balance.balance(session, number)).lots)
    recovered = recovered_units(terms)
    return Report(
        total=whole,
        by=by,
        distributed=terms.distributed,
        recovered=recovered,
        per_distributed=per_unit(whole.sums, terms.distributed),
        per_recovered=per_unit(whole.sums, recovered),
        converted_to=into,
        rates=tuple(used[key] for key in sorted(used)),
    )


def recovered_units(terms: Terms) -> Decimal:
    """Units that came back, were destroyed, corrected, replaced or released at consignees."""
    return sum((getattr(terms, name) for name in RECOVERED), Decimal(0))


def _converted(row: Mapping[str, Any], into: str | None, known: list[Rate], used: dict[int, Rate]) -> Decimal | None:
    if into is None:
        return None
    day: date = row["incurred_on"]
    entries: int = row["entries"]
    found = convert(row["each"], row["currency"], into, day, known)
    if found is None:
        return None
    if found.rate is not None:
        used[found.rate.id] = found.rate
    return found.amount * entries


def _grouped(rows: list[dict[str, Any]], name: str, into: str | None) -> tuple[Group, ...]:
    keys: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        keys.setdefault(row[name] or NOT_ATTRIBUTED, []).append(row)
    return tuple(_group(key, keys[key], into) for key in sorted(keys))


def _group(key: str, rows: list[dict[str, Any]], into: str | None) -> Group:
    sums: dict[str, Decimal] = {}
    for row in rows:
        sums[row["currency"]] = sums.get(row["currency"], Decimal(0)) + row["amount"]
    without = sum(row["entries"] for row in rows if into is not None and row["converted"] is None)
    whole = into is not None and not without
    converted = sum((row["converted"] for row in rows), Decimal(0)) if whole else None
    return Group(key, dict(sorted(sums.items())), converted, without, sum(row["entries"] for row in rows))


__all__ = ["GROUPS", "NOT_ATTRIBUTED", "RECOVERED", "Group", "Report", "recovered_units", "report"]
