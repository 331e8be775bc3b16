"""A call from the ladder to the record: sent by the real client, read by our API, answered by a key on the stand-in."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.compose import NoticeLinks
from activities.notify import NotifyActivities
from adapters.messaging.factory import build_blocked_adapters
from adapters.messaging.twilio_connection import TwilioConfig
from adapters.messaging.twilio_voice import TwilioVoiceAdapter
from api.app import create_app
from db.engine import SessionFactory
from db.repositories import campaign
from domain.channels import Channel
from models.messages import AdvanceCampaign, BatchResult, SendBatch
from stack.small_server import HttpServer, bind
from tests.api.conftest import unreachable_client
from tests.campaign.world import LADDER, NUMBER, T0, Person, World, build
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN, Standin, free_port, running, standin, webhooks
from tests.support.api import LINK_SECRET, settings_for
from tests.support.servers import PostgresForTests

__all__ = ["standin", "webhooks"]
pytestmark = pytest.mark.db


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    world = build(clean_db.admin_url)
    world.run("UPDATE notice SET approved_at = now()")
    return world


@pytest_asyncio.fixture
async def public_url(postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[str]:
    """Our API where the stand-in can reach it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = settings_for(postgres.app_url, tmp_path, public_url=url, twilio_auth_token=AUTH_TOKEN)
    app = create_app(settings, temporal_client=await unreachable_client(), background=False)
    async with app.router.lifespan_context(app):
        server = HttpServer(app)
        async with running(lambda stop: server.run(bind(port, "test"), stop), f"{url}/healthz"):
            yield url


async def send(db: SessionFactory, world: World, standin: Standin, public_url: str) -> BatchResult:
    """Walk the ladder and place the calls that are due, as a worker does."""
    request = AdvanceCampaign(
        number=NUMBER, campaign_id=world.campaign_id, ladder=LADDER, pace=1.0, priority=1, now=T0
    ).model_copy(update={"channels": ("voice",)})
    async with db.begin() as session:
        await campaign.advance(session, request)
    adapter = TwilioVoiceAdapter(TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, "+12025550100", base_url=standin.url))
    links = NoticeLinks(public_url, LINK_SECRET, "Recall <recall@firm.example>")
    activities = NotifyActivities(db, {Channel.VOICE: adapter}, build_blocked_adapters(), links)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=f"recall:{NUMBER}:campaign:1")
    batch = SendBatch(number=NUMBER, campaign_id=world.campaign_id, channel="voice", now=T0)
    try:
        result: BatchResult = await environment.run(activities.send_batch, batch)
    finally:
        await adapter.close()
    return result


async def calls_of(standin: Standin, seen: Any) -> list[dict[str, Any]]:
    """The stand-in's calls once they are as the test waits for."""
    async with asyncio.timeout(10):
        while True:
            found: list[dict[str, Any]] = (await standin.http.get("/calls")).json()
            if found and all(seen(one) for one in found):
                return found
            await asyncio.sleep(0.02)


async def test_a_call_is_placed_read_and_acknowledged_by_a_key(
    db: SessionFactory, world: World, standin: Standin, public_url: str
) -> None:
    one = world.consignee("Mercy", Person(phone="+12025550123", channels=("voice",)))
    result = await send(db, world, standin, public_url)
    assert (result.claimed, result.submitted) == (1, 1)
    async with asyncio.timeout(10):
        while True:
            pressed = await standin.http.post("/simulate/key", json={"to": "+12025550123", "key": "1"})
            if pressed.status_code == 200:
                break
            await asyncio.sleep(0.02)
    (call,) = await calls_of(standin, lambda one: one["ended_at"])
    notice, thanks = call["said"].strip().splitlines()
    assert "RC-2026-000012" in notice
    assert "Mercy" in notice
    assert "A1 (10)" in notice
    assert thanks.startswith("Thank you")
    (row,) = world.deliveries(one)
    assert (row["channel"], row["state"], row["provider_id"]) == ("voice", "delivered", call["sid"])
    assert world.one("SELECT state FROM consignee") == "acknowledged"
    assert world.one("SELECT channel FROM reply") == "voice"


async def test_nobody_there_and_a_mailbox_leave_the_consignee_open(
    db: SessionFactory, world: World, standin: Standin, public_url: str
) -> None:
    gone = world.consignee("Gone", Person(phone="+15005557001", channels=("voice",)))
    mailbox = world.consignee("Mailbox", Person(phone="+15005556001", channels=("voice",)))
    assert (await send(db, world, standin, public_url)).submitted == 2
    await calls_of(standin, lambda one: one["ended_at"])
    async with asyncio.timeout(10):
        while world.one("SELECT count(*) FROM delivery WHERE state = 'failed'") < 2:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    for consignee, code in ((gone, "twilio:no-answer"), (mailbox, "twilio:answered_by_machine")):
        (row,) = world.deliveries(consignee)
        assert (row["state"], row["error_kind"], row["error_code"]) == ("failed", "transient", code)
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"open"}
    assert world.one("SELECT count(*) FROM reply") == 0
