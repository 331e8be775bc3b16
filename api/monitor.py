"""Is everything there that a request needs? Asked by `/readyz` and by a background watch.

The watch writes one log line whenever a dependency goes away or comes back, so that an API started before
its database says so once instead of failing silently or for ever.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.state import ApiState
from db.migrate import alembic_config

_log = logging.getLogger("api.dependencies")
_CHECK_TIMEOUT: Final = 3.0
_WATCH_INTERVAL: Final = 5.0


@cache
def expected_revision() -> str:
    """The newest migration this code knows."""
    return ScriptDirectory.from_config(alembic_config("postgresql://unused")).get_current_head() or "none"


async def check_database(engine: AsyncEngine) -> str:
    """`ok`, or what is wrong."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return "ok"


async def check_migrations(engine: AsyncEngine, head: str) -> str:
    """`ok` when the database is at the revision of this code."""
    async with engine.connect() as connection:
        known = (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one()
        if known is None:
            return "no migration has been applied"
        current = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    return "ok" if current == head else f"the database is at {current}, this code needs {head}"


async def check_temporal(state: ApiState) -> str:
    """`ok`, or that the server does not answer."""
    return "ok" if await state.temporal.healthy() else "does not answer"


async def _guarded(check: Callable[[], Awaitable[str]]) -> str:
    try:
        return await asyncio.wait_for(check(), _CHECK_TIMEOUT)
    except TimeoutError:
        return "no answer in time"
    except (SQLAlchemyError, OSError) as error:
        return f"not reachable ({type(error).__name__})"


async def check_all(state: ApiState, head: str) -> dict[str, str]:
    """Each dependency with `ok` or what is wrong, checked side by side."""
    names = ("database", "migrations", "temporal")
    checks: tuple[Callable[[], Awaitable[str]], ...] = (
        lambda: check_database(state.engine),
        lambda: check_migrations(state.engine, head),
        lambda: check_temporal(state),
    )
    found = await asyncio.gather(*(_guarded(check) for check in checks))
    return dict(zip(names, found, strict=True))


async def watch(state: ApiState, head: str, interval: float = _WATCH_INTERVAL) -> None:
    """Log every change of a dependency's state until cancelled."""
    before: dict[str, bool] = {}
    while True:
        for name, finding in (await check_all(state, head)).items():
            usable = finding == "ok"
            if before.get(name, True) != usable:
                level = logging.INFO if usable else logging.WARNING
                line = {"event": "dependency", "name": name, "state": "up" if usable else "down", "detail": finding}
                _log.log(level, json.dumps(line))
            before[name] = usable
        await asyncio.sleep(interval)


__all__ = ["check_all", "expected_revision", "watch"]
