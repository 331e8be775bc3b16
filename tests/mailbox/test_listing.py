"""The list of what came back, over the API: filtered, in pages, without an address or a text."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from db.engine import SessionFactory
from domain.roles import Role
from tests.api.conftest import unreachable_client
from tests.campaign.world import NUMBER
from tests.mailbox import samples
from tests.mailbox.conftest import Office
from tests.support.api import Callers, make_tokens, serving, settings_for
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
STORES = "stores@hospital.example"


@pytest_asyncio.fixture
async def http(office: Office, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings_for(postgres.app_url, tmp_path), await unreachable_client()) as client:
        yield client


@pytest_asyncio.fixture
async def api(http: httpx.AsyncClient, db: SessionFactory) -> Callers:
    return Callers(http, await make_tokens(db))


async def test_what_came_back_is_listed_newest_first_and_names_nobody(office: Office, api: Callers) -> None:
    sent = await office.sent()
    for raw in (
        samples.answer("recall@firm.example", "x@y.example", "Buy now", number="spam"),
        samples.answer(sent.answer_to, STORES, "1", original=sent.message_id),
        samples.exchange(sent.bounce_to, STORES, original=sent.message_id),
    ):
        office.arrives(raw)
        await office.collect()
    answer = await api.get("/v1/returned-mail", Role.AUDITOR)
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [(each["kind"], each["outcome"], each["recall_number"]) for each in items] == [
        ("report", "dead", NUMBER),
        ("person", "reply", NUMBER),
        ("person", "unknown_sender", None),
    ]
    assert "hospital.example" not in answer.text
    assert "y.example" not in answer.text
    of_none = await api.get("/v1/returned-mail", outcome="unknown_sender")
    assert [each["id"] for each in of_none.json()["items"]] == [items[2]["id"]]
    page = (await api.get("/v1/returned-mail", recall=NUMBER, limit=1)).json()
    rest = await api.get("/v1/returned-mail", recall=NUMBER, limit=1, cursor=page["next_cursor"])
    assert [page["items"][0]["id"], rest.json()["items"][0]["id"]] == [items[0]["id"], items[1]["id"]]
    assert rest.json()["next_cursor"] is None


@pytest.mark.parametrize(("name", "value"), [("recall", "x"), ("outcome", "1'--"), ("kind", "letter"), ("limit", 0)])
async def test_a_filter_that_cannot_be_is_named(api: Callers, name: str, value: Any) -> None:
    answer = await api.get("/v1/returned-mail", **{name: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].endswith(name)


async def test_nobody_reads_it_without_a_token(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/returned-mail")).status_code == 401
