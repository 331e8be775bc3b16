"""One mail for twenty sites, and twenty answers by its one link: from the mail server to the replies on record."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from activities.compose import NoticeLinks
from activities.notify import NotifyActivities
from adapters.messaging.factory import build_adapters, build_blocked_adapters
from db.engine import SessionFactory
from domain.channels import Channel
from settings import Settings
from tests.api.test_recipient_page import Recipient, replies
from tests.api.test_webhooks import INBOUND, PHONE, send, sms
from tests.campaign.conftest import Hand
from tests.campaign.merged import acknowledge
from tests.campaign.world import Person, World
from tests.messaging.conftest import Catcher, catcher
from tests.support.api import LINK_SECRET

__all__ = ["catcher"]

pytestmark = pytest.mark.db
LINKS = NoticeLinks(public_url="http://recall.test", secret=LINK_SECRET, mail_from="Recall <recall@firm.example>")
PERSON = Person("safety@group.example")


class Mailing(Hand):
    """A hand whose links lead to the API of the test."""

    def activities(self, *args: Any, **adapters: Any) -> NotifyActivities:
        chosen = {Channel(name): adapter for name, adapter in adapters.items()} or {Channel.EMAIL: self.mail}
        return NotifyActivities(self.sessions, chosen, build_blocked_adapters(), LINKS)


async def told(db: SessionFactory, world: World, count: int = 20) -> tuple[list[int], str]:
    """Sites of one person that were told by one mail: consignees, and the path of the page the mail leads to."""
    sites = [world.consignee(f"Site {number:02}", PERSON, lots=(str(100 + number),)) for number in range(count)]
    hand, now = Mailing(db, world), datetime.now(UTC)
    await hand.advance(now)
    await hand.send(now=now)
    (mail,) = hand.mail.accepted
    return sites, _path(mail.text)


def _path(text: str) -> str:
    found = re.search(r"http://recall\.test(/r/\S+/sites)", text)
    assert found is not None
    return found.group(1)


def _pages(listed: httpx.Response) -> dict[str, str]:
    """Path of each site's own page by its name."""
    rows = re.findall(
        r'<a class="action" target="_blank" rel="noopener" href="(/r/[^"?]+)\?lang=\w+">([^<]+)</a>', listed.text
    )
    return {name: path for path, name in rows}


def _form_id(page: httpx.Response) -> str:
    found = re.search(r'name="form_id" value="([^"]+)"', page.text)
    assert found is not None
    return found.group(1)


class AtSite(Recipient):
    """The same person at the page of one of its sites."""

    def __init__(self, http: httpx.AsyncClient, path: str) -> None:
        self.http, self.url, self.fields = http, path, {}


async def test_twenty_sites_get_one_mail_at_the_mail_server_that_lists_them_and_answer_one_by_one(
    http: httpx.AsyncClient, world: World, db: SessionFactory, catcher: Catcher
) -> None:
    sites = [world.consignee(f"Site {number:02}", PERSON, lots=(str(100 + number),)) for number in range(20)]
    settings = Settings.model_validate({"SMTP_HOST": "127.0.0.1", "SMTP_PORT": catcher.smtp_port})
    adapters = build_adapters(settings)
    hand, now = Mailing(db, world), datetime.now(UTC)
    await hand.advance(now)
    try:
        sent = await hand.send(now=now, email=adapters[Channel.EMAIL])
    finally:
        for adapter in adapters.values():
            await adapter.close()
    assert (sent.submitted, sent.failed) == (1, 0)
    (caught,) = await catcher.messages()
    detail = (await catcher.http.get(f"/messages/{caught['id']}")).json()
    text = str(detail["text"])
    assert [f"Site {number:02}: A1 ({100 + number} test)" in text for number in range(20)] == [True] * 20
    pages = _pages(await http.get(_path(text)))
    assert list(pages) == [f"Site {number:02}" for number in range(20)]
    for number, path in enumerate(pages.values()):
        done = await AtSite(http, path).answer(world.lot_ids[:1], on_hand=str(100 + number), held=str(100 + number))
        assert done.status_code == 200
    stated = [row for row in replies(world) if row["kind"] == "statement"]
    assert sorted(row["consignee_id"] for row in stated) == sorted(sites)
    assert len({row["delivery_id"] for row in stated}) == 20, "each by its own delivery"
    lines = world.rows(
        "SELECT r.consignee_id, l.on_hand FROM reply_line l JOIN reply r ON r.id = l.reply_id ORDER BY r.consignee_id"
    )
    assert [(row["consignee_id"], int(row["on_hand"])) for row in lines] == [
        (site, 100 + number) for number, site in enumerate(sites)
    ]
    listed = await http.get(_path(text))
    assert "20 of 20 sites are done." in listed.text
    assert "<form" not in listed.text


