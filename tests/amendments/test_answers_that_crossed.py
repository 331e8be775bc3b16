"""An answer to the notice before, on its way while the recipient is asked anew: it keeps the new notice from nobody."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from db.repositories.replies import record_page_reply, record_sms_reply, record_webhook_reply
from models.replies import PageReply, RecordedReply, SmsReply, StatedLot, WebhookReply
from tests.amendments.story import DAY, NOW, NUMBER, Story

pytestmark = pytest.mark.db


def notices_to(story: Story, name: str) -> list[UUID]:
    query = "SELECT id FROM delivery WHERE consignee_id = %s ORDER BY created_at, campaign_id"
    return [row["id"] for row in story.rows(query, story.consignees()[name]["id"])]


async def short(story: Story, name: str, delivery: UUID | None, **changes: Any) -> RecordedReply:
    """ "Received", by text, mail or key."""
    consignee = story.consignees()[name]
    count = len(story.rows("SELECT id FROM reply"))
    given = {
        "channel": "sms",
        "recall_number": NUMBER,
        "consignee_id": consignee["id"],
        "contact_id": story.rows("SELECT id FROM contact WHERE partner_id = %s", consignee["partner_id"])[0]["id"],
        "at": NOW + 2 * DAY,
        "provider": "test",
        "provider_id": f"{count} {name} {delivery}"[:50],
        "body": "received",
        "acknowledges": True,
        "delivery_id": delivery,
    }
    async with story.sessions.begin() as session:
        return await record_sms_reply(session, SmsReply.model_validate(given | changes))


async def receipt(story: Story, delivery: UUID, *, of_message: bool) -> RecordedReply:
    """ "Received", on the page that the message leads to, or for all its sites at once."""
    reply = PageReply(
        recall_number=NUMBER,
        consignee_id=story.consignees()["near"]["id"],
        delivery_id=delivery,
        at=NOW + 2 * DAY,
        form_id="form-of-the-page",
        of_message=of_message,
    )
    async with story.sessions.begin() as session:
        return await record_page_reply(session, reply)


async def expanded(story: Story) -> UUID:
    """The amended notice is released and not out yet; returns the first notice to the one it has more lots for."""
    await story.notified()
    await story.amend("expand", 2, "B1")
    draft = await story.draft(2, "amendment", scope_version=2)
    (first,) = notices_to(story, "near")
    await story.start(draft, 2)
    assert story.states()["near"] == ("open", 2)
    return first


async def is_told(story: Story) -> None:
    """The amended notice goes out, and its own acknowledgement is one."""
    assert story.states()["near"] == ("open", 2)
    await story.turn(2, days=1)
    assert story.kinds_to("near") == ["initial", "amendment"]
    assert (await short(story, "near", notices_to(story, "near")[1])).consignee_state == "acknowledged"


@pytest.mark.parametrize("channel", ["sms", "email", "voice"])
async def test_a_short_answer_to_the_first_notice_does_not_acknowledge_the_amended_one(
    story: Story, channel: str
) -> None:
    first = await expanded(story)
    recorded = await short(story, "near", first, channel=channel)
    assert recorded.consignee_state == "open"
    assert story.rows("SELECT kind, delivery_id FROM reply") == [{"kind": "acknowledgement", "delivery_id": first}]
    await is_told(story)


async def test_nor_while_the_amended_notice_waits_for_its_sender_or_by_whom_nobody_texted(story: Story) -> None:
    first = await expanded(story)
    # Planned, and held by a sender: what was pending would be cancelled by an acknowledgement.
    story.run(
        "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language,"
        " priority, state, attempt, ambiguous, created_at)"
        " SELECT gen_random_uuid(), %s, consignee_id, contact_id, 0, 0, 'amendment', 'email', 'en', 1, 'pending', 0,"
        " false, %s FROM delivery WHERE id = %s",
        *(story.campaigns[2], NOW + 2 * DAY, first),
    )
    assert (await short(story, "near", first)).consignee_state == "open"
    assert (await short(story, "near", None)).consignee_state == "open"
    assert story.rows("SELECT state FROM delivery WHERE campaign_id = %s", story.campaigns[2]) == [{"state": "pending"}]
    await is_told(story)


async def test_a_receipt_for_all_sites_of_the_first_message_says_nothing_of_the_amended_one(story: Story) -> None:
    first = await expanded(story)
    assert (await receipt(story, first, of_message=True)).consignee_state == "open"
    await is_told(story)


async def test_quantities_that_a_system_states_of_the_first_notice_are_kept_and_it_is_told_all_the_same(
    story: Story,
) -> None:
    first = await expanded(story)
    ten, none = Decimal(10), Decimal(0)
    lots = (StatedLot(lot_id=story.lots["A1"], on_hand=ten, held=ten, used=none, passed_on=none),)
    reply = WebhookReply(
        recall_number=NUMBER,
        consignee_id=story.consignees()["near"]["id"],
        delivery_id=first,
        at=NOW + 2 * DAY,
        form_id="wh:of-the-first-notice",
        affected=True,
        statements=lots,
    )
    async with story.sessions.begin() as session:
        assert (await record_webhook_reply(session, reply)).consignee_state == "open"
    assert story.rows("SELECT on_hand FROM reply_line") == [{"on_hand": ten}]
    await is_told(story)


async def test_the_page_shows_the_amended_notice_whatever_link_opened_it_so_its_receipt_counts(story: Story) -> None:
    first = await expanded(story)
    assert (await receipt(story, first, of_message=False)).consignee_state == "acknowledged"


async def test_whoever_is_chased_again_for_one_more_lot_has_to_be_told_of_it(story: Story) -> None:
    await story.notified()
    (first,) = notices_to(story, "near")
    assert (await short(story, "near", first)).consignee_state == "acknowledged"
    story.run(
        "UPDATE consignee SET state = 'open', step = 0, chase = chase + 1, next_step_at = NULL, acknowledged_at = NULL"
        " WHERE id = %s",
        story.consignees()["near"]["id"],
    )
    assert (await short(story, "near", first)).consignee_state == "open"
    await story.turn(1, days=2)
    assert story.kinds_to("near") == ["initial", "initial"]
    assert (await short(story, "near", first, at=NOW + 3 * DAY)).consignee_state == "acknowledged"


async def test_an_answer_to_a_message_whose_sending_is_not_on_record_yet_proves_that_it_arrived(story: Story) -> None:
    await expanded(story)
    await story.turn(2, days=1)
    amended = notices_to(story, "near")[1]
    story.run("UPDATE delivery SET state = 'submitting', lease_until = %s WHERE id = %s", NOW + DAY, amended)
    at = NOW + 2 * DAY + timedelta(minutes=1)
    assert (await short(story, "near", amended, channel="email", at=at)).consignee_state == "acknowledged"
