"""Inspections of lots, and whether the release gate may open by them: what the policies ask for, passed, lot by lot.

The newest inspection of a kind counts, that of the place before that of the whole lot only if it is newer. A failed one
that nothing newer of its kind has passed keeps the gate shut whether a policy asks for the kind or not, under whichever
recall it failed; what passed under another recall answers no question of this one. Quality's decision on a
nonconformity hold, while its nonconformity is open, is not released against either.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

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
from domain.nonconformity import NcDisposition
from domain.policy_disposition import InspectionKind
from models.disposal_proof import LotInspection
from models.disposition import Disposition

_NEWEST: Final = """
SELECT DISTINCT ON (i.lot_id, w.location_id, i.kind, i.recall_number)
       i.lot_id, w.location_id, i.kind, i.recall_number, i.passed, i.report_no, i.inspected_at, i.id
FROM unnest(CAST(:lot_ids AS bigint[]), CAST(:location_ids AS bigint[])) AS w(lot_id, location_id)
JOIN lot_inspection i ON i.lot_id = w.lot_id AND (i.location_id IS NULL OR i.location_id = w.location_id)
WHERE i.recall_number IN (SELECT r.number FROM recall r JOIN recall m ON m.drill = r.drill WHERE m.number = :number)
ORDER BY i.lot_id, w.location_id, i.kind, i.recall_number, i.inspected_at DESC, i.id DESC
"""
_DECIDED_OTHERWISE: Final = """
SELECT x.lot_id, x.nonconformity_number, x.disposition FROM nonconformity_link k
JOIN nonconformity n ON n.number = k.nonconformity_number AND n.state <> 'closed'
JOIN nonconformity_lot x ON x.nonconformity_number = n.number
WHERE k.recall_number = :number AND k.kind = 'hold' AND x.lot_id = ANY(CAST(:lot_ids AS bigint[]))
  AND x.taken_back_at IS NULL AND x.disposition IS NOT NULL
  AND (x.disposition <> 'use_as_is' OR x.second_by IS NULL)
ORDER BY x.nonconformity_number
"""
"""Lots about which quality decided something else than their use, or use without the second signature yet."""


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


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest inspection of a kind that a recall has of a lot at a place."""

    kind: str
    recall_number: str
    passed: bool
    report_no: str
    inspected_at: datetime
    id: int

    @property
    def turn(self) -> tuple[datetime, int]:
        """Which of two is the newer one."""
        return self.inspected_at, self.id


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
    newest: defaultdict[tuple[int, int], list[Newest]] = defaultdict(list)
    for lot_id, location_id, kind, *rest in await run(session, _NEWEST, binds):
        newest[lot_id, location_id].append(Newest(kind, *rest))
    decided: defaultdict[int, list[str]] = defaultdict(list)
    for lot_id, nonconformity, decision in await run(session, _DECIDED_OTHERWISE, binds):
        lacks = " without the second signature" if decision == NcDisposition.USE_AS_IS.value else ""
        decided[lot_id].append(f"{nonconformity} decides {decision}{lacks}")
    lists = {
        row.sequence: _faults(number, _asked(rules, row), newest[row.lot_id, row.location_id or 0])
        + decided[row.lot_id]
        for row in releases
    }
    return {sequence: faults for sequence, faults in lists.items() if faults}


async def require(session: AsyncSession, number: str, rows: Sequence[Disposition]) -> None:
    """That the gate may open for these dispositions.

    Raises:
        DisposalRefused: an inspection is missing or failed, or quality decided otherwise; says of which and what.
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


def _faults(number: str, asked: Sequence[InspectionKind], newest: Sequence[Newest]) -> list[str]:
    own = {each.kind: each for each in newest if each.recall_number == number}
    missing = [f"no {kind.value} inspection is on record" for kind in asked if kind.value not in own]
    failed = []
    for each in newest:
        mine = own.get(each.kind)
        if each.passed or (mine and mine.passed and mine.turn > each.turn):
            continue
        under = f" under {each.recall_number}" if each.recall_number != number else ""
        failed.append(f"the {each.kind} inspection failed{under} ({each.report_no})")
    return missing + failed


__all__ = ["Inspected", "lacking", "listed", "record", "require"]
