"""Holds that a recall's end or reduction leaves behind: a nonconformity asks quality to decide them lot by lot.

Written in the transaction that ends the claims, so that no lot stays locked without somebody who must decide about it.
A recall has one open nonconformity of this kind; lots that are left later join it, and so do further units of a lot:
what was decided about fewer units is decided anew.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, files
from db.repositories.disposition_who import Who
from db.repositories.nonconformities import next_task, note
from domain.nonconformity import NcSeverity, NcSource, NcState
from domain.quality_numbers import QualityKind
from models.quality import LinkKind, Nonconformity, NonconformityLink, QualityFile
from models.recall import Recall

_LEFT: Final = """
INSERT INTO nonconformity_lot (nonconformity_number, lot_id, quantity)
SELECT :nonconformity, h.lot_id, sum(h.quantity) FROM hold h
WHERE h.recall_number = :recall AND h.state = 'nonconformity' AND h.quantity > 0
GROUP BY h.lot_id ORDER BY h.lot_id
ON CONFLICT (nonconformity_number, lot_id) DO UPDATE SET quantity = excluded.quantity, taken_back_at = NULL,
    disposition = NULL, justification = NULL, decided_by = NULL, decided_at = NULL, decision_signature_id = NULL,
    second_by = NULL, second_at = NULL, second_signature_id = NULL
WHERE nonconformity_lot.taken_back_at IS NOT NULL OR excluded.quantity > nonconformity_lot.quantity
   OR nonconformity_lot.lot_id = ANY(CAST(:joined AS bigint[]))
RETURNING new.lot_id, old.lot_id IS NULL OR old.taken_back_at IS NOT NULL AS added, old.quantity AS before,
    new.quantity AS after, old.disposition, old.decided_by, old.second_by
"""
_HOLDERS: Final = """
SELECT DISTINCT recall_number FROM hold
WHERE lot_id = ANY(CAST(:lots AS bigint[])) AND state = 'nonconformity' AND quantity > 0 ORDER BY recall_number
"""
_ANY: Final = """
SELECT EXISTS (SELECT FROM hold WHERE recall_number = :recall AND state = 'nonconformity' AND quantity > 0)
"""
_TAKE_BACK: Final = """
UPDATE nonconformity_lot SET taken_back_at = CAST(:now AS timestamptz)
WHERE lot_id = ANY(CAST(:lots AS bigint[])) AND taken_back_at IS NULL AND nonconformity_number IN (
    SELECT k.nonconformity_number FROM nonconformity_link k JOIN nonconformity n ON n.number = k.nonconformity_number
    WHERE k.recall_number = :recall AND k.kind = 'hold' AND n.state <> 'closed')
RETURNING nonconformity_number, lot_id
"""
_SYSTEM: Final = audit.SYSTEM


async def open_for_holds(
    session: AsyncSession, recall_number: str, now: datetime, joined: Collection[int] = ()
) -> str | None:
    """Record what is left locked under this recall's ended claims; the nonconformity's number, None where nothing is.

    The caller holds the recall's row, and appends to its audit chain afterwards only.

    Args:
        joined: lots of which units were left just now, even where fewer are held than once were.
    """
    if not (await run(session, _ANY, {"recall": recall_number})).scalar_one():
        return None
    recall = await session.get(Recall, recall_number)
    assert recall is not None  # noqa: S101 - it has holds
    who = Who(_SYSTEM, _SYSTEM, now)
    found = await _open_one(session, recall_number)
    file, row = found or await _new(session, recall, who)
    binds = {"nonconformity": row.number, "recall": recall_number, "joined": sorted(joined)}
    left = (await run(session, _LEFT, binds)).all()
    added = [each.lot_id for each in left if each.added]
    grown = [_grown(each) for each in left if not each.added]
    if left and found is not None:
        if row.state != NcState.OPEN.value:
            # What was looked into says nothing of the lots and units that join.
            row.state = NcState.OPEN.value
            session.add(row)
        if added:
            await note(session, row.number, "nc.lots_added", who, {"lots": added})
        if grown:
            await note(session, row.number, "nc.lots_grown", who, {"lots": grown})
    elif added:
        facts = {"source": row.source, "severity": row.severity, "recall": recall_number, "lots": added}
        await note(session, row.number, "nc.recorded", who, facts)
        await note(session, recall_number, "nc.opened", who, {"nonconformity": row.number, "lots": len(added)})
    await next_task(session, file, row, now)
    return row.number


async def ask_about(
    session: AsyncSession, lot_ids: Collection[int], now: datetime, joined: Collection[int] = ()
) -> None:
    """`open_for_holds` for every recall that left units of these lots; the caller holds the recalls' rows."""
    if lot_ids:
        for number in (await run(session, _HOLDERS, {"lots": sorted(lot_ids)})).scalars().all():
            await open_for_holds(session, number, now, joined)


