"""The recipient page from its real route in Debian's Chromium: phone width, scripts off, both languages."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Page, async_playwright

from api.app import create_app
from api.reply_pages import catalogue
from db.engine import SessionFactory
from domain.links import make_link_token
from tests.api.conftest import unreachable_client
from tests.campaign.world import NUMBER, Person, World, build
from tests.support.api import LINK_SECRET, settings_for
from tests.support.servers import PostgresForTests, free_port

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.db,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall in notification with two lots."""
    return build(clean_db.admin_url)


@pytest_asyncio.fixture
async def site(world: World, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[str]:
    """The API on a port, without Temporal."""
    settings = settings_for(postgres.app_url, tmp_path)
    app = create_app(settings, temporal_client=await unreachable_client(), background=False)
    port = free_port()
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
async def phone() -> AsyncIterator[tuple[Page, list[str]]]:
    """A telephone's browser and what its console complains of (a policy that blocks our own style, for one)."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(
            viewport={"width": 360, "height": 740}, java_script_enabled=False, is_mobile=True, has_touch=True
        )
        page = await context.new_page()
        page.set_default_timeout(15_000)
        trouble: list[str] = []
        page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
        yield page, trouble
        await browser.close()


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
async def test_a_recipient_answers_the_real_page_and_the_answer_is_on_record(
    site: str, world: World, phone: tuple[Page, list[str]], lang: str
) -> None:
    page, trouble = phone
    words = catalogue(lang)
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), language=lang, lots=("10", "20"))
    token = make_link_token(
        LINK_SECRET,
        recall_no=NUMBER,
        consignee_id=consignee,
        delivery_id=None,
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    await page.goto(f"{site}/r/{token}")
    assert await page.locator("html").get_attribute("lang") == lang
    await page.get_by_role("button", name=words["acknowledge_button"]).tap()
    await page.get_by_label(words["affected_yes"], exact=True).check()
    await page.get_by_role("button", name=words["continue"]).tap()
    for lot, figures in zip(world.lot_ids, (("4", "4", "6", "0"), ("20", "20", "0", "0")), strict=True):
        for name, figure in zip(("on_hand", "held", "used", "passed_on"), figures, strict=True):
            await page.locator(f"#{name}-{lot}").fill(figure)
    await page.get_by_role("button", name=words["continue"]).tap()
    await page.get_by_label(words["responder_name"]).fill("王芳")
    await page.get_by_label(words["responder_role"]).fill("Head of stores")
    await page.get_by_role("button", name=words["send"]).tap()
    await page.get_by_role("heading", name=words["done_heading"], exact=True).wait_for()
    assert trouble == []
    assert world.one("SELECT state FROM consignee") == "answered"
    assert world.one("SELECT responder_name FROM reply WHERE kind = 'statement'") == "王芳"
    lines = world.rows("SELECT on_hand, used FROM reply_line ORDER BY lot_id")
    assert [(int(line["on_hand"]), int(line["used"])) for line in lines] == [(4, 6), (20, 0)]
