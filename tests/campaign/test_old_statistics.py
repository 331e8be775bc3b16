"""A large recall beside statistics that know only an old, small one: no statement compares everybody with everybody.

PostgreSQL looks at a table again some time after it has grown by a tenth. Until then it expects one row of a recall
number that it has never seen, whatever came in, and two such guesses joined row by row take the square.
"""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import select

from db.engine import SessionFactory
from db.plain_sql import run
from db.repositories import campaign, campaign_targets
from db.repositories.campaign_targets import NewCampaign
from db.repositories.consignee_lots import every_lot_of
from domain.ladder import Ladder
from models.notice import Notice
from tests.campaign.conftest import Hand
from tests.campaign.staged import STAGED
from tests.campaign.world import DAY, LADDER, NUMBER, T0, Person, World
from tests.support.plan_work import measured

EVERYBODY = 3000
A_ROW_EACH = 80
"""Rows that the steps of one plan may handle for each consignee; comparing everybody with everybody makes 3,000."""
_LITTLE_MEMORY = "SET LOCAL work_mem = '64kB'"
"""In which two messages for each of `EVERYBODY` are what three for each of 70,000 are in the memory of a server."""

_ANOTHER_ADDRESS = (
    "INSERT INTO contact (partner_id, position, name, role, email, channels, status)"
    " SELECT partner_id, 2, 'Deputy', 'stores', 'deputy' || partner_id || '@x.example', '{email}', 'unverified'"
    " FROM consignee"
)
_NO_STATISTICS = (
    "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    "DELETE FROM pg_statistic USING pg_class WHERE oid = starelid AND relnamespace = 'public'::regnamespace",
)
"""As the tests' server, which looks at no table by itself, has it for the next test."""


@pytest_asyncio.fixture
async def large(world: World, hand: Hand) -> AsyncIterator[World]:
    """`EVERYBODY` in a recall of which the statistics know nothing; what they know is a finished recall of five."""
    for place in range(5):
        world.consignee(f"Old {place}", Person(f"old{place}@x.example"))
    await hand.advance()
    await hand.send()
    _known_as_an_old_recall(world)
    world.many(EVERYBODY)
    yield world
    for statement in _NO_STATISTICS:
        world.run(statement)


async def test_the_ladder_and_its_batches_grow_with_the_consignees(
    large: World, hand: Hand, engine: AsyncEngine
) -> None:
    with measured(engine) as work:
        for day in range(5):
            await _round(hand, day)
        # Somebody named after the call, whose message came back.
        large.run(
            "INSERT INTO delivery (id, campaign_id, consignee_id, contact_id, chase, step, kind, channel, language,"
            " priority, state, error_kind, attempt, ambiguous, created_at)"
            " SELECT gen_random_uuid(), campaign_id, consignee_id, contact_id, chase, 4, 'initial', channel, language,"
            " priority, 'failed', 'undelivered', 1, false, created_at FROM delivery"
            " WHERE kind = 'initial' AND consignee_id % 3 = 0"
        )
        await _round(hand, 5)
        large.run("DELETE FROM delivery WHERE step = 4")
    assert large.rows("SELECT kind, count(*) AS sent FROM delivery GROUP BY kind ORDER BY kind") == [
        {"kind": "escalation", "sent": 2 * EVERYBODY},
        {"kind": "initial", "sent": EVERYBODY},
        {"kind": "reminder", "sent": EVERYBODY},
    ]
    assert large.one("SELECT count(*) FROM task WHERE starts_with(key, 'call:')") == EVERYBODY
    assert work.dearest() <= A_ROW_EACH * EVERYBODY, "\n".join(work.heaviest())