def _grown(row: Any) -> dict[str, Any]:
    """Units of a lot before and after, and the decision that is void by it."""
    void = {"disposition": row.disposition, "decided_by": row.decided_by, "second_by": row.second_by}
    return {"lot": row.lot_id, "from": row.before, "to": row.after, "void": void if row.disposition else None}


async def take_back(session: AsyncSession, recall_number: str, lot_ids: Sequence[int], now: datetime) -> None:
    """Lots are in the recall's scope again, which decides about them from here on."""
    binds = {"recall": recall_number, "lots": list(lot_ids), "now": now}
    taken: dict[str, list[int]] = {}
    for number, lot_id in await run(session, _TAKE_BACK, binds):
        taken.setdefault(number, []).append(lot_id)
    for number in sorted(taken):
        who = Who(_SYSTEM, _SYSTEM, now)
        await note(session, number, "nc.lots_taken_back", who, {"recall": recall_number, "lots": sorted(taken[number])})


async def _open_one(session: AsyncSession, recall_number: str) -> tuple[QualityFile, Nonconformity] | None:
    query = (
        select(Nonconformity.number)
        .join(NonconformityLink, col(NonconformityLink.nonconformity_number) == col(Nonconformity.number))
        .where(
            col(NonconformityLink.recall_number) == recall_number,
            col(NonconformityLink.kind) == LinkKind.hold.value,
            col(Nonconformity.state) != NcState.CLOSED.value,
        )
        .order_by(col(Nonconformity.number))
        .limit(1)
    )
    number = (await session.exec(query)).first()
    if number is None:
        return None
    file = await files.get(session, number, lock=True)
    row = await session.get(Nonconformity, number, populate_existing=True)
    assert row is not None and isinstance(file, QualityFile)  # noqa: S101, PT018 - just found
    return (file, row) if row.state != NcState.CLOSED.value else None


async def _new(session: AsyncSession, recall: Recall, who: Who) -> tuple[QualityFile, Nonconformity]:
    title = f"Held without a recall: {recall.title}"
    file = await files.open_file(
        session,
        QualityKind.NONCONFORMITY,
        title,
        by=who.principal,
        now=who.at,
        drill=recall.drill,
        pace=recall.pace,
    )
    row = Nonconformity(
        number=file.number,
        source=NcSource.RECALL_HOLD.value,
        reference=recall.number,
        severity=NcSeverity.MAJOR.value,
        state=NcState.OPEN.value,
        description=recall.reason,
        detected_at=recall.awareness_at,
        detected_by=recall.started_by,
        recorded_by=who.principal,
        recorded_at=who.at,
    )
    session.add(row)
    await session.flush()
    session.add(
        NonconformityLink(
            nonconformity_number=row.number,
            recall_number=recall.number,
            kind=LinkKind.hold.value,
            linked_by=who.principal,
            linked_at=who.at,
        )
    )
    await session.flush()
    return file, row


__all__ = ["ask_about", "open_for_holds", "take_back"]
