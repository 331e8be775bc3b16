"""Two notices of one event to one person are one: the amendment speaks for a site that had none yet, too."""

from typing import Any

import pytest

from adapters.messaging.base import ErrorKind
from db.repositories import closing, document_sql, extension_notices
from db.repositories.chasing_sql import COPY
from tests.amendments.story import DAY, NOW, NUMBER, Story
from tests.campaign.merged import refused

pytestmark = pytest.mark.db


def shared(story: Story, *names: str) -> None:
    """The same person is the contact of these hospitals."""
    story.run(
        "UPDATE contact SET email = 'safety@group.example' WHERE name = ANY (%s)", [f"{name} stores" for name in names]
    )


async def test_a_first_notice_and_an_amendment_due_at_once_are_one_message(story: Story) -> None:
    shared(story, "near", "beside")
    await story.notified()
    await story.amend("expand", 2, "B1")
    before = len(story.mail.accepted)
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.turn(2, days=2)
    (message,) = [mail for mail in story.mail.accepted[before:] if mail.to == "safety@group.example"]
    rows = story.rows("SELECT id, kind, carried_by, state FROM delivery WHERE campaign_id = %s", story.campaigns[2])
    assert {row["kind"]: row["carried_by"] for row in rows} == {"amendment": None, "initial": message.delivery_id}
    assert {row["state"] for row in rows} == {"submitted"}
    assert "This notice is for 2 sites" in message.text
    assert "WHAT HAS CHANGED" in message.text
    assert "Affected lots (4): A1, A2, B1, C1" in message.text, (
        "complete for the site that hears of it for the first time"
    )
    assert story.states()["beside"] == ("open", 2)


async def test_a_retraction_for_several_sites_is_one_message(story: Story) -> None:
    shared(story, "near", "both", "mixed")
    await story.notified()
    before = len(story.mail.accepted)
    await story.start(await story.draft(2, "retraction"), 2)
    await story.turn(2, days=2)
    told = [mail for mail in story.mail.accepted[before:] if mail.to == "safety@group.example"]
    assert len(told) == 1
    assert "This notice is for 3 sites" in told[0].text
    assert "RETRACTED" in told[0].text


# ---------------------------------------------------------------------- who pays


def pays(story: Story, *names: str) -> None:
    """Each of these hospitals has its goods paid for by a desk elsewhere."""
    for name in names:
        story.run(
            "INSERT INTO contact (partner_id, position, name, role, party, email, channels, status)"
            " VALUES (%s, 2, 'Accounts', 'accounts', 'bill_to', %s, '{email}', 'verified')",
            *(story.places[name], f"accounts-{name}@group.example"),
        )


def unreachable(story: Story, *names: str) -> None:
    """The stores' mail server takes nothing for now."""
    story.mail.refusals |= {f"{name}@hospital.example": refused(ErrorKind.TRANSIENT) for name in names}


def limit(story: Story, version: int) -> None:
    """The notice limit of lots added with a scope version is on record."""
    story.run(
        "INSERT INTO deadline (recall_number, name, jurisdiction, clock, limit_text, basis, source, policy_due_at,"
        " due_at) VALUES (%s, %s, 'us-fda', 'decision', '72 h', 'law', 'test', %s, %s)",
        *(NUMBER, f"notify:{version}", NOW + 9 * DAY, NOW + 9 * DAY),
    )


async def met(story: Story, version: int) -> Any:
    """When the limit is recorded as met, after the record was asked."""
    async with story.sessions.begin() as session:
        await extension_notices.meet(session, NUMBER, NOW + 4 * DAY)
    (row,) = story.rows("SELECT met_at FROM deadline WHERE name = %s", f"notify:{version}")
    return row["met_at"]


async def test_a_copy_for_who_pays_meets_no_limit_and_tells_nobody_who_has_the_goods(story: Story) -> None:
    await story.notified()
    pays(story, "near", "beside")
    await story.amend("expand", 2, "B1")
    limit(story, 2)
    unreachable(story, "near", "beside")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.turn(2, days=2)
    progress = await story.turn(2, days=2.001)
    sent = story.rows(
        "SELECT d.step, d.state FROM delivery d WHERE d.campaign_id = %s ORDER BY d.step", story.campaigns[2]
    )
    assert [(row["step"], row["state"] == "submitted") for row in sent] == [(COPY, True)] * 2 + [(0, False)] * 2
    assert progress.not_notified == 2
    assert await met(story, 2) is None
    story.mail.refusals.clear()
    progress = await story.turn(2, days=2.1)
    assert progress.not_notified == 0
    assert await met(story, 2) >= NOW + 2.1 * DAY


async def test_who_pays_hears_that_it_was_wrong_though_the_place_itself_was_never_told(story: Story) -> None:
    pays(story, "near", "far")
    unreachable(story, "near")
    await story.notified()
    story.run("UPDATE delivery SET state = 'failed' WHERE state = 'pending'")
    async with story.sessions() as session:
        assert await closing.told(session, NUMBER) == 4, "near is one of them"
    before = len(story.mail.accepted)
    story.mail.refusals.clear()
    await story.start(await story.draft(2, "retraction"), 2)
    for day in (2, 2.1):
        await story.turn(2, days=day)
    told = [mail.to.split("@")[0] for mail in story.mail.accepted[before:]]
    assert sorted(told) == ["accounts-far", "accounts-near", "both", "far", "mixed"]
    assert all("RETRACTED" in mail.text for mail in story.mail.accepted[before:])


async def test_documents_say_how_the_places_themselves_were_told(story: Story) -> None:
    pays(story, "near", "far")
    unreachable(story, "near")
    await story.notified()
    (row,) = story.rows(document_sql.CHANNELS.replace(":number", "%s"), NUMBER)
    assert (row["channel"], row["consignees"]) == ("email", 3), "of four, one has only had its copy sent elsewhere"


async def test_whoever_had_only_a_copy_of_the_earlier_notice_sent_is_not_told_what_changed_since(
    story: Story,
) -> None:
    pays(story, "near")
    unreachable(story, "near")
    await story.notified()
    story.mail.refusals.clear()
    await story.amend("expand", 2, "B1")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.turn(2, days=2)
    assert story.kinds_to("near") == ["initial"]
    # Asked anew from the first step, as where an answer is taken back.
    story.run("UPDATE consignee SET chase = chase + 1, step = 0, next_step_at = NULL WHERE state = 'open'")
    await story.turn(2, days=2.1)
    assert story.kinds_to("near") == ["initial", "initial"]
