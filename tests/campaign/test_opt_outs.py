"""Opt-outs from end to end: a word or a key ends a channel to a number at once, and the next one is used at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from twilio.request_validator import RequestValidator

from adapters.messaging.base import ErrorKind, SendError
from db.engine import SessionFactory
from db.repositories.deliveries import OPT_OUT_CODE
from db.repositories.opt_outs import record_opt_out
from tests.campaign.campaign_run import campaign
from tests.campaign.conftest import Hand
from tests.campaign.world import T0, Person, World
from tests.support.api import TWILIO_TOKEN, serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = [pytest.mark.db, pytest.mark.workflow]
PHONE = "+254700000001"
INBOUND = "/v1/webhooks/twilio/inbound"
BUSY = SendError(ErrorKind.TRANSIENT, "twilio:20429", "too many requests")


@asynccontextmanager
async def api(client: Client, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings_for(postgres.app_url, tmp_path), client) as http:
        yield http


async def text(http: httpx.AsyncClient, body: str, **more: str) -> httpx.Response:
    """A phone writes to us."""
    form = {"MessageSid": f"SM{uuid4().hex}", "From": PHONE, "To": "+15005550006", "Body": body} | more
    signature = RequestValidator(TWILIO_TOKEN).compute_signature(f"http://recall.test{INBOUND}", form)
    return await http.post(INBOUND, data=form, headers={"X-Twilio-Signature": signature})


@pytest.mark.parametrize(("word", "more"), [("STOP", {"OptOutType": "STOP"}), ("stop", {}), ("退订", {}), ("baja", {})])
async def test_stop_takes_the_next_channel_at_once(
    temporal: WorkflowEnvironment,
    hand: Hand,
    world: World,
    postgres: PostgresForTests,
    tmp_path: Path,
    word: str,
    more: dict[str, str],
) -> None:
    one = world.consignee("One", Person("a@x.example", PHONE, channels=("sms", "email")))
    other = world.consignee("Same telephone", Person(phone=PHONE))
    hand.sms.refusals[PHONE] = BUSY
    async with campaign(temporal, hand) as run, api(temporal.client, postgres, tmp_path) as http:
        await run.until(
            lambda progress: progress.unsent == 1 and hand.world.one("SELECT max(attempt) FROM delivery") > 0
        )
        answer = await text(http, word, **more)
        confirmed = {"退订": "已停止", "baja": "No enviaremos mas SMS"}.get(word)
        assert (confirmed in answer.text) if confirmed else ("<Message>" not in answer.text), "Twilio confirms its own"
        await run.until(lambda progress: progress.not_notified == 1)
    assert world.one("SELECT count(*) FROM contact WHERE sms_opted_out_at IS NULL") == 0
    assert [(row["channel"], row["state"], row["error_code"]) for row in world.deliveries(one)] == [
        ("sms", "failed", "sms:opt_out"),
        ("email", "submitted", None),
    ]
    assert not [row for row in world.deliveries(other) if row["state"] != "failed"]
    assert world.one("SELECT reason FROM consignee_case WHERE consignee_id = %s", other) == "bounce", "a person calls"
    assert hand.sms.accepted == []


async def test_start_takes_back_what_a_word_or_a_key_ended(
    temporal: WorkflowEnvironment,
    hand: Hand,
    db: SessionFactory,
    world: World,
    postgres: PostgresForTests,
    tmp_path: Path,
) -> None:
    world.consignee("One", Person(phone=PHONE, channels=("sms", "voice")))
    async with api(temporal.client, postgres, tmp_path) as http:
        for word in ("START", "unstop", "恢复订阅", "reanudar", "Alta"):
            async with db.begin() as session:
                await record_opt_out(session, PHONE, at=T0)
                await record_opt_out(session, PHONE, at=T0, channel="voice")
            await text(http, word)
            assert world.one("SELECT sms_opted_out_at, voice_opted_out_at FROM contact") == {
                "sms_opted_out_at": None,
                "voice_opted_out_at": None,
            }
    assert {"contact.sms_allowed", "contact.voice_allowed"} <= set(world.actions())


async def test_an_opt_out_that_only_the_provider_knows_holds_for_the_number(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example", PHONE, channels=("sms", "email")))
    world.consignee("Same telephone", Person("b@x.example", PHONE, channels=("email", "sms")))
    hand.sms.refusals[PHONE] = SendError(ErrorKind.PERMANENT_CONTACT, OPT_OUT_CODE, "opted out")
    await hand.advance()
    await hand.send("sms")
    assert world.one("SELECT count(*) FROM contact WHERE sms_opted_out_at IS NULL") == 0
    await hand.advance(T0 + timedelta(seconds=1))
    assert [(row["channel"], row["state"]) for row in world.deliveries(one)] == [
        ("sms", "failed"),
        ("email", "pending"),
    ]
    assert "contact.sms_opted_out" in world.actions()


async def test_a_text_in_a_senders_hands_is_not_tried_again(hand: Hand, db: SessionFactory, world: World) -> None:
    one = world.consignee("One", Person(phone=PHONE))
    await hand.advance()
    async with db.begin() as session:
        world.run("UPDATE delivery SET state = 'submitting', attempt = 1, lease_until = %s", T0 + timedelta(minutes=1))
        await record_opt_out(session, PHONE, at=T0)
    (row,) = world.deliveries(one)
    assert (row["state"], row["error_code"], row["ambiguous"]) == ("failed", "sms:opt_out", True)
    assert (await hand.send("sms", T0 + timedelta(hours=1))).claimed == 0


async def test_a_text_planned_while_the_opt_out_came_in_is_not_sent(hand: Hand, world: World) -> None:
    one = world.consignee("One", Person("a@x.example", PHONE, channels=("sms", "email")))
    await hand.advance()
    # As the walk leaves it that read the contact just before the opt-out was written.
    world.run("UPDATE contact SET sms_opted_out_at = now()")
    result = await hand.send("sms")
    assert (result.failed, hand.sms.accepted) == (1, [])
    (row,) = world.deliveries(one)
    assert (row["error_kind"], row["error_code"]) == ("permanent_contact", "sms:no-address")
    await hand.advance(T0 + timedelta(seconds=1))
    assert [each["channel"] for each in world.deliveries(one)] == ["sms", "email"]


async def test_somebody_who_opted_out_of_calls_is_texted_and_the_other_way_round(
    hand: Hand, db: SessionFactory, world: World
) -> None:
    talks = world.consignee("Talks", Person(phone=PHONE, channels=("sms", "voice")))
    reads = world.consignee("Reads", Person(phone="+254700000002", channels=("voice", "sms")))
    async with db.begin() as session:
        await record_opt_out(session, PHONE, at=T0)
        await record_opt_out(session, "+254700000002", at=T0, channel="voice")
    await hand.advance(channels=("email", "sms", "voice"))
    assert [row["channel"] for row in world.deliveries(talks)] == ["voice"]
    assert [row["channel"] for row in world.deliveries(reads)] == ["sms"]
