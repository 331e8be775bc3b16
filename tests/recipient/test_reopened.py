"""A recipient that is asked anew is heard anew, whatever form, draft or tab of the time before it answers with."""

import httpx
import pytest

from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import Person, World
from tests.recipient.test_drafts import half_way

pytestmark = pytest.mark.db


@pytest.fixture
def recipient(http: httpx.AsyncClient, world: World) -> Recipient:
    return Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))


def reopen(world: World) -> None:
    """As a site that is named as receiver of one more lot, or an amended notice with another class, leaves it."""
    world.run("UPDATE consignee SET state = 'open', step = 0, next_step_at = NULL, chase = chase + 1")


def kinds(world: World) -> list[str]:
    return [reply["kind"] for reply in replies(world)]


async def test_an_acknowledgement_with_a_draft_of_the_time_before_counts(recipient: Recipient, world: World) -> None:
    await half_way(recipient, world)
    reopen(world)
    page = await recipient.open()
    assert 'name="acknowledged"' in page.text
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("acknowledge", acknowledged="yes")
    assert world.one("SELECT state FROM consignee") == "acknowledged"
    assert kinds(world) == ["acknowledgement", "acknowledgement"], "once each time"
    offered = (await recipient.open()).text
    assert f'name="on_hand-{world.lot_ids[0]}" value="10"' in offered, "and what was filled in is still there"


async def test_a_new_campaign_asks_anew_although_its_chases_are_counted_from_zero_again(
    recipient: Recipient, world: World
) -> None:
    await half_way(recipient, world)
    world.run(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at)"
        " SELECT recall_number, 2, notice_id, started_at FROM campaign"
    )
    world.run("UPDATE consignee SET state = 'open', step = 0, chase = 0, campaign_sequence = 2")
    await recipient.send("acknowledge", acknowledged="yes")
    assert world.one("SELECT state FROM consignee") == "acknowledged"


async def test_a_tab_left_open_after_the_thanks_shows_what_is_asked_now_and_its_answer_counts(
    recipient: Recipient, world: World
) -> None:
    await recipient.answer(world.lot_ids)
    used_up = recipient.fields["form_id"]
    reopen(world)
    page = await recipient.send("person")
    assert 'name="acknowledged"' in page.text
    assert used_up not in page.text
    assert "Thank you" not in page.text
    await recipient.answer(world.lot_ids, on_hand="4", held="4", used="6")
    assert world.one("SELECT state FROM consignee") == "answered"
    assert kinds(world) == ["acknowledgement", "statement"] * 2
