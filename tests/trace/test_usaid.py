"""Real deliveries (USAID, public domain): each manufacturing site's trace equals a group-by written apart in Python."""

import csv
import gzip
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from db.engine import SessionFactory
from db.repositories import trace
from domain.scope import ScopeCriteria
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests

FILE = Path(__file__).parents[3] / "shared/data/supply_chain/scms_delivery_history.csv.gz"
pytestmark = [
    pytest.mark.db,
    pytest.mark.skipif(not FILE.exists(), reason="the USAID delivery history is not at ../shared/data"),
]


def deliveries() -> list[dict[str, str]]:
    with gzip.open(FILE, "rt", encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def load(rows: list[dict[str, str]]) -> tuple[Chain, dict[str, int], dict[int, tuple[str, str, str]]]:
    """Lot = product + PO + site, consignee = country + project; the whole history as one chain."""
    chain = Chain()
    sites: dict[str, int] = {}
    partners: dict[tuple[str, str], int] = {}
    products: dict[str, int] = {}
    lots: dict[tuple[str, str, str], int] = {}
    for row in rows:
        site, item, order = row["Manufacturing Site"], row["Item Description"], row["PO / SO #"]
        consignee = (row["Country"], row["Project Code"])
        sites.setdefault(site, 0) or sites.update({site: chain.place("own", "manufacturer")})
        partners.setdefault(consignee, 0) or partners.update({consignee: chain.place("customer", "hospital")})
        products.setdefault(item, 0) or products.update({item: chain.product()})
        key = (item, order, site)
        if key not in lots:
            lots[key] = chain.lot(products[item], number=order, site=sites[site])
        chain.move(
            "shipment",
            lots[key],
            int(row["Line Item Quantity"]),
            sites[site],
            partners[consignee],
            delivered=True,
            day=1,
        )
    return chain, sites, {lot: key for key, lot in lots.items()}


async def test_every_manufacturing_site_is_traced_to_what_a_group_by_of_the_file_says(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    rows = deliveries()
    chain, sites, lots = load(rows)
    chain.write(clean_db.owner_url)
    expected: dict[str, dict[tuple[tuple[str, str, str], str], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    partner_of = {m.target: (r["Country"], r["Project Code"]) for m, r in zip(chain.moves, rows, strict=True)}
    for row in rows:
        lot = (row["Item Description"], row["PO / SO #"], row["Manufacturing Site"])
        consignee = f"{row['Country']}|{row['Project Code']}"
        expected[row["Manufacturing Site"]][lot, consignee] += Decimal(row["Line Item Quantity"])
    assert len(sites) > 80
    for site, place in sites.items():
        async with db() as session:
            roots = await trace.resolve_roots(session, ScopeCriteria(manufacturing_sites=(f"L{place}",)))
            result = await trace.trace_forward(session, roots)
        found = {
            (lots[s.lot_id], "|".join(partner_of[s.location_id])): s.shipped_to
            for s in result.sites
            if s.custody == "customer"
        }
        assert found == expected[site], site
        assert {lots[lot.lot_id] for lot in result.lots} == {lot for lot, _ in expected[site]}
