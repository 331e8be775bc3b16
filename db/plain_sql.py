"""Set-based SQL on a session's own transaction, for statements that are read better as SQL than as expressions."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, text
from sqlmodel.ext.asyncio.session import AsyncSession


async def run(
    session: AsyncSession, statement: str, values: Mapping[str, Any] | None = None
) -> CursorResult[*tuple[Any, ...]]:
    """Execute a constant statement; what differs from call to call is bound, never written into the text."""
    connection = await session.connection()
    return await connection.execute(text(statement), values or {})
