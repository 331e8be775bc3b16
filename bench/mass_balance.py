"""The mass balance of a recall, by lot and by consignee, against the bare grouped sums of the same rows.

    python -m bench.mass_balance [--lots 10000] [--consignees 2000] [--repeats 5]
    python -m bench.mass_balance --lots 20000 --consignees 100000     # 100,000 sites

A throw-away PostgreSQL is filled by SQL: each lot is made, moved to a depot, shipped to ten consignees, half of the
answers are followed by a return. Every consignee has stated all its lots. The bare statements sum movements by kind
and place and reply lines by lot; they know neither receipts that confirm, counts, later returns nor dispositions.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import psycopg
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory, make_engine, make_session_factory
from db.migrate import upgrade
from db.repositories import checklist, consignee_balance, mass_balance
from domain.mass_balance import total
from tests.support.chain import START
from tests.support.recalls import write_recall
from tests.support.servers import ThrowAwayPostgres

NUMBER = "RC-2026-000001"
BARE = (
    (
        "SELECT m.lot_id, m.kind, l.custody, sum(m.quantity) FROM movement m JOIN scope_lot s ON s.lot_id = m.lot_id"
        " LEFT JOIN location l ON l.id = m.to_location_id WHERE s.recall_number = :number GROUP BY 1, 2, 3"
    ),
    (
        "SELECT p.lot_id, sum(p.used), sum(p.on_hand) FROM reply_line p JOIN scope_lot s ON s.lot_id = p.lot_id"
        " WHERE s.recall_number = :number GROUP BY 1"
    ),
)
BARE_BY_SITE = (
    (
        "SELECT l.partner_id, m.lot_id, m.kind, sum(m.quantity) FROM movement m"
        " JOIN scope_lot s ON s.lot_id = m.lot_id"
        " JOIN location l ON l.id = CASE m.kind WHEN 'return' THEN m.from_location_id ELSE m.to_location_id END"
        " WHERE s.recall_number = :number AND l.custody = 'customer' GROUP BY 1, 2, 3"
    ),
    (
        "SELECT r.consignee_id, p.lot_id, sum(p.used), sum(p.on_hand) FROM reply r"
        " JOIN reply_line p ON p.reply_id = r.id"
        " JOIN scope_lot s ON s.lot_id = p.lot_id AND s.recall_number = r.recall_number"
        " WHERE r.recall_number = :number GROUP BY 1, 2"
    ),
)
"""Grouped sums by site and lot; what the balance by consignee is compared with."""
FILL = (
    (
        "INSERT INTO partner (id, code, name, kind, country, language, time_zone)"
        " SELECT n, 'T' || n, 'T' || n, CASE WHEN n <= 2 THEN 'warehouse' ELSE 'hospital' END, 'US', 'en', 'UTC'"
        " FROM generate_series(1, 2 + %(who)s) n"
    ),
    (
        "INSERT INTO location (id, partner_id, code, name, custody)"
        " SELECT id, id, code, name, CASE WHEN id <= 2 THEN 'own' ELSE 'customer' END FROM partner"
    ),
    (
        "INSERT INTO product (id, code, name, unit_of_use, implantable, life_supporting, sterile)"
        " VALUES (1, 'P', 'P', 'unit', false, false, false)"
    ),
    (
        "INSERT INTO lot (id, product_id, number, site_id, quantity_made)"
        " SELECT n, 1, 'N' || n, 1, 1000 FROM generate_series(1, %(lots)s) n"
    ),
    "INSERT INTO scope_lot SELECT %(number)s, 1, id, true, 0 FROM lot",
    "UPDATE recall SET scope_version = 1",
    (
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,"
        " occurred_at, document_no, source_system, source_id)"
        " SELECT k, 1, id, 1, 2, 900, false, %(start)s, 'T' || id, 'bench', k || id"
        " FROM lot CROSS JOIN unnest(ARRAY['shipment', 'receipt']) k"
    ),
    (
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,"
        " occurred_at, document_no, source_system, source_id)"
        " SELECT 'shipment', 1, id, 2, 3 + (id * 10 + n) %% %(who)s, 80, true, %(start)s,"
        " 'D' || id || '-' || n, 'bench', 'd' || id || '-' || n FROM lot CROSS JOIN generate_series(1, 10) n"
    ),
    (
        "INSERT INTO consignee (id, recall_number, partner_id, state, added_at, answered_at, tier, step)"
        " SELECT id, %(number)s, id, 'answered', %(start)s, %(start)s, 1, 1 FROM partner WHERE kind = 'hospital'"
    ),
    (
        "INSERT INTO reply (id, recall_number, consignee_id, channel, kind, findings, received_at)"
        " SELECT id, %(number)s, id, 'page', 'statement', '[]', %(start)s FROM consignee"
    ),
    (
        "INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on)"
        " SELECT to_location_id, lot_id, 20 * count(*), 60 * count(*), 20 * count(*), 0"
        " FROM movement WHERE kind = 'shipment' AND delivered GROUP BY 1, 2"
    ),
    (
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,"
        " occurred_at, document_no, source_system, source_id)"
        " SELECT 'return', 1, lot_id, reply_id, 2, 15, false, %(start)s + interval '1 day', 'R' || id,"
        " 'bench', 'r' || id"
        " FROM reply_line WHERE id %% 2 = 0"
    ),
)


def fill(url: str, lots: int, consignees: int) -> None:
    """Write the recall and its chain."""
    write_recall(url, NUMBER, "resolution")
    values = {"lots": lots, "who": consignees, "number": NUMBER, "start": START}
    with psycopg.connect(url, autocommit=True) as db:
        for statement in FILL:
            db.execute(statement, values)
        db.execute("VACUUM ANALYZE")


async def bare(session: AsyncSession) -> int:
    """The grouped sums by lot, fetched."""
    return await _fetched(session, BARE)


async def bare_by_site(session: AsyncSession) -> int:
    """The grouped sums by site and lot, fetched."""
    return await _fetched(session, BARE_BY_SITE)


async def _fetched(session: AsyncSession, statements: tuple[str, ...]) -> int:
    rows = 0
    for statement in statements:
        rows += len((await (await session.connection()).execute(text(statement), {"number": NUMBER})).all())
    return rows


async def balance(session: AsyncSession) -> int:
    """Every lot with all terms; checked, so that no figure is printed for a wrong answer."""
    lots = (await mass_balance.balance(session, NUMBER)).lots
    summed = total(lot.terms for lot in lots)
    if summed.unaccounted != 0 or summed.residual != 0 or any(lot.terms.contradictions() for lot in lots):
        raise SystemExit(f"the balance is wrong: {summed}")
    return len(lots)


async def by_consignee(session: AsyncSession) -> int:
    """Every consignee and lot; checked against what the lots say."""
    rows = await consignee_balance.rows(session, NUMBER)
    if any(row.terms.unaccounted != 0 for row in rows):
        raise SystemExit("the balance by consignee is wrong")
    return len(rows)


async def worst_page(session: AsyncSession) -> int:
    """The first page: the largest rests of all."""
    return len(await consignee_balance.rows(session, NUMBER, limit=100))


async def whole_checklist(session: AsyncSession) -> int:
    """The completion checklist, with the balance in it."""
    return len(await checklist.checklist(session, NUMBER, START))


async def measure(
    sessions: SessionFactory, repeats: int, ask: Callable[[AsyncSession], Awaitable[int]]
) -> tuple[float, int]:
    """Median milliseconds and rows answered, after one warm-up."""
    took, rows = [], 0
    for _ in range(repeats + 1):
        async with sessions() as session:
            start = time.perf_counter()
            rows = await ask(session)
            took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took[1:]), rows


async def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lots", type=int, default=10_000)
    parser.add_argument("--consignees", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    server = ThrowAwayPostgres()
    try:
        server.start()
        addresses = server.addresses()
        upgrade(addresses.owner_url)
        fill(addresses.owner_url, given.lots, given.consignees)
        engine = make_engine(addresses.app_url, application_name="bench", pool_size=1)
        sessions = make_session_factory(engine)
        print(f"{given.lots} lots, {given.consignees} consignees\n")
        print(f"{'what':24}{'rows':>9}{'p50 ms':>10}{'ratio':>8}")
        for group in (
            (("bare sums by lot", bare), ("mass balance", balance), ("completion checklist", whole_checklist)),
            (("bare sums by site", bare_by_site), ("balance by consignee", by_consignee), ("worst page", worst_page)),
        ):
            reference = 0.0
            for name, ask in group:
                took, rows = await measure(sessions, given.repeats, ask)
                reference = reference or took
                print(f"{name:24}{rows:9}{took:10.0f}{took / reference:8.2f}", flush=True)
        await engine.dispose()
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
