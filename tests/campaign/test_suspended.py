"""What a sender has claimed and is not its to send any more: it was suspended, or people paused the campaign."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.messaging.base import OutgoingMessage, SendResult
from adapters.messaging.turns import Turns
from tests.campaign.conftest import LIMITS, Hand
from tests.campaign.world import T0, World

pytestmark = pytest.mark.db
SLEEP = timedelta(hours=1)


async def test_a_sender_that_slept_sends_nothing_whose_lease_ended_meanwhile(
    hand: Hand, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.many(100)
    await hand.advance()
    hand.mail.gate = asyncio.Event()
    asleep = asyncio.ensure_future(hand.send())
    async with asyncio.timeout(20):
        await hand.mail.waiting.wait()
    assert world.one("SELECT count(*) FROM delivery WHERE state = 'submitting'") == 75
    # The machine is suspended: only the clock of its hardware goes on.
    told = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: told(clock) + SLEEP.total_seconds())
    hand.mail.gate.set()
    first = await asleep
    assert first.submitted == 20, "the calls that were under way"
    second = await hand.send(now=T0 + SLEEP)
    assert (first.submitted + second.submitted, second.ambiguous) == (75, 55)
    assert set(hand.mail.per_delivery().values()) == {1}


@pytest.mark.parametrize("why", ["suspended", "paused"])
async def test_what_waits_for_one_of_the_providers_connections_goes_back_when_it_is_not_ours_to_send_any_more(
    hand: Hand, world: World, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    world.many(20)
    await hand.advance()
    hand.mail.gate, turns, send = asyncio.Event(), Turns(5), hand.mail.send
    asked, all_asked = 0, asyncio.Event()

    async def in_turn(message: OutgoingMessage) -> SendResult:
        nonlocal asked
        asked += 1
        if asked == 15:
            all_asked.set()
        async with turns.one(message.priority):
            return await send(message)

    monkeypatch.setattr(hand.mail, "send", in_turn)
    batch = asyncio.ensure_future(hand.send(limits=replace(LIMITS, renew_every=timedelta(milliseconds=50))))
    async with asyncio.timeout(20):
        await all_asked.wait()
    if why == "suspended":
        told = time.clock_gettime
        monkeypatch.setattr(time, "clock_gettime", lambda clock: told(clock) + SLEEP.total_seconds())
    else:
        await world.write("UPDATE campaign SET paused_at = now()")
        seen = len(hand.beats)
        # Each beat ends a look at the record; the first one may have begun before the change.
        while len(hand.beats) < seen + 3 and not batch.done():  # noqa: ASYNC110 - the product tells nobody
            await asyncio.sleep(0)
    hand.mail.gate.set()
    assert (await batch).submitted == 5, "the calls that were under way"
    await world.write("UPDATE campaign SET paused_at = NULL")
    assert (await hand.send(now=T0 + SLEEP)).submitted == 10
    assert set(hand.mail.per_delivery().values()) == {1}
