"""One call to a person with several sites: it names them, and key 1 confirms the notice for each of them."""

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.notify import NotifyActivities
from adapters.messaging.factory import build_blocked_adapters
from db.engine import SessionFactory
from db.repositories import campaign
from domain.channels import Channel
from domain.links import TWILIO_KEY_PATH, TWILIO_SCRIPT_PATH
from models.messages import AdvanceCampaign, SendBatch
from tests.api.test_calls import PHONE, http, post, sid
from tests.campaign.world import LADDER, LINKS, NUMBER, T0, Person, Provider, World, build
from tests.support.servers import PostgresForTests

__all__ = ["http"]

pytestmark = pytest.mark.db


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall whose notice is approved, and one person at three sites."""
    world = build(clean_db.admin_url)
    world.run("UPDATE notice SET approved_at = now()")
    for name, units in (("North", "3"), ("South", "4"), ("West", "5")):
        world.consignee(name, Person(phone=PHONE, channels=("voice",)), lots=(units,))
    return world


@pytest.fixture
async def called(world: World, db: SessionFactory) -> Provider:
    """The campaign has called once."""
    provider = Provider(Channel.VOICE)
    look = AdvanceCampaign(
        number=NUMBER, campaign_id=world.campaign_id, ladder=LADDER, pace=1.0, priority=1, now=T0, channels=("voice",)
    )
    async with db.begin() as session:
        await campaign.advance(session, look)
    notify = NotifyActivities(db, {Channel.VOICE: provider}, build_blocked_adapters(), LINKS)
    batch = SendBatch(number=NUMBER, campaign_id=world.campaign_id, channel="voice", now=T0)
    await ActivityEnvironment().run(notify.send_batch, batch)
    return provider


async def test_one_call_names_its_sites(http: httpx.AsyncClient, world: World, called: Provider) -> None:
    (call,) = called.accepted
    answer = await post(http, TWILIO_SCRIPT_PATH, call.delivery_id, CallSid=sid(), AnsweredBy="human")
    assert "For 3 sites: North, South +1." in answer.text
    assert "A1 (3), A1 (4) +1" in answer.text
    assert "For 3 sites: North, South +1." in call.text, "the same words as planned"


async def test_key_1_is_an_acknowledgement_of_each_site(
    http: httpx.AsyncClient, world: World, called: Provider
) -> None:
    call_sid, delivery = sid(), called.accepted[0].delivery_id
    for _ in range(2):
        await post(http, TWILIO_KEY_PATH, delivery, CallSid=call_sid, Digits="1")
    rows = world.rows("SELECT consignee_id, kind, channel FROM reply")
    assert len(rows) == len({row["consignee_id"] for row in rows}) == 3
    assert {(row["kind"], row["channel"]) for row in rows} == {("acknowledgement", "voice")}
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"acknowledged"}
    assert {row["state"] for row in world.deliveries()} == {"delivered"}


async def test_a_wish_to_be_called_back_is_one(http: httpx.AsyncClient, world: World, called: Provider) -> None:
    delivery = called.accepted[0].delivery_id
    await post(http, TWILIO_KEY_PATH, delivery, CallSid=sid(), Digits="3")
    assert world.one("SELECT count(*) FROM reply") == 1
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"open"}


async def test_key_1_of_somebody_who_has_left_the_first_site_speaks_for_the_others(
    http: httpx.AsyncClient, world: World, called: Provider
) -> None:
    delivery = called.accepted[0].delivery_id
    first = world.one("SELECT consignee_id FROM delivery WHERE id = %s", delivery)
    world.run("UPDATE contact SET status = 'left' FROM delivery d WHERE d.contact_id = contact.id AND d.leads")
    answer = await post(http, TWILIO_KEY_PATH, delivery, CallSid=sid(), Digits="1")
    assert "confirmation is recorded" in answer.text
    assert world.rows("SELECT id FROM consignee WHERE state = 'open'") == [{"id": first}]
    assert world.one("SELECT count(*) FROM reply WHERE kind = 'acknowledgement'") == 2


async def test_key_1_of_somebody_who_has_left_every_site_is_looked_at_by_a_person(
    http: httpx.AsyncClient, world: World, called: Provider
) -> None:
    world.run("UPDATE contact SET status = 'left'")
    answer = await post(http, TWILIO_KEY_PATH, called.accepted[0].delivery_id, CallSid=sid(), Digits="1")
    assert "call you back" in answer.text
    assert world.rows("SELECT kind FROM reply") == [{"kind": "needs_contact"}]
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"open"}
    assert world.one("SELECT count(*) FROM task WHERE key LIKE 'help:%%'") == 1
