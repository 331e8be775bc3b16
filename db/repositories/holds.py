"""A recall's claims on stock: requested, confirmed by the keeper, ended only by people (design promises 1 and 6).

A claim covers a place as a whole: everything of the lot that lies there, free or reserved, and every shipment under
way from or to us. Claims of several recalls stand side by side. Whoever adds claims holds the recall's row lock, so
two runs never count the same stock twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import holds_sql
from db.repositories.allocations_void import void_allocations
from db.repositories.hold_records import (
    align_claims,
    flag_moved_under_hold,
    follow_movements,
    forget_departed,
    lock_recalls,
    lock_stock,
    record,
)
from db.repositories.holds_late import claim_late_stock, recalls_touched_by
from db.repositories.nonconformity_holds import open_for_holds
from domain.inventory import Position, PositionState, hold_key
from domain.keepers import LEDGER
from domain.phases import FINAL_PHASES
from models.messages import HoldFigures


@dataclass(frozen=True, slots=True)
class DueHold:
    """A claim the keeper must still carry out."""

    id: int
    key: str
    """Idempotency key for the inventory adapter; the same for the life of the claim."""
    position: Position
    attempts: int


@dataclass(frozen=True, slots=True)
class Held:
    """A carried-out claim: what was asked and what the keeper confirmed, in units of use."""

    id: int
    asked: Decimal
    held: Decimal
    by: str


async def request_holds(session: AsyncSession, recall_number: str, scope_version: int, now: datetime) -> int:
    """Claim everything of the scope in our own and logistics custody; returns the claims added or raised.

    Repeating it adds only what appeared since, marked `late`. Claims on shipments that arrived end, because what
    arrived is claimed where it lies. Writes the audit event `holds.requested`.
    """
    connection = await session.connection()
    await lock_recalls(session, [recall_number])
    binds = {"recall_number": recall_number, "scope_version": scope_version}
    again = holds_sql.RESERVED_AGAIN.format(claimants=holds_sql.CLAIMANT_OF_SCOPE)
    lots = await _lots_of(session, recall_number, scope_version)
    if not await _is_drill(session, recall_number):
        await void_allocations(session, lots, now)
    await follow_movements(session, lots)
    await forget_departed(session, [recall_number], holds_sql.CLAIMANT_OF_SCOPE, binds, now)
    broken = await connection.execute(text(again), binds)
    rows = await connection.execute(text(holds_sql.claim(holds_sql.CLAIMANT_OF_SCOPE)), binds | {"now": now})
    change = rows.one_or_none()
    if change is not None and change.arrived:
        await align_claims(session, lots, now)
    if change is not None and change.joined:
        await open_for_holds(session, recall_number, now, change.joined)
    moved = (await flag_moved_under_hold(session, recall_number=recall_number)).get(recall_number, 0)
    figures = {
        "requested": change.requested if change else 0,
        "late": change.late if change else 0,
        "arrived": change.arrived if change else 0,
        "reserved_again": broken.rowcount,
        "moved_under_hold": moved,
    }
    first = not await _asked_before(session, recall_number, scope_version)
    if first or any(figures.values()):
        await record(session, recall_number, "holds.requested", now, {"scope_version": scope_version} | figures)
    return int(figures["requested"])


async def due_holds(
    session: AsyncSession, recall_number: str, limit: int, *, after_id: int = 0, drill: bool = False
) -> list[DueHold]:
    """Claims not yet confirmed, oldest first, from the one after `after_id`; also those a rejection left open.

    What another keeper is asked for is left out; nobody is asked for anything in a drill.
    """
    binds = {"recall_number": recall_number, "limit": limit, "after_id": after_id}
    query = holds_sql.DUE_OF_DRILL if drill else holds_sql.DUE
    rows = await (await session.connection()).execute(text(query), binds)
    return [
        DueHold(
            row.id,
            hold_key(recall_number, row.id, row.turn),
            Position(
                row.lot_id, row.location_id, row.custody, PositionState(row.position), row.quantity, row.document_no
            ),
            row.attempts,
        )
        for row in rows
    ]


async def left_over(session: AsyncSession) -> list[str]:
    """Recalls that ended before all their units were locked."""
    binds = {"ended": [phase.value for phase in FINAL_PHASES]}
    return list((await (await session.connection()).execute(text(holds_sql.LEFT_OVER), binds)).scalars())


async def mark_confirmed(session: AsyncSession, done: Sequence[Held], now: datetime) -> list[int]:
    """Record confirmations; returns the ids written. A claim raised since it was asked stays requested."""
    if not done:
        return []
    binds = {
        "ids": [each.id for each in done],
        "asked": [each.asked for each in done],
        "held": [each.held for each in done],
        "by": [each.by for each in done],
        "now": now,
    }
    connection = await session.connection()
    query = text("SELECT DISTINCT lot_id FROM hold WHERE id = ANY(CAST(:ids AS bigint[]))")
    lots = list((await connection.execute(query, {"ids": binds["ids"]})).scalars())
    await lock_stock(session, lots)
    written = list((await connection.execute(text(holds_sql.CONFIRM), binds)).scalars())
    if len(written) < len(done):
        # A hold changed while its keeper was asked for the former quantity.
        await align_claims(session, lots, now)
    return written


async def reopen(session: AsyncSession, hold_ids: Sequence[int], *, by: str | None = None) -> list[int]:
    """Confirmed holds (by `by` alone, if given) that their keeper does not carry out are due again; returns which."""
    if not hold_ids:
        return []
    binds = {"ids": list(hold_ids), "by": by}
    return list((await (await session.connection()).execute(text(holds_sql.REOPEN), binds)).scalars())


async def mark_failed(session: AsyncSession, failed: Sequence[tuple[int, str]]) -> list[int]:
    """Record failed attempts (hold id, error); they stay due."""
    if not failed:
        return []
    binds = {"ids": [each[0] for each in failed], "errors": [each[1] for each in failed]}
    return list((await (await session.connection()).execute(text(holds_sql.FAIL), binds)).scalars())


async def to_nonconformity(session: AsyncSession, recall_number: str, now: datetime) -> int:
    """End the recall's claim without freeing anything: its holds become nonconformity holds (promise 6).

    A nonconformity asks quality to decide about each lot. Returns the number of holds changed. Stock stays locked; a
    hold not yet carried out stays due until it is.
    """
    await lock_recalls(session, [recall_number])
    changed = await (await session.connection()).execute(
        text(
            "UPDATE hold SET state = 'nonconformity', ended_at = CAST(:now AS timestamptz) "
            "WHERE recall_number = :recall_number AND ended_at IS NULL "
            "AND state IN ('requested', 'confirmed', 'failed') RETURNING lot_id, quantity"
        ),
        {"recall_number": recall_number, "now": now},
    )
    ended = changed.all()
    await open_for_holds(session, recall_number, now, {each.lot_id for each in ended if each.quantity > 0})
    return len(ended)


async def hold_summary(session: AsyncSession, recall_number: str) -> HoldFigures:
    """Open claims of the recall by state; positions that became nonconformity holds are no longer among them."""
    row = (
        await (await session.connection()).execute(
            text(
                "SELECT count(*) FILTER (WHERE state = 'requested') AS requested, "
                "count(*) FILTER (WHERE state = 'confirmed') AS confirmed, "
                "count(*) FILTER (WHERE state = 'failed') AS failed, "
                "(SELECT traced_batches FROM recall WHERE number = :recall_number) "
                " <> (SELECT count(*) + count(reversed_at) FROM import_batch) AS records_arrived "
                "FROM hold WHERE recall_number = :recall_number AND ended_at IS NULL"
            ),
            {"recall_number": recall_number},
        )
    ).one()
    return HoldFigures(
        requested=row.requested,
        confirmed=row.confirmed,
        failed=row.failed,
        records_arrived=bool(row.records_arrived),
    )


async def owed(session: AsyncSession, recall_number: str) -> dict[str, int]:
    """Keeper -> holds of `hold_summary` that it has not confirmed; beyond the first twenty keepers together."""
    binds = {"number": recall_number, "ledger": LEDGER, "most": 20}
    return {row.keeper: row.owed for row in await (await session.connection()).execute(text(holds_sql.OWED), binds)}


async def _is_drill(session: AsyncSession, recall_number: str) -> bool:
    query = text("SELECT EXISTS (SELECT FROM recall WHERE number = :number AND drill)")
    return bool((await (await session.connection()).execute(query, {"number": recall_number})).scalar_one())


async def _lots_of(session: AsyncSession, recall_number: str, scope_version: int) -> list[int]:
    query = text("SELECT lot_id FROM scope_lot WHERE recall_number = :number AND scope_version = :version")
    binds = {"number": recall_number, "version": scope_version}
    return list((await (await session.connection()).execute(query, binds)).scalars())


async def _asked_before(session: AsyncSession, recall_number: str, scope_version: int) -> bool:
    query = text(
        "SELECT EXISTS (SELECT FROM audit_event WHERE stream = :stream AND action = 'holds.requested' "
        "AND (data ->> 'scope_version')::int = :scope_version)"
    )
    binds = {"stream": recall_number, "scope_version": scope_version}
    return bool((await (await session.connection()).execute(query, binds)).scalar_one())


__all__ = [
    "DueHold",
    "Held",
    "claim_late_stock",
    "due_holds",
    "flag_moved_under_hold",
    "hold_summary",
    "left_over",
    "mark_confirmed",
    "mark_failed",
    "recalls_touched_by",
    "record",
    "reopen",
    "request_holds",
    "to_nonconformity",
]
