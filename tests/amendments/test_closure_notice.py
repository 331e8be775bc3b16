"""The notice that a recall has ended: to everybody told who still has a lot, once, and it asks for nothing."""

import pytest

from db.plain_sql import run
from db.repositories import notice_checks
from db.repositories.chasing_sql import CHASING_CAMPAIGN
from tests.amendments.story import NUMBER, Story

pytestmark = pytest.mark.db


async def ended(story: Story) -> None:
    """Told, `far` has lost its lot, `near` has answered, `both` is documented; the authorities have answered."""
    await story.notified()
    await story.answer("near")
    await story.amend("reduce", 2, "A2")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    for campaign in (1, 2):
        await story.turn(campaign, days=0.2)
    story.run("UPDATE consignee SET state = 'documented' WHERE id = %s", story.consignees()["both"]["id"])
    story.run("UPDATE recall SET phase = 'terminated' WHERE number = %s", NUMBER)
    story.run("UPDATE delivery SET state = 'cancelled' WHERE state = 'pending'")


async def test_it_goes_to_everybody_told_who_still_has_a_lot_and_asks_nothing(story: Story) -> None:
    await ended(story)
    before = story.consignees()
    draft = await story.draft(3, "closure", scope_version=2)
    assert (draft.kind, draft.audience) == ("closure", 3)
    async with story.sessions() as session:
        checked = await notice_checks.standing(session, NUMBER, draft.notice_id)
    assert checked is not None
    assert checked.releasable, "its content passes the check of every law"
    await story.start(draft, 3)
    event = story.event("campaign.started")
    assert {name: event["data"][name] for name in ("closed", "reopened", "retracted", "without_address")} == {
        "closed": 3,
        "reopened": 0,
        "retracted": 0,
        "without_address": 0,
    }
    progress = await story.turn(3, days=0.3)
    assert (progress.unsent, progress.pending) == (0, {})
    assert {name: story.kinds_to(name)[-1] for name in ("near", "both", "mixed")} == dict.fromkeys(
        ("near", "both", "mixed"), "closure"
    )
    assert story.kinds_to("far") == ["initial", "retraction"], "it was told already that nothing of it is affected"
    text = story.sent_to("near")[-1][1]
    assert "has ended" in text
    assert "stay on hold" in text
    assert "A1" in text
    assert "/r/" not in text, "there is nothing to answer"
    after = story.consignees()
    for name in ("near", "both", "mixed"):
        for column in ("state", "campaign_sequence", "step", "next_step_at", "chase"):
            assert after[name][column] == before[name][column], (name, column)


async def test_it_is_sent_once_and_nobody_is_chased_for_it(story: Story) -> None:
    await ended(story)
    await story.start(await story.draft(3, "closure", scope_version=2), 3)
    for days in (0.3, 2, 9):
        await story.turn(3, days=days)
    assert story.kinds_to("mixed").count("closure") == 1
    assert not story.rows("SELECT FROM task WHERE key LIKE 'call:%%'")
    assert not story.rows("SELECT FROM consignee_case")
    async with story.sessions() as session:
        found = await run(session, f"SELECT {CHASING_CAMPAIGN} FROM recall WHERE number = :number", {"number": NUMBER})  # noqa: S608 - a constant
    assert found.scalar_one() == 2, "whoever joins is no matter of a campaign that chases nobody"


async def test_drafting_and_starting_it_again_changes_nothing(story: Story) -> None:
    await ended(story)
    draft = await story.draft(3, "closure", scope_version=2)
    assert await story.draft(3, "closure", scope_version=2) == draft
    first = await story.start(draft, 3)
    assert await story.start(draft, 3) == first
    assert len(story.rows("SELECT FROM delivery WHERE kind = 'closure'")) == 3


async def test_a_person_with_two_sites_gets_one_for_both(story: Story) -> None:
    story.run(
        "UPDATE contact SET email = 'group@hospital.example' WHERE email IN ('near@hospital.example', %s)",
        "mixed@hospital.example",
    )
    await ended(story)
    before = len(story.mail.accepted)
    await story.start(await story.draft(3, "closure", scope_version=2), 3)
    assert (await story.turn(3, days=0.3)).unsent == 0
    to = sorted(message.to for message in story.mail.accepted[before:])
    assert to == ["both@hospital.example", "group@hospital.example"]
    (text,) = (message.text for message in story.mail.accepted[before:] if message.to.startswith("group"))
    assert "A1" in text
    assert "C1" in text
    assert "/r/" not in text
    states = story.rows("SELECT state FROM delivery WHERE kind = 'closure'")
    assert [row["state"] for row in states] == ["submitted"] * 3
