"""Reversal of a batch: all of what it brought, or nothing and the name of what uses it."""

import pytest

from imports.errors import ImportRefusedError
from imports.loader import Report
from imports.reverse import Reversed, reverse_batch
from tests.imports.office import MOVEMENTS, NOW, RECALL, Office, counts, movement
from tests.imports.test_chain_files import STOCK, count
from tests.imports.test_masters import CONTACTS, PARTNERS, contact, partner

pytestmark = pytest.mark.db


async def reverse(office: Office, report: Report) -> Reversed:
    assert report.batch_id is not None
    return await reverse_batch(office.sessions, report.batch_id, actor="lead", at=NOW, reason="wrong file")


async def refused(office: Office, report: Report) -> str:
    with pytest.raises(ImportRefusedError) as caught:
        await reverse(office, report)
    return str(caught.value)


async def test_an_unused_batch_goes_with_everything_it_brought_and_the_audit_says_so(office: Office) -> None:
    report = await office.movements([movement(1), movement(2, Lot="L2")])
    done = await reverse(office, report)
    assert done.removed == {"movement": 2, "lot": 2, "location": 2, "partner": 2, "product": 1}
    for table in ("movement", "lot", "location", "partner", "product"):
        assert office.count(table) == 0, table
    assert office.sql("SELECT state, reversed_by FROM import_batch") == [("reversed", "lead")]
    assert office.sql("SELECT action, actor, reason FROM audit_event WHERE seq = 2") == [
        ("import.reversed", "lead", "wrong file")
    ]
    again = await office.movements([movement(1), movement(2, Lot="L2")])
    assert counts(again) == (2, 2, 0, 0), "what was reversed can be imported again"


async def test_a_batch_that_later_ones_build_on_stays_whole(office: Office) -> None:
    first = await office.movements([movement(1)])
    second = await office.movements([movement(2)], MOVEMENTS)
    assert second.batch_id is not None
    message = await refused(office, first)
    assert f"lot in movement of batch {second.batch_id} (1 rows)" in message
    assert f"product in movement of batch {second.batch_id}" in message
    assert office.count("movement") == 2
    assert office.one("SELECT state FROM import_batch ORDER BY id LIMIT 1") == "loaded"
    await reverse(office, second)
    await reverse(office, first)
    assert office.count("product") == 0


async def test_a_batch_whose_lots_are_in_a_recall_stays(office: Office) -> None:
    await office.movements([movement(1)])
    late = await office.movements([movement(2)], MOVEMENTS)
    office.sql(RECALL)
    office.sql("INSERT INTO scope_lot SELECT 'RC-2026-000001', 1, id, true, 0 FROM lot")
    assert "lot in scope lot of recall RC-2026-000001 (1 rows)" in await refused(office, late)
    assert office.count("movement") == 2


async def test_goods_without_a_lot_stay_while_a_recall_counts_them_as_a_gap(office: Office) -> None:
    await office.movements([movement(1)])
    gap = await office.movements([movement(2, Lot="", Type="receipt")], MOVEMENTS)
    office.sql(RECALL)
    office.sql("INSERT INTO scope_lot SELECT 'RC-2026-000001', 1, id, true, 0 FROM lot")
    assert "gaps of recall RC-2026-000001 (1 rows)" in await refused(office, gap)


async def test_contacts_that_were_written_to_stay(office: Office) -> None:
    await office.load("partners", office.file([partner("P")]), PARTNERS)
    report = await office.load("contacts", office.file([contact("P", 1)]), CONTACTS)
    office.sql("INSERT INTO inbound_message (provider, provider_id, contact_id, body, outcome, received_at) "
               "SELECT 'twilio', 'SM1', id, '1', 'reply', now() FROM contact")  # fmt: skip
    assert "contact in inbound message (1 rows)" in await refused(office, report)
    assert office.count("contact") == 1


async def test_a_reversed_count_gives_the_earlier_one_back(office: Office) -> None:
    await office.movements([movement(1)])
    first = await office.load("stock", office.file([count(40)]), STOCK)
    second = await office.load("stock", office.file([count(35, Counted="2026-02-02")]), STOCK)
    assert f"stock superseded by batch {second.batch_id} (1 rows)" in await refused(office, first)
    await reverse(office, second)
    assert office.sql("SELECT on_hand, as_of::date::text, batch_id FROM stock") == [(40, "2026-02-01", first.batch_id)]
    await reverse(office, first)
    assert office.count("stock") == 0


async def test_a_batch_is_reversed_once_and_an_unknown_one_never(office: Office) -> None:
    report = await office.movements([movement(1)])
    await reverse(office, report)
    assert "was reversed by lead" in await refused(office, report)
    with pytest.raises(ImportRefusedError, match="there is no batch 4711"):
        await reverse_batch(office.sessions, 4711, actor="x", at=NOW, reason="x")
