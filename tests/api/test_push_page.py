"""A recipient's browser subscribes to notices: the page, what it posts, and who may not."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from api.push_page import LANGUAGES, catalogue
from db.engine import SessionFactory
from domain.links import make_link_token
from tests.api.conftest import unreachable_client
from tests.campaign.world import NUMBER, T0, Person, World, build
from tests.messaging.test_web_push import PRIVATE, Browser
from tests.support.api import LINK_SECRET, serving, settings_for
from tests.support.servers import PostgresForTests

ENDPOINT = "https://push.example/send/abc"


class Recipient:
    """A person with a signed link, and its browser."""

    def __init__(self, http: httpx.AsyncClient, world: World) -> None:
        self.http, self.world = http, world
        self.consignee = world.consignee("Mercy", Person("stores@x.example"))
        self.delivery = uuid4()
        world.run(
            "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language,"
            " priority, state, attempt, ambiguous, created_at)"
            " SELECT %s, %s, %s, id, 0, 0, 'initial', 'email', 'en', 1, 'submitted', 1, false, %s FROM contact",
            self.delivery,
            world.campaign_id,
            self.consignee,
            T0,
        )

    def link(self, **changes: Any) -> str:
        given: dict[str, Any] = {
            "recall_no": NUMBER,
            "consignee_id": self.consignee,
            "delivery_id": self.delivery,
            "expires_at": datetime.now(UTC) + timedelta(days=1),
        }
        return "/r/" + make_link_token(LINK_SECRET, **(given | changes))

    async def subscribe(self, body: dict[str, Any] | None = None, link: str | None = None) -> httpx.Response:
        return await self.http.post(f"{link or self.link()}/push", json=body or made(Browser()))

    def live(self) -> list[str]:
        rows = self.world.rows("SELECT endpoint FROM push_subscription WHERE gone_at IS NULL ORDER BY id")
        return [row["endpoint"] for row in rows]

    def channels(self) -> list[str]:
        found: list[str] = self.world.one("SELECT channels FROM contact")
        return found


def made(browser: Browser, endpoint: str = ENDPOINT, **keys: Any) -> dict[str, Any]:
    """What `PushSubscription.toJSON()` gives."""
    target = browser.target(endpoint)
    told = {"p256dh": target["p256dh"], "auth": target["auth"]} | keys
    return {"endpoint": endpoint, "expirationTime": None, "keys": told}


@pytest_asyncio.fixture
async def recipient(
    db: SessionFactory, clean_db: PostgresForTests, postgres: PostgresForTests, tmp_path: Path
) -> AsyncIterator[Recipient]:
    # A network that hospitals' systems may be called in is not one that any holder of a link may name.
    open_to_systems = ["127.0.0.0/8", "169.254.0.0/16"]
    settings = settings_for(
        postgres.app_url, tmp_path, vapid_private_key=SecretStr(PRIVATE), webhook_networks=open_to_systems
    )
    async with serving(settings, await unreachable_client()) as http:
        yield Recipient(http, build(clean_db.admin_url))


@pytest.mark.db
async def test_a_browser_is_kept_once_and_push_becomes_one_of_the_persons_channels(recipient: Recipient) -> None:
    browser = Browser()
    for _ in range(2):
        answer = await recipient.subscribe(made(browser))
        assert (answer.status_code, answer.json()) == (200, {"subscribed": True})
    assert (recipient.live(), recipient.channels()) == ([ENDPOINT], ["email", "push"])
    assert recipient.world.actions() == ["push.subscribed"]
    ended = await recipient.http.post(recipient.link() + "/push/end", json={"endpoint": ENDPOINT})
    assert (ended.json(), recipient.live()) == ({"subscribed": False}, [])
    again = await recipient.http.post(recipient.link() + "/push/end", json={"endpoint": ENDPOINT})
    assert again.status_code == 200
    await recipient.subscribe(made(browser))
    assert (recipient.live(), recipient.channels()) == ([ENDPOINT], ["email", "push"])
    assert recipient.world.actions() == ["push.subscribed", "push.unsubscribed", "push.subscribed"]
    assert "push.example" not in str(recipient.world.rows("SELECT data FROM audit_event"))


@pytest.mark.db
async def test_the_eleventh_browser_ends_the_oldest(recipient: Recipient) -> None:
    for place in range(11):
        await recipient.subscribe(made(Browser(), f"{ENDPOINT}{place}"))
    assert recipient.live() == [f"{ENDPOINT}{place}" for place in range(1, 11)]


@pytest.mark.db
async def test_what_a_hostile_browser_names_is_refused_by_its_place(recipient: Recipient) -> None:
    browser = Browser()
    off_curve = base64.urlsafe_b64encode(b"\x04" + b"\x01" * 64).rstrip(b"=").decode()
    tried = [
        (made(browser, "http://push.example/abc"), "#/endpoint"),
        (made(browser, "https://127.0.0.1/abc"), "#/endpoint"),
        (made(browser, "https://169.254.169.254/latest/"), "#/endpoint"),
        (made(browser, "https://localhost/abc"), "#/endpoint"),
        (made(browser, "https://user:pass@push.example/abc"), "#/endpoint"),
        (made(browser, "javascript:alert(1)"), "#/endpoint"),
        (made(browser, "https://push.example/" + "x" * 1000), "#/endpoint"),
        (made(browser, p256dh=off_curve), "#/keys/p256dh"),
        (made(browser, p256dh="A" * 86), "#/keys/p256dh"),
        (made(browser, auth="!" * 22), "#/keys/auth"),
        (made(browser, auth="A" * 21), "#/keys/auth"),
        (made(browser) | {"more": 1}, "#/more"),
    ]
    for body, pointer in tried:
        answer = await recipient.subscribe(body)
        assert answer.status_code == 422, body
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
        assert "push.example" not in answer.text
    assert recipient.live() == []


@pytest.mark.db
async def test_only_the_person_a_notice_was_sent_to_can_subscribe(recipient: Recipient) -> None:
    good = recipient.link()
    forged = good[:-3] + ("A" if good[-3] != "A" else "B") + good[-2:]
    expired = recipient.link(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for link in (forged, expired):
        answer = await recipient.subscribe(link=link)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:recall:problem:not-permitted")
    kinds = [row["kind"] for row in recipient.world.rows("SELECT kind FROM refused_access ORDER BY id")]
    assert kinds == ["link_signature", "link_expired"]
    by_staff = await recipient.subscribe(link=recipient.link(delivery_id=None))
    assert by_staff.json()["type"] == "urn:recall:problem:wrong-state"
    recipient.world.run("UPDATE recall SET drill = true")
    assert (await recipient.subscribe()).json()["type"] == "urn:recall:problem:wrong-state"
    assert (recipient.live(), recipient.channels()) == ([], ["email"])


@pytest.mark.db
async def test_the_page_says_what_it_does_and_lets_in_no_script_but_its_own(recipient: Recipient) -> None:
    for lang, heading in (("en", "Notices on this device"), ("zh-CN", "在本设备接收通知")):
        answer = await recipient.http.get(recipient.link() + "/push", params={"lang": lang})
        assert (answer.status_code, answer.headers["content-language"]) == (200, lang)
        assert f"<h1>{heading}</h1>" in answer.text
        assert "<noscript>" in answer.text
        policy = answer.headers["content-security-policy"]
        nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
        assert nonce is not None
        assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce.group(1)}"') == 1
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
    link = recipient.link()
    assert f'href="{link}/push?lang=en"' in (await recipient.http.get(link)).text
    for name in ("push.js", "push-worker.js"):
        script = await recipient.http.get(f"/r/assets/{name}")
        assert script.headers["content-type"].startswith("text/javascript")
    refused = await recipient.http.get("/r/not-a-link/push")
    assert refused.status_code == 403


@pytest.mark.db
async def test_without_a_key_of_ours_the_page_says_so_and_takes_nothing(
    db: SessionFactory, clean_db: PostgresForTests, postgres: PostgresForTests, tmp_path: Path
) -> None:
    async with serving(settings_for(postgres.app_url, tmp_path), await unreachable_client()) as http:
        recipient = Recipient(http, build(clean_db.admin_url))
        page = await http.get(recipient.link() + "/push")
        assert "<script" not in page.text
        assert catalogue("en")["unavailable"] in page.text
        assert (await recipient.subscribe()).json()["type"] == "urn:recall:problem:wrong-state"
        assert "/push" not in (await http.get(recipient.link())).text


@pytest.mark.unit
def test_every_language_of_the_page_has_the_same_words() -> None:
    assert {"en", "zh-CN"} <= set(LANGUAGES)
    for lang in LANGUAGES:
        assert set(catalogue(lang)) == set(catalogue("en"))
        assert all(catalogue(lang).values())
