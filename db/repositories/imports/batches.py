"""Import batches: the record of who loaded which file when, with which totals."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.chain import BatchState, ImportBatch


async def open_batch(session: AsyncSession, batch: ImportBatch) -> int:
    """Insert the batch that the rows of this transaction will cite, and return its id."""
    session.add(batch)
    await session.flush()
    assert batch.id is not None  # noqa: S101 - the flush above set it
    return batch.id


async def set_totals(session: AsyncSession, batch: ImportBatch, totals: dict[str, Any]) -> None:
    """Keep the totals of the load with its batch."""
    batch.totals = totals
    session.add(batch)
    await session.flush()


async def list_batches(session: AsyncSession, *, limit: int = 50) -> Sequence[ImportBatch]:
    """The latest batches, newest first."""
    return (await session.exec(select(ImportBatch).order_by(col(ImportBatch.id).desc()).limit(limit))).all()


async def lock_batch(session: AsyncSession, batch_id: int) -> ImportBatch | None:
    """One batch, locked until the end of the transaction."""
    return (
        await session.exec(select(ImportBatch).where(col(ImportBatch.id) == batch_id).with_for_update())
    ).one_or_none()


async def mark_reversed(session: AsyncSession, batch: ImportBatch, actor: str, at: datetime) -> None:
    """The batch stays as a record; its rows are gone."""
    batch.state, batch.reversed_at, batch.reversed_by = BatchState.reversed, at, actor
    session.add(batch)
    await session.flush()
