"""The mass balance over the whole sample chain: missing is what was written off or not found at a count."""

from decimal import Decimal

import pytest

from db.engine import SessionFactory
from db.repositories import mass_balance
from domain.mass_balance import Basis
from tests.imports.conftest import office
from tests.imports.office import RECALL, Office
from tests.imports.test_sample_chain import load_all

__all__ = ["office"]
pytestmark = pytest.mark.db

WRITTEN_OFF = """
SELECT m.lot_id, -sum(m.quantity)
FROM movement m JOIN location l ON l.id = coalesce(m.to_location_id, m.from_location_id)
WHERE m.kind = 'adjustment' AND l.custody <> 'customer' GROUP BY 1
"""
NOT_FOUND = """
WITH flow AS (
    SELECT lot_id, to_location_id AS place, quantity FROM movement
    WHERE kind IN ('receipt', 'return', 'adjustment') OR kind = 'shipment' AND delivered
    UNION ALL
    SELECT lot_id, from_location_id, -quantity FROM movement
    WHERE kind IN ('shipment', 'return', 'consumption', 'destruction')
    UNION ALL
    SELECT id, site_id, quantity_made FROM lot WHERE quantity_made IS NOT NULL
)
SELECT s.lot_id, sum(book.quantity - s.on_hand) FROM stock s
JOIN (SELECT lot_id, place, sum(quantity) AS quantity FROM flow GROUP BY 1, 2) book
  ON book.lot_id = s.lot_id AND book.place = s.location_id
GROUP BY 1
"""
"""What the books of our places have more than was counted; every count is newer than the movements."""
SENT_OUT = """
SELECT m.lot_id, sum(m.quantity) FROM movement m JOIN location f ON f.id = m.from_location_id
JOIN location t ON t.id = m.to_location_id JOIN partner p ON p.id = t.partner_id
WHERE m.kind = 'shipment' AND m.lot_id IS NOT NULL AND f.custody <> 'customer' AND t.custody = 'customer'
  AND p.kind NOT IN ('supplier', 'manufacturer') GROUP BY 1
"""
CAME_BACK = """
SELECT m.lot_id, sum(m.quantity) FROM movement m JOIN location f ON f.id = m.from_location_id
JOIN location t ON t.id = m.to_location_id
WHERE m.kind = 'return' AND f.custody = 'customer' AND t.custody <> 'customer' GROUP BY 1
"""


async def test_the_sample_chain_balances_but_for_what_was_written_off_or_not_found(
    office: Office, db: SessionFactory
) -> None:
    await load_all(office, office.folder / "chain")
    office.sql(RECALL + " RETURNING number")
    office.sql("INSERT INTO scope_lot SELECT 'RC-2026-000001', 1, id, true, 0 FROM lot RETURNING lot_id")
    written_off, not_found = dict(office.sql(WRITTEN_OFF)), dict(office.sql(NOT_FOUND))
    sent, back = dict(office.sql(SENT_OUT)), dict(office.sql(CAME_BACK))
    async with db() as session:
        lots = (await mass_balance.balance(session, "RC-2026-000001")).lots
    made = [lot for lot in lots if lot.basis is Basis.MADE]
    assert len(made) > 20
    assert any(written_off.values())
    assert any(not_found.values())
    for lot in lots:
        terms, nothing = lot.terms, Decimal(0)
        assert terms.contradictions() == (), lot
        assert terms.distributed == sent.get(lot.lot_id, nothing), lot
        assert terms.returned == back.get(lot.lot_id, nothing), lot
        missing = written_off.get(lot.lot_id, nothing) + not_found.get(lot.lot_id, nothing)
        assert terms.produced is None or terms.residual == missing, lot
