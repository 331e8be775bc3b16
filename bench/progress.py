"""Progress in groups and the call list at full size, against a bare count of the same consignees.

    python -m bench.progress [--consignees 100000] [--repeats 7] [--calls 5000]

A throw-away PostgreSQL with one recall of two lots: 5 % of the consignees are silent cases with a call, the rest are
spread over the stages of the answer. Printed per grouping: what EXPLAIN ANALYZE says of its execution in milliseconds
(median of the repeats) and the ratio to `SELECT count(*)` over the same join of consignees and partners; then a page
of the call list, and one look of the campaign at a moment when nothing is due.
"""

import argparse
import asyncio
import statistics
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import text

from db.engine import make_engine, make_session_factory
from db.migrate import upgrade
from db.repositories import call_list, campaign, progress
from db.repositories.call_list import CallKind, Place
from db.repositories.progress import GroupBy
from models.messages import AdvanceCampaign
from tests.campaign.staged import STAGED
from tests.campaign.world import DAY, NUMBER, T0, build
from tests.support.servers import ThrowAwayPostgres

BARE = "SELECT count(*) FROM consignee c JOIN partner ON partner.id = c.partner_id WHERE c.recall_number = :number"
_FILL = """
INSERT INTO partner (code, name, kind, country, region, group_name, language, time_zone) SELECT 'B-' || n,
'Hospital ' || n, 'hospital', (ARRAY['KE','US','DE','CN'])[1 + n %% 4], 'Region ' || n %% 50, 'Group ' || n %%
200, 'en', 'UTC' FROM generate_series(1, %(count)s) n;
INSERT INTO contact (partner_id, position, name, role, email, channels, status) SELECT id, 1, name, 'stores',
'stores' || id || '@hospital.example', '{email}', 'verified' FROM partner WHERE code LIKE 'B-%%';
INSERT INTO consignee (recall_number, partner_id, tier, state, step, first_notified_at, acknowledged_at,
answered_at, stage_since, action_done_at, next_step_at, added_at) SELECT %(number)s, id, 1, CASE WHEN id %% 20 =
0 THEN 'open' WHEN id %% 4 = 1 THEN 'acknowledged' ELSE 'answered' END, 3, %(now)s, CASE WHEN id %% 20 > 0 THEN
%(now)s END, CASE WHEN id %% 4 > 1 THEN %(now)s END, CASE WHEN id %% 20 > 0 THEN %(now)s END, CASE WHEN id %% 4
= 3 THEN %(now)s END, NULL, %(now)s FROM partner WHERE code LIKE 'B-%%';
INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated) SELECT consignee.id, lot.id, 1 +
consignee.id %% 90, 0, false FROM consignee, lot;
INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) SELECT %(number)s, 1, id, true, 0 FROM
lot;
INSERT INTO reply (recall_number, consignee_id, channel, kind, affected, findings, received_at) SELECT
%(number)s, id, 'page', 'statement', true, '[]', %(now)s FROM consignee WHERE state = 'answered';
INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on) SELECT reply.id, lot.id, 4, 0, 1, 0
FROM reply, lot;
INSERT INTO task (recall_number, key, step, what, role, first_role, consignee_id, due_at, evidence_required,
state, opened_at) SELECT %(number)s, 'call:' || id, 'phone_call', 'Telephone', 'qa', 'qa', id, %(now)s, false,
'offered', %(now)s FROM consignee WHERE state = 'open' ORDER BY id LIMIT %(calls)s;
INSERT INTO consignee_case (recall_number, consignee_id, reason, state, workflow_started_at, opened_at) SELECT
recall_number, consignee_id, 'silence', 'open', %(now)s, %(now)s FROM task
"""


def fill(url: str, count: int, calls: int) -> int:
    """The recall with its consignees; returns the id of its campaign."""
    world = build(url)
    values = {"count": count, "number": NUMBER, "now": T0, "calls": calls}
    with psycopg.connect(url) as db:
        for statement in _FILL.split(";"):
            db.execute(statement, values)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("ANALYZE")
    return world.campaign_id


async def explained(session: Any, statement: str, values: dict[str, Any], repeats: int) -> float:
    """Median execution time in milliseconds as the server measures it, first run left out."""
    times = []
    for _ in range(repeats + 1):
        plan = (await session.execute(text("EXPLAIN (ANALYZE, FORMAT JSON) " + statement), values)).scalar_one()
        times.append(float(plan[0]["Execution Time"]))
    return statistics.median(times[1:])


async def clocked(work: Any, repeats: int) -> float:
    """Median wall time of an awaitable's factory in milliseconds, first run left out."""
    times = []
    for _ in range(repeats + 1):
        before = asyncio.get_running_loop().time()
        await work()
        times.append(1000 * (asyncio.get_running_loop().time() - before))
    return statistics.median(times[1:])


async def measure(url: str, campaign_id: int, repeats: int) -> None:
    """Print every figure."""
    engine = make_engine(url, application_name="bench", pool_size=1)
    sessions = make_session_factory(engine)
    now = T0 + DAY / 2
    async with sessions() as session:
        bare = await explained(session, BARE, {"number": NUMBER}, repeats)
        print(f"bare count          {bare:8.1f} ms")
        for by in GroupBy:
            values = await progress.binds(session, NUMBER, by, now)
            took = await explained(session, progress.statement(by), values, repeats)
            print(f"by {by:<17}{took:8.1f} ms   {took / bare:6.1f} x the bare count")
        place = Place(now)

        async def page() -> None:
            await call_list.page(session, NUMBER, list(CallKind), place, 51)

        took = await clocked(page, repeats)
        print(f"page of 50 calls    {took:8.1f} ms   {took / bare:6.1f} x the bare count")

    async def look() -> None:
        request = AdvanceCampaign(
            number=NUMBER, campaign_id=campaign_id, ladder=STAGED, pace=1.0, priority=1, now=T0 + timedelta(hours=12)
        )
        async with sessions.begin() as session:
            await campaign.advance(session, request)
            await campaign.progress(session, NUMBER, campaign_id, STAGED, request.now)

    took = await clocked(look, max(repeats // 2, 1))
    print(f"look of a campaign  {took:8.1f} ms, nothing due")
    await engine.dispose()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--consignees", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--calls", type=int, default=5_000)
    args = parser.parse_args()
    server = ThrowAwayPostgres()
    server.start()
    try:
        addresses = server.addresses()
        upgrade(addresses.owner_url)
        print(f"{args.consignees} consignees x 2 lots, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        campaign_id = fill(addresses.admin_url, args.consignees, args.calls)
        asyncio.run(measure(addresses.app_url, campaign_id, args.repeats))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
