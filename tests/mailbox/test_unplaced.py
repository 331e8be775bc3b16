"""What belongs to no consignee of a running recall waits for a reader, and leaves the list with a reason only."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio

from db.engine import SessionFactory
from domain.roles import Role
from tests.api.conftest import unreachable_client
from tests.api.test_staff import recall_command
from tests.api.test_webhooks import INBOUND, send, sms
from tests.campaign.world import NUMBER
from tests.mailbox import samples
from tests.mailbox.conftest import Office
from tests.support.api import Callers, make_tokens, serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
STORES = "stores@hospital.example"
URL = "/v1/unplaced-messages"
NOT_OURS = {"how": "not_ours", "note": "An offer of pallets."}


@pytest_asyncio.fixture
async def http(office: Office, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings_for(postgres.app_url, tmp_path), await unreachable_client()) as client:
        yield client


@pytest_asyncio.fixture
async def api(http: httpx.AsyncClient, db: SessionFactory) -> Callers:
    return Callers(http, await make_tokens(db))


async def waiting(api: Callers) -> list[dict[str, Any]]:
    answer = await api.get(URL, settled=False)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_mail_that_answers_nothing_of_ours_waits_for_a_reader(office: Office, api: Callers) -> None:
    sent = await office.sent()
    for raw in (
        samples.answer("recall@firm.example", "x@y.example", "A patient died after your set leaked", number="stranger"),
        samples.answer(sent.answer_to, STORES, "1", original=sent.message_id),
        samples.away("recall@firm.example", "x@y.example", original=""),
    ):
        office.arrives(raw)
        await office.collect()
    (item,) = await waiting(api)
    assert (item["channel"], item["sender"], item["outcome"]) == ("email", "x@y.example", "unknown_sender")
    assert (item["text"], item["speaks_of_harm"]) == ("A patient died after your set leaked", True)
    mail = await api.get(f"/v1/evidence/{item['evidence_id']}")
    assert b"your set leaked" in mail.content


async def test_mail_about_a_recall_that_has_ended_is_not_lost(office: Office, api: Callers) -> None:
    sent = await office.sent()
    office.world.run("UPDATE recall SET phase = 'terminated'")
    office.arrives(samples.answer(sent.answer_to, STORES, "We found ten more", original=sent.message_id))
    await office.collect()
    (item,) = await waiting(api)
    assert (item["outcome"], item["recall_number"], item["contact_id"]) == ("no_open_recall", NUMBER, 1)


async def test_text_messages_of_strangers_wait_with_their_number(office: Office, api: Callers) -> None:
    await office.sent()
    known, stranger = "+254700000001", "+254799999999"
    for message in (sms("1", known), sms("who are you?", stranger), sms("STOP", known)):
        assert (await send(api.client, INBOUND, message)).status_code == 200
    (item,) = await waiting(api)
    assert (item["channel"], item["sender"], item["text"]) == ("sms", stranger, "who are you?")


async def test_harm_told_on_the_page_of_a_recall_that_is_over_waits_as_such(office: Office, api: Callers) -> None:
    office.world.run(
        "INSERT INTO inbound_message (provider, provider_id, body, outcome, received_at)"
        " VALUES ('page', 'form-0001:ab', 'On the page of RC-2026-000012, consignee 1: Burn', 'no_open_recall', now())"
    )
    (item,) = await waiting(api)
    assert (item["channel"], item["sender"], item["speaks_of_harm"]) == ("page", None, True)


async def test_a_text_that_could_mean_one_of_two_recalls_waits_until_it_is_placed(office: Office, api: Callers) -> None:
    await office.sent()
    office.world.run(
        'INSERT INTO recall SELECT (jsonb_populate_record(r, \'{"number": "RC-2026-000013"}\')).* FROM recall r'
    )
    office.world.run(
        "INSERT INTO campaign (recall_number, sequence, notice_id, started_at)"
        " SELECT 'RC-2026-000013', 1, notice_id, started_at FROM campaign"
    )
    office.world.run(
        "INSERT INTO consignee (recall_number, partner_id, tier, state, step, campaign_sequence, added_at)"
        " SELECT 'RC-2026-000013', partner_id, 1, 'open', 1, 1, added_at FROM consignee"
    )
    assert (await send(api.client, INBOUND, sms("1", "+254700000001"))).status_code == 200
    (item,) = await waiting(api)
    assert (item["outcome"], item["text"]) == ("unclear", "1")
    named = sms(f"1 {NUMBER}", "+254700000001")
    assert (await send(api.client, INBOUND, named)).status_code == 200
    assert len(await waiting(api)) == 1, "the one that named its recall is an answer"


async def test_a_settled_message_says_who_did_what_and_cannot_be_settled_again(office: Office, api: Callers) -> None:
    office.arrives(samples.answer("recall@firm.example", "x@y.example", "Five sets here", number="late"))
    await office.collect()
    (item,) = await waiting(api)
    body = {"how": "recorded", "note": "Entered at P-One.", "recall_number": NUMBER}
    answer = await api.post(f"{URL}/{item['id']}/settle", body, Role.ACCOUNT_MANAGER, key="once")
    assert answer.status_code == 200, answer.text
    settled = answer.json()["settled"]
    assert {name: settled[name] for name in ("by", "how", "note", "recall_number")} == body | {"by": "Amara"}
    assert (
        await api.post(f"{URL}/{item['id']}/settle", body, Role.ACCOUNT_MANAGER, key="once")
    ).json() == answer.json()
    again = await api.post(f"{URL}/{item['id']}/settle", NOT_OURS)
    assert (again.status_code, again.json()["type"]) == (409, "urn:recall:problem:already-decided")
    assert await waiting(api) == []
    assert [each["id"] for each in (await api.get(URL, settled=True)).json()["items"]] == [item["id"]]
    assert office.world.actions()[-1] == "message.settled"
    linked = office.world.one("SELECT recall_number FROM evidence_link WHERE subject = %s", f"message:{item['id']}")
    assert linked == NUMBER
    audited = str(office.world.rows("SELECT data FROM audit_event"))
    assert "y.example" not in audited
    assert "Five sets" not in audited


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"how": "recorded", "note": "n"}, "recall_number: expected with `recorded`"),
        (NOT_OURS | {"recall_number": NUMBER}, "recall_number: expected with `recorded`"),
        ({"how": "binned", "note": "n"}, "'recorded', 'answered' or 'not_ours'"),
        ({"how": "answered", "note": " "}, "at least 1 character"),
    ],
)
async def test_a_settlement_needs_a_reason_and_a_recall_where_it_was_recorded(
    api: Callers, body: dict[str, str], said: str
) -> None:
    answer = await api.post(f"{URL}/1/settle", body)
    assert answer.status_code == 422
    assert said in answer.json()["errors"][0]["detail"]


async def test_what_is_not_there_or_belongs_elsewhere_is_refused(office: Office, api: Callers) -> None:
    sent = await office.sent()
    office.arrives(samples.answer(sent.answer_to, STORES, "1", original=sent.message_id))
    await office.collect()
    placed = office.world.one("SELECT id FROM inbound_message")
    for message in (placed, 999_999):
        assert (await api.post(f"{URL}/{message}/settle", NOT_OURS)).status_code == 404
    office.world.run("UPDATE recall SET phase = 'terminated'")
    office.arrives(samples.answer(sent.answer_to, STORES, "More", original=sent.message_id, number="more"))
    await office.collect()
    (item,) = await waiting(api)
    elsewhere = {"how": "recorded", "note": "n", "recall_number": "RC-2026-999999"}
    assert (await api.post(f"{URL}/{item['id']}/settle", elsewhere)).status_code == 404
    for role in (Role.AUDITOR, Role.WAREHOUSE):
        assert (await api.get(URL, role)).status_code == 403
        assert (await api.post(f"{URL}/{item['id']}/settle", NOT_OURS, role)).status_code == 403


async def test_the_list_of_tasks_on_the_command_line_says_how_many_wait(
    office: Office, postgres: PostgresForTests
) -> None:
    assert "reader" not in (await recall_command(postgres.app_url, "tasks", "list"))[1]
    office.arrives(samples.answer("recall@firm.example", "x@y.example", "Whom do I call?", number="stranger"))
    await office.collect()
    code, output, _ = await recall_command(postgres.app_url, "tasks", "list")
    assert (code, "wait for a reader: 1 (GET /v1/unplaced-messages)" in output) == (0, True)


def test_the_message_itself_cannot_be_changed_or_removed_by_the_application(
    office: Office, postgres: PostgresForTests
) -> None:
    office.world.run(
        "INSERT INTO inbound_message (provider, provider_id, body, outcome, received_at)"
        " VALUES ('twilio', 'SM1', 'hello', 'unknown_sender', now())"
    )
    for statement in ("UPDATE inbound_message SET body = 'x'", "DELETE FROM inbound_message"):
        with psycopg.connect(postgres.app_url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)
