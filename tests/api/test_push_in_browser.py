"""Subscribing in Debian's Chromium: the real page, the real worker, a push handed to it as the browser does it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import BrowserContext, async_playwright
from pydantic import SecretStr

from adapters.messaging.web_push import push_payload
from api.app import create_app
from api.push_page import catalogue
from db.engine import SessionFactory
from tests.api.conftest import unreachable_client
from tests.api.test_push_page import ENDPOINT, Recipient
from tests.campaign.world import build
from tests.messaging.builders import DELIVERY, mail
from tests.messaging.test_web_push import PRIVATE, Browser
from tests.support.api import settings_for
from tests.support.servers import PostgresForTests, free_port

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.db,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
# Chromium's own push service is not to be had here: what it would hand out is put in its place, the rest is real.
PUSH_SERVICE = """
(() => {
  let made = null;
  const told = %s;
  PushManager.prototype.subscribe = async (options) => {
    if (!options.userVisibleOnly || options.applicationServerKey.length !== 65) throw new Error("options");
    made = { endpoint: told.endpoint, options: {}, toJSON: () => told, unsubscribe: async () => { made = null; } };
    return made;
  };
  PushManager.prototype.getSubscription = async () => made;
})();
"""


@pytest_asyncio.fixture
async def site(
    db: SessionFactory, clean_db: PostgresForTests, postgres: PostgresForTests, tmp_path: Path
) -> AsyncIterator[str]:
    """The API on a port, without Temporal; the recipient's link works there."""
    port = free_port()
    settings = settings_for(postgres.app_url, tmp_path, vapid_private_key=SecretStr(PRIVATE))
    app = create_app(settings, temporal_client=await unreachable_client(), background=False)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False, ws="none")
    )
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag only
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


@pytest_asyncio.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield await browser.new_context(viewport={"width": 360, "height": 740})
        await browser.close()


async def test_a_browser_subscribes_shows_a_pushed_notice_and_ends_it(
    site: str, clean_db: PostgresForTests, context: BrowserContext
) -> None:
    recipient = Recipient(None, build(clean_db.admin_url))  # type: ignore[arg-type]
    words = catalogue("en")
    await context.grant_permissions(["notifications"], origin=site)
    target = Browser().target(ENDPOINT)
    told = {"endpoint": ENDPOINT, "keys": {name: target[name] for name in ("p256dh", "auth")}}
    await context.add_init_script(PUSH_SERVICE % json.dumps(told))
    page = await context.new_page()
    page.set_default_timeout(15_000)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    await page.goto(site + recipient.link() + "?lang=en")
    await page.get_by_role("link", name="Get notices on this device, too").click()
    await page.get_by_role("button", name=words["start"]).click()
    await page.get_by_text(words["on"], exact=True).wait_for()
    assert (recipient.live(), recipient.channels()) == ([ENDPOINT], ["email", "push"])

    devtools = await context.new_cdp_session(page)
    registered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def note(event: dict[str, list[dict[str, str]]]) -> None:
        for each in event["registrations"]:
            if not registered.done():
                registered.set_result(each["registrationId"])

    devtools.on("ServiceWorker.workerRegistrationUpdated", note)
    await devtools.send("ServiceWorker.enable")
    message = mail(text=f"URGENT: RECALL\nPump. STOP USE.\n{site}/r/abc", language="en")
    pushed = {
        "origin": site,
        "registrationId": await asyncio.wait_for(registered, 10),
        "data": push_payload(message).decode(),
    }
    await devtools.send("ServiceWorker.deliverPushMessage", pushed)
    shown = await page.evaluate(
        """async () => {
          const registration = await navigator.serviceWorker.getRegistration("/r/assets/");
          for (let tries = 0; tries < 200; tries += 1) {
            const [found] = await registration.getNotifications();
            if (found) return { title: found.title, body: found.body, tag: found.tag, data: found.data };
            await new Promise((resolve) => requestAnimationFrame(resolve));
          }
          return null;
        }"""
    )
    assert shown == {
        "title": "URGENT: RECALL",
        "body": "Pump. STOP USE.",
        "tag": DELIVERY.hex,
        "data": {"url": f"{site}/r/abc"},
    }
    await page.get_by_role("button", name=words["end"]).click()
    await page.get_by_text(words["off"], exact=True).wait_for()
    assert recipient.live() == []
    assert trouble == []


async def test_a_browser_that_may_not_show_notices_is_told_so_and_nothing_is_kept(
    site: str, clean_db: PostgresForTests, context: BrowserContext
) -> None:
    recipient = Recipient(None, build(clean_db.admin_url))  # type: ignore[arg-type]
    words = catalogue("zh-CN")
    page = await context.new_page()
    page.set_default_timeout(15_000)
    await page.goto(site + recipient.link() + "/push?lang=zh-CN")
    await page.get_by_role("button", name=words["start"]).click()
    await page.get_by_text(words["denied"], exact=True).wait_for()
    assert recipient.live() == []
