"""Signing periods: after the password was given once, the token alone signs until it rests too long or too late.

A period belongs to one token (21 CFR 11.200(a)(1)(i): one continuous period of controlled access); opening another
ends it.
"""

from datetime import datetime, timedelta
from uuid import uuid4

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from models.signing import SigningSession


async def open_period(
    session: AsyncSession, *, token_id: int, principal: str, at: datetime, lasts: timedelta
) -> SigningSession:
    """Begin a period; one that the token had ends."""
    await close(session, token_id, at)
    row = SigningSession(
        id=uuid4(), token_id=token_id, principal=principal, opened_at=at, last_used_at=at, ends_at=at + lasts
    )
    session.add(row)
    await session.flush()
    return row


async def active(session: AsyncSession, token_id: int, at: datetime, idle: timedelta) -> SigningSession | None:
    """The token's open period, as it is."""
    query = select(SigningSession).where(
        col(SigningSession.token_id) == token_id,
        col(SigningSession.closed_at).is_(None),
        col(SigningSession.ends_at) > at,
        col(SigningSession.last_used_at) > at - idle,
    )
    return (await session.exec(query.order_by(col(SigningSession.opened_at).desc()).limit(1))).one_or_none()


async def use(session: AsyncSession, token_id: int, at: datetime, idle: timedelta) -> SigningSession | None:
    """The token's open period; its rest begins anew."""
    found = await active(session, token_id, at, idle)
    if found is not None and found.last_used_at < at:
        found.last_used_at = at
        session.add(found)
        await session.flush()
    return found


async def close(session: AsyncSession, token_id: int, at: datetime) -> bool:
    """End the token's period; False when it has none that could still be open."""
    statement = (
        update(SigningSession)
        .where(col(SigningSession.token_id) == token_id, col(SigningSession.closed_at).is_(None))
        .values(closed_at=at)
        .returning(col(SigningSession.ends_at))
    )
    return any(ends > at for ends in (await session.exec(statement)).scalars())


async def close_all(session: AsyncSession, principal: str, at: datetime) -> None:
    """End every period of a person: the password changed, or was guessed at."""
    open_ones = (col(SigningSession.principal) == principal, col(SigningSession.closed_at).is_(None))
    await session.exec(update(SigningSession).where(*open_ones).values(closed_at=at))


__all__ = ["active", "close", "close_all", "open_period", "use"]
