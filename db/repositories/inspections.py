"""Inspections of lots, and whether the release gate may open by them: what the policies ask for, passed, lot by lot.

The newest inspection of a kind counts, that of the place before that of the whole lot only if it is newer. A failed one
that nothing newer of its kind has passed keeps the gate shut whether a policy asks for the kind or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, evidence, scope_lots
from db.repositories.approvals import Beside, beside
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from domain.disposition import DispositionKind, Fault
from domain.expressions import holds
from domain.policy_disposition import InspectionKind
from models.disposal_proof import LotInspection
from models.disposition import Disposition

_NEWEST = """
SELECT DISTINCT ON (i.lot_id, w.location_id, i.kind) i.lot_id, w.location_id, i.kind, i.passed, i.report_no
FROM unnest(CAST(:lot_ids AS bigint[]), CAST(:location_ids AS bigint[])) AS w(lot_id, location_id)
JOIN lot_inspection i ON i.recall_number = :number AND i.lot_id = w.lot_id
     AND (i.location_id IS NULL OR i.location_id = w.location_id)
ORDER BY i.lot_id, w.location_id, i.kind, i.inspected_at DESC, i.id DESC
"""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What somebody states about an inspection."""

    lot_id: int
    location_id: int | None
    kind: InspectionKind
    passed: bool
    criterion: str
    sampled: Decimal | None
    report_no: str
    inspected_by: str
    inspected_at: datetime
    evidence_ids: tuple[str, ...]


async def record(session: AsyncSession, number: str, stated: Inspected, who: Who) -> LotInspection:
    """Put an inspection on record with its report; the same request again returns the first.

    Raises:
        DisposalRefused: the lot is not of this recall, the report is missing, or the time is still to come.
        EvidenceUnusable: a file cannot be cited.
    """
    await lock_recalls(session, [number])
    known = select(LotInspection).where(col(LotInspection.request) == who.request)
    if (before := (await session.exec(known)).one_or_none()) is not None:
        return before
    if not await scope_lots.is_of_recall(session, number, stated.lot_id):
        raise invalid(Fault("lot_id", f"a lot of the recall {number}"))
    if stated.location_id is not None and not await _is_ours(session, stated.location_id):
        raise invalid(Fault("location_id", "a place of ours"))
    if stated.inspected_at > who.at:
        raise invalid(Fault("inspected_at", "an instant that has passed"))
    if not stated.evidence_ids:
        raise invalid(Fault("evidence_ids", "the report of the inspection"))
    row = LotInspection(
        recall_number=number,
        lot_id=stated.lot_id,
        location_id=stated.location_id,
        kind=stated.kind.value,
        passed=stated.passed,
        criterion=stated.criterion,
        sampled=stated.sampled,
        report_no=stated.report_no,
        inspected_by=stated.inspected_by,
        inspected_at=stated.inspected_at,
        request=who.request,
        recorded_by=who.principal,
        recorded_at=who.at,
    )
    session.add(row)
    await session.flush()
    await evidence.link(
        session, number, stated.evidence_ids, f"inspection:{row.id}", by=who.principal, at=who.at, role=who.role
    )
    data = {
        "inspection": row.id,
        "lot": row.lot_id,
        "location": row.location_id,
        "kind": row.kind,
        "passed": row.passed,
        "report_no": row.report_no,
    }
    await audit.append(
        session, number, actor=who.principal, role=who.role, action="lot.inspected", at=who.at, data=data
    )
    return row


async def _is_ours(session: AsyncSession, location_id: int) -> bool:
    query = "SELECT EXISTS (SELECT FROM location WHERE id = :id AND custody <> 'customer')"
    return bool((await run(session, query, {"id": location_id})).scalar_one())


async def listed(
    session: AsyncSession, number: str, *, lot_id: int | None, after: int, limit: int
) -> Sequence[LotInspection]:
    """Inspections under a recall, oldest first."""
    query = select(LotInspection).where(col(LotInspection.recall_number) == number, col(LotInspection.id) > after)
    if lot_id is not None:
        query = query.where(col(LotInspection.lot_id) == lot_id)
    return (await session.exec(query.order_by(col(LotInspection.id)).limit(limit))).all()


async def lacking(session: AsyncSession, number: str, rows: Sequence[Disposition]) -> dict[int, list[str]]:
    """Number of each release that may not pass the gate -> what is missing, in words; other kinds are not looked at."""
    releases = [row for row in rows if row.kind == DispositionKind.release.value]
    if not releases:
        return {}
    rules = await beside(session, number, releases)
    places = sorted({(row.lot_id, row.location_id or 0) for row in releases})
    binds = {"number": number, "lot_ids": [lot for lot, _ in places], "location_ids": [place for _, place in places]}
    newest: dict[tuple[int, int], dict[str, tuple[bool, str]]] = {}
    for found in await run(session, _NEWEST, binds):
        newest.setdefault((found.lot_id, found.location_id), {})[found.kind] = (found.passed, found.report_no)
    lists = {
        row.sequence: _faults(_asked(rules, row), newest.get((row.lot_id, row.location_id or 0), {}))
        for row in releases
    }
    return {sequence: faults for sequence, faults in lists.items() if faults}


async def require(session: AsyncSession, number: str, rows: Sequence[Disposition]) -> None:
    """That the gate may open for these dispositions.

    Raises:
        DisposalRefused: an inspection is missing or failed; says of which lot and kind.
    """
    found = await lacking(session, number, rows)
    if found:
        shown = "; ".join(
            f"disposition {sequence}: {', '.join(faults)}" for sequence, faults in list(found.items())[:20]
        )
        raise DisposalRefused("conflict", f"The release gate stays shut: {shown}.")


def _asked(rules: Beside, row: Disposition) -> list[InspectionKind]:
    about = {"disposition": row.kind, "value": row.quantity * rules.prices.get(row.lot_id, Decimal(0))}
    asked: dict[InspectionKind, None] = {}
    for policy in rules.policies:
        facts = rules.state.facts_for(policy.id).model_copy(update=about)
        for check in policy.release.checks if policy.release else ():
            if holds(check.when, facts):
                asked |= dict.fromkeys(check.inspections)
    return list(asked)


def _faults(asked: Sequence[InspectionKind], newest: Mapping[str, tuple[bool, str]]) -> list[str]:
    missing = [f"no {kind.value} inspection is on record" for kind in asked if kind.value not in newest]
    failed = [f"the {kind} inspection failed ({report})" for kind, (passed, report) in newest.items() if not passed]
    return missing + failed


__all__ = ["Inspected", "lacking", "listed", "record", "require"]
