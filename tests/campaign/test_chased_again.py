"""A consignee whose chase is reopened under the same campaign gets the ladder from its first step again."""

from datetime import timedelta

import pytest

from tests.campaign.conftest import Hand
from tests.campaign.world import DAY, T0, Person, World

pytestmark = pytest.mark.db
REOPEN = "UPDATE consignee SET state = 'open', step = 0, chase = chase + 1, next_step_at = %s WHERE id = %s"


async def test_the_ladder_starts_again_on_the_only_address_there_is(world: World, hand: Hand) -> None:
    one = world.consignee("One", Person(email="one@hospital.example"))
    await hand.advance(T0)
    await hand.send()
    world.run("UPDATE consignee SET state = 'answered', answered_at = %s WHERE id = %s", T0, one)
    again = T0 + 5 * DAY
    world.run(REOPEN, again, one)
    done = await hand.advance(again)
    assert (done.written, done.called) == ({"initial": 1}, 0), "sent again, and no call for want of an address"
    await hand.send(now=again)
    await hand.advance(again + DAY)
    told = [(row["chase"], row["step"], row["kind"], row["state"]) for row in world.deliveries(one)]
    assert told == [
        (0, 0, "initial", "submitted"),
        (1, 0, "initial", "submitted"),
        (1, 1, "reminder", "pending"),
    ]


async def test_looking_again_sends_nothing_twice_within_one_chase(world: World, hand: Hand) -> None:
    one = world.consignee("One", Person(email="one@hospital.example"))
    for chase in range(3):
        now = T0 + chase * DAY
        if chase:
            world.run(REOPEN, now, one)
        assert (await hand.advance(now)).written == {"initial": 1}
        assert (await hand.advance(now + timedelta(minutes=1))).written == {}
        await hand.send(now=now)
        assert (await hand.advance(now + timedelta(minutes=2))).written == {}
    assert len(world.deliveries(one)) == 3


async def test_an_address_that_was_refused_for_good_is_not_tried_again(world: World, hand: Hand) -> None:
    one = world.consignee("One", Person(email="gone@hospital.example"), Person(phone="+254700000001"))
    await hand.advance(T0)
    world.run(
        "UPDATE delivery SET state = 'failed', error_kind = 'permanent_contact', finished_at = %s",
        T0,
    )
    await hand.advance(T0 + timedelta(minutes=1))
    await hand.send("sms", now=T0 + timedelta(minutes=1))
    world.run(REOPEN, T0 + DAY, one)
    await hand.advance(T0 + DAY)
    assert [row["channel"] for row in world.deliveries(one) if row["chase"] == 1] == ["sms"]
