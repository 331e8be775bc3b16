"""Answers by text message and telephone, opt-outs, and which recall an incoming message belongs to."""

from datetime import timedelta
from typing import Any

import pytest

from db.engine import SessionFactory
from db.repositories import inbound, opt_outs, replies
from models.replies import PhoneReply, RecordedReply, SmsReply
from tests.campaign.answers import stated
from tests.campaign.conftest import Hand
from tests.campaign.world import DAY, NUMBER, T0, Person, World

pytestmark = pytest.mark.db


async def text(db: SessionFactory, world: World, consignee: int, sid: str, **changes: Any) -> RecordedReply:
    contact = world.one(
        "SELECT contact.id FROM contact JOIN consignee USING (partner_id) WHERE consignee.id = %s", consignee
    )
    given = {
        "recall_number": NUMBER,
        "consignee_id": consignee,
        "contact_id": contact,
        "at": T0 + DAY / 2,
        "provider": "twilio",
        "provider_id": sid,
        "body": "1",
        "acknowledges": True,
        "affected": True,
    } | changes
    async with db.begin() as session:
        return await replies.record_sms_reply(session, SmsReply.model_validate(given))


async def test_an_sms_answer_acknowledges_and_its_repeat_changes_nothing(db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    assert (await text(db, world, one, "SM1", body="2", affected=False)).consignee_state == "acknowledged"
    assert (await text(db, world, one, "SM1", body="2", affected=False)).repeated
    assert world.one("SELECT kind, affected FROM reply") == {"kind": "acknowledgement", "affected": False}


async def test_a_text_that_is_no_answer_asks_for_a_call_and_the_chase_goes_on(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    done = await text(db, world, one, "SM1", body="who is this?", acknowledges=False, affected=None)
    assert done.consignee_state == "open"
    assert world.one("SELECT key, role FROM task") == {"key": f"help:{done.reply_id}", "role": "qa"}
    assert (await hand.advance()).written == {"initial": 1}


async def test_an_answer_by_telephone_closes_the_call_and_names_who_entered_it(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One")
    await hand.advance()
    reply = PhoneReply(
        recall_number=NUMBER,
        consignee_id=one,
        at=T0 + DAY,
        affected=True,
        statements=(stated(world.lot_ids[0], on_hand=10),),
        responder_name="Ann Other",
        entered_by="quinn",
    )
    async with db.begin() as session:
        done = await replies.record_phone_reply(session, reply)
    assert done.consignee_state == "answered"
    task = world.one("SELECT state, done_by, outcome FROM task")
    assert task == {"state": "done", "done_by": "quinn", "outcome": "answered by phone"}
    assert world.one("SELECT actor FROM audit_event WHERE action = 'reply.recorded'") == "quinn"


async def test_a_telephone_number_leads_to_the_recall_texted_last(hand: Hand, db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person(phone="+254700000001"))
    await hand.advance()
    await hand.send("sms")
    async with db() as session:
        (match,) = await inbound.inbound_contact_by_phone(session, "+254700000001")
        assert await inbound.inbound_contact_by_phone(session, "+254700000009") == []
        assert await inbound.inbound_contact_by_phone(session, "+254700000001", recall_number="RC-2026-000099") == []
    assert (match.recall_number, match.consignee_id, match.state) == (NUMBER, one, "open")
    assert match.delivery_id == world.deliveries(one)[0]["id"]


async def test_an_opt_out_holds_at_once_and_the_notice_takes_another_channel(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    one = world.consignee("One", Person("a@x.example", "+254700000001", channels=("sms", "email")))
    await hand.advance()
    async with db.begin() as session:
        effects = await opt_outs.record_opt_out(session, "+254700000001", at=T0 + timedelta(minutes=1))
        assert await opt_outs.record_opt_out(session, "+254700000001", at=T0) == []
    assert [(each.recall_number, each.campaign_sequence) for each in effects] == [(NUMBER, 1)]
    assert (await hand.send("sms")).claimed == 0
    await hand.advance(T0 + timedelta(minutes=2))
    assert [(row["channel"], row["state"]) for row in world.deliveries(one)] == [
        ("sms", "failed"),
        ("email", "pending"),
    ]
    async with db.begin() as session:
        await opt_outs.record_opt_out(session, "+254700000001", at=T0, opted_out=False)
    assert world.one("SELECT sms_opted_out_at FROM contact") is None


async def test_a_raw_message_is_kept_once(db: SessionFactory, world: World) -> None:
    kept = []
    for _ in range(2):
        async with db.begin() as session:
            kept.append(
                await inbound.keep_inbound(
                    session,
                    provider="twilio",
                    provider_id="SM1",
                    contact_id=None,
                    body="1",
                    outcome="unknown_sender",
                    at=T0,
                )
            )
    assert kept == [True, False]