async def test_the_page_says_how_far_each_site_is(http: httpx.AsyncClient, world: World, db: SessionFactory) -> None:
    _, path = await told(db, world, 3)
    pages = _pages(await http.get(path))
    await AtSite(http, pages["Site 01"]).answer(world.lot_ids[:1], on_hand="101", held="101")
    recipient = AtSite(http, pages["Site 02"])
    await recipient.open()
    await recipient.send("acknowledge", acknowledged="yes")
    listed = await http.get(path)
    said = re.findall(r"</a> – ([^<]+)</li>", listed.text)
    assert said == ["no answer yet", "answered", "receipt confirmed, quantities still missing"]
    assert "1 of 3 sites are done." in listed.text


async def test_receipt_is_confirmed_for_all_sites_at_once_and_recorded_for_each(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    sites, path = await told(db, world, 20)
    page = await http.get(path)
    form = {"form_id": _form_id(page)}
    thanks = await http.post(path, data=form)
    assert thanks.status_code == 200
    assert "Receipt is recorded for 20 sites." in thanks.text
    await http.post(path, data=form)
    rows = replies(world)
    assert sorted(row["consignee_id"] for row in rows) == sorted(sites)
    assert {row["kind"] for row in rows} == {"acknowledgement"}
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"acknowledged"}