async def test_so_do_shared_messages_copies_and_what_is_owed_behind_an_acknowledgement(
    large: World, hand: Hand, engine: AsyncEngine
) -> None:
    large.run("UPDATE contact SET email = 'group' || id % 50 || '@x.example' WHERE email IS NOT NULL")
    large.run(
        "INSERT INTO contact (partner_id, position, name, role, party, email, channels, status)"
        " SELECT partner_id, 2, 'Accounts', 'accounts', 'bill_to', 'accounts' || partner_id || '@x.example',"
        " '{email}', 'unverified' FROM consignee"
    )
    with measured(engine) as work:
        await _round(hand, 0, STAGED)
        large.run("UPDATE consignee SET state = 'acknowledged', acknowledged_at = %s", T0)
        for day in (2, 4, 6):
            await _round(hand, day, STAGED)
    assert large.one("SELECT count(*) FROM delivery WHERE carried_by IS NOT NULL AND kind = 'initial'") > EVERYBODY / 2
    assert large.one("SELECT count(*) FROM delivery WHERE step = -2") >= EVERYBODY
    assert large.one("SELECT count(*) FROM delivery WHERE kind = 'quantities'") == 2 * EVERYBODY
    assert work.dearest() <= A_ROW_EACH * EVERYBODY, "\n".join(work.heaviest())


async def test_so_does_a_look_between_two_steps_when_what_was_sent_fits_in_no_hash_table(
    large: World, hand: Hand, engine: AsyncEngine
) -> None:
    for day in (0, 1):
        await hand.advance(_on(day))
        large.run("UPDATE delivery SET state = 'submitted', submitted_at = created_at WHERE state = 'pending'")
    # Told by an earlier campaign as well, so that each look counts whom this one has told.
    large.run("UPDATE campaign SET sequence = 2")
    large.run("UPDATE consignee SET campaign_sequence = 2, first_notified_at = %s", T0)
    large.run("ANALYZE")
    with measured(engine) as work:
        async with hand.sessions.begin() as session:
            await run(session, _LITTLE_MEMORY)
            request = hand.request(_on(1) + timedelta(hours=1))
            assert (await campaign.advance(session, request)).written == {}
            found = await campaign.progress(session, request.number, request.campaign_id, LADDER, request.now)
    assert (found.outstanding, found.not_notified) == (EVERYBODY, 0)
    assert work.dearest() <= A_ROW_EACH * EVERYBODY, "\n".join(work.heaviest())


@pytest.mark.parametrize(("kind", "change"), [("amendment", {"class": "I"}), ("retraction", {"whole": True})])
async def test_so_does_a_later_notice_to_everybody_of_which_a_third_comes_back(
    large: World, hand: Hand, engine: AsyncEngine, kind: str, change: dict[str, Any]
) -> None:
    await _round(hand, 0)
    large.run("UPDATE consignee SET state = 'answered', answered_at = %s WHERE id %% 2 = 0", T0)
    later = _later_notice(large, kind, change)
    with measured(engine) as work:
        async with hand.sessions.begin() as session:
            notice = (await session.exec(select(Notice).where(Notice.kind == kind))).one()
            handed = NewCampaign(later, 2, notice, "I", ["email", "sms"])
            counts = await campaign_targets.hand_over(session, handed, _on(1))
        large.campaign_id = later
        await _round(hand, 1)
        large.run(_ANOTHER_ADDRESS)
        large.run("UPDATE delivery SET state = 'failed', error_kind = 'undelivered' WHERE consignee_id % 3 = 0")
        await _round(hand, 2)
    assert sum(counts.values()) == EVERYBODY
    assert large.one("SELECT count(DISTINCT consignee_id) FROM delivery WHERE campaign_id = %s", later) == EVERYBODY
    assert work.dearest() <= A_ROW_EACH * EVERYBODY, "\n".join(work.heaviest())


