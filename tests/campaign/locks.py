"""Two transactions held against each other by hand, for the tests of the order in which locks are taken."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import psycopg

from tests.campaign.world import NUMBER, World

CHAIN = f"SELECT FROM audit_head WHERE stream = '{NUMBER}' FOR UPDATE"


async def beside(world: World, row: str, then: str, act: Coroutine[Any, Any, object]) -> None:
    """Hold `row` until `act` waits for it, then lock `then` as well, and let go.

    Fails where `act` has what `then` locks already: the two would wait for each other for ever.
    """
    with psycopg.connect(world.url) as other:
        other.execute(row)
        acting = asyncio.ensure_future(act)
        await held_up(world, other.info.backend_pid, acting)
        other.execute("SET lock_timeout = '2s'")
        other.execute(then)
        other.rollback()
        await acting


async def held_up(world: World, by: int, acting: "asyncio.Future[Any]") -> None:
    """Wait until `acting` waits for the transaction of the backend `by`."""
    async with asyncio.timeout(10):
        waits = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
        while not world.one(waits, by):
            assert not acting.done(), "it needs the row"
            await asyncio.sleep(0.01)
