"""Outcomes are written in groups that the batches of one campaign and channel in a process fill together."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import deliveries
from db.repositories.deliveries import Outcome
from tests.campaign.conftest import LIMITS, Hand
from tests.campaign.locks import CHAIN
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db


def people(world: World, count: int) -> None:
    for number in range(count):
        world.consignee(f"Site {number}", Person(f"stores{number}@hospital.example"))


async def test_batches_that_run_side_by_side_fill_the_same_groups(
    hand: Hand, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    record = deliveries.record

    async def seen(session: AsyncSession, outcomes: Sequence[Outcome], **more: Any) -> int:
        written.append(len(outcomes))
        return await record(session, outcomes, **more)

    monkeypatch.setattr(deliveries, "record", seen)
    people(world, 30)
    await hand.advance()
    # Only the end of a batch makes a group due, so that what is shared does not depend on the machine's speed.
    activities = hand.activities(replace(LIMITS, claim_group=10, record_every=timedelta(hours=1)))
    results = await asyncio.gather(*(hand.run(activities) for _ in range(3)))
    assert sum(result.submitted for result in results) == sum(written) == 30
    assert len(written) <= 3
    assert all(row["state"] == "submitted" for row in world.deliveries())


async def test_while_the_database_stands_still_no_more_is_sent_than_two_groups_and_the_calls_under_way(
    hand: Hand, world: World
) -> None:
    world.many(80)
    await hand.advance()
    limits = replace(LIMITS, claim_group=60, record_group=5, concurrency=4)
    with psycopg.connect(world.url) as other:
        other.execute(CHAIN)
        work = asyncio.ensure_future(hand.run(hand.activities(limits)))
        waits = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
        while not world.one(waits, other.info.backend_pid):
            assert not work.done(), "it writes its outcomes"
            await asyncio.sleep(0.01)
        sent = -1
        while sent != len(hand.mail.accepted):
            sent = len(hand.mail.accepted)
            for _ in range(200):
                await asyncio.sleep(0)
        assert sent <= 5 + 5 + 4
        other.rollback()
        assert (await work).submitted == 60
    assert set(hand.mail.per_delivery().values()) == {1}


async def test_an_outcome_that_cannot_be_written_fails_its_own_batch_alone(
    hand: Hand, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = deliveries.record
    broken: list[Any] = []

    async def refusing(session: AsyncSession, outcomes: Sequence[Outcome], **more: Any) -> int:
        if not broken:
            broken.append(outcomes[0].id)
        if any(outcome.id in broken for outcome in outcomes):
            raise ValueError("as told by the test")
        return await record(session, outcomes, **more)

    monkeypatch.setattr(deliveries, "record", refusing)
    people(world, 20)
    await hand.advance()
    activities = hand.activities(replace(LIMITS, claim_group=10, record_every=timedelta(hours=1)))
    ends = await asyncio.gather(*(hand.run(activities) for _ in range(2)), return_exceptions=True)
    failed = [each for each in ends if isinstance(each, BaseException)]
    assert [str(each) for each in failed] == ["as told by the test"]
    (kept,) = [each for each in ends if not isinstance(each, BaseException)]
    assert kept.submitted >= 1
    assert sum(row["state"] == "submitted" for row in world.deliveries()) == kept.submitted