async def test_only_the_sites_that_answered_are_spared_the_reminder(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    sites, path = await told(db, world, 4)
    pages = list(_pages(await http.get(path)).values())
    for each in pages[:3]:
        recipient = AtSite(http, each)
        await recipient.open()
        await recipient.send("acknowledge", acknowledged="yes")
    hand, later = Mailing(db, world), datetime.now(UTC) + timedelta(days=1, hours=1)
    await hand.advance(later)
    await hand.send(now=later)
    (reminder,) = hand.mail.accepted
    assert "/sites" not in reminder.text
    assert [row["consignee_id"] for row in world.deliveries() if row["kind"] == "reminder"] == sites[3:]


async def test_a_link_to_one_site_that_is_handed_on_leads_to_no_other(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    _, path = await told(db, world, 3)
    listed = await http.get(path)
    for own in _pages(listed).values():
        page = await http.get(own)
        assert page.status_code == 200
        assert "/sites" not in page.text
        led = await http.get(f"{own}/sites")
        assert (led.status_code, led.headers["location"]) == (303, f"{own}?lang=en")
        # Whoever knows the form of the list has it from the list; without it this one's own does not do, either.
        for form_id in (_form_id(listed), _form_id(page)):
            await http.post(f"{own}/sites", data={"form_id": form_id})
    assert replies(world) == []
    inner = await http.get(path.removesuffix("/sites"))
    assert f'href="{path}?lang=en"' in inner.text, "the notice's own link leads back to the list"


async def test_a_form_of_another_notice_confirms_nothing(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    _, path = await told(db, world, 2)
    other = Recipient(http, world.consignee("Other", Person("other@hospital.example")))
    await other.open()
    refused = await http.post(path, data={"form_id": other.fields["form_id"]})
    assert refused.status_code == 403
    assert (await http.post(path, data={})).status_code == 403
    assert replies(world) == []


async def test_a_forged_link_shows_no_site(http: httpx.AsyncClient, world: World, db: SessionFactory) -> None:
    _, path = await told(db, world, 2)
    token = path.split("/")[2]
    for bad in (token[:-1] + ("A" if token[-1] != "A" else "B"), "x" * 40):
        page = await http.get(f"/r/{bad}/sites")
        assert page.status_code == 403
        assert "Site 0" not in page.text


async def test_a_notice_for_one_site_leads_straight_to_its_page(http: httpx.AsyncClient, world: World) -> None:
    recipient = Recipient(http, world.consignee("Mercy", Person(email="a@mercy.example")))
    led = await http.get(f"{recipient.url}/sites")
    assert (led.status_code, led.headers["location"]) == (303, f"{recipient.url}?lang=en")


@pytest.mark.parametrize(("lang", "heading"), [("zh-CN", "本通知涉及的单位"), ("es", "Los centros de este aviso")])
async def test_the_page_speaks_the_languages_of_the_others(
    http: httpx.AsyncClient, world: World, db: SessionFactory, lang: str, heading: str
) -> None:
    _, path = await told(db, world, 2)
    page = await http.get(path, params={"lang": lang})
    assert heading in page.text
    assert page.headers["content-language"] == lang
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_name_with_markup_is_shown_as_it_is(http: httpx.AsyncClient, world: World, db: SessionFactory) -> None:
    _, path = await told(db, world, 2)
    world.run("UPDATE partner SET name = '<b>{{ 7 * 7 }}</b>'")
    page = await http.get(path)
    assert "&lt;b&gt;{{ 7 * 7 }}&lt;/b&gt; (P-Site 00)" in page.text
    assert "<b>{{" not in page.text


# ---------------------------------------------------------------------- answered by text


async def texted(db: SessionFactory, world: World, count: int = 3) -> list[int]:
    """Sites of one telephone that were told by one text."""
    sites = [world.consignee(f"Site {number:02}", Person(phone=PHONE)) for number in range(count)]
    hand, now = Mailing(db, world), datetime.now(UTC)
    await hand.advance(now)
    await hand.send("sms", now, sms=hand.sms)
    assert len(hand.sms.accepted) == 1
    return sites


@pytest.mark.parametrize(("body", "affected"), [("1", None), ("2", False)])
async def test_a_text_that_answers_for_several_sites_is_a_reply_of_each(
    http: httpx.AsyncClient, world: World, db: SessionFactory, body: str, affected: bool | None
) -> None:
    sites = await texted(db, world)
    form = sms(body)
    for _ in range(2):
        assert (await send(http, INBOUND, form)).status_code == 200
    rows = replies(world)
    assert sorted(row["consignee_id"] for row in rows) == sites
    assert {(row["kind"], row["affected"]) for row in rows} == {("acknowledgement", affected)}
    assert len({row["delivery_id"] for row in rows}) == 3
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"acknowledged"}
    assert world.one("SELECT outcome FROM inbound_message") == "reply"


def leaves(world: World, consignee: int) -> None:
    """Its contact is there no more, as somebody said on the telephone."""
    world.run(
        "UPDATE contact SET status = 'left' WHERE partner_id = (SELECT partner_id FROM consignee WHERE id = %s)",
        consignee,
    )


async def test_whoever_has_left_a_site_answers_for_the_others_only_by_text(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    gone, *others = await texted(db, world)
    leaves(world, gone)
    assert (await send(http, INBOUND, sms("1"))).status_code == 200
    assert sorted(row["consignee_id"] for row in replies(world)) == others
    assert world.one("SELECT state FROM consignee WHERE id = %s", gone) == "open"


async def test_and_only_for_the_others_on_the_page(http: httpx.AsyncClient, world: World, db: SessionFactory) -> None:
    (gone, *others), path = await told(db, world, 3)
    leaves(world, gone)
    page = await http.get(path)
    assert list(_pages(page)) == ["Site 01", "Site 02"]
    assert "Receipt is recorded for 2 sites." in (await http.post(path, data={"form_id": _form_id(page)})).text
    assert sorted(row["consignee_id"] for row in replies(world)) == others


async def test_a_text_to_the_one_site_that_was_left_of_several_says_what_it_says(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    sites = [world.consignee(f"Site {number:02}", Person(phone=PHONE)) for number in range(3)]
    hand, now = Mailing(db, world), datetime.now(UTC)
    await hand.advance(now)
    lead = world.one("SELECT consignee_id FROM delivery WHERE leads")
    for site in sites:
        if site != lead:
            await acknowledge(hand, site)
    await hand.send("sms", now, sms=hand.sms)
    assert "sites:" not in hand.sms.accepted[0].text
    await send(http, INBOUND, sms("1"))
    assert [row["affected"] for row in replies(world) if row["consignee_id"] == lead] == [True]


async def test_a_call_back_or_harm_is_for_one_site_because_it_happened_once(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    await texted(db, world)
    await send(http, INBOUND, sms("3"))
    await send(http, INBOUND, sms("4"))
    assert len(replies(world)) == 2
    assert world.one("SELECT count(*) FROM complaint") == 1
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"open"}


async def test_a_text_is_not_guessed_where_a_further_site_of_the_telephone_was_told_apart(
    http: httpx.AsyncClient, world: World, db: SessionFactory
) -> None:
    await texted(db, world)
    world.consignee("Annex", Person(phone=PHONE))
    answer = await send(http, INBOUND, sms("1"))
    assert "could not read" in answer.text
    assert {row["state"] for row in world.rows("SELECT state FROM consignee")} == {"open"}
