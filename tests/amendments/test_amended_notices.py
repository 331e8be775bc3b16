"""Amended notices and retractions: who is told what, by which campaign, and who is left in peace."""

from typing import Any

import pytest

from db.repositories import notices
from tests.amendments.story import Story

pytestmark = pytest.mark.db


async def bodies(story: Story, notice_id: int) -> dict[tuple[str, str, str], dict[str, Any]]:
    async with story.sessions() as session:
        return {(b.kind, b.channel, b.language): b.body for b in await notices.bodies(session, notice_id)}


async def test_an_expansion_tells_those_with_more_lots_and_the_new_ones_and_nobody_else(story: Story) -> None:
    await story.notified()
    await story.answer("near")
    await story.answer("far")
    change = await story.amend("expand", 2, "B1")
    assert (change.consignees_added, change.consignees_changed, change.told) == (1, 1, 1)
    assert change.notice_needed
    assert story.states()["beside"] == ("open", 0), "it waits for a notice that somebody has approved"
    assert await story.asked("near") == {"A1"}, "so does the lot that was added"
    draft = await story.draft(2, "amendment", scope_version=2)
    assert (draft.kind, draft.audience) == ("amendment", 2)
    await story.start(draft, 2)
    assert story.states() == {
        "near": ("open", 2),
        "beside": ("open", 2),
        "far": ("answered", 1),
        "both": ("open", 1),
        "mixed": ("open", 1),
    }
    assert await story.asked("near") == {"A1", "B1"}
    progress = await story.turn(2, days=2)
    assert (progress.consignees, progress.outstanding, progress.not_notified) == (2, 2, 0)
    assert story.kinds_to("near") == ["initial", "amendment"]
    assert story.kinds_to("beside") == ["initial"]
    assert story.kinds_to("far") == ["initial"]
    told = story.sent_to("near")[-1][1]
    assert "Now also affected: " in told
    assert "Lots delivered to you that are now affected as well: B1." in told
    assert "version 2" in told
    first = story.sent_to("beside")[-1][1]
    assert "Affected lots (4): A1, A2, B1, C1" in first
    first_campaign = await story.turn(1, days=0.1)
    assert (first_campaign.consignees, first_campaign.outstanding) == (3, 2)
    await story.answer("near")
    assert story.states()["near"] == ("answered", 2)
    assert (await story.turn(2, days=2.1)).outstanding == 1


async def test_the_first_message_about_added_lots_starts_the_clock_of_the_extension(story: Story) -> None:
    await story.notified()
    await story.amend("expand", 2, "B1")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    assert "clock.extension_communication" not in story.actions()
    await story.turn(2, days=2)
    await story.turn(2, days=3.1)
    clocks = story.rows("SELECT name, scope_version FROM clock_start ORDER BY id")
    assert clocks == [
        {"name": "first_communication", "scope_version": 1},
        {"name": "extension_communication", "scope_version": 2},
    ]
    assert story.actions().count("clock.extension_communication") == 1


async def test_a_reduction_retracts_informs_and_lets_an_open_chase_go_on(story: Story) -> None:
    await story.notified()
    await story.answer("far")
    change = await story.amend("reduce", 2, "A2")
    assert (change.consignees_changed, change.consignees_withdrawn, change.told) == (1, 1, 2)
    before = story.consignees()["both"]
    draft = await story.draft(2, "amendment", scope_version=2)
    assert (draft.kind, draft.audience) == ("amendment", 2)
    await story.start(draft, 2)
    after = story.consignees()["both"]
    assert (after["state"], after["campaign_sequence"], after["step"]) == ("open", 2, before["step"])
    assert after["next_step_at"] == before["next_step_at"], "its chase goes on where it was"
    await story.turn(2, days=0.2)
    await story.turn(1, days=0.2)
    assert story.kinds_to("far") == ["initial", "retraction"]
    assert "You need not answer" in story.sent_to("far")[-1][1]
    assert "Lot A2" in story.sent_to("far")[-1][1]
    assert story.kinds_to("both") == ["initial", "amendment"]
    told = story.sent_to("both")[-1][1]
    assert "Lots delivered to you that are no longer affected: A2." in told
    assert "Your answer stands" not in told
    assert "- kits" not in told
    assert "Lot A2" not in told, "the table is of what is asked for now"
    assert story.kinds_to("near") == ["initial"]
    for campaign in (1, 2):
        await story.turn(campaign, days=1.2)
    assert story.kinds_to("both") == ["initial", "amendment", "reminder"]
    assert "Affected lots (2): A1, C1" in story.sent_to("both")[-1][1], "reminders speak of the scope as it is"
    assert story.kinds_to("far") == ["initial", "retraction"], "nobody chases a withdrawn consignee"


