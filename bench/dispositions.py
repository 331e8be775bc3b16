"""Dispositions in bulk, from the proposal to the certificate, against the bare writes of the same rows.

    python -m bench.dispositions [--lots 1000] [--places 100] [--at-once 1000]     # 100,000 positions

A throw-away PostgreSQL is filled by SQL: every lot lies, held and confirmed, at every place. All of it is proposed for
destruction in one step, then approved and destroyed in groups with the tasks brought in line after each, as requests to
the API do. The bare writes are one statement for each table and step: dispositions, their approval, movements, parts,
stock, holds and claims, without checks, signatures, audit or evidence.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg

from activities.policies import PolicyStore
from db.engine import SessionFactory, make_engine, make_session_factory
from db.migrate import upgrade
from db.repositories import (
    disposition_decisions,
    disposition_parts,
    disposition_tasks,
    dispositions,
    evidence,
    recalls,
)
from db.repositories.disposition_parts import Common
from db.repositories.disposition_positions import Which
from db.repositories.disposition_who import Who
from domain.disposition import DispositionKind
from models.evidence import Evidence
from tests.support.chain import START
from tests.support.recalls import write_recall
from tests.support.servers import ThrowAwayPostgres
from tests.support.stock_invariants import violations

NUMBER: Final = "RC-2026-000001"
NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
FILL: Final = (
    (
        "INSERT INTO partner (id, code, name, kind, country, language, time_zone)"
        " SELECT n, 'T' || n, 'T' || n, 'warehouse', 'US', 'en', 'UTC' FROM generate_series(1, %(places)s) n"
    ),
    "INSERT INTO location (id, partner_id, code, name, custody) SELECT id, id, code, name, 'own' FROM partner",
    (
        "INSERT INTO product (id, code, name, unit_of_use, implantable, life_supporting, sterile)"
        " VALUES (1, 'P', 'P', 'unit', false, false, false)"
    ),
    (
        "INSERT INTO lot (id, product_id, number, site_id, quantity_made)"
        " SELECT n, 1, 'N' || n, 1, 10 * %(places)s FROM generate_series(1, %(lots)s) n"
    ),
    "INSERT INTO scope_lot SELECT %(number)s, 1, id, true, 0 FROM lot",
    "UPDATE recall SET scope_version = 1",
    (
        "INSERT INTO stock (lot_id, location_id, on_hand, reserved, held, as_of)"
        " SELECT lot.id, location.id, 10, 0, 10, %(start)s FROM lot CROSS JOIN location"
    ),
    (
        "INSERT INTO hold (recall_number, lot_id, location_id, position, quantity, state, attempts, late, requested_at,"
        " confirmed_at, confirmed_by) SELECT %(number)s, lot_id, location_id, 'on_hand', 10, 'confirmed', 1, false,"
        " %(start)s, %(start)s, 'ledger' FROM stock ORDER BY lot_id, location_id"
    ),
    (
        "INSERT INTO stock_claim (key, claimant, lot_id, location_id, position, quantity)"
        " SELECT recall_number || ':hold:' || id, recall_number, lot_id, location_id, position, quantity FROM hold"
    ),
)
BARE: Final = (
    (
        "INSERT INTO disposition (recall_number, sequence, kind, state, lot_id, location_id, quantity, done, reason,"
        " request, proposed_by, proposed_at) SELECT recall_number, row_number() OVER (), 'destroy', 'proposed', lot_id,"
        " location_id, quantity, 0, 'bare', 'bare', 'bare', now() FROM hold"
    ),
    "UPDATE disposition SET state = 'approved', decided_by = 'other', decided_at = now()",
    (
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, quantity, delivered, occurred_at,"
        " document_no, source_system, source_id) SELECT 'destruction', 1, lot_id, location_id, quantity, false, now(),"
        " 'CERT', 'bare', 'bare:' || id FROM disposition"
    ),
    (
        "INSERT INTO disposition_part (disposition_id, sequence, quantity, document_no, witness, request, done_by,"
        " done_at) SELECT id, 1, quantity, 'CERT', 'W', 'bare', 'bare', now() FROM disposition"
    ),
    "UPDATE disposition SET state = 'done', done = quantity",
    "UPDATE stock SET on_hand = 0, held = 0, booked = -10",
    "UPDATE hold SET quantity = 0, state = 'disposed', ended_at = now(), ended_by = 'bare'",
    "UPDATE stock_claim SET released_at = now()",
)


def fill(url: str, lots: int, places: int) -> None:
    """Write the recall and its held stock."""
    write_recall(url, NUMBER, "resolution")
    with psycopg.connect(url, autocommit=True) as db:
        for statement in FILL:
            db.execute(statement, {"lots": lots, "places": places, "number": NUMBER, "start": START})
        db.execute("VACUUM ANALYZE")


def bare(url: str) -> float:
    """Seconds that the bare writes take; taken back."""
    with psycopg.connect(url) as db:
        began = time.perf_counter()
        for statement in BARE:
            db.execute(statement)
        took = time.perf_counter() - began
        db.rollback()
    return took


async def propose(sessions: SessionFactory) -> list[int]:
    """Everything that is open, in one step."""
    async with sessions.begin() as session:
        who = Who("Wanda", "warehouse", NOW, "propose")
        rows = await dispositions.propose_bulk(session, NUMBER, DispositionKind.destroy, Which(), "bad", who)
        await disposition_tasks.sync(session, NUMBER, NOW, by="Wanda")
        return [row.sequence for row in rows]


async def approve(sessions: SessionFactory, group: list[int]) -> None:
    """One group by another person."""
    async with sessions.begin() as session:
        who = Who("Ada", "approver", NOW, f"approve-{group[0]}")
        await disposition_decisions.approve_all(session, NUMBER, group, who, roles=["approver"], reason=None)
        await disposition_tasks.sync(session, NUMBER, NOW, by="Ada")


async def destroy(sessions: SessionFactory, file: str, group: list[int]) -> None:
    """One group under one certificate."""
    async with sessions.begin() as session:
        who = Who("Wanda", "warehouse", NOW, f"destroy-{group[0]}")
        common = Common(evidence_ids=(file,), document_no="CERT", witness="Wilma")
        await disposition_parts.execute_all(session, NUMBER, [(each, None) for each in group], common, who)
        await disposition_tasks.sync(session, NUMBER, NOW, by="Wanda")


async def _prepare(sessions: SessionFactory) -> str:
    policy = PolicyStore.load(Path(__file__).parents[1] / "policies").shipped("us-fda", NOW.date())
    if policy is None:
        raise SystemExit("no profile us-fda is in force")
    file = Evidence(
        id=uuid4(),
        file_name="certificate.pdf",
        content_type="application/pdf",
        size=3,
        sha256="0" * 64,
        uploaded_by="Wanda",
        uploaded_at=NOW,
    )
    async with sessions.begin() as session:
        await recalls.pin(session, NUMBER, [policy], NOW)
        await evidence.add(session, file, role="warehouse")
    return str(file.id)


async def _groups(
    sequences: list[int], at_once: int, do: Callable[[list[int]], Awaitable[None]]
) -> tuple[float, float]:
    """Seconds in all, and how much longer the last group took than the first."""
    took = []
    for at in range(0, len(sequences), at_once):
        began = time.perf_counter()
        await do(sequences[at : at + at_once])
        took.append(time.perf_counter() - began)
    return sum(took), took[-1] / took[0]


async def main() -> None:
    """Fill, carry out, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lots", type=int, default=1000)
    parser.add_argument("--places", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=1000)
    given = parser.parse_args()
    server = ThrowAwayPostgres()
    try:
        server.start()
        addresses = server.addresses()
        upgrade(addresses.owner_url)
        fill(addresses.owner_url, given.lots, given.places)
        reference = bare(addresses.owner_url)
        engine = make_engine(addresses.app_url, application_name="bench", pool_size=1)
        sessions = make_session_factory(engine)
        file = await _prepare(sessions)
        began = time.perf_counter()
        sequences = await propose(sessions)
        count, total = len(sequences), time.perf_counter() - began
        print(f"{count} positions, groups of {given.at_once}; bare writes {reference:.1f} s\n")
        print(f"{'step':12}{'seconds':>9}{'positions/s':>13}{'last/first':>12}")
        print(f"{'propose':12}{total:9.1f}{count / total:13.0f}{'':>12}", flush=True)
        for name, do in (
            ("approve", lambda group: approve(sessions, group)),
            ("destroy", lambda group: destroy(sessions, file, group)),
        ):
            took, growth = await _groups(sequences, given.at_once, do)
            total += took
            print(f"{name:12}{took:9.1f}{count / took:13.0f}{growth:12.2f}", flush=True)
        print(f"\nall {total:.1f} s, {count / total:.0f} positions/s, {total / reference:.1f} times the bare writes")
        if wrong := violations(addresses.owner_url):
            raise SystemExit(f"stock is wrong: {wrong[:3]}")
        await engine.dispose()
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
