"""For whom a contact speaks: the place that has the goods unless the file says that it is who pays."""

import pytest

from tests.imports.office import Office, counts
from tests.imports.test_masters import CONTACTS, PARTNERS, contact, partner

WITH_PARTY = CONTACTS.rstrip().rstrip("}") + ", party: Party}\n"


@pytest.fixture
async def trader(office: Office) -> Office:
    await office.load("partners", office.file([partner("P")]), PARTNERS)
    return office


async def test_a_contact_speaks_for_the_place_unless_it_is_named_as_who_pays(trader: Office) -> None:
    file = trader.file([contact("P", 1, Party=""), contact("P", 2, Party="bill_to"), contact("P", 3, Party="ship_to")])
    assert counts(await trader.load("contacts", file, WITH_PARTY)) == (3, 3, 0, 0)
    assert counts(await trader.load("contacts", file, WITH_PARTY)) == (3, 0, 3, 0)
    parties = [row[0] for row in trader.sql("SELECT party FROM contact ORDER BY position")]
    assert parties == ["ship_to", "bill_to", "ship_to"]


async def test_a_file_that_knows_no_parties_loads_as_ever(trader: Office) -> None:
    assert counts(await trader.load("contacts", trader.file([contact("P", 1)]), CONTACTS)) == (1, 1, 0, 0)
    assert trader.sql("SELECT party FROM contact") == [("ship_to",)]


async def test_another_word_is_rejected_by_field(trader: Office) -> None:
    report = await trader.load("contacts", trader.file([contact("P", 1, Party="payer")]), WITH_PARTY)
    assert counts(report) == (1, 0, 0, 1)
    [row] = trader.rejected()
    assert (row["field"], "expected one of ship_to, bill_to" in row["reason"]) == ("party", True)


async def test_another_party_for_a_contact_on_record_is_told_and_not_taken(trader: Office) -> None:
    await trader.load("contacts", trader.file([contact("P", 1)]), CONTACTS)
    report = await trader.load("contacts", trader.file([contact("P", 1, Party="bill_to")]), WITH_PARTY)
    assert counts(report) == (1, 0, 0, 1)
    assert trader.rejected()[0]["field"] == "party"
