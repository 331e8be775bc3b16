"""The recipient page judged by axe-core (WCAG 2.2 AA) at every step, scripts on: the sum while typing, the focus."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from domain.links import make_link_token
from tests.api.test_recipient_in_browser import site  # noqa: F401 - a fixture
from tests.campaign.world import NUMBER, Person, World
from tests.support.api import LINK_SECRET

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.db,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}"
NEXT = "main button[type=submit]:not([name])"


@pytest_asyncio.fixture
async def page() -> AsyncIterator[Page]:
    """A telephone; our own policy would keep axe out, so this browser does without it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(
            viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True, bypass_csp=True
        )
        opened = await context.new_page()
        opened.set_default_timeout(15_000)
        yield opened
        await browser.close()


async def sound(page: Page, heading: str) -> None:
    """The page of this heading breaks no rule that a machine can check, and reflows at 320 pixels (1.4.10)."""
    await page.get_by_role("heading", name=heading, level=1).wait_for()
    await page.evaluate(AXE)
    found = await page.evaluate(f"axe.run(document, {RULES})")
    assert len(found["passes"]) > 15, "axe has looked at the page"
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found["violations"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_every_step_is_sound_errors_take_the_focus_and_figures_add_up_while_typed(
    site: str,  # noqa: F811 - the fixture
    world: World,
    page: Page,
) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), kind="hospital")
    until = datetime.now(UTC) + timedelta(days=1)
    token = make_link_token(LINK_SECRET, recall_no=NUMBER, consignee_id=consignee, delivery_id=None, expires_at=until)
    lot = world.lot_ids[0]
    await page.goto(f"{site}/r/{token}")
    await sound(page, "Please read this notice")
    await page.locator("#acknowledged").tap()
    await page.locator("#code").fill("A1")
    await page.locator("#code").press("Enter")
    await page.locator("#scan-result").wait_for()
    await sound(page, "Are you affected?")
    await page.locator(NEXT).last.tap()
    await sound(page, "How many units do you have?")
    for name, figure in {"on_hand": "4", "held": "4", "used": "6", "passed_on": "1"}.items():
        await page.locator(f"#{name}-{lot}").fill(figure)
    await page.keyboard.press("Tab")
    assert await page.locator("output").inner_text() == "11 stated, but we delivered 10. Please check."
    await page.locator(NEXT).last.tap()
    await page.get_by_role("alert").wait_for()
    assert await page.evaluate("document.activeElement.id") == "errors"
    await sound(page, "How many units do you have?")
    await page.locator("#used").or_(page.locator(f"#used-{lot}")).fill("5")
    await page.locator(NEXT).last.tap()
    await sound(page, "Who received the units you passed on?")
    for name, text in {"quantity": "1", "name": "Clinic", "email": "c@clinic.example"}.items():
        await page.locator(f"#to-0-{name}").fill(text)
    await page.locator(NEXT).last.tap()
    await sound(page, "Who is answering?")
    await page.get_by_label("Treated with affected units").fill("5")
    await page.locator(NEXT).last.tap()
    await page.get_by_role("alert").wait_for()
    await sound(page, "Who is answering?")
    for name in ("contacted", "monitored", "replaced"):
        await page.locator(f"#patients_{name}").fill("0")
    await page.get_by_role("button", name="Send a photo or document").tap()
    await sound(page, "Photos and documents")
    await page.get_by_role("link", name="Back to my answer").tap()
    await page.locator("#responder_name").fill("Grace")
    await page.locator("#responder_role").fill("Stores")
    await page.locator(NEXT).last.tap()
    await sound(page, "Thank you, your answer is recorded")


async def test_the_page_of_several_sites_is_sound_and_is_gone_through_by_touch(
    site: str,  # noqa: F811
    page: Page,
    world: World,
) -> None:
    until = datetime.now(UTC) + timedelta(days=30)
    for name in ("North", "South"):
        world.consignee(name, Person("safety@group.example"))
    world.run(
        "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, step, kind, channel, language, priority,"
        " state, attempt, ambiguous, created_at, submitted_at)"
        " SELECT gen_random_uuid(), %s, consignee.id, contact.id, 0, 'initial', 'email', 'en', 1, 'submitted', 1,"
        " false, now(), now() FROM consignee JOIN contact ON contact.partner_id = consignee.partner_id",
        world.campaign_id,
    )
    lead = world.rows("SELECT id, consignee_id FROM delivery ORDER BY consignee_id")[0]
    world.run("UPDATE delivery SET leads = id = %s, carried_by = nullif(%s, id)", lead["id"], lead["id"])
    token = make_link_token(
        LINK_SECRET,
        recall_no=NUMBER,
        consignee_id=lead["consignee_id"],
        delivery_id=lead["id"],
        expires_at=until,
        all_sites=True,
    )
    await page.goto(f"{site}/r/{token}/sites")
    await sound(page, "The sites this notice is for")
    await page.get_by_role("button", name="Confirm receipt for all sites").tap()
    await page.get_by_role("status").wait_for()
    await sound(page, "The sites this notice is for")
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="South").tap()
    south = await opened.value
    await sound(south, "Are you affected?")
    assert await south.get_by_role("link", name="All your sites").count() == 0, "its address can be handed on"
    await south.close()
    await page.goto(f"{site}/r/{token}")
    await page.get_by_role("link", name="All your sites").tap()
    await sound(page, "The sites this notice is for")
    assert world.one("SELECT count(*) FROM reply WHERE kind = 'acknowledgement'") == 2
