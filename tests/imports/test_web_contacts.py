"""Contacts whose system takes notices: what a file must say of it, and what a recipient added itself."""

from typing import Any

import pytest

from tests.imports.office import Office, counts
from tests.imports.test_masters import CONTACTS, PARTNERS, contact, partner

WITH_SYSTEM = CONTACTS.rstrip().rstrip("}") + ", webhook_url: Address, webhook_format: Format, webhook_key: Key}\n"


def system(**changed: Any) -> dict[str, Any]:
    row = contact("P", 1, Channels="webhook;email")
    return row | {"Address": "https://h.example/hook?site=7", "Format": "fhir", "Key": "mercy"} | changed


@pytest.fixture
async def trader(office: Office) -> Office:
    await office.load("partners", office.file([partner("P")]), PARTNERS)
    return office


async def test_a_system_is_an_address_a_format_and_the_name_of_a_key(trader: Office) -> None:
    file = trader.file([system()])
    assert counts(await trader.load("contacts", file, WITH_SYSTEM)) == (1, 1, 0, 0)
    assert counts(await trader.load("contacts", file, WITH_SYSTEM)) == (1, 0, 1, 0)
    assert trader.sql("SELECT channels, webhook_url, webhook_format, webhook_key FROM contact") == [
        (["webhook", "email"], "https://h.example/hook?site=7", "fhir", "mercy")
    ]


async def test_a_system_alone_is_enough_to_be_reached(trader: Office) -> None:
    file = trader.file([system(Mail="", Phone="", Channels="webhook")])
    assert counts(await trader.load("contacts", file, WITH_SYSTEM)) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"Address": "http://h.example/"}, "webhook_url", "begins with https://"),
        ({"Address": "https://user:pw@h.example/"}, "webhook_url", "without credentials"),
        ({"Address": "h.example"}, "webhook_url", "expected"),
        ({"Address": ""}, "webhook_url", "is missing: a system has an address"),
        ({"Format": "xml"}, "webhook_format", "expected one of json, fhir"),
        ({"Format": ""}, "webhook_format", "is missing: a system has an address"),
        ({"Key": ""}, "webhook_key", "is missing: a system has an address"),
        ({"Key": "a key"}, "webhook_key", "expected the name of a key"),
        ({"Channels": "email", "Key": ""}, "webhook_key", "is missing: a system has an address"),
        ({"Channels": "push"}, "channels", "a browser is subscribed by its user"),
    ],
)
async def test_half_a_system_is_rejected_by_field(
    trader: Office, changed: dict[str, Any], field: str, reason: str
) -> None:
    report = await trader.load("contacts", trader.file([system(**changed)]), WITH_SYSTEM)
    assert counts(report) == (1, 0, 0, 1)
    [row] = trader.rejected()
    assert row["field"] == field
    assert reason in row["reason"]


async def test_a_push_subscription_of_the_recipient_makes_no_other_contact_of_it(trader: Office) -> None:
    file = trader.file([system()])
    await trader.load("contacts", file, WITH_SYSTEM)
    trader.sql("UPDATE contact SET channels = array_append(channels, 'push') RETURNING id")
    assert counts(await trader.load("contacts", file, WITH_SYSTEM)) == (1, 0, 1, 0)
    report = await trader.load("contacts", trader.file([system(Channels="email;webhook")]), WITH_SYSTEM)
    assert counts(report) == (1, 0, 0, 1)
