"""A person looks at held units where they lie and counts them: the last step in the life of a hold.

The count changes nothing of the claim. Where it differs, a gap of the trace and a task say so until another count
agrees with what is held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, evidence, recalls, tasks
from db.repositories.hold_records import lock_recalls
from domain.phases import FINAL_PHASES, Phase
from domain.policy_parts import HumanStep
from domain.workflow_ids import recall_id
from models.hold import Hold
from models.keeper_hold import HoldCheck

_GAP: Final = """
INSERT INTO scope_gap (recall_number, scope_version, kind, detail)
SELECT h.recall_number, (SELECT max(v.scope_version) FROM scope_lot v WHERE v.recall_number = h.recall_number),
       'hold_count_differs', jsonb_build_object(
           'hold', h.id, 'lot_id', h.lot_id, 'lot', lot.number, 'product', product.code, 'site', place.code,
           'held', trim_scale(c.claimed)::text, 'counted', trim_scale(c.counted)::text, 'date', c.checked_at)
FROM hold_check c JOIN hold h ON h.id = c.hold_id JOIN location place ON place.id = h.location_id
JOIN lot ON lot.id = h.lot_id JOIN product ON product.id = lot.product_id
WHERE c.id = ANY(CAST(:checks AS bigint[])) AND c.counted <> c.claimed
  AND EXISTS (SELECT FROM scope_lot v WHERE v.recall_number = h.recall_number)
"""
_NO_GAP: Final = """
DELETE FROM scope_gap WHERE recall_number = :number AND kind = 'hold_count_differs'
   AND CAST(detail ->> 'hold' AS bigint) = ANY(CAST(:holds AS bigint[]))
"""
LAST: Final = """
SELECT h.id, k.keeper, k.held AS keeper_held, k.last_error AS keeper_error,
       c.counted, c.checked_at, c.checked_by, c.evidence_id,
       coalesce(c.turn = h.turn AND c.counted >= h.quantity AND c.counted = c.claimed, false) AS verified
FROM hold h
LEFT JOIN LATERAL (SELECT * FROM keeper_hold WHERE hold_id = h.id AND ended_at IS NULL
                   ORDER BY closing, generation DESC LIMIT 1) AS k ON true
LEFT JOIN LATERAL (SELECT * FROM hold_check WHERE hold_id = h.id ORDER BY id DESC LIMIT 1) AS c ON true
WHERE h.id = ANY(CAST(:ids AS bigint[]))
"""


class HoldsNotChecked(ValueError):  # noqa: N818 - what is wrong, line by line
    """Lines that cannot be recorded; `faults` maps a place in the request to what was expected."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{place}: {what}" for place, what in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted of a hold, in units of use."""

    hold_id: int
    counted: Decimal
    note: str | None = None
    evidence_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a hold stands at its keeper, and when a person last saw the units."""

    keeper: str | None = None
    keeper_held: Decimal | None = None
    keeper_error: str | None = None
    counted: Decimal | None = None
    checked_at: datetime | None = None
    checked_by: str | None = None
    evidence_id: UUID | None = None
    verified: bool = False


async def record(
    session: AsyncSession, number: str, counts: Sequence[Count], *, by: str, role: str, request: str, now: datetime
) -> list[HoldCheck]:
    """Record counts of confirmed holds; the same request again answers what it recorded. Audited.

    Raises:
        HoldsNotChecked: a hold is unknown, named twice, not confirmed or over, or a file cannot be cited.
    """
    await lock_recalls(session, [number])
    ids = [each.hold_id for each in counts]
    mine = select(Hold).where(col(Hold.recall_number) == number, col(Hold.id).in_(ids))
    found = {row.id: row for row in (await session.exec(mine)).all()}
    done = select(HoldCheck).where(col(HoldCheck.request) == request, col(HoldCheck.hold_id).in_(list(found)))
    before = (await session.exec(done)).all()
    if before:
        return [row for each in ids for row in before if row.hold_id == each]
    cited = [each.evidence_id for each in counts if each.evidence_id is not None]
    unusable = await evidence.unusable(session, cited, number)
    faults = [fault for at, each in enumerate(counts) if (fault := _fault(at, each, found, ids, unusable))]
    if faults:
        raise HoldsNotChecked(faults)
    rows = [
        HoldCheck(
            hold_id=each.hold_id,
            turn=found[each.hold_id].turn,
            claimed=found[each.hold_id].quantity,
            counted=each.counted,
            evidence_id=each.evidence_id,
            note=each.note,
            request=request,
            checked_by=by,
            checked_at=now,
        )
        for each in counts
    ]
    session.add_all(rows)
    await session.flush()
    for each in counts:
        if each.evidence_id is not None:
            await evidence.link(session, number, [each.evidence_id], f"hold:{each.hold_id}", by=by, at=now, role=role)
    await run(session, _NO_GAP, {"number": number, "holds": ids})
    await run(session, _GAP, {"checks": [row.id for row in rows]})
    await _tasks(session, number, rows, by, now)
    facts = [{"hold": row.hold_id, "claimed": row.claimed, "counted": row.counted} for row in rows]
    await audit.append(session, number, actor=by, role=role, action="holds.verified", at=now, data={"counts": facts})
    return rows


async def standing(session: AsyncSession, hold_ids: Sequence[int]) -> dict[int, Standing]:
    """How each hold stands at its keeper and with whoever counted it."""
    rows = (await run(session, LAST, {"ids": list(hold_ids)})).mappings()
    return {row["id"]: Standing(**{key: value for key, value in row.items() if key != "id"}) for row in rows}


async def _tasks(session: AsyncSession, number: str, rows: Sequence[HoldCheck], by: str, now: datetime) -> None:
    """Somebody is to find out why a count differs, until a count agrees; an ended recall has no tasks any more."""
    recall = await recalls.get(session, number)
    for row in rows:
        agrees = row.counted == row.claimed
        outcome = "counted as held" if agrees else "counted again"
        subject = str(row.hold_id)
        await tasks.close_numbered(session, number, "hold_count", subject, outcome=outcome, done_by=by, now=now)
        if not agrees and Phase(recall.phase) not in FINAL_PHASES:
            await tasks.offer(
                session,
                recall,
                key=f"hold_count:{row.id}:{row.hold_id}",
                step=HumanStep.HOLD_CONFIRMATION,
                what=f"Hold {row.hold_id}: {row.counted.normalize():f} counted, {row.claimed.normalize():f} held",
                owner=recall_id(number),
                now=now,
            )


def _fault(
    at: int, count: Count, found: Mapping[int | None, Hold], ids: Sequence[int], unusable: Mapping[UUID, str]
) -> tuple[str, str] | None:
    hold = found.get(count.hold_id)
    if hold is None:
        return f"{at}/hold_id", "expected a hold of this recall"
    if ids.index(count.hold_id) != at:
        return f"{at}/hold_id", "expected each hold once"
    if hold.confirmed_at is None or hold.quantity == 0:
        return f"{at}/hold_id", f"expected a confirmed hold that has units, this one is {hold.state}"
    if count.evidence_id is not None and count.evidence_id in unusable:
        return f"{at}/evidence_id", unusable[count.evidence_id]
    return None


__all__ = ["Count", "HoldsNotChecked", "Standing", "record", "standing"]
