"""Reversing a batch: everything it brought is removed, or nothing is, with the name of what uses it."""

from dataclasses import dataclass
from datetime import datetime

from db.engine import SessionFactory
from db.repositories import audit
from db.repositories.imports import batches, reversal, stage
from imports.errors import ImportRefusedError
from models.chain import BatchState, ImportBatch

_NAMED = 5


@dataclass(frozen=True)
class Reversed:
    """Rows removed per table."""

    batch_id: int
    removed: dict[str, int]


async def reverse_batch(
    sessions: SessionFactory, batch_id: int, *, actor: str, at: datetime, reason: str, role: str = "admin"
) -> Reversed:
    """Take one batch back, and say so in the audit.

    Raises:
        ImportRefusedError: unknown or reversed batch, or something outside the batch uses what it brought.
    """
    async with sessions.begin() as session:
        cursor = (await stage.raw_connection(session)).cursor()
        await stage.wait_for_imports(cursor)
        batch = await batches.lock_batch(session, batch_id)
        _check(batch, batch_id)
        assert batch is not None  # noqa: S101 - checked above
        uses = await reversal.uses_of(cursor, batch_id)
        if uses:
            named = "; ".join(f"{use.what} ({use.rows} rows)" for use in uses[:_NAMED])
            more = f"; and {len(uses) - _NAMED} more" if len(uses) > _NAMED else ""
            raise ImportRefusedError(f"batch {batch_id} is in use and stays: {named}{more}")
        removed = await reversal.delete_batch(cursor, batch_id)
        await batches.mark_reversed(session, batch, actor, at)
        await audit.append(
            session,
            audit.SYSTEM,
            actor=actor,
            role=role,
            action="import.reversed",
            at=at,
            reason=reason,
            data={"batch": batch_id, "kind": batch.kind, "removed": removed},
        )
    return Reversed(batch_id, removed)


def _check(batch: ImportBatch | None, batch_id: int) -> None:
    if batch is None:
        raise ImportRefusedError(f"there is no batch {batch_id}")
    if batch.state == BatchState.reversed:
        raise ImportRefusedError(f"batch {batch_id} was reversed by {batch.reversed_by} on {batch.reversed_at}")
