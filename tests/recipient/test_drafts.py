"""An answer begun on the recipient page survives a closed browser, becomes one reply, and leaves nothing behind."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from db.engine import SessionFactory
from db.repositories import reply_drafts
from tests.api.test_recipient_page import Recipient, replies
from tests.campaign.world import Person, World

pytestmark = pytest.mark.db
GIVEN = {"on_hand": "10", "held": "10", "used": "0", "passed_on": "0"}


async def half_way(recipient: Recipient, world: World) -> httpx.Response:
    """Acknowledge, say yes, and fill in the figures; the person is still to come."""
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="yes")
    recipient.fields |= {f"{name}-{lot}": value for lot in world.lot_ids for name, value in GIVEN.items()}
    return await recipient.send("lots")


async def test_a_half_filled_answer_is_offered_again_by_a_new_browser(http: httpx.AsyncClient, world: World) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"))
    first = Recipient(http, consignee)
    page = await half_way(first, world)
    assert 'name="responder_name"' in page.text
    later = Recipient(http, consignee)
    again = await later.open()
    assert 'name="responder_name"' in again.text, "the step it was left at"
    assert "We have kept the answer begun on" in again.text
    assert f'name="on_hand-{world.lot_ids[0]}" value="10"' in again.text
    assert later.fields["form_id"] == first.fields["form_id"], "one answer, whichever browser ends it"


async def test_figures_that_were_refused_are_kept_as_typed(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="yes")
    refused = await recipient.send("lots", **{f"on_hand_lot_{world.lot_ids[0]}": "about 7"})
    assert refused.status_code == 422
    again = await Recipient(http, recipient.consignee).open()
    assert 'value="about 7"' in again.text


async def test_a_sent_answer_ends_its_draft_and_a_second_tab_changes_nothing(
    http: httpx.AsyncClient, world: World
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"))
    one, two = Recipient(http, consignee), Recipient(http, consignee)
    await half_way(one, world)
    await two.open()
    assert world.one("SELECT count(*) FROM reply_draft") == 1
    done = await one.send("person", responder_name="Grace", responder_role="Stores")
    assert done.status_code == 200
    assert world.one("SELECT count(*) FROM reply_draft") == 0
    two.fields |= one.fields
    stale = await two.send("person", responder_name="Somebody else", responder_role="Stores")
    assert f"/{replies(world)[-1]['id']}" in stale.text
    assert [reply["kind"] for reply in replies(world)] == ["acknowledgement", "statement"]
    assert world.one("SELECT count(*) FROM reply_draft") == 0, "a late post brings no draft back"


async def test_giving_up_a_draft_starts_afresh(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await half_way(recipient, world)
    fresh = await recipient.send("person", discard="yes")
    assert "<h1>Are you affected?</h1>" in fresh.text
    assert f"on_hand-{world.lot_ids[0]}" not in fresh.text
    assert recipient.fields["form_id"] not in fresh.text, "a new form"
    assert world.one("SELECT count(*) FROM reply_draft") == 0


async def test_two_people_of_one_hospital_have_a_draft_each(http: httpx.AsyncClient, world: World) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"))
    other = world.consignee("Other", Person(email="b@other.example"))
    mine, theirs = Recipient(http, consignee), Recipient(http, other)
    await half_way(mine, world)
    assert 'name="acknowledged"' in (await theirs.open()).text
    assert world.one("SELECT consignee_id FROM reply_draft") == consignee


async def test_old_drafts_and_those_of_ended_recalls_are_forgotten(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"))
    await half_way(Recipient(http, consignee), world)
    now = datetime.now(UTC)
    async with db.begin() as session:
        assert await reply_drafts.forget_old(session, now + timedelta(days=29)) == 0
    world.run("UPDATE reply_draft SET updated_at = now() - interval '31 days'")
    assert "We have kept" not in (await Recipient(http, consignee).open()).text, "not offered even before it is deleted"
    async with db.begin() as session:
        assert await reply_drafts.forget_old(session, now) == 1
    await half_way(Recipient(http, consignee), world)
    world.run("UPDATE recall SET phase = 'cancelled'")
    async with db.begin() as session:
        assert await reply_drafts.forget_old(session, now) == 1


async def test_a_draft_is_neither_audited_nor_counted_as_an_answer(http: httpx.AsyncClient, world: World) -> None:
    await half_way(Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"))), world)
    assert world.one("SELECT state FROM consignee") == "acknowledged"
    assert [reply["kind"] for reply in replies(world)] == ["acknowledgement"]
    assert world.one("SELECT count(*) FROM audit_event WHERE data::text LIKE '%on_hand%'") == 0


async def test_earlier_answers_are_shown_to_the_recipient_that_corrects_one(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await recipient.answer(world.lot_ids)
    await recipient.open(correct="1")
    recipient.fields |= {f"{name}-{lot}": "4" for lot in world.lot_ids for name in ("on_hand", "held")}
    recipient.fields |= {f"used-{lot}": "6" for lot in world.lot_ids}
    await recipient.send("person")
    page = await recipient.open()
    first, second = (reply["id"] for reply in replies(world) if reply["kind"] == "statement")
    assert page.text.index(f"/{second}</strong>") < page.text.index(f"/{first}</strong>, <time>")
    assert "Answers recorded so far: 2" in page.text
    assert "Used or implanted: 6" in page.text
    assert "Grace" not in page.text, "figures, never who gave them"
