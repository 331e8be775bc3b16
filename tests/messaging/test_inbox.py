"""The inbox and the text-message page as a person, a program and an attacker use them."""

import pytest

from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from tests.messaging.builders import mail
from tests.messaging.conftest import Catcher, Standin, Webhooks


async def caught(catcher: Catcher, **changes: object) -> None:
    adapter = SmtpEmailAdapter(SmtpConfig("127.0.0.1", catcher.smtp_port, "a@firm.example"))
    await adapter.send(mail(**changes))
    await adapter.close()


async def test_a_person_finds_the_message_and_its_link(catcher: Catcher) -> None:
    await caught(catcher)
    inbox = (await catcher.http.get("/")).text
    assert "URGENT: MEDICAL DEVICE RECALL" in inbox
    assert '<a href="/view/1">' in inbox
    view = (await catcher.http.get("/view/1")).text
    assert '<a rel="noreferrer" href="http://127.0.0.1:8080/r/abc">' in view


async def test_hostile_mail_runs_no_script_in_the_inbox(catcher: Catcher) -> None:
    evil = "<script>alert(1)</script>"
    await caught(catcher, subject=evil, text=evil, html=evil)
    for path in ("/", "/view/1"):
        assert "<script>" not in (await catcher.http.get(path)).text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in (await catcher.http.get("/view/1")).text


async def test_messages_are_found_by_address_instant_and_page(catcher: Catcher) -> None:
    for number in range(3):
        await caught(catcher, to=f"Site{number}@Hospital.example")
    everything = await catcher.messages()
    assert [message["to"] for message in await catcher.messages(to="SITE1@hospital.EXAMPLE")] == [
        "site1@hospital.example"
    ]
    assert await catcher.messages(since=str(everything[2]["received_at"])) == everything[2:]
    assert await catcher.messages(after="1", limit="1") == everything[1:2]
    assert (await catcher.http.get("/messages/2")).json() == everything[1]
    assert b"X-Recall-Delivery" in (await catcher.http.get("/messages/2/raw")).content
    assert (await catcher.http.delete("/messages")).status_code == 204
    assert await catcher.messages() == []


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/messages?since=yesterday", 400, "since"),
        ("/messages?since=2026-11-02T08:00:00", 400, "since"),
        ("/messages?limit=-1", 400, "limit"),
        ("/messages?after=x", 400, "after"),
        ("/messages/99", 404, "no such message"),
        ("/view/99", 404, "no such message"),
    ],
)
async def test_bad_queries_are_told_what_was_expected(catcher: Catcher, path: str, status: int, word: str) -> None:
    answer = await catcher.http.get(path)
    assert answer.status_code == status
    assert word in answer.text


async def test_foreign_host_names_are_refused(catcher: Catcher, standin: Standin) -> None:
    for client in (catcher.http, standin.http):
        assert (await client.get("/messages", headers={"Host": "evil.example"})).status_code == 400


async def test_a_phone_is_played_from_the_page_but_not_from_another_site(standin: Standin, webhooks: Webhooks) -> None:
    form = {"from": "+12025550123", "to": "+12025550100", "body": "1"}
    own = await standin.http.post("/simulate/reply", data=form, headers={"Origin": standin.url})
    assert own.status_code == 303
    foreign = await standin.http.post("/simulate/reply", data=form, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert (await standin.http.post("/simulate/reply", json={"from": "x"})).status_code == 400
    assert (await standin.http.post("/simulate/reply", json=[1])).status_code == 400
    assert len(webhooks.received) == 1
    page = (await standin.http.get("/")).text
    assert "+12025550123" in page
