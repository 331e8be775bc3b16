"""A campaign that reaches systems of recipients and browsers: who is sent what, and what is done when it fails."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from fhir.resources.R4B.bundle import Bundle

from activities.enclosures import enclose
from activities.notice_body import ApprovedBody
from activities.notice_rendering import TEMPLATES
from activities.push_subscriptions import marking_gone
from adapters.messaging.guarded_http import GuardedHttpConfig
from adapters.messaging.web_push import PushConfig, WebPushAdapter
from adapters.messaging.webhook import WebhookAdapter
from db.engine import SessionFactory
from domain.ladder import ContactRule, Ladder, LadderStep, StepKind
from domain.links import read_link_token
from domain.notice_machine import MachineNotice
from domain.web_addresses import parse_networks
from domain.webhook_keys import parse_webhook_keys
from tests.campaign.conftest import Hand
from tests.campaign.world import DAY, NUMBER, SECRET, T0, Person, World
from tests.messaging.notices import AMENDED
from tests.messaging.receiver import Receiver, receiving
from tests.messaging.test_web_push import PRIVATE, SUBJECT, Browser

pytestmark = pytest.mark.db
HERE = GuardedHttpConfig(allowed=parse_networks(["127.0.0.0/8"]), timeout_seconds=5)
KEYS = parse_webhook_keys({"mercy": ["a-key-of-at-least-24-bytes"]})
ALL = ("email", "sms", "webhook", "push")
OTHER_CHANNEL = Ladder(
    steps=(
        LadderStep(kind=StepKind.FIRST, after=DAY * 0),
        LadderStep(kind=StepKind.ESCALATION, after=DAY, contact=ContactRule.OTHER_CHANNEL),
        LadderStep(kind=StepKind.PHONE, after=DAY),
    )
)


@pytest.fixture(autouse=True)
async def documents(world: World) -> None:
    """The bodies for systems with the facts that drafting encloses in them."""
    rows = world.rows("SELECT id, body FROM notice_body WHERE channel = 'webhook'")
    bodies = [ApprovedBody.from_json(row["body"]) for row in rows]
    for row, body in zip(rows, await enclose(bodies, AMENDED, TEMPLATES), strict=True):
        stored = json.dumps(body.as_json())
        world.run("UPDATE notice_body SET body = %s, sha256 = %s WHERE id = %s", stored, body.sha256, row["id"])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def webhook() -> AsyncIterator[WebhookAdapter]:
    adapter = WebhookAdapter(KEYS, HERE, answer_url="https://recall.firm.example/v1/webhooks/hospital")
    yield adapter
    await adapter.close()


@pytest.fixture
async def push(db: SessionFactory) -> AsyncIterator[WebPushAdapter]:
    adapter = WebPushAdapter(PushConfig(PRIVATE, SUBJECT, HERE), gone=marking_gone(db))
    yield adapter
    await adapter.close()


def with_system(world: World, name: str, url: str, form: str = "json", *, email: str | None = None) -> int:
    """A hospital whose system is told first."""
    consignee = world.consignee(name, Person(email or "x@x.example", channels=("webhook", "email")), lots=("1200", "7"))
    world.run(
        "UPDATE contact SET webhook_url = %s, webhook_format = %s, webhook_key = 'mercy', email = %s WHERE name = %s",
        url,
        form,
        email,
        f"{name} 1",
    )
    return consignee


def subscribed(
    world: World, name: str, endpoint: str, channels: tuple[str, ...] = ("email", "push")
) -> tuple[int, Browser]:
    """A hospital with a mail address that has subscribed a browser."""
    browser = Browser()
    consignee = world.consignee(name, Person(f"{name}@x.example", channels=channels))
    target = browser.target(endpoint)
    world.run(
        "INSERT INTO push_subscription (contact_id, endpoint, p256dh, auth, language, created_at)"
        " SELECT id, %s, %s, %s, 'en', now() FROM contact WHERE name = %s",
        endpoint,
        target["p256dh"],
        target["auth"],
        f"{name} 1",
    )
    return consignee, browser


async def test_a_system_gets_its_own_lots_as_approved_facts_and_words(
    hand: Hand, world: World, receiver: Receiver, webhook: WebhookAdapter
) -> None:
    one = with_system(world, "One", receiver.url + "/one")
    with_system(world, "Two", receiver.url + "/two", "fhir")
    await hand.advance(channels=ALL)
    result = await hand.send("webhook", webhook=webhook)
    assert (result.claimed, result.submitted) == (2, 2)
    plain, bundled = sorted(receiver.got, key=lambda got: got.path)
    notice = MachineNotice.model_validate_json(plain.body)
    (row,) = world.deliveries(one)
    assert (str(notice.delivery_id), row["provider_id"]) == (str(row["id"]), f"webhook:{row['id']}")
    assert [(lot.lot, lot.quantity) for lot in notice.lots] == [("A1", "1200"), ("B2", "7")]
    assert notice.recipient == "One"
    claims = read_link_token(SECRET, notice.answer_link.rpartition("/")[2], T0)
    assert (claims.consignee_id, claims.delivery_id) == (one, row["id"])
    assert notice.answer_link in notice.text
    assert "Lot A1" in notice.text
    told = Bundle.model_validate_json(bundled.body)
    assert told.type == "transaction"
    assert b"@x.example" not in plain.body + bundled.body


async def test_a_system_that_is_gone_is_followed_by_the_next_channel_at_once(
    hand: Hand, world: World, receiver: Receiver, webhook: WebhookAdapter
) -> None:
    one = with_system(world, "One", receiver.url, email="stores@x.example")
    receiver.status = 410
    await hand.advance(channels=ALL)
    result = await hand.send("webhook", webhook=webhook)
    assert (result.failed, result.campaign_stop) == (1, None)
    await hand.advance(channels=ALL)
    await hand.send("email")
    rows = world.deliveries(one)
    assert {row["channel"]: (row["state"], row["error_code"]) for row in rows} == {
        "webhook": ("failed", "webhook:http-410"),
        "email": ("submitted", None),
    }
    assert world.one("SELECT status FROM contact") == "unverified"  # its mail address is none the worse


async def test_a_system_whose_answer_was_lost_gets_the_same_bytes_again(
    hand: Hand, world: World, receiver: Receiver, webhook: WebhookAdapter
) -> None:
    one = with_system(world, "One", receiver.url)
    receiver.silent = True
    await hand.advance(channels=ALL)
    assert (await hand.send("webhook", webhook=webhook)).deferred == 1
    receiver.silent = False
    result = await hand.send("webhook", T0 + timedelta(minutes=1), webhook=webhook)
    assert (result.ambiguous, result.resent, result.submitted) == (1, 1, 1)
    first, second = receiver.got
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert [row["state"] for row in world.deliveries(one)] == ["submitted"]


async def test_a_subscribed_browser_is_the_other_channel_after_silence(
    hand: Hand, world: World, receiver: Receiver, push: WebPushAdapter
) -> None:
    receiver.status = 201
    one, browser = subscribed(world, "One", receiver.url + "/b")
    await hand.advance(ladder=OTHER_CHANNEL, channels=ALL)
    await hand.send("email")
    later = max(row["submitted_at"] for row in world.deliveries(one)) + 2 * DAY
    await hand.advance(later, OTHER_CHANNEL, channels=ALL)
    result = await hand.send("push", later, push=push)
    assert result.submitted == 1
    assert [row["channel"] for row in world.deliveries(one)] == ["email", "push"]
    (got,) = receiver.got
    shown = browser.read(got.body)
    assert NUMBER in shown["title"]
    assert "A1" in shown["body"]
    claims = read_link_token(SECRET, shown["url"].rpartition("/")[2], T0)
    assert claims.consignee_id == one


async def test_a_browser_that_is_gone_is_noted_and_the_next_channel_used(
    hand: Hand, world: World, receiver: Receiver, push: WebPushAdapter
) -> None:
    receiver.status = 410
    one, _ = subscribed(world, "One", receiver.url + "/b", ("push", "email"))
    await hand.advance(channels=ALL)
    await hand.send("push", push=push)
    gone = world.one("SELECT gone_at FROM push_subscription")
    assert abs((gone - datetime.now(UTC)).total_seconds()) < 60
    (event,) = world.rows("SELECT data FROM audit_event WHERE action = 'push.gone'")
    assert "127.0.0.1" not in json.dumps(event["data"])
    await hand.advance(channels=ALL)
    rows = world.deliveries(one)
    assert {row["channel"]: row["state"] for row in rows} == {"push": "failed", "email": "pending"}


async def test_whoever_ended_the_subscription_before_the_message_went_is_reached_otherwise(
    hand: Hand, world: World, receiver: Receiver, push: WebPushAdapter
) -> None:
    one, _ = subscribed(world, "One", receiver.url + "/b", ("push", "email"))
    await hand.advance(channels=ALL)
    world.run("UPDATE push_subscription SET gone_at = now()")
    await hand.send("push", push=push)
    await hand.advance(channels=ALL)
    rows = world.deliveries(one)
    assert {row["channel"]: row["error_code"] for row in rows} == {"push": "push:no-address", "email": None}
    assert receiver.got == []
