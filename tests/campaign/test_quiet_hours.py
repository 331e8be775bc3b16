"""Quiet hours of recipients in a campaign: planned at each look, kept at the claim, never for class I."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.campaign import CampaignActivities
from db.repositories.chasing_sql import COPY, LADDERLESS
from domain.channels import Channel
from domain.policy import parse_policy
from domain.policy_parts import QuietHours
from models.messages import CampaignProgress
from tests.campaign.conftest import Hand
from tests.campaign.world import LADDER, Person, World

pytestmark = pytest.mark.db
SATURDAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
MONDAY_EIGHT_IN_KOLKATA = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def kolkata(world: World) -> int:
    """A consignee in India with a telephone, under a policy with quiet hours for texts."""
    one = world.consignee("One", Person(phone="+919000000001"))
    world.run("UPDATE partner SET time_zone = 'Asia/Kolkata', country = 'IN'")
    _rule(world)
    return one


def _rule(world: World, **changes: Any) -> None:
    """Write quiet hours into the policy that the recall has pinned."""
    body = world.one("SELECT body FROM pinned_policy")
    body["quiet_hours"] = {
        "opens": "08:00",
        "closes": "20:00",
        "working_days": True,
        "channels": ["sms"],
        "basis": "house",
        "source": "rule of the test",
        "valid_from": body["valid_from"],
    } | changes
    world.run("UPDATE pinned_policy SET body = %s", json.dumps(body))


async def _look(hand: Hand, now: datetime, priority: int = 3) -> CampaignProgress:
    request = hand.request(now, LADDER, priority=priority)
    found: CampaignProgress = await ActivityEnvironment().run(
        CampaignActivities(hand.sessions).advance_campaign, request
    )
    return found


async def test_a_text_waits_for_its_recipients_next_working_morning(hand: Hand, world: World, kolkata: int) -> None:
    progress = await _look(hand, SATURDAY)
    assert (progress.pending, progress.unsent, progress.next_due_at) == ({}, 1, MONDAY_EIGHT_IN_KOLKATA)
    assert (await hand.send("sms", SATURDAY)).claimed == 0
    progress = await _look(hand, MONDAY_EIGHT_IN_KOLKATA)
    assert progress.pending == {"sms": 1}
    assert (await hand.send("sms", MONDAY_EIGHT_IN_KOLKATA)).submitted == 1
    assert [row["state"] for row in world.deliveries(kolkata)] == ["submitted"]


async def test_class_one_and_channels_that_do_not_disturb_go_at_any_hour(
    hand: Hand, world: World, kolkata: int
) -> None:
    assert (await _look(hand, SATURDAY, priority=1)).pending == {"sms": 1}
    world.run("DELETE FROM delivery")
    world.run("UPDATE consignee SET step = 0, next_step_at = NULL")
    _rule(world, channels=["voice"])
    assert (await _look(hand, SATURDAY)).pending == {"sms": 1}


async def test_what_is_still_queued_in_the_evening_waits_for_the_next_day(
    hand: Hand, world: World, kolkata: int
) -> None:
    evening = datetime(2026, 11, 23, 14, 29, tzinfo=UTC)
    assert (await _look(hand, evening)).pending == {"sms": 1}
    night = evening + timedelta(minutes=2)
    assert (await hand.send("sms", night)).claimed == 0, "planned by day, refused at the claim by night"
    progress = await _look(hand, night)
    assert (progress.pending, progress.next_due_at) == ({}, MONDAY_EIGHT_IN_KOLKATA + 48 * HOUR), "Tuesday is a holiday"


async def test_a_message_that_waited_goes_at_once_when_its_rule_is_gone(hand: Hand, world: World, kolkata: int) -> None:
    await _look(hand, SATURDAY)
    world.run("UPDATE pinned_policy SET body = body - 'quiet_hours'")
    assert (await _look(hand, SATURDAY + HOUR)).pending == {"sms": 1}


async def test_a_hastened_recall_waits_for_nobodys_night(hand: Hand, world: World, kolkata: int) -> None:
    await _look(hand, SATURDAY)
    world.run("UPDATE recall SET pace = 1440, created_at = %s", SATURDAY)
    assert (await _look(hand, SATURDAY + HOUR)).pending == {"sms": 1}


@pytest.mark.parametrize(
    ("hours", "goes_after"),
    [(60, 38.5), (50.5, 38.5), (50, 14.5), (26, None), (12, None), (-1, None)],
    ids=[
        "days before the limit it waits for Monday",
        "a window that ends with the limit is before it",
        "a day off is disturbed rather than the limit",
        "a night is disturbed rather than the limit",
        "by day off or night",
        "a limit that is over is no reason to wait longer",
    ],
)
async def test_a_first_notice_waits_only_for_a_window_that_is_over_before_its_limit(
    hand: Hand, world: World, kolkata: int, hours: float, goes_after: float | None
) -> None:
    night = datetime(2026, 11, 21, 12, tzinfo=UTC)
    _limit(world, night + hours * HOUR)
    now = night if goes_after == 38.5 else night + 6 * HOUR
    progress = await _look(hand, now)
    if goes_after is None:
        assert (await hand.send("sms", now)).submitted == 1
    else:
        assert (progress.pending, progress.next_due_at) == ({}, night + goes_after * HOUR)


async def test_a_limit_that_becomes_earlier_wakes_a_notice_that_waited(hand: Hand, world: World, kolkata: int) -> None:
    assert (await _look(hand, SATURDAY)).pending == {}
    _limit(world, SATURDAY + 30 * HOUR)
    assert (await _look(hand, SATURDAY)).pending == {"sms": 1}, "Saturday afternoon, when nobody rests"


async def test_the_copy_for_who_pays_is_as_urgent_as_the_notice(hand: Hand, world: World, kolkata: int) -> None:
    await _look(hand, SATURDAY)
    world.run("UPDATE delivery SET step = %s", COPY)
    _limit(world, SATURDAY + 6 * HOUR)
    await _look(hand, SATURDAY + 8 * HOUR)
    copy = "SELECT not_before, window_ends FROM delivery WHERE step = %s"
    assert world.one(copy, COPY) == {"not_before": None, "window_ends": None}


async def test_a_copy_of_what_asks_for_nothing_waits_for_morning(hand: Hand, world: World, kolkata: int) -> None:
    await _look(hand, SATURDAY)
    _limit(world, SATURDAY)
    world.run("UPDATE consignee SET state = 'documented'")
    world.run("UPDATE delivery SET step = %s, kind = 'closure'", COPY)
    progress = await _look(hand, SATURDAY + 8 * HOUR)
    assert (progress.pending, progress.next_due_at) == ({}, MONDAY_EIGHT_IN_KOLKATA)


@pytest.mark.parametrize("carries_a_first_notice", [True, False])
async def test_an_amendment_that_speaks_for_a_site_without_a_notice_is_as_urgent_as_its_first_notice(
    hand: Hand, world: World, carries_a_first_notice: bool
) -> None:
    for name in ("One", "Two"):
        world.consignee(name, Person(phone="+919000000001"))
    world.run("UPDATE partner SET time_zone = 'Asia/Kolkata', country = 'IN'")
    _rule(world)
    assert (await _look(hand, SATURDAY)).pending == {}
    some = "leads" if carries_a_first_notice else "true"
    world.run(f"UPDATE delivery SET step = %s, kind = 'amendment' WHERE {some}", LADDERLESS)  # noqa: S608
    _limit(world, SATURDAY + 26 * HOUR)
    progress = await _look(hand, SATURDAY + 6 * HOUR)
    assert progress.pending == ({"sms": 1} if carries_a_first_notice else {})


async def test_a_reminder_waits_for_morning_whatever_became_of_the_limit(
    hand: Hand, world: World, kolkata: int
) -> None:
    _limit(world, SATURDAY)
    night = SATURDAY + 8 * HOUR
    await _look(hand, night)
    assert (await hand.send("sms", night)).submitted == 1
    progress = await _look(hand, night + 24 * HOUR)
    assert (progress.unsent, progress.next_due_at) == (1, MONDAY_EIGHT_IN_KOLKATA)


@pytest.mark.parametrize(("met", "waits"), [(True, True), (False, False)])
async def test_an_amendment_has_its_own_limit_and_those_before_it_that_are_not_met(
    hand: Hand, world: World, kolkata: int, met: bool, waits: bool
) -> None:
    world.run("UPDATE notice SET scope_version = 2")
    _limit(world, SATURDAY - 24 * HOUR, met=met)
    _limit(world, SATURDAY + 96 * HOUR, name="notify:2")
    assert (await _look(hand, SATURDAY)).pending == ({} if waits else {"sms": 1})


def _limit(world: World, due: datetime, *, name: str = "notify", met: bool = False) -> None:
    """A limit of the first notice on record."""
    world.run(
        "INSERT INTO deadline (recall_number, name, jurisdiction, clock, limit_text, basis, source, policy_due_at,"
        " due_at, met_at) VALUES (%s, %s, 'us-fda', 'decision', '72 h', 'law', 'test', %s, %s, %s)",
        world.number,
        name,
        due,
        due,
        due if met else None,
    )


async def test_the_shipped_profile_lets_texts_calls_and_pushes_wait_and_mail_go(
    hand: Hand, world: World, kolkata: int
) -> None:
    rule = _shipped(world)
    assert set(rule.channels) == {Channel.SMS, Channel.VOICE, Channel.PUSH}
    world.consignee("Mail", Person(email="a@x.example"))
    progress = await _look(hand, SATURDAY)
    assert (progress.pending, progress.unsent) == ({"email": 1}, 2)


def _shipped(world: World) -> QuietHours:
    """The rule as the shipped profile has it, pinned anew."""
    shipped = parse_policy((Path(__file__).parents[2] / "policies" / "us-fda.yaml").read_text(encoding="utf-8"))
    assert shipped.quiet_hours is not None
    world.run("UPDATE pinned_policy SET body = %s", json.dumps(shipped.pinned()))
    return shipped.quiet_hours


async def test_the_worker_goes_by_the_clock_of_each_zone(hand: Hand, world: World, kolkata: int) -> None:
    awake = world.consignee("Awake", Person(phone="+12025550101"))
    world.run("UPDATE partner SET time_zone = 'America/New_York', country = 'US' WHERE code = 'P-Awake'")
    now = datetime(2026, 11, 23, 16, tzinfo=UTC)
    progress = await _look(hand, now)
    assert (progress.pending, progress.unsent) == ({"sms": 1}, 2)
    assert (await hand.send("sms", now)).submitted == 1
    assert [row["state"] for row in world.deliveries(awake)] == ["submitted"]
    assert [row["state"] for row in world.deliveries(kolkata)] == ["pending"]
