"""Where scope and notices meet: changes before, between and after notices, late records, bounces."""

import pytest
from temporalio.exceptions import ApplicationError

from adapters.messaging.base import ErrorKind, SendError
from tests.amendments.story import DAY, NOW, NUMBER, Story

pytestmark = pytest.mark.db


async def test_an_amendment_before_any_notice_has_gone_out_is_refused(story: Story) -> None:
    await story.trace()
    for kind in ("amendment", "retraction"):
        with pytest.raises(ApplicationError, match="no notice of this recall has been sent") as caught:
            await story.draft(1, kind)
        assert caught.value.type == "InvalidInput"


async def test_a_scope_that_grew_before_the_first_notice_is_simply_in_it(story: Story) -> None:
    await story.trace()
    await story.amend("expand", 2, "B1")
    draft = await story.draft(1, scope_version=1)
    await story.start(draft)
    await story.turn()
    assert await story.asked("near") == {"A1", "B1"}
    assert story.states()["beside"] == ("open", 1)
    assert story.kinds_to("beside") == ["initial"]
    assert story.rows("SELECT scope_version FROM notice") == [{"scope_version": 2}]


async def test_a_scope_that_grew_between_release_and_sending_waits_for_the_next_notice(story: Story) -> None:
    await story.trace()
    draft = await story.draft()
    await story.amend("expand", 2, "B1")
    await story.start(draft)
    await story.turn()
    assert story.states()["beside"] == ("open", 0)
    assert (story.kinds_to("beside"), story.kinds_to("near")) == ([], ["initial"])
    assert await story.asked("near") == {"A1"}
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.turn(2, days=1)
    assert (story.kinds_to("beside"), story.kinds_to("near")) == (["initial"], ["initial", "amendment"])


@pytest.mark.parametrize("class_change", [None, ("III", "I")])
async def test_so_does_one_that_grew_between_the_release_of_an_amendment_and_its_sending(
    story: Story, class_change: tuple[str, str] | None
) -> None:
    await story.notified()
    await story.amend("reduce", 2, "A2")
    draft = await story.draft(2, "amendment", scope_version=2, class_change=class_change)
    await story.amend("expand", 3, "B1")
    await story.start(draft, 2)
    await story.turn(2, days=2)
    assert story.states()["beside"] == ("open", 0)
    assert story.kinds_to("beside") == []
    await story.start(await story.draft(3, "amendment", scope_version=3), 3)
    await story.turn(3, days=3)
    assert story.states()["beside"] == ("open", 3)
    assert story.kinds_to("beside") == ["initial"]


async def test_whoever_appears_by_a_mere_reduction_between_release_and_sending_is_told(story: Story) -> None:
    await story.trace()
    draft = await story.draft()
    await story.amend("reduce", 2, "A2")
    _shipped_late(story, "beside", "A1")
    await story.trace(2, NOW + 3 * DAY)
    await story.start(draft)
    await story.turn()
    assert await story.asked("beside") == {"A1"}
    assert (story.states()["beside"], story.kinds_to("beside")) == (("open", 1), ["initial"])


async def test_so_is_whoever_appears_there_between_release_and_sending_of_an_amendment(story: Story) -> None:
    await story.notified()
    await story.amend("expand", 2, "B1")
    draft = await story.draft(2, "amendment", scope_version=2)
    await story.amend("reduce", 3, "A2")
    _shipped_late(story, "far", "A1")
    await story.trace(3, NOW + 3 * DAY)
    assert story.states()["far"] == ("open", 0)
    await story.start(draft, 2)
    assert await story.asked("far") == {"A1"}
    assert story.states()["far"] == ("open", 2)


async def test_whoever_appears_after_a_mere_reduction_is_told_by_the_notice_that_is_out(story: Story) -> None:
    await story.notified()
    await story.amend("reduce", 2, "A2")
    _shipped_late(story, "beside", "A1")
    await story.trace(2, NOW + 3 * DAY)
    assert story.states()["beside"] == ("open", 1)
    assert await story.asked("beside") == {"A1"}


async def test_whoever_answered_and_turns_out_to_have_more_is_asked_again(story: Story) -> None:
    await story.notified()
    await story.answer("far")
    _shipped_late(story, "far", "A1")
    await story.trace(1, NOW + 3 * DAY)
    assert story.states()["far"] == ("open", 1)
    assert await story.asked("far") == {"A1", "A2"}
    await story.trace(1, NOW + 4 * DAY)
    await story.answer("far")
    await story.trace(1, NOW + 5 * DAY)
    assert story.states()["far"] == ("answered", 1), "the same records ask nobody twice"