async def test_whoever_was_chased_again_before_gets_the_amended_notice_once(story: Story) -> None:
    await story.notified()
    both = story.consignees()["both"]["id"]
    story.run("UPDATE consignee SET step = 0, chase = 1, next_step_at = NULL WHERE id = %s", both)
    await story.turn(1, days=0.1)
    assert story.kinds_to("both") == ["initial", "initial"]
    due = story.consignees()["both"]["next_step_at"]
    await story.amend("reduce", 2, "A2")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    for day in (0.2, 0.3):
        await story.turn(2, days=day)
    assert story.kinds_to("both") == ["initial", "initial", "amendment"]
    assert story.consignees()["both"]["next_step_at"] == due, "its chase goes on where it was"


async def test_whoever_answered_and_has_fewer_lots_is_told_once_and_its_answer_stands(story: Story) -> None:
    await story.notified()
    await story.answer("both")
    await story.amend("reduce", 2, "A2")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    assert story.states()["both"] == ("answered", 1)
    for day in (0.2, 2, 3):
        await story.turn(2, days=day)
        await story.turn(1, days=day)
    assert story.kinds_to("both") == ["initial", "amendment"]
    assert "Your answer stands" in story.sent_to("both")[-1][1]
    assert story.states()["both"] == ("answered", 1)


async def test_whoever_was_never_told_gets_no_retraction(story: Story) -> None:
    await story.trace()
    await story.start(await story.draft())
    change = await story.amend("reduce", 2, "A2")
    assert (change.consignees_withdrawn, change.told) == (1, 0)
    await story.turn()
    assert story.kinds_to("far") == []
    assert await story.asked("far") == set()
    assert story.kinds_to("near") == ["initial"]


async def test_a_higher_class_is_told_to_everybody_and_chases_those_who_are_silent_anew(story: Story) -> None:
    await story.notified()
    await story.answer("far")
    draft = await story.draft(2, "amendment", class_change=("III", "I"))
    assert draft.audience == 4
    await story.start(draft, 2)
    assert story.states()["near"] == ("open", 2)
    assert story.states()["far"] == ("answered", 1)
    assert story.consignees()["near"]["step"] == 0
    await story.turn(2, days=0.5)
    assert [story.kinds_to(name)[1:] for name in ("near", "far", "both", "mixed")] == [["amendment"]] * 4
    assert "Classification changed from Class III to Class I." in story.sent_to("far")[-1][1]
    assert "Your answer stands" in story.sent_to("far")[-1][1]
    assert "Your answer stands" not in story.sent_to("near")[-1][1]
    found = await bodies(story, draft.notice_id)
    assert "召回级别：由三级召回调整为一级召回" in found["amendment", "email", "zh-CN"]["text"]
    assert not [key for key in found if key[0] == "retraction"], "nobody loses a lot"


async def test_an_answer_to_the_first_notice_does_not_keep_the_amendment_that_waits_from_anybody(story: Story) -> None:
    await story.notified()
    far = story.consignees()["far"]["id"]
    story.run("UPDATE consignee SET state = 'acknowledged', acknowledged_at = now() WHERE id = %s", far)
    await story.start(await story.draft(2, "amendment", class_change=("III", "I")), 2)
    await story.answer("far")
    assert story.states()["far"] == ("answered", 1)
    await story.turn(2, days=0.5)
    assert story.kinds_to("far") == ["initial", "amendment"]
    assert "Classification changed from Class III to Class I." in story.sent_to("far")[-1][1]


async def test_a_draft_that_was_replaced_loses_none_of_its_changes(story: Story) -> None:
    await story.notified()
    await story.amend("expand", 2, "B1")
    await story.draft(2, "amendment", scope_version=2, class_change=("III", "II"))
    await story.amend("reduce", 3, "A2")
    draft = await story.draft(3, "amendment", scope_version=3, class_change=("II", "I"))
    row = story.rows("SELECT * FROM notice WHERE id = %s", draft.notice_id)[0]
    assert row["scope_version"] == 3
    assert row["change"] == {
        "since": 1,
        "lots_added": [story.lots["B1"]],
        "lots_removed": [story.lots["A2"]],
        "class": ["III", "I"],
        "whole": False,
    }
    await story.start(draft, 2)
    await story.turn(2, days=1)
    assert story.kinds_to("near") == ["initial", "amendment"]
    assert story.kinds_to("far") == ["initial", "retraction"]
    assert story.kinds_to("beside") == ["initial"]