async def test_so_do_the_lots_of_a_site_to_which_everybody_passed_something_on(
    large: World, db: SessionFactory, engine: AsyncEngine
) -> None:
    """Half of it is on record as well and counts once."""
    large.run(
        "INSERT INTO location (partner_id, code, name, custody)"
        " SELECT partner_id, 'at ' || partner_id, 'Site', 'customer' FROM consignee"
    )
    hub, *others = (row["id"] for row in large.rows("SELECT id FROM consignee ORDER BY id"))
    async with db() as session:  # Its plan is of a time when nobody had said anything.
        (first,) = (await every_lot_of(session, [hub]))[hub]
        assert len(await every_lot_of(session, others[:500])) == 500
    large.run(
        "INSERT INTO reply (recall_number, consignee_id, kind, channel, received_at, findings)"
        " SELECT recall_number, id, 'statement', 'page', %s, '[]' FROM consignee WHERE id <> %s",
        *(T0, hub),
    )
    large.run(
        "INSERT INTO passed_on (reply_id, lot_id, consignee_id, quantity)"
        " SELECT id, %s, CASE WHEN consignee_id %% 2 = 0 THEN %s ELSE consignee_id - 1 END, 2 FROM reply",
        *(first.lot_id, hub),
    )
    large.run(
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,"
        " occurred_at, source_system, source_id)"
        " SELECT 'receipt', lot.product_id, lot.id, s.id, t.id, 1, true, %s, 'test', 'on ' || c.id"
        " FROM consignee c JOIN location s USING (partner_id), lot, consignee hub JOIN location t USING (partner_id)"
        " WHERE lot.id = %s AND hub.id = %s AND c.id <> hub.id",
        *(T0, first.lot_id, hub),
    )
    with measured(engine) as work:
        async with db() as session:
            for at in range(0, len(others), 500):
                await every_lot_of(session, others[at : at + 500])
            (row,) = (await every_lot_of(session, [hub]))[hub]
    named = large.one("SELECT count(*) FROM passed_on WHERE consignee_id = %s", hub)
    assert named > EVERYBODY / 3
    assert row.received == first.received + named, "of two units each, one is on record"
    assert work.dearest() <= A_ROW_EACH * EVERYBODY, "\n".join(work.heaviest())


def _later_notice(world: World, kind: str, change: dict[str, Any]) -> int:
    """Approved and about to be sent, with the bodies of the first; returns its campaign."""
    notice = world.one(
        "INSERT INTO notice (recall_number, version, kind, sha256, drafted_by, drafted_at, change)"
        " VALUES (%s, 2, %s, %s, 'qa', %s, %s) RETURNING id",
        *(NUMBER, kind, "0" * 64, T0, json.dumps(change | {"since": 1})),
    )
    world.run(
        "INSERT INTO notice_body (notice_id, kind, channel, language, body, sha256)"
        " SELECT %s, kind, channel, language, body, sha256 FROM notice_body WHERE notice_id = %s",
        *(notice, world.notice_id),
    )
    return int(
        world.one(
            "INSERT INTO campaign (recall_number, sequence, notice_id, started_at) VALUES (%s, 2, %s, %s) RETURNING id",
            *(NUMBER, notice, _on(1)),
        )
    )


async def _round(hand: Hand, day: int, ladder: Ladder = LADDER) -> None:
    """What a campaign's workflow does on a day: look, send until nothing is due, count."""
    now = _on(day)
    await hand.advance(now, ladder)
    for channel in ("email", "sms"):
        while (await hand.send(channel, now)).claimed:
            pass
    await hand.progress(now, ladder)


def _on(day: int) -> datetime:
    return T0 + day * (DAY + timedelta(minutes=1))


def _known_as_an_old_recall(world: World) -> None:
    """ANALYZE while all there is belongs to a finished recall of another number; then that one is gone."""
    with psycopg.connect(world.url) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE consignee SET recall_number = 'RC-2020-000001', state = 'documented'")
        admin.execute("UPDATE delivery SET campaign_id = -1, state = 'delivered'")
        admin.execute("ANALYZE")
        for table in ("delivery_event", "delivery", "consignee_lot", "consignee"):
            admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
