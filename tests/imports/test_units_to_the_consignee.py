"""One chain counted in pieces, boxes and pallets: every sum down to the consignee list is in units of use."""

from decimal import Decimal

import pytest

from db.repositories import trace
from db.repositories.trace_consignees import trace_consignees
from tests.imports.office import MOVEMENTS, Office, counts, movement

pytestmark = pytest.mark.db

CREATE = """
create:
  lot: {}
  product:
    name: Item
    unit_of_use: {constant: kit}
    packages:
      - {unit: {constant: box}, units_of_use: {constant: 12}}
      - {unit: {constant: pallet}, units_of_use: {constant: 480}}
"""
PLACES = """
WITH p AS (INSERT INTO partner (code, name, kind, language, time_zone) VALUES (%s, 'n', %s, 'en', 'UTC') RETURNING id)
INSERT INTO location (partner_id, code, name, custody) SELECT id, %s, 'n', %s FROM p
"""


async def test_sums_of_mixed_units_are_those_of_the_units_of_use(office: Office) -> None:
    for code, kind, custody in (("PLANT", "manufacturer", "own"), ("DEPOT", "warehouse", "own")):
        office.sql(PLACES, code, kind, code, custody)
    for code in ("CLINIC", "WARD"):
        office.sql(PLACES, code, "hospital", code, "customer")
    rows = [
        movement(1, Type="receipt", From="", To="DEPOT", Qty=2, Unit="pallet"),
        movement(2, Qty=10, Unit="box", From="DEPOT", To="CLINIC", Doc="D2"),
        movement(3, Qty="119", Unit="kit", Type="receipt", From="DEPOT", To="CLINIC", Doc="D2"),
        movement(4, Qty=1, Unit="pallet", From="DEPOT", To="WARD", Doc="D4"),
        movement(5, Qty=40, Unit="box", Type="receipt", From="DEPOT", To="WARD", Doc="D4"),
        movement(6, Qty="1.5", Unit="box", Type="return", From="WARD", To="DEPOT", Doc="D6"),
        movement(7, Qty=3, Unit="crate", From="DEPOT", To="WARD", Doc="D7"),
    ]
    report = await office.movements(rows, MOVEMENTS + CREATE)
    assert counts(report) == (7, 6, 0, 1)
    assert "unknown unit" in office.rejected()[0]["reason"]
    lot = office.one("SELECT id FROM lot WHERE number = 'L1'")
    async with office.sessions() as session:
        result = await trace.trace_forward(session, [lot])
        consignees = await trace_consignees(session, [lot])
    at = {site.location_code: site for site in result.sites}
    clinic, ward = at["CLINIC"], at["WARD"]
    assert [clinic.shipped_to, clinic.received, clinic.in_transit] == [Decimal(120), Decimal(119), Decimal(1)]
    assert [ward.received, ward.in_transit, ward.on_hand] == [Decimal(480), Decimal(0), Decimal(462)]
    assert at["DEPOT"].on_hand == 960 - 120 - 480 + 18
    assert {each.partner_code: (each.shipped, each.returned) for each in consignees} == {
        "CLINIC": (Decimal(120), Decimal(0)),
        "WARD": (Decimal(480), Decimal(18)),
    }
