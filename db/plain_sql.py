"""Set-based SQL on a session's own transaction, for statements that are read better as SQL than as expressions."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import CursorResult, text
from sqlmodel.ext.asyncio.session import AsyncSession


async def run(
    session: AsyncSession, statement: str, values: Mapping[str, Any] | None = None
) -> CursorResult[*tuple[Any, ...]]:
    """Execute a constant statement; what differs from call to call is bound, never written into the text."""
    connection = await session.connection()
    return await connection.execute(text(statement), values or {})


@asynccontextmanager
async def planned_each_time(session: AsyncSession) -> AsyncIterator[None]:
    """Each statement is planned for its own values, while checks of foreign keys keep their one plan.

    `plan_cache_mode` cannot say this: `force_custom_plan` holds for the checks too, and planning one for each row that
    is written takes several times as long as writing it. So nothing is prepared in here.
    """
    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    threshold, driver.prepare_threshold = driver.prepare_threshold, None
    try:
        await run(session, "SELECT set_config('plan_cache_mode', 'auto', true)")
        yield
    finally:
        driver.prepare_threshold = threshold
