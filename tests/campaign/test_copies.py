"""Who pays for the goods gets a copy; what it answers never stands for a place that has not been told itself."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.messaging.base import ErrorKind
from db.repositories.replies import record_sms_reply
from models.replies import RecordedReply, SmsReply
from tests.campaign.answers import answer, stated
from tests.campaign.conftest import Hand
from tests.campaign.merged import acknowledge, pays, refused
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = pytest.mark.db
ACCOUNTS = Person("accounts@group.example", phone="+254700000099", channels=("email", "sms"))


async def copied(hand: Hand, world: World) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """A place whose own notice (a text) still waits while the copy has gone out; consignee, its notice, the copy."""
    one = world.consignee("One", Person(phone="+254700000001"))
    pays(world, one, ACCOUNTS)
    await hand.advance()
    await hand.send("email")
    own, copy = sorted(world.deliveries(one), key=lambda row: -row["step"])
    assert (own["state"], copy["state"]) == ("pending", "submitted")
    return one, own, copy


async def text_from(hand: Hand, one: int, row: dict[str, Any], **changes: Any) -> RecordedReply:
    given = {
        "recall_number": NUMBER,
        "consignee_id": one,
        "contact_id": row["contact_id"],
        "at": T0,
        "provider": "twilio",
        "provider_id": f"SM{row['id']}"[:34],
        "body": "1",
        "acknowledges": True,
        "affected": True,
        "delivery_id": row["id"],
    }
    async with hand.sessions.begin() as session:
        return await record_sms_reply(session, SmsReply.model_validate(given | changes))


def site(world: World) -> tuple[str, str]:
    """State of the consignee, and of its own first notice."""
    return world.one("SELECT state FROM consignee"), world.one("SELECT state FROM delivery WHERE step = 0")


async def test_an_acknowledgement_of_the_copy_is_kept_and_the_place_is_told_all_the_same(
    hand: Hand, world: World
) -> None:
    one, own, copy = await copied(hand, world)
    recorded = await acknowledge(hand, one, delivery_id=copy["id"], contact_id=copy["contact_id"])
    assert (recorded.consignee_state, recorded.nudge_due) == ("open", False)
    assert site(world) == ("open", "pending")
    assert world.one("SELECT kind, delivery_id FROM reply") == {"kind": "acknowledgement", "delivery_id": copy["id"]}
    assert (await hand.progress()).not_notified == 1, "the limit to tell everybody is not met"
    await hand.send("sms")
    assert [text.delivery_id for text in hand.sms.accepted] == [own["id"]]
    assert (await text_from(hand, one, own)).consignee_state == "acknowledged"


@pytest.mark.parametrize("channel", ["sms", "voice", "email"])
async def test_so_is_a_short_answer_even_where_nobody_knows_to_which_message(
    hand: Hand, world: World, channel: str
) -> None:
    one, _, copy = await copied(hand, world)
    assert (await text_from(hand, one, copy, channel=channel, delivery_id=None)).consignee_state == "open"
    assert site(world) == ("open", "pending")


async def test_so_are_quantities_and_what_cannot_be_is_asked_back_at_once(hand: Hand, world: World) -> None:
    one, _, copy = await copied(hand, world)
    lot = world.lot_ids[0]
    by = {"delivery_id": copy["id"], "contact_id": copy["contact_id"]}
    assert (await answer(hand.sessions, one, stated(lot, on_hand=4, used=6), **by)).consignee_state == "open"
    assert site(world) == ("open", "pending")
    await answer(hand.sessions, one, stated(lot, on_hand=99), **by)
    assert world.one("SELECT reason FROM consignee_case WHERE state = 'open'") == "statement"
    assert site(world) == ("open", "pending")


async def test_a_call_to_a_place_nobody_can_write_to_is_not_ended_by_who_pays(hand: Hand, world: World) -> None:
    one, own, copy = await copied(hand, world)
    hand.sms.refusals["+254700000001"] = refused(ErrorKind.PERMANENT_CONTACT)
    await hand.send("sms")
    world.run("UPDATE contact SET status = 'left' WHERE id = %s", own["contact_id"])
    world.run(
        "INSERT INTO consignee_case (recall_number, consignee_id, reason, state, opened_at)"
        " VALUES (%s, %s, 'bounce', 'open', %s)",
        *(NUMBER, one, T0),
    )
    await acknowledge(hand, one, delivery_id=copy["id"], contact_id=copy["contact_id"])
    assert world.one("SELECT state FROM consignee_case") == "open"


async def test_once_the_place_has_been_told_who_pays_may_answer_for_it(hand: Hand, world: World) -> None:
    one, _, copy = await copied(hand, world)
    await hand.send("sms")
    await hand.advance(T0 + timedelta(minutes=1))
    assert (await text_from(hand, one, copy)).consignee_state == "acknowledged"


async def test_a_place_that_was_told_before_and_has_to_be_told_anew_counts_as_untold(hand: Hand, world: World) -> None:
    one, own, copy = await copied(hand, world)
    await hand.send("sms")
    # Somebody names it as a receiver of a further lot: it is asked again from the first step.
    world.run("UPDATE consignee SET chase = chase + 1, step = 0, next_step_at = NULL")
    await hand.advance(T0 + DAY / 2)
    (again,) = [row for row in world.deliveries(one) if row["state"] == "pending" and row["step"] == 0]
    assert (await text_from(hand, one, copy)).consignee_state == "open"
    assert world.one("SELECT state FROM delivery WHERE id = %s", again["id"]) == "pending"
    assert (await text_from(hand, one, own)).consignee_state == "open", "nor does it know of it by its first text"
    await hand.send("sms", now=T0 + DAY / 2)
    assert (await text_from(hand, one, again)).consignee_state == "acknowledged"
