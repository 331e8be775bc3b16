"""Two campaigns of one recall at once: answers, nudges, joiners and text messages each find the right one."""

from decimal import Decimal

import pytest

from db.repositories import consignee_lots, replies
from db.repositories.inbound import inbound_contact_by_phone
from models.messages import Actor, RecordDecision
from models.replies import PageReply, PassedOnLot, PassedOnTo, RecordedReply, StatedLot
from tests.amendments.story import DAY, NOW, NUMBER, Story

pytestmark = pytest.mark.db


async def two_campaigns(story: Story) -> None:
    """B1 came in: near and beside are chased by campaign 2, the others by campaign 1."""
    await story.notified()
    await story.amend("expand", 2, "B1")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.turn(2, days=2)


async def stated(story: Story, name: str, *passed_on: PassedOnTo) -> RecordedReply:
    consignee = story.consignees()[name]["id"]
    async with story.sessions.begin() as session:
        lots = (await consignee_lots.lots_of(session, [consignee]))[consignee]
        gone = {lot.lot_id: lot.quantity for to in passed_on for lot in to.lots}
        statements = tuple(
            StatedLot(
                lot_id=lot.lot_id,
                on_hand=lot.received - gone.get(lot.lot_id, Decimal(0)),
                used=Decimal(0),
                held=Decimal(0),
                passed_on=gone.get(lot.lot_id, Decimal(0)),
            )
            for lot in lots
        )
        reply = PageReply(
            recall_number=NUMBER,
            consignee_id=consignee,
            at=NOW + 3 * DAY,
            form_id=f"form-of-{name}",
            affected=True,
            statements=statements,
            passed_on=passed_on,
            responder_name="Grace",
        )
        return await replies.record_page_reply(session, reply)


async def test_an_answer_nudges_the_campaign_that_chases_its_consignee(story: Story) -> None:
    await two_campaigns(story)
    assert (await stated(story, "near")).campaign_sequence == 2
    assert (await stated(story, "far")).campaign_sequence == 1
    assert (await stated(story, "beside")).nudge_due, "the last answer of campaign 2, whatever campaign 1 waits for"
    assert not story.rows("SELECT FROM consignee WHERE campaign_sequence = 2 AND state = 'open'")


async def test_whoever_a_lot_was_passed_on_to_joins_the_newest_campaign_with_that_lot(story: Story) -> None:
    await two_campaigns(story)
    clinic = PassedOnTo(
        name="Clinic",
        kind="hospital",
        email="clinic@clinic.example",
        lots=(PassedOnLot(lot_id=story.lots["A2"], quantity=Decimal(4)),),
    )
    recorded = await stated(story, "far", clinic)
    assert (recorded.campaign_sequence, recorded.nudge_due) == (2, True)
    joined = story.rows("SELECT * FROM consignee WHERE id = %s", recorded.new_consignees[0])[0]
    assert (joined["state"], joined["campaign_sequence"]) == ("open", 2)
    lots = story.rows("SELECT lot_id, scope_version FROM consignee_lot WHERE consignee_id = %s", joined["id"])
    assert lots == [{"lot_id": story.lots["A2"], "scope_version": 1}]
    await story.turn(2, days=3)
    first = [message for message in story.mail.accepted if message.to == "clinic@clinic.example"]
    assert len(first) == 1
    assert "notice version 2" in first[0].text
    assert "What has changed".upper() not in first[0].text, "it knew no earlier notice"


async def test_a_text_message_is_matched_once_and_with_its_own_campaign(story: Story) -> None:
    await two_campaigns(story)
    story.run(
        "UPDATE contact SET phone = '+15005550001' WHERE email IN ('near@hospital.example', 'far@hospital.example')"
    )
    async with story.sessions() as session:
        found = await inbound_contact_by_phone(session, "+15005550001")
    consignees = story.consignees()
    assert {(match.consignee_id, match.campaign_sequence) for match in found} == {
        (consignees["near"]["id"], 2),
        (consignees["far"]["id"], 1),
    }
    assert len(found) == 2


async def test_the_release_of_an_amended_notice_closes_its_own_task(story: Story) -> None:
    await story.notified()
    await story.amend("expand", 2, "B1")
    draft = await story.draft(2, "amendment", scope_version=2)
    for key in ("notice", "notice:2"):
        story.run(
            "INSERT INTO task (recall_number, key, step, what, role, evidence_required, state, opened_at)"
            " VALUES (%s, %s, 'notice_approval', 'x', 'approver', false, 'offered', %s)",
            NUMBER,
            key,
            NOW,
        )
    decision = {
        "actor": Actor(principal="ada", roles=("approver",)).model_dump(mode="json"),
        "notice_id": draft.notice_id,
        "sha256": draft.sha256,
    }
    record = RecordDecision(number=NUMBER, now=NOW + 2 * DAY, operation="approve_notice", decision=decision)
    await story.do(story.notice.record_notice_approval, record)
    states = {row["key"]: row["state"] for row in story.rows("SELECT key, state FROM task")}
    assert states == {"notice": "offered", "notice:2": "done"}


async def test_a_drafted_amendment_is_in_the_audit_with_what_it_changes(story: Story) -> None:
    await story.notified()
    await story.amend("reduce", 2, "A2")
    await story.draft(2, "amendment", scope_version=2)
    drafted = story.event("notice.drafted")["data"]
    assert (drafted["kind"], drafted["scope_version"]) == ("amendment", 2)
    assert drafted["change"]["lots_removed"] == [story.lots["A2"]]
    assert "retraction/email.zh-CN" in drafted["bodies"]
