"""The page in a real browser where things go wrong: bad links, huge files, double clicks, the back button."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from api.recipient_files import MAX_BYTES
from api.reply_pages import catalogue
from api.routers.recipient_files import BODY_LIMIT
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
WORDS = catalogue("en")
DONE = WORDS["done_heading"]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()


@dataclass
class Desk:
    """Somebody at a hospital with a link and a browser."""

    page: Page
    base: str
    token: str
    world: World

    async def open(self) -> None:
        await self.page.goto(f"{self.base}/r/{self.token}")

    async def to_person(self) -> None:
        """The whole form filled in but the last step sent."""
        await self.open()
        await self.page.get_by_role("button", name=WORDS["acknowledge_button"]).click()
        await self.page.get_by_label(WORDS["affected_yes"], exact=True).check()
        await self.onward()
        for lot in self.world.lot_ids:
            for name, figure in {"on_hand": "10", "held": "10", "used": "0", "passed_on": "0"}.items():
                await self.page.locator(f"#{name}-{lot}").fill(figure)
        await self.onward()
        await self.page.get_by_label(WORDS["responder_name"]).fill("Grace")
        await self.page.get_by_label(WORDS["responder_role"]).fill("Stores")

    async def onward(self) -> None:
        await self.page.get_by_role("button", name=WORDS["continue"]).click()

    async def heading(self, text: str) -> None:
        await self.page.get_by_role("heading", name=text, level=1, exact=True).wait_for()

    def statements(self) -> list[tuple[int, int]]:
        """(reply, stated on hand) of every line on record."""
        rows = self.world.rows("SELECT reply_id, on_hand FROM reply_line ORDER BY reply_id, lot_id")
        return [(row["reply_id"], int(row["on_hand"])) for row in rows]


@pytest_asyncio.fixture
async def desk(browser: Browser, site: str, world: World) -> Desk:  # noqa: F811 - the fixture
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))
    until = datetime.now(UTC) + timedelta(days=1)
    token = make_link_token(LINK_SECRET, recall_no=NUMBER, consignee_id=consignee, delivery_id=None, expires_at=until)
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(15_000)
    return Desk(page, site, token, world)


def _other(character: str) -> str:
    return "A" if character != "A" else "B"


async def test_bad_links_tell_nothing_and_huge_files_are_refused_in_words(desk: Desk, tmp_path: Path) -> None:
    page, token = desk.page, desk.token
    middle = len(token) // 2
    changed = token[:middle] + _other(token[middle]) + token[middle + 1 :]
    late = make_link_token(
        LINK_SECRET,
        recall_no=NUMBER,
        consignee_id=1,
        delivery_id=None,
        expires_at=datetime.now(UTC) - timedelta(days=1),
    )
    for bad, status in ((changed, 403), (token[:-6], 403), ("%00%3Cscript%3E", 403), (late, 410)):
        answer = await page.goto(f"{desk.base}/r/{bad}")
        assert answer is not None
        assert answer.status == status
        told = await page.locator("body").inner_text()
        assert WORDS["refused_heading"] in told
        assert "Mercy" not in told
        assert NUMBER not in told
        assert await page.locator("form, script").count() == 0
    await desk.open()
    await desk.heading(WORDS["acknowledge_heading"])

    await page.goto(f"{desk.base}/r/{token}/files")
    for name, size, said in (
        ("big.jpg", MAX_BYTES + 1000, "big.jpg: the file is larger than"),
        ("huge.jpg", BODY_LIMIT + 1000, WORDS["refused_too_large"]),
    ):
        file = tmp_path / name
        with file.open("wb") as out:
            out.write(b"\xff\xd8\xff\xe0")
            out.truncate(size)
        await page.locator("input[type=file]").set_input_files(file)
        await page.locator("main button[type=submit]").click()
        await page.get_by_text(said).wait_for()
    await page.go_back()
    await page.locator("input[type=file]").wait_for()
    assert desk.world.one("SELECT count(*) FROM evidence") == 0


async def test_double_clicks_and_the_back_button_neither_lose_nor_double_an_answer(desk: Desk) -> None:
    page, lot = desk.page, desk.world.lot_ids[0]
    await desk.to_person()
    await page.go_back()
    await desk.heading(WORDS["lots_heading"])
    await expect(page.locator(f"#on_hand-{lot}")).to_have_value("10")
    await page.go_forward()
    await desk.heading(WORDS["person_heading"])
    await page.go_back()
    await page.locator(f"#on_hand-{lot}").fill("7")
    await page.locator(f"#held-{lot}").fill("7")
    await page.locator(f"#used-{lot}").fill("3")
    await page.get_by_role("button", name=WORDS["continue"]).dblclick()
    await desk.heading(WORDS["person_heading"])
    await page.get_by_label(WORDS["responder_name"]).fill("Grace")
    await page.get_by_label(WORDS["responder_role"]).fill("Stores")
    await page.get_by_role("button", name=WORDS["send"]).dblclick()
    await desk.heading(DONE)
    recorded = desk.statements()
    assert [on_hand for _, on_hand in recorded] == [7, 10]
    assert len({reply for reply, _ in recorded}) == 1
    reference = f"{NUMBER}/{recorded[0][0]}"
    await page.get_by_text(reference).first.wait_for()

    await page.go_back()
    await desk.heading(WORDS["person_heading"])
    await page.get_by_label(WORDS["responder_name"]).fill("Somebody else")
    await page.get_by_role("button", name=WORDS["send"]).click()
    await desk.heading(DONE)
    await page.get_by_text(reference).first.wait_for()
    await page.reload()
    await desk.heading(DONE)
    assert desk.statements() == recorded, "one answer, as it was first sent"
    assert desk.world.one("SELECT count(*) FROM reply WHERE kind = 'acknowledgement'") == 1
