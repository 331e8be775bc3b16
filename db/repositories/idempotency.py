"""Which POSTs were carried out: one row per principal and Idempotency-Key, with the final answer.

The row says what was asked and answered; that nobody else is carrying it out right now is said by an
advisory lock, which PostgreSQL frees when the process holding it dies.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

from sqlalchemy import func, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from models.access import IdempotencyKey


@asynccontextmanager
async def exclusive(engine: AsyncEngine, principal: str, key: str) -> AsyncIterator[bool]:
    """Whether this request alone holds the key; the lock lives as long as the block.

    `engine` must not be the one the block itself uses: a pool full of lock holders that all wait for a
    second connection would never move on.
    """
    name = func.hashtextextended(f"idempotency\n{principal}\n{key}", 0)
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        held = bool((await connection.execute(select(func.pg_try_advisory_lock(name)))).scalar_one())
        try:
            yield held
        finally:
            if held:
                # A connection that broke in between has lost its lock already.
                with suppress(DBAPIError):
                    await connection.execute(select(func.pg_advisory_unlock(name)))


async def claim(
    session: AsyncSession,
    *,
    principal: str,
    key: str,
    method_path: str,
    request_sha256: str,
    now: datetime,
    expires_at: datetime,
) -> IdempotencyKey:
    """The row of this key, made now unless there is one that has not expired."""
    await session.exec(
        delete(IdempotencyKey).where(
            col(IdempotencyKey.principal) == principal,
            col(IdempotencyKey.key) == key,
            col(IdempotencyKey.expires_at) <= now,
        )
    )
    await session.exec(
        insert(IdempotencyKey)
        .values(
            principal=principal,
            key=key,
            method_path=method_path,
            request_sha256=request_sha256,
            locked_at=now,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing(index_elements=["principal", "key"])
    )
    return (
        await session.exec(
            select(IdempotencyKey).where(col(IdempotencyKey.principal) == principal, col(IdempotencyKey.key) == key)
        )
    ).one()


async def forget_expired(session: AsyncSession, now: datetime) -> int:
    """Delete keys whose time is over, with the answers kept for them; at most 1,000 at a time."""
    expired = (
        select(IdempotencyKey.principal, IdempotencyKey.key)
        .where(col(IdempotencyKey.expires_at) <= now)
        .limit(1000)
        .with_for_update(skip_locked=True)
    )
    both = tuple_(col(IdempotencyKey.principal), col(IdempotencyKey.key))
    return (await session.exec(delete(IdempotencyKey).where(both.in_(expired)))).rowcount


async def reserve_recall(session: AsyncSession, principal: str, key: str, number: str) -> None:
    """Note the recall number reserved for a start, in the transaction that creates the recall."""
    await session.exec(
        update(IdempotencyKey)
        .where(col(IdempotencyKey.principal) == principal, col(IdempotencyKey.key) == key)
        .values(recall_number=number)
    )


async def finish(session: AsyncSession, principal: str, key: str, status: int, response: dict[str, Any]) -> None:
    """Keep the final answer; every repeat gets it."""
    await session.exec(
        update(IdempotencyKey)
        .where(col(IdempotencyKey.principal) == principal, col(IdempotencyKey.key) == key)
        .values(status=status, response=response)
    )


async def forget(session: AsyncSession, principal: str, key: str) -> None:
    """Free a key whose request was refused and changed nothing; one that made a recall is kept."""
    await session.exec(
        delete(IdempotencyKey).where(
            col(IdempotencyKey.principal) == principal,
            col(IdempotencyKey.key) == key,
            col(IdempotencyKey.recall_number).is_(None),
            col(IdempotencyKey.status).is_(None),
        )
    )


__all__ = ["claim", "exclusive", "finish", "forget", "forget_expired", "reserve_recall"]
