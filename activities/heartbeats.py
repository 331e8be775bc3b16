"""Signs of life of an activity that waits, or whose one statement takes long.

Without them the work of a worker that died is given to another one only when its whole time is over.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from temporalio import activity

_EVERY_S: Final = 5.0


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Heartbeats until the end of the block."""
    beats = asyncio.create_task(_beat())
    try:
        yield
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError):
            await beats


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(_EVERY_S)


__all__ = ["beating"]
