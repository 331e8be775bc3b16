"""The recipient page over its real route: each link opens one page only, each form counts once."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.recipient_answer import new_form_id
from db.engine import SessionFactory
from domain.links import make_link_token
from tests.api.conftest import unreachable_client
from tests.campaign.world import NUMBER, Person, World, build
from tests.support.api import LINK_SECRET, serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall in notification with two lots."""
    return build(clean_db.admin_url)


@pytest_asyncio.fixture
async def http(world: World, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API without Temporal: a recipient's answer must not need it."""
    async with serving(settings_for(postgres.app_url, tmp_path), await unreachable_client()) as client:
        yield client


class Recipient:
    """Somebody with a link, filling in the page as a browser without scripts would."""

    def __init__(self, http: httpx.AsyncClient, consignee: int, number: str = NUMBER, **claims: Any) -> None:
        self.http = http
        self.consignee = consignee
        until = claims.pop("expires_at", datetime.now(UTC) + timedelta(days=30))
        token = make_link_token(
            LINK_SECRET, recall_no=number, consignee_id=consignee, delivery_id=None, expires_at=until
        )
        self.url = f"/r/{token}"
        self.fields: dict[str, str] = {}

    async def open(self, **params: str) -> httpx.Response:
        """GET the page and remember its form id."""
        page = await self.http.get(self.url, params=params)
        found = re.search(r'name="form_id" value="([^"]+)"', page.text)
        if found:
            self.fields["form_id"] = found.group(1)
        return page

    async def send(self, step: str, **fields: str) -> httpx.Response:
        """POST one step; earlier answers travel along, as the page's hidden fields do."""
        self.fields |= {name.replace("_lot_", "-"): value for name, value in fields.items()}
        return await self.http.post(self.url, data=self.fields | {"step": step})

    async def answer(self, lots: list[int], **quantities: str) -> httpx.Response:
        """The whole way from the notice to the thanks, with the same quantities for each lot."""
        await self.open()
        await self.send("acknowledge", acknowledged="yes")
        await self.send("affected", affected="yes")
        given = {"on_hand": "10", "held": "10", "used": "0", "passed_on": "0"} | quantities
        self.fields |= {f"{name}-{lot}": value for lot in lots for name, value in given.items()}
        await self.send("lots")
        return await self.send("person", responder_name="Grace", responder_role="Head of stores")


def replies(world: World) -> list[dict[str, Any]]:
    """Every reply in order."""
    return world.rows("SELECT * FROM reply ORDER BY id")


async def test_a_recipient_acknowledges_and_then_states_quantities(http: httpx.AsyncClient, world: World) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"), lots=("10", "10"))
    recipient = Recipient(http, consignee)
    first = await recipient.open()
    assert first.status_code == 200
    assert NUMBER in first.text
    assert "<script" not in first.text
    done = await recipient.answer(world.lot_ids)
    assert done.status_code == 200
    acknowledged, stated = replies(world)
    assert (acknowledged["kind"], stated["kind"]) == ("acknowledgement", "statement")
    assert (stated["responder_name"], stated["affected"]) == ("Grace", True)
    assert f"{NUMBER}/{stated['id']}" in done.text
    assert world.one("SELECT state FROM consignee") == "answered"
    lines = world.rows("SELECT on_hand, held, used, passed_on FROM reply_line")
    assert [tuple(map(int, line.values())) for line in lines] == [(10, 10, 0, 0)] * 2
    again = await recipient.open()
    assert f"{NUMBER}/{stated['id']}" in again.text, "whoever has answered sees the thanks"


async def test_the_acknowledgement_counts_even_if_the_recipient_stops_there(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await recipient.open()
    page = await recipient.send("acknowledge", acknowledged="yes")
    assert 'name="affected"' in page.text
    assert world.one("SELECT state FROM consignee") == "acknowledged"
    assert 'name="affected"' in (await recipient.open()).text


async def test_a_form_posted_twice_counts_once_and_shows_the_same_thanks(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    done = await recipient.answer(world.lot_ids)
    again = await recipient.send("person")
    altered = await recipient.send("person", **{f"on_hand_lot_{world.lot_ids[0]}": "3"})
    reference = re.search(rf"{NUMBER}/\d+", done.text)
    assert reference is not None
    assert reference.group() in again.text
    assert reference.group() in altered.text
    assert [reply["kind"] for reply in replies(world)] == ["acknowledgement", "statement"]
    assert {int(row["on_hand"]) for row in world.rows("SELECT on_hand FROM reply_line")} == {10}


async def test_a_correction_is_a_reply_of_its_own(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await recipient.answer(world.lot_ids)
    page = await recipient.open(correct="1")
    assert 'name="affected"' in page.text
    assert f'name="on_hand-{world.lot_ids[0]}" value="10"' in page.text
    recipient.fields |= {f"on_hand-{lot}": "4" for lot in world.lot_ids}
    recipient.fields |= {f"held-{lot}": "4" for lot in world.lot_ids}
    recipient.fields |= {f"used-{lot}": "6" for lot in world.lot_ids}
    done = await recipient.send("person")
    assert done.status_code == 200
    assert [reply["kind"] for reply in replies(world)] == ["acknowledgement", "statement", "statement"]


async def test_nothing_affected_is_a_statement_of_zero(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="no")
    await recipient.send("person", responder_name="Grace", responder_role="Stores")
    assert replies(world)[-1]["affected"] is False
    assert {int(row["on_hand"]) for row in world.rows("SELECT on_hand FROM reply_line")} == {0}


async def test_whoever_received_product_from_the_recipient_joins_the_recall(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example"), kind="distributor"))
    lot = world.lot_ids[0]
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="yes")
    for each in world.lot_ids:
        passed = "4" if each == lot else "0"
        kept = str(10 - int(passed))
        recipient.fields |= {
            f"on_hand-{each}": kept, f"held-{each}": kept, f"used-{each}": "0", f"passed_on-{each}": passed
        }  # fmt: skip
    page = await recipient.send("lots")
    assert 'name="to-0-name"' in page.text
    receiver = {"lot": str(lot), "quantity": "4", "name": "Small Clinic", "email": "", "phone": "0722 000 111"}
    recipient.fields |= {f"to-0-{name}": value for name, value in receiver.items()}
    await recipient.send("passed_on")
    done = await recipient.send("person", responder_name="Grace", responder_role="Stores")
    assert done.status_code == 200
    joined = world.rows(
        "SELECT c.tier, c.parent_id, contact.phone, p.name, l.shipped FROM consignee c "
        "JOIN partner p ON p.id = c.partner_id JOIN contact ON contact.partner_id = p.id "
        "JOIN consignee_lot l ON l.consignee_id = c.id WHERE c.tier = 2"
    )
    assert len(joined) == 1
    assert joined[0] | {"shipped": int(joined[0]["shipped"])} == {
        "tier": 2,
        "parent_id": recipient.consignee,
        "phone": "+254722000111",
        "name": "Small Clinic",
        "shipped": 4,
    }


async def test_more_than_was_shipped_is_asked_again(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    await recipient.send("affected", affected="yes")
    recipient.fields |= {
        f"{name}-{lot}": value
        for lot in world.lot_ids
        for name, value in (("on_hand", "11"), ("held", "11"), ("used", "0"), ("passed_on", "0"))
    }
    page = await recipient.send("lots")
    assert page.status_code == 422
    assert 'name="confirm_quantities"' in page.text


async def refusals(world: World) -> list[str]:
    """Kinds of refused access on record."""
    return [row["kind"] for row in world.rows("SELECT kind FROM refused_access ORDER BY id")]


async def test_bad_links_are_refused_in_plain_words_and_recorded(http: httpx.AsyncClient, world: World) -> None:
    consignee = world.consignee("Mercy", Person(email="a@mercy.example"))
    good = Recipient(http, consignee)
    flipped = good.url[:-1] + ("A" if good.url[-1] != "A" else "B")
    expired = Recipient(http, consignee, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    nobody = Recipient(http, consignee + 999)
    cases = [
        ("/r/nonsense", 403, "link_malformed"),
        (good.url[:-5], 403, None),
        (flipped, 403, None),
        (expired.url, 410, "link_expired"),
        (nobody.url, 403, "link_foreign"),
        ("/r/" + "%E5%8F%AC" * 20, 403, "link_malformed"),
        ("/r/%00", 403, "link_malformed"),
    ]
    for index, (url, status, kind) in enumerate(cases):
        answer = await http.get(url)
        assert answer.status_code == status, url
        assert answer.headers["Content-Type"].startswith("text/html"), url
        assert NUMBER not in answer.text
        assert "Mercy" not in answer.text
        kinds = await refusals(world)
        assert len(kinds) == index + 1
        if kind is not None:
            assert kinds[-1] == kind
    on_recall = world.rows("SELECT kind FROM refused_access WHERE recall_number = %s", NUMBER)
    assert {row["kind"] for row in on_recall} == {"link_expired", "link_foreign"}
    assert world.one("SELECT count(*) FROM audit_event WHERE action = 'access.refused'") == len(cases)
    stored = str(world.rows("SELECT detail FROM refused_access"))
    assert good.url[3:] not in stored
    assert expired.url[3:] not in stored


async def test_a_link_that_a_mail_program_cut_off_or_lengthened_is_answered_in_words(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    for path in ("/r/", f"{recipient.url}/nothing", f"{recipient.url}/files/more", "/r//x"):
        page = await http.get(path, headers={"Accept-Language": "zh-CN"})
        assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8"), path
        assert "此链接无法使用" in page.text
        assert "Mercy" not in page.text
    assert (await http.get(f"{recipient.url}/", follow_redirects=True)).status_code == 200


async def test_a_form_made_for_another_recipient_is_refused(http: httpx.AsyncClient, world: World) -> None:
    mercy = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    other = Recipient(http, world.consignee("Other", Person(email="b@other.example")))
    await other.open()
    mercy.fields["form_id"] = other.fields["form_id"]
    refused = await mercy.send("acknowledge", acknowledged="yes")
    assert refused.status_code == 403
    for form_id in ("", "made-up", new_form_id("another secret of the right length", NUMBER, mercy.consignee)):
        mercy.fields["form_id"] = form_id
        assert (await mercy.send("acknowledge", acknowledged="yes")).status_code == 403
    assert await refusals(world) == ["form_foreign"] * 4
    assert replies(world) == []


async def test_a_closed_recall_takes_no_more_answers(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    await recipient.open()
    world.run("UPDATE recall SET phase = 'rejected'")
    assert (await recipient.send("acknowledge", acknowledged="yes")).status_code == 410
    assert replies(world) == []


@pytest.mark.parametrize(
    "body", [b"\xff\xfe=1", b"step=person&" + b"a=1&" * 60_000, b"%00=%00", b"form_id=a%00b", b"form_id[]=1", b""]
)
async def test_a_body_that_is_no_form_is_refused_not_crashed_on(
    http: httpx.AsyncClient, world: World, body: bytes
) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await http.post(recipient.url, content=body, headers=headers)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_hostile_text_in_answers_is_shown_as_text(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy <script>alert(1)</script>", Person(email="a@m.example")))
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    recipient.fields["affected"] = "no"
    page = await recipient.send("person", responder_name='"><script>alert(2)</script>', responder_role="")
    assert page.status_code == 422
    assert "<script" not in page.text


async def test_the_page_speaks_the_partners_language_until_asked_otherwise(
    http: httpx.AsyncClient, world: World
) -> None:
    recipient = Recipient(http, world.consignee("Beijing", Person(email="a@b.example"), language="zh-CN"))
    assert 'lang="zh-CN"' in (await recipient.open()).text
    english = await recipient.open(lang="en")
    assert 'lang="en"' in english.text
    refused = await http.get("/r/nonsense", headers={"Accept-Language": "fr;q=0.9, zh;q=0.8"})
    assert 'lang="zh-CN"' in refused.text


async def test_pages_carry_a_strict_policy_and_are_never_cached(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    one, two = await recipient.open(), await recipient.open()
    policy = one.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    assert "script-src" not in policy
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'<style nonce="{nonce}"' in one.text
    assert policy != two.headers["Content-Security-Policy"]
    assert one.headers["Cache-Control"] == "no-store"
    answered = await recipient.send("acknowledge", acknowledged="yes")
    assert answered.headers["Cache-Control"] == "private, no-cache", "else a browser's back button ends in an error"
    assert one.headers["Referrer-Policy"] == "no-referrer"
    assert one.headers["X-Robots-Tag"] == "noindex"


async def test_guessing_links_is_slowed_down_and_a_real_link_still_opens(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    statuses = [(await http.get(f"/r/guess{n}")).status_code for n in range(70)]
    assert statuses[0] == 403
    limited = await http.get("/r/guess")
    assert limited.status_code == 429
    assert int(limited.headers["Retry-After"]) >= 1
    assert (await recipient.open()).status_code == 200
    assert len(await refusals(world)) < 70, "a flood does not fill the record"
