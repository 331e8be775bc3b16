"""The mass balance of a recall, by lot and by consignee, against bare SQL that asks the same question of these rows.

    python -m bench.mass_balance [--lots 10000] [--consignees 2000] [--repeats 5]
    python -m bench.mass_balance --lots 20000 --consignees 100000     # 100,000 sites

A throw-away PostgreSQL is filled by SQL: each lot is made, moved to a depot, shipped to ten consignees, half of the
answers are followed by a return. Every consignee has stated all its lots. The bare statements answer for this chain
only, and each answer is compared with the balance.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory, make_engine, make_session_factory
from db.migrate import upgrade
from db.repositories import checklist, consignee_balance, mass_balance
from tests.support.chain import START
from tests.support.recalls import write_recall
from tests.support.servers import ThrowAwayPostgres

NUMBER = "RC-2026-000001"
BARE_BY_LOT = (
    """
SELECT m.lot_id, lot.number, product.code, product.unit_of_use, lot.quantity_made,
       sum(m.quantity) FILTER (WHERE m.kind = 'shipment' AND s.custody <> 'customer' AND t.custody = 'customer')
           AS distributed,
       coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'return' AND s.custody = 'customer'), 0) AS returned,
       lot.quantity_made
           - coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'shipment' AND s.custody <> 'customer'), 0)
           + coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'receipt' AND t.custody <> 'customer'), 0)
           + coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'return' AND t.custody <> 'customer'), 0) AS own_stock,
       coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'destruction' AND s.custody <> 'customer'), 0) AS scrapped
FROM recall r JOIN scope_lot c ON c.recall_number = r.number AND c.scope_version = r.scope_version
JOIN movement m ON m.lot_id = c.lot_id
JOIN lot ON lot.id = m.lot_id JOIN product ON product.id = lot.product_id
LEFT JOIN location s ON s.id = m.from_location_id LEFT JOIN location t ON t.id = m.to_location_id
WHERE r.number = :number
GROUP BY m.lot_id, lot.id, product.id
""",
    """
WITH said AS (
    SELECT DISTINCT ON (r.consignee_id) r.consignee_id, r.id, r.received_at, c.partner_id
    FROM reply r JOIN consignee c ON c.id = r.consignee_id
    WHERE r.recall_number = :number AND r.kind = 'statement' ORDER BY r.consignee_id, r.id DESC
),
back AS (
    SELECT l.partner_id, m.lot_id, m.occurred_at, m.quantity
    FROM recall r JOIN scope_lot c ON c.recall_number = r.number AND c.scope_version = r.scope_version
    JOIN movement m ON m.lot_id = c.lot_id JOIN location l ON l.id = m.from_location_id
    WHERE r.number = :number AND m.kind = 'return' AND l.custody = 'customer'
)
SELECT lot_id, sum(used) AS used, sum(greatest(on_hand - gone, 0)) AS held_pending
FROM (
    SELECT p.lot_id, p.used, p.on_hand,
           coalesce(sum(b.quantity) FILTER (WHERE b.occurred_at > s.received_at), 0) AS gone
    FROM said s JOIN reply_line p ON p.reply_id = s.id
    JOIN scope_lot c ON c.recall_number = :number AND c.lot_id = p.lot_id
    LEFT JOIN back b ON b.partner_id = s.partner_id AND b.lot_id = p.lot_id
    GROUP BY p.id
) AS line GROUP BY lot_id
""",
)
"""The same question in as few words as this chain allows: it has no counts, unmatched receipts, makers, rework,
dispositions or replies withdrawn, and no place gave out more than it got. The answer is compared with the balance."""
BARE_BY_SITE = (
    """
WITH said AS (
    SELECT DISTINCT ON (r.consignee_id) r.consignee_id, r.id, r.received_at, c.partner_id
    FROM reply r JOIN consignee c ON c.id = r.consignee_id
    WHERE r.recall_number = :number AND r.kind = 'statement' ORDER BY r.consignee_id, r.id DESC
),
went AS (
    SELECT l.partner_id, m.lot_id, m.occurred_at,
           CASE m.kind WHEN 'shipment' THEN m.quantity ELSE 0 END AS received,
           CASE m.kind WHEN 'return' THEN m.quantity ELSE 0 END AS returned
    FROM recall r JOIN scope_lot c ON c.recall_number = r.number AND c.scope_version = r.scope_version
    JOIN movement m ON m.lot_id = c.lot_id AND m.kind IN ('shipment', 'return')
    JOIN location l ON l.id = CASE m.kind WHEN 'return' THEN m.from_location_id ELSE m.to_location_id END
    WHERE r.number = :number AND l.custody = 'customer'
),
by_site AS (
    SELECT w.partner_id, w.lot_id, sum(w.received) AS received, sum(w.returned) AS returned, p.used,
           greatest(p.on_hand - coalesce(sum(w.returned) FILTER (WHERE w.occurred_at > s.received_at), 0), 0) AS pending
    FROM went w LEFT JOIN said s ON s.partner_id = w.partner_id
    LEFT JOIN reply_line p ON p.reply_id = s.id AND p.lot_id = w.lot_id
    GROUP BY w.partner_id, w.lot_id, p.id
)
SELECT b.*, b.received - b.returned - b.used - b.pending AS unaccounted, partner.code, partner.name, c.id, c.state,
       lot.number, product.code, product.unit_of_use
