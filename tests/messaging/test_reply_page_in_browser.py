"""The recipient page in Debian's Chromium at phone width, scripts switched off, in both languages."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api.reply_fields import ReplyStep
from api.reply_form import ReplyAnswer, read_form
from api.reply_pages import catalogue, page_language, render_reply_page
from stack.small_server import HttpServer, bind
from tests.messaging.conftest import free_port, running
from tests.messaging.test_reply_pages import LOTS, PAGE

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
_CSP = "default-src 'none'; style-src 'nonce-NONCE'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


class Site:
    """The smallest route that follows `templates/pages/README.md`."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.answers: list[ReplyAnswer] = []
        self.app = Starlette(routes=[Route("/r/TOKEN", self.handle, methods=["GET", "POST"])])

    async def handle(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        asked = form.get("switch_lang") or form.get("lang") or request.query_params.get("lang")
        page, step = replace(PAGE, more_receivers=bool(form.get("more"))), ReplyStep.ACKNOWLEDGE
        if request.method == "POST":
            reading = read_form(form, LOTS)
            step, page = reading.step, replace(page, values=reading.values, errors=reading.errors)
            if reading.answer is not None:
                self.answers.append(reading.answer)
        html = render_reply_page(step, page_language(asked, "en"), page)
        return HTMLResponse(html, headers={"Content-Security-Policy": _CSP})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    port = int(site.url.rpartition(":")[2])
    server = HttpServer(site.app)
    async with running(lambda stop: server.run(bind(port, "test"), stop), site.url):
        yield site


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()


async def phone(browser: Browser) -> tuple[Page, list[str]]:
    context = await browser.new_context(
        viewport={"width": 360, "height": 740}, java_script_enabled=False, is_mobile=True, has_touch=True
    )
    page = await context.new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.set_default_timeout(10_000)
    return page, trouble


async def fits(page: Page, heading: str) -> None:
    """The page with this heading: nothing sticks out of the phone, and what is tapped is large enough to be hit."""
    await page.get_by_role("heading", name=heading, exact=True).wait_for()
    for box in await page.locator("main *:visible").all():
        area = await box.bounding_box()
        assert area is None or area["x"] + area["width"] <= 361, await box.inner_text()
    for control in await page.locator(
        "main button:visible, input:visible:not([type=radio]):not([type=checkbox])"
    ).all():
        area = await control.bounding_box()
        assert area is not None
        assert area["height"] >= 44


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
async def test_a_recipient_answers_on_a_phone_without_scripts(site: Site, browser: Browser, lang: str) -> None:
    words = catalogue(lang)
    page, trouble = await phone(browser)
    await page.goto(f"{site.url}/r/TOKEN")
    if lang != "en":
        await page.get_by_role("button", name=words["language_name"]).tap()
    await fits(page, words["acknowledge_heading"])
    assert await page.locator("html").get_attribute("lang") == lang

    await page.get_by_role("button", name=words["acknowledge_button"]).tap()
    await page.get_by_role("button", name=words["continue"]).tap()
    await page.get_by_role("link", name=words["error_affected"]).tap()
    await page.get_by_label(words["affected_yes"], exact=True).check()
    await page.get_by_role("button", name=words["continue"]).tap()

    await fits(page, words["lots_heading"])
    for lot, figures in (("7", ("60", "60", "10", "30")), ("9", ("0", "", "40.5", "0"))):
        for name, figure in zip(("on_hand", "held", "used", "passed_on"), figures, strict=True):
            await page.locator(f"#{name}-{lot}").fill(figure)
    await page.locator("#passed_on-9").press("Enter")
    summary = page.get_by_role("alert")
    assert "SCMS-31-IE" in await summary.inner_text()
    await fits(page, words["error_summary"])
    await page.locator("#held-9").fill("0")
    await page.get_by_role("button", name=words["continue"]).tap()

    await page.locator("#to-0-quantity").fill("30")
    await page.locator("#to-0-name").fill("Clinique du Sud 南方诊所")
    await page.locator("#to-0-email").fill("stores@clinic.example")
    await page.get_by_role("button", name=words["receiver_more"]).tap()
    await page.locator("#to-1-name").wait_for()
    await fits(page, words["passed_on_heading"])
    assert await page.locator("#to-0-name").input_value() == "Clinique du Sud 南方诊所"
    await page.get_by_role("button", name=words["continue"]).tap()

    await page.get_by_label(words["responder_name"]).fill("A. Kouassi")
    await page.get_by_label(words["responder_role"]).fill("库管员")
    await fits(page, words["person_heading"])
    await page.get_by_role("button", name=words["send"]).tap()
    await fits(page, words["done_heading"])

    (answer,) = site.answers
    assert [str(lot.on_hand + lot.used + lot.passed_on) for lot in answer.lots] == ["100", "40.5"]
    assert [(receiver.name, str(receiver.quantity)) for receiver in answer.receivers] == [
        ("Clinique du Sud 南方诊所", "30")
    ]
    assert (answer.responder_name, answer.responder_role) == ("A. Kouassi", "库管员")
    assert trouble == []


async def test_the_page_can_be_used_by_keyboard_alone(site: Site, browser: Browser) -> None:
    page, _ = await phone(browser)
    await page.goto(f"{site.url}/r/TOKEN")
    await page.locator("#acknowledged").focus()
    await page.keyboard.press("Enter")
    await page.locator("#affected").focus()
    await page.keyboard.press("ArrowDown")
    assert await page.locator("#affected-no").is_checked()
    await page.keyboard.press("Enter")
    await page.locator("#responder_name").focus()
    await page.keyboard.type("A. B.")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Stores")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name=catalogue("en")["done_heading"]).wait_for()
    (answer,) = site.answers
    assert not answer.affected


async def test_the_back_button_and_a_second_tap_lose_nothing(site: Site, browser: Browser) -> None:
    page, _ = await phone(browser)
    await page.goto(f"{site.url}/r/TOKEN")
    await page.locator("#acknowledged").tap()
    await page.locator("#affected").check()
    await page.get_by_role("button", name="Continue").tap()
    await page.locator("#on_hand-7").fill("12")
    await page.get_by_role("button", name="Back").tap()
    await page.locator("#affected").wait_for()
    await page.get_by_role("button", name="Continue").tap()
    await page.locator("#on_hand-7").wait_for()
    assert await page.locator("#on_hand-7").input_value() == "12"
    await page.go_back()
    await page.go_forward()
    assert await page.locator("#used-7").count() == 1
