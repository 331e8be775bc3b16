"""A retraction's campaign: everybody told gets one message, nobody is chased, and the workflow ends by itself."""

import json

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from adapters.messaging.base import ErrorKind, SendError
from db.repositories import notices
from db.repositories.campaign_targets import NewCampaign, hand_over
from tests.campaign.campaign_run import campaign
from tests.campaign.conftest import Hand
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = [pytest.mark.db, pytest.mark.workflow]


async def told(hand: Hand, world: World) -> None:
    """The first notice went out to everybody."""
    await hand.advance()
    await hand.send("email")


async def taken_back(hand: Hand, world: World) -> int:
    """The campaign of an approved retraction of the whole recall, created as its activity does."""
    change = {"since": 1, "lots_added": [], "lots_removed": world.lot_ids, "class": None, "whole": True}
    world.run(
        "INSERT INTO notice (recall_number, version, kind, scope_version, change, sha256, drafted_by, drafted_at)"
        " VALUES (%s, 2, 'retraction', 1, %s, %s, 'system', %s)",
        NUMBER,
        json.dumps(change),
        "0" * 64,
        T0,
    )
    notice_id = world.one("SELECT id FROM notice WHERE version = 2")
    world.run(
        "INSERT INTO notice_body (notice_id, kind, channel, language, body, sha256)"
        " SELECT %s, kind, channel, language, body, sha256 FROM notice_body WHERE kind = 'retraction'",
        notice_id,
    )
    async with hand.sessions.begin() as session:
        new, _ = await notices.create_campaign(session, NUMBER, 2, notice_id, T0)
        notice = await notices.get(session, notice_id)
        made = NewCampaign(new, 2, notice, "I", ("email", "sms"))
        await hand_over(session, made, T0)
    return new


def retractions(world: World) -> list[tuple[str, int]]:
    query = "SELECT state, consignee_id FROM delivery WHERE kind = 'retraction' ORDER BY consignee_id"
    return [(row["state"], row["consignee_id"]) for row in world.rows(query)]


async def test_a_retraction_goes_to_everybody_told_and_its_campaign_ends_by_itself(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    silent = world.consignee("Silent", Person("a@x.example"))
    answered = world.consignee("Answered", Person("b@x.example"))
    await told(hand, world)
    world.run("UPDATE consignee SET state = 'answered' WHERE id = %s", answered)
    never = world.consignee("Never told", Person("c@x.example"))
    new = await taken_back(hand, world)
    before = len(hand.mail.accepted)
    async with campaign(temporal, hand, campaign_id=new, sequence=2, kind="retraction") as run:
        report = await run.handle.result()
        assert (report.sequence, report.outstanding, report.finished) == (2, 0, True)
        assert (await run.handle.describe()).status == WorkflowExecutionStatus.COMPLETED
        reports = await run.until_reported(lambda each: each.finished)
        assert [each.finished for each in reports] == [False, True]
        await run.assert_replays()
    assert retractions(world) == [("submitted", silent), ("submitted", answered)]
    assert sorted(message.to for message in hand.mail.accepted[before:]) == ["a@x.example", "b@x.example"]
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"withdrawn"}
    assert world.one("SELECT ended_at IS NOT NULL FROM campaign WHERE id = %s", new)
    assert not world.rows("SELECT FROM delivery WHERE consignee_id = %s", never)
    assert not world.rows("SELECT FROM task")


async def test_a_refused_retraction_is_not_chased_and_holds_up_no_end(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    bounced = world.consignee("Bounced", Person("a@x.example"), Person("second@x.example"))
    await told(hand, world)
    new = await taken_back(hand, world)
    hand.mail.refusals["a@x.example"] = SendError(ErrorKind.PERMANENT_CONTACT, "smtp:550", "unknown user")
    async with campaign(temporal, hand, campaign_id=new, sequence=2, kind="retraction") as run:
        await run.handle.result()
    assert retractions(world) == [("failed", bounced)]
    assert world.one("SELECT count(*) FROM delivery WHERE campaign_id = %s", new) == 1


async def test_a_retraction_that_a_provider_cannot_take_yet_is_tried_again_until_it_is_out(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    world.consignee("One", Person("a@x.example"))
    await told(hand, world)
    new = await taken_back(hand, world)
    hand.mail.refusals["a@x.example"] = SendError(ErrorKind.TRANSIENT, "smtp:451", "try again later")
    async with campaign(temporal, hand, campaign_id=new, sequence=2, kind="retraction") as run:
        await run.until(lambda progress: progress.next_kind == "retry")
        assert (await run.handle.describe()).status == WorkflowExecutionStatus.RUNNING
        hand.mail.refusals.clear()
        await run.forward(DAY)
        await run.handle.result()
    assert [state for state, _ in retractions(world)] == ["submitted"]


async def test_a_drills_retraction_reaches_nobody_and_still_ends(
    temporal: WorkflowEnvironment, hand: Hand, world: World
) -> None:
    world.consignee("One", Person("a@x.example"))
    await told(hand, world)
    new = await taken_back(hand, world)
    before = len(hand.mail.accepted)
    async with campaign(temporal, hand, campaign_id=new, sequence=2, kind="retraction", drill=True) as run:
        await run.handle.result()
    assert len(hand.mail.accepted) == before