async def test_a_bounce_of_the_amendment_in_an_open_chase_is_noticed(story: Story) -> None:
    await story.notified()
    story.run(
        "INSERT INTO contact (partner_id, position, name, role, email, channels, status)"
        " VALUES (%s, 2, 'second', 'stores', 'second@hospital.example', '{email}', 'verified')",
        story.places["both"],
    )
    await story.amend("reduce", 2, "A2")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.turn(2, days=0.2)
    both = story.consignees()["both"]["id"]
    story.run(
        "UPDATE delivery SET state = 'failed', error_kind = 'permanent_contact' WHERE kind = 'amendment'"
        " AND consignee_id = %s",
        both,
    )
    story.run("UPDATE contact SET status = 'bounced' WHERE email = 'both@hospital.example'")
    await story.turn(2, days=0.3)
    last = story.rows("SELECT kind, step, campaign_id FROM delivery WHERE consignee_id = %s ORDER BY created_at", both)
    assert last[-1] == {"kind": "amendment", "step": 0, "campaign_id": story.campaigns[2]}
    assert story.mail.accepted[-1].to == "second@hospital.example"


async def test_so_is_one_after_the_call_of_an_open_chase(story: Story) -> None:
    await story.notified()
    for day in (1.1, 2.2):
        await story.turn(1, days=day)
    both = story.consignees()["both"]
    assert (both["state"], both["step"]) == ("open", 3)
    story.run(
        "INSERT INTO contact (partner_id, position, name, role, email, channels, status)"
        " VALUES (%s, 2, 'second', 'stores', 'second@hospital.example', '{email}', 'verified')",
        story.places["both"],
    )
    dead = SendError(ErrorKind.PERMANENT_CONTACT, "smtp:550/5.1.1", "no such mailbox")
    story.mail.refusals["both@hospital.example"] = dead
    await story.amend("reduce", 2, "A2")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    for day in (2.3, 2.4, 2.5):
        await story.turn(2, days=day)
    told = story.rows(
        "SELECT kind, step, state FROM delivery WHERE campaign_id = %s AND consignee_id = %s ORDER BY created_at",
        *(story.campaigns[2], both["id"]),
    )
    assert told == [{"kind": "amendment", "step": 2, "state": state} for state in ("failed", "submitted")]
    assert story.mail.accepted[-1].to == "second@hospital.example"


async def test_an_amendment_that_asks_nothing_and_bounces_goes_to_the_next_address_and_to_nobody_twice(
    story: Story,
) -> None:
    await story.notified()
    await story.answer("both")
    story.run(
        "INSERT INTO contact (partner_id, position, name, role, email, channels, status)"
        " VALUES (%s, 2, 'second', 'stores', 'second@hospital.example', '{email}', 'verified')",
        story.places["both"],
    )
    dead = SendError(ErrorKind.PERMANENT_CONTACT, "smtp:550/5.1.1", "no such mailbox")
    story.mail.refusals["both@hospital.example"] = dead
    await story.amend("reduce", 2, "A2")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.turn(2, days=0.2)
    await story.turn(2, days=0.3)
    assert [mail.to for mail in story.mail.accepted if mail.to.startswith("second")] == ["second@hospital.example"]
    story.mail.refusals["second@hospital.example"] = dead
    await story.turn(2, days=0.4)
    both = story.consignees()["both"]
    told = story.rows(
        "SELECT state, step FROM delivery WHERE kind = 'amendment' AND consignee_id = %s ORDER BY state",
        both["id"],
    )
    assert told == [{"state": "failed", "step": -1}, {"state": "submitted", "step": -1}]
    assert story.states()["both"] == ("answered", 1), "it answers nothing anew"


async def test_every_part_of_the_record_agrees_after_all_of_this(story: Story) -> None:
    await story.notified()
    await story.amend("expand", 2, "B1")
    await story.start(await story.draft(2, "amendment", scope_version=2), 2)
    await story.amend("reduce", 3, "A1")
    await story.start(await story.draft(3, "amendment", scope_version=3), 3)
    for campaign in (1, 2, 3):
        await story.turn(campaign, days=3)
    assert await story.asked("near") == {"B1"}
    assert story.kinds_to("near")[:2] == ["initial", "amendment"]
    assert story.holds()["A1"][1] == "nonconformity"
    assert not story.rows(
        "SELECT FROM consignee c WHERE state <> 'withdrawn' AND NOT EXISTS (SELECT FROM consignee_lot cl"
        " WHERE cl.consignee_id = c.id AND cl.withdrawn_in IS NULL)"
    )
    assert not story.rows(
        "SELECT FROM consignee_lot cl JOIN consignee c ON c.id = cl.consignee_id"
        " WHERE cl.withdrawn_in IS NULL AND NOT EXISTS (SELECT FROM scope_lot s WHERE s.recall_number = %s"
        " AND s.scope_version = 3 AND s.lot_id = cl.lot_id)",
        NUMBER,
    )


def _shipped_late(story: Story, place: str, lot: str) -> None:
    """Records of a shipment come in that no trace has seen yet."""
    story.run(
        "INSERT INTO movement (kind, product_id, lot_id, to_location_id, quantity, delivered, occurred_at,"
        " source_system, source_id) SELECT 'shipment', product_id, id, %s, 4, true, %s, 'late', '1' FROM lot"
        " WHERE id = %s",
        *(story.places[place], NOW, story.lots[lot]),
    )
