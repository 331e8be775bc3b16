"""A file of costs: every row is checked before any is booked, and each reference is booked once per recall."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, costs, provisional_account
from db.repositories.costs import Cost
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from domain.costs import CostSource
from domain.disposition import Fault
from models.disposition import CostEntry

_LOOKUPS: Final[Mapping[str, str]] = {
    "lot": """
        SELECT DISTINCT ON (l.number) l.number AS code, l.id, count(*) OVER (PARTITION BY l.number) AS many
        FROM lot l WHERE l.number = ANY (CAST(:codes AS text[]))
          AND EXISTS (SELECT FROM scope_lot s WHERE s.recall_number = :number AND s.lot_id = l.id)
        ORDER BY l.number, l.id""",
    "consignee": """
        SELECT p.code, c.id, 1 AS many FROM consignee c JOIN partner p ON p.id = c.partner_id
        WHERE c.recall_number = :number AND p.code = ANY (CAST(:codes AS text[]))""",
    "location": """
        SELECT code, id, count(*) OVER (PARTITION BY code) AS many
        FROM location WHERE code = ANY (CAST(:codes AS text[])) AND CAST(:number AS text) IS NOT NULL""",
}
_EXPECTED: Final[Mapping[str, str]] = {
    "lot": "the number of a lot in the recall's scope",
    "consignee": "the partner code of a consignee of the recall",
    "location": "the code of a place on record",
}
_COMPARED: Final = (
    "kind",
    "amount",
    "currency",
    "incurred_on",
    "disposition_id",
    "lot_id",
    "consignee_id",
    "location_id",
    "cause",
    "quantity",
    "document_no",
    "company",
    "jurisdiction",
    "note",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """One row of a file, its values already of their types."""

    line: int
    """In the file; the titles are line 1."""
    reference: str
    """What the sender calls the entry: booked once per recall."""
    kind: str
    amount: Decimal
    currency: str
    incurred_on: date | None = None
    lot: str | None = None
    consignee: str | None = None
    location: str | None = None
    disposition: int | None = None
    cause: str | None = None
    quantity: Decimal | None = None
    document_no: str | None = None
    company: str | None = None
    jurisdiction: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file did."""

    booked: tuple[CostEntry, ...]
    already_there: int


async def load(session: AsyncSession, number: str, rows: Sequence[CostRow], file_sha256: str, who: Who) -> Imported:
    """Book the rows that are not on record yet; with one wrong row nothing is booked.

    Raises:
        DisposalRefused: `invalid_input` with a fault per wrong cell, field `rows/LINE/COLUMN`; `recall_unknown`.
    """
    await costs.open_for_booking(session, number)
    ids = {name: await _ids(session, number, name, rows) for name in _LOOKUPS}
    known = await _known(session, number, [_key(row) for row in rows])
    faults: list[Fault] = []
    new: list[CostEntry] = []
    seen: set[str] = set()
    for row in rows:
        found = await _row(session, number, row, ids, who)
        if row.reference in seen:
            found = [Fault("reference", "each reference once in a file")]
        seen.add(row.reference)
        if isinstance(found, list):
            faults += [Fault(f"rows/{row.line}/{each.field}", each.expected) for each in found]
        elif (before := known.get(_key(row))) is None:
            new.append(found)
        elif changed := _differences(before, found, row):
            told = f"what is on record as entry {before.id}, or another reference: {', '.join(changed)} differ"
            faults.append(Fault(f"rows/{row.line}/reference", told))
    if new:
        await provisional_account.must_be_open(session, number)
    if faults:
        raise DisposalRefused("invalid_input", f"{len(faults)} wrong cells; nothing was booked.", faults)
    session.add_all(new)
    await session.flush()
    data = {"file_sha256": file_sha256, "already_there": len(rows) - len(new)}
    entries = [
        audit.Entry(who.principal, who.role, "cost.booked", who.at, data=costs.audit_data(entry)) for entry in new
    ]
    done = audit.Entry(who.principal, who.role, "cost.imported", who.at, data=data | {"booked": len(new)})
    await audit.append_all(session, number, [*entries, done])
    return Imported(tuple(new), len(rows) - len(new))


def _key(row: CostRow) -> str:
    return f"import:{row.reference}"


async def _ids(session: AsyncSession, number: str, name: str, rows: Sequence[CostRow]) -> dict[str, int]:
    codes = sorted({code for row in rows if (code := getattr(row, name)) is not None})
    if not codes:
        return {}
    found = (await run(session, _LOOKUPS[name], {"number": number, "codes": codes})).mappings()
    return {row["code"]: row["id"] for row in found if row["many"] == 1}


async def _known(session: AsyncSession, number: str, keys: Sequence[str]) -> dict[str | None, CostEntry]:
    query = select(CostEntry).where(col(CostEntry.recall_number) == number, col(CostEntry.source_key).in_(keys))
    return {entry.source_key: entry for entry in (await session.exec(query)).all()}


async def _row(
    session: AsyncSession, number: str, row: CostRow, ids: Mapping[str, Mapping[str, int]], who: Who
) -> CostEntry | list[Fault]:
    named: dict[str, Any] = {}
    faults = []
    for name in _LOOKUPS:
        code = getattr(row, name)
        if code is not None and code not in ids[name]:
            faults.append(Fault(name, f"{_EXPECTED[name]}, and only one; got {code[:80]}"))
        named[f"{name}_id"] = ids[name].get(code) if code is not None else None
    if faults:
        return faults
    cost = Cost(
        kind=row.kind,
        amount=row.amount,
        currency=row.currency,
        disposition=row.disposition,
        cause=row.cause,
        quantity=row.quantity,
        document_no=row.document_no,
        company=row.company,
        jurisdiction=row.jurisdiction,
        incurred_on=row.incurred_on,
        note=row.note,
        **named,
    )
    try:
        entry = await costs.prepared(session, number, cost, who, source=CostSource.IMPORT, source_key=_key(row))
    except DisposalRefused as refused:
        return list(refused.faults)
    entry.request = f"{who.request[:80]}:{row.line}"
    return entry


def _differences(before: CostEntry, now: CostEntry, row: CostRow) -> list[str]:
    if row.incurred_on is None:
        # A row without a day means the day it was booked, not the day the file is sent again.
        now.incurred_on = before.booked_at.astimezone(UTC).date()
    return [name for name in _COMPARED if getattr(before, name) != getattr(now, name)]


__all__ = ["CostRow", "Imported", "load"]