FROM by_site b JOIN partner ON partner.id = b.partner_id JOIN lot ON lot.id = b.lot_id
JOIN product ON product.id = lot.product_id
LEFT JOIN consignee c ON c.recall_number = :number AND c.partner_id = b.partner_id
ORDER BY abs(b.received - b.returned - b.used - b.pending) DESC, b.partner_id, b.lot_id
""",
)
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


Answer = Sequence[Any]


async def bare(session: AsyncSession) -> Answer:
    """The terms by lot in bare SQL."""
    return await _fetched(session, BARE_BY_LOT)


async def bare_by_site(session: AsyncSession) -> Answer:
    """The terms by site and lot in bare SQL."""
    return await _fetched(session, BARE_BY_SITE)


async def _fetched(session: AsyncSession, statements: tuple[str, ...]) -> Answer:
    return [
        list((await (await session.connection()).execute(text(each), {"number": NUMBER})).all()) for each in statements
    ]


async def balance(session: AsyncSession) -> Answer:
    """Every lot with all terms."""
    return (await mass_balance.balance(session, NUMBER)).lots


async def by_consignee(session: AsyncSession) -> Answer:
    """Every consignee and lot."""
    return await consignee_balance.rows(session, NUMBER)


async def worst_page(session: AsyncSession) -> Answer:
    """The first page: the largest rests of all."""
    return await consignee_balance.rows(session, NUMBER, limit=100)


async def whole_checklist(session: AsyncSession) -> Answer:
    """The completion checklist, with the balance in it."""
    return await checklist.checklist(session, NUMBER, START)


async def check(sessions: SessionFactory) -> None:
    """That both ways of asking have one answer and nothing is missing; no figure is printed for a wrong one."""
    async with sessions() as session:
        moved, said = await bare(session)
        lots = await balance(session)
        (sites,) = await bare_by_site(session)
        rows = await by_consignee(session)
    terms = {lot.lot_id: lot.terms for lot in lots}
    if any(each.unaccounted != 0 or each.residual != 0 or each.contradictions() for each in terms.values()):
        raise SystemExit("the balance does not add up")
    ours = {lot: (each.distributed, each.returned, each.own_stock, each.scrapped) for lot, each in terms.items()}
    theirs = {lot: (each.used, each.held_pending) for lot, each in terms.items()}
    if ours != {row.lot_id: tuple(row[5:9]) for row in moved} or theirs != {
        row.lot_id: tuple(row[1:3]) for row in said
    }:
        raise SystemExit("the balance by lot is not what bare SQL answers")
    found = {
        (each.partner_id, each.lot_id): (
            each.received,
            each.terms.returned,
            each.terms.used,
            each.terms.held_pending,
            each.terms.unaccounted,
        )
        for each in rows
    }
    if found != {(row.partner_id, row.lot_id): tuple(row[2:7]) for row in sites}:
        raise SystemExit("the balance by consignee is not what bare SQL answers")


async def measure(
    sessions: SessionFactory, repeats: int, asks: Sequence[tuple[str, Callable[[AsyncSession], Awaitable[Answer]]]]
) -> None:
    """Ask in turn, so that a busy machine is busy for each; prints the quickest and the median of each."""
    took: dict[str, list[float]] = {name: [] for name, _ in asks}
    rows: dict[str, int] = {}
    for _ in range(repeats + 1):
        for name, ask in asks:
            async with sessions() as session:
                start = time.perf_counter()
                answer = await ask(session)
                took[name].append((time.perf_counter() - start) * 1000)
                rows[name] = sum(map(len, answer)) if isinstance(answer[0], list) else len(answer)
    reference = took[asks[0][0]][1:]
    for name, each in took.items():
        ratio = statistics.median(a / b for a, b in zip(each[1:], reference, strict=True))
        print(
            f"{name:24}{rows[name]:9}{min(each[1:]):10.0f}{statistics.median(each[1:]):10.0f}{ratio:8.2f}", flush=True
        )


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
        await check(sessions)
        print(f"{'what':24}{'rows':>9}{'best ms':>10}{'p50 ms':>10}{'ratio':>8}")
        by_lot = (("bare SQL by lot", bare), ("mass balance", balance), ("completion checklist", whole_checklist))
        by_site = (("bare SQL by site", bare_by_site), ("by consignee", by_consignee), ("worst page", worst_page))
        await measure(sessions, given.repeats, by_lot)
        await measure(sessions, given.repeats, by_site)
        await engine.dispose()
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
