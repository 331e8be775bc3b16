"""Contacts over HTTP: read and put right by whoever may contact consignees, once; no address is in the audit."""

from typing import Any

import psycopg
import pytest

from domain.roles import Role
from tests.support.api import Callers, write_consignee
from tests.support.servers import PostgresForTests

pytestmark = [pytest.mark.db, pytest.mark.workflow]
BOB = {"name": "Bob", "role": "stores", "email": "bob@x.example", "reason": "Named by the ward."}


class Book:
    """The contacts of one consignee of a started recall."""

    def __init__(self, api: Callers, url: str, number: str) -> None:
        self.api, self.url, self.number = api, url, number
        self.consignee = write_consignee(url, number, phone="+254700000001")
        self.path = f"/v1/recalls/{number}/consignees/{self.consignee}/contacts"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as db:
            return list(db.execute(query))

    async def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.api.get(self.path)).json()["items"]
        return found

    async def status(self, contact: int, status: str, path: str | None = None) -> Any:
        body = {"status": status, "reason": "The ward says so."}
        return await self.api.post(f"{path or self.path}/{contact}/status", body)


@pytest.fixture
def book(api: Callers, postgres: PostgresForTests, recall: str) -> Book:
    return Book(api, postgres.owner_url, recall)


async def test_a_contact_is_entered_behind_the_others_once_and_its_address_is_in_no_audit(book: Book) -> None:
    (first,) = await book.listed()
    assert (first["status"], first["phone"]) == ("verified", "+254700000001")
    added = await book.api.post(book.path, BOB, key="bob")
    assert (added.status_code, added.json()["status"], added.json()["channels"]) == (201, "unverified", ["email"])
    assert (await book.api.post(book.path, BOB, key="bob")).json() == added.json()
    assert (await book.api.post(book.path, BOB)).json()["id"] == added.json()["id"], "the same person is one contact"
    assert [each["position"] for each in await book.listed()] == [1, added.json()["position"]]
    ((data, reason),) = book.rows("SELECT data, reason FROM audit_event WHERE action = 'contact.added'")
    assert (data["contact"], reason, "bob" in str(data)) == (added.json()["id"], "Named by the ward.", False)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"email": None}, "expected an e-mail address or a telephone number"),
        ({"channels": ["sms"]}, "sms and voice need a telephone number"),
        ({"channels": ["email", "email"]}, "each channel once"),
        ({"channels": ["fax"]}, "email"),
        ({"email": "bob"}, "email"),
        ({"phone": "0700"}, "phone"),
        ({"role": "r" * 81}, "role"),
    ],
)
async def test_a_contact_nobody_could_reach_is_refused_by_field(book: Book, changes: dict[str, Any], word: str) -> None:
    refused = await book.api.post(book.path, BOB | changes)
    assert refused.status_code == 422
    assert word in refused.text


async def test_whoever_has_left_is_shown_to_callers_no_more_and_may_be_taken_back(book: Book) -> None:
    (first,) = await book.listed()
    left = await book.status(first["id"], "left")
    assert (left.status_code, left.json()["status"]) == (200, "left")
    assert [each["status"] for each in await book.listed()] == ["left"]
    assert (await book.status(first["id"], "verified")).json()["status"] == "verified"
    changes = book.rows(
        "SELECT data ->> 'from', data ->> 'to', actor FROM audit_event WHERE action LIKE 'contact.%' ORDER BY seq"
    )
    assert changes == [("verified", "left", "Quinn"), ("left", "verified", "Quinn")]


async def test_contacts_are_found_at_their_own_consignee_and_by_callers_only(book: Book) -> None:
    (first,) = await book.listed()
    assert (await book.status(10**9, "left")).status_code == 404
    other = book.path.replace(f"/consignees/{book.consignee}/", "/consignees/99999999/")
    assert (await book.status(first["id"], "left", other)).status_code == 404
    assert (await book.api.get(other)).status_code == 404
    assert (await book.api.post(other, BOB)).status_code == 404
    for role in (Role.AUDITOR, Role.WAREHOUSE):
        assert (await book.api.get(book.path, role)).status_code == 403
        assert (await book.api.post(book.path, BOB, role)).status_code == 403
    assert (await book.api.get(book.path, Role.ACCOUNT_MANAGER)).status_code == 200
