"""Turns at a provider's connections: the most urgent first, and no turn is lost with whoever gave up."""

import asyncio
from collections.abc import Iterable

import pytest

from adapters.messaging.turns import STILL_WANTED, TurnLapsed, Turns

pytestmark = pytest.mark.unit


async def _in_order(turns: Turns, priorities: Iterable[int]) -> tuple[list[int], list["asyncio.Task[None]"]]:
    """Let one task for each priority ask, in this order; the list fills as they are let in."""
    seen: list[int] = []

    async def ask(priority: int) -> None:
        async with turns.one(priority):
            seen.append(priority)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(ask(priority)) for priority in priorities]
    await asyncio.sleep(0)
    return seen, tasks


async def test_whoever_is_most_urgent_goes_next_and_equals_in_the_order_of_asking() -> None:
    turns = Turns(1)
    async with turns.one(5):
        seen, tasks = await _in_order(turns, [5, 3, 5, 1, 3, 1])
        assert seen == []
    await asyncio.gather(*tasks)
    assert seen == [1, 1, 3, 3, 5, 5]


async def test_no_more_than_the_limit_hold_a_turn_at_a_time() -> None:
    turns, held, most = Turns(3), 0, 0

    async def hold() -> None:
        nonlocal held, most
        async with turns.one(3):
            held += 1
            most = max(most, held)
            await asyncio.sleep(0)
            held -= 1

    await asyncio.gather(*(hold() for _ in range(20)))
    assert most == 3


async def test_a_turn_that_comes_as_its_holder_gives_up_goes_to_the_next() -> None:
    turns = Turns(1)
    async with turns.one(5):
        _, [first] = await _in_order(turns, [1])
        seen, [second] = await _in_order(turns, [3])
    first.cancel()  # its turn has been given to it, but it has not run since
    await asyncio.wait_for(second, 5)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert seen == [3]
    async with asyncio.timeout(5), turns.one(1):
        pass


async def test_whoever_gives_up_while_waiting_is_passed_over() -> None:
    turns = Turns(1)
    async with turns.one(5):
        _, [first] = await _in_order(turns, [1])
        seen, [second] = await _in_order(turns, [3])
        first.cancel()
        await asyncio.sleep(0)
    await asyncio.wait_for(second, 5)
    assert seen == [3]


async def _taken(turns: Turns) -> None:
    async with turns.one(1):
        pass


async def test_a_turn_that_is_not_wanted_any_more_when_it_comes_goes_to_the_next() -> None:
    turns = Turns(1)
    async with turns.one(1):
        token = STILL_WANTED.set(lambda: False)
        lapsed = asyncio.create_task(_taken(turns))
        STILL_WANTED.reset(token)
        wanted = asyncio.create_task(_taken(turns))
        await asyncio.sleep(0)
    with pytest.raises(TurnLapsed):
        await lapsed
    await wanted