async def test_a_lot_that_came_and_went_between_two_notices_is_in_neither(story: Story) -> None:
    await story.notified()
    await story.amend("expand", 2, "B1")
    change = await story.amend("reduce", 3, "B1")
    assert (change.consignees_withdrawn, change.consignees_changed) == (1, 1)
    draft = await story.draft(2, "amendment", scope_version=3)
    row = story.rows("SELECT change FROM notice WHERE id = %s", draft.notice_id)[0]["change"]
    assert (row["lots_added"], row["lots_removed"]) == ([], [])
    assert story.states()["beside"] == ("withdrawn", 0)
    await story.start(draft, 2)
    await story.turn(2, days=1)
    assert [story.kinds_to(name)[1:] for name in ("near", "far", "both", "beside")] == [[], [], [], []]


async def test_a_lot_that_went_and_came_back_before_anybody_was_told_is_no_change(story: Story) -> None:
    await story.notified()
    await story.answer("both")
    await story.amend("reduce", 2, "A2")
    change = await story.amend("expand", 3, "A2")
    assert (change.lots_added, change.consignees_added, change.consignees_changed) == (1, 1, 1)
    draft = await story.draft(2, "amendment", scope_version=3)
    row = story.rows("SELECT change FROM notice WHERE id = %s", draft.notice_id)[0]["change"]
    assert (row["lots_added"], row["lots_removed"]) == ([], [])
    await story.start(draft, 2)
    assert await story.asked("far") == {"A2"}
    assert story.states()["far"] == ("open", 2), "what waited for it was closed, so it is asked anew"
    assert story.states()["both"] == ("answered", 1), "its answer was about the same lots"


async def test_a_reduction_that_leaves_no_consignee_a_lot_is_a_retraction(story: Story) -> None:
    await story.notified()
    await story.amend("expand", 2, "OTHER")
    await story.amend("reduce", 3, "RAW", "C1")
    assert story.scope(3) == {"OTHER"}
    draft = await story.draft(2, "amendment", scope_version=3)
    assert (draft.kind, draft.audience) == ("retraction", 4)
    assert {key[0] for key in await bodies(story, draft.notice_id)} == {"retraction"}
    await story.start(draft, 2)
    progress = await story.turn(2, days=1)
    assert (progress.outstanding, progress.unsent) == (0, 0)
    assert story.kinds_to("near") == ["initial", "retraction"]
    assert "has been reduced" in story.sent_to("near")[-1][1]


async def test_a_cancelled_recall_is_taken_back_from_everybody_told_once(story: Story) -> None:
    await story.notified()
    await story.answer("far")
    await story.amend("reduce", 2, "A2")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.turn(2, days=0.5)
    draft = await story.draft(3, "retraction", scope_version=2)
    assert (draft.kind, draft.audience) == ("retraction", 3)
    await story.start(draft, 3)
    for day in (0.6, 2, 4):
        for campaign in (1, 2, 3):
            await story.turn(campaign, days=day)
    assert {state for state, _ in story.states().values()} == {"withdrawn"}
    assert story.kinds_to("far") == ["initial", "retraction"], "it had been told already"
    assert story.kinds_to("near") == ["initial", "retraction"]
    assert story.kinds_to("both") == ["initial", "amendment", "retraction"]
    assert "has been cancelled" in story.sent_to("near")[-1][1]


async def test_a_campaign_that_is_created_again_changes_nothing(story: Story) -> None:
    await story.notified()
    await story.answer("far")
    await story.amend("expand", 2, "B1")
    await story.amend("reduce", 3, "A2")
    draft = await story.draft(2, "amendment", scope_version=3)
    first = await story.start(draft, 2)
    before = story.dump()
    assert await story.start(draft, 2) == first
    assert story.dump() == before
    assert await story.draft(2, "amendment", scope_version=3) == draft
    event = story.event("campaign.started")["data"]
    assert (event["reopened"], event["kept"], event["informed"], event["retracted"]) == (2, 1, 0, 1)
