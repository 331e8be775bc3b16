"""Turns at keepers: one at a time each, and never so many that none of our own connections is left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, cast

import pytest

from adapters.inventory.base import InventoryError
from db.engine import SessionFactory
from db.repositories.disposition_parts import ResultLotFacts
from db.repositories.holds_of_lots import lots_to_nonconformity, reclaim_lots
from db.repositories.keeper_turn_lock import AT_ONCE, one_at_a_time
from domain.disposition import DispositionKind as K
from domain.inventory import PositionState
from models.messages import HoldFigures
from tests.disposition.conftest import D, Disposals, disposals
from tests.inventory.conftest import NOW, NUMBER, Yard, yard
from tests.inventory.test_holds_at_keepers import partners, places
from tests.inventory.test_looks_at_keepers import LATER, gaps, held
from tests.support.keepers import Partner
from tests.support.stock_invariants import apart, violations

__all__ = ["disposals", "yard"]
pytestmark = pytest.mark.db


class Counted:
    """Counts transactions that are open."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self.open = self.most = 0
        self.reached = {number: asyncio.Event() for number in range(1, AT_ONCE + 1)}

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        async with self._sessions.begin() as session:
            self.open += 1
            self.most = max(self.most, self.open)
            self.reached[self.open].set()
            try:
                yield session
            finally:
                self.open -= 1


async def test_who_waits_for_a_keeper_holds_no_connection_and_many_keepers_share_few(yard: Yard) -> None:
    counted = Counted(yard.sessions)
    sessions, go = cast(SessionFactory, counted), asyncio.Event()
    done: list[bool] = []

    async def work(keeper: str) -> None:
        async with one_at_a_time(sessions, keeper) as alone:
            await go.wait()
            done.append(alone)

    same = [asyncio.create_task(work("wms")) for _ in range(5)]
    await counted.reached[1].wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert counted.most == 1
    others = [asyncio.create_task(work(f"wms-{number}")) for number in range(20)]
    await counted.reached[AT_ONCE].wait()
    async with one_at_a_time(sessions, "wms", wait_seconds=0.05) as alone:
        assert not alone
    go.set()
    await asyncio.gather(*same, *others)
    assert done == [True] * 25
    assert counted.most == AT_ONCE


async def test_a_keeper_another_process_works_with_is_waited_for_in_the_database(yard: Yard) -> None:
    lock = "SELECT pg_advisory_xact_lock(hashtextextended('keeper:wms', 0))"
    async with yard.sessions.begin() as session:
        await (await session.connection()).exec_driver_sql(lock)
        async with one_at_a_time(yard.sessions, "wms", wait_seconds=0.05) as alone:
            assert not alone
    async with one_at_a_time(yard.sessions, "wms") as alone:
        assert alone


async def test_a_look_that_gets_no_turn_is_a_gap(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    await held(yard)
    monkeypatch.setattr("activities.keeper_looks.one_at_a_time", partial(one_at_a_time, wait_seconds=0.05))
    monkeypatch.setattr("activities.quarantine.one_at_a_time", partial(one_at_a_time, wait_seconds=0.05))
    async with one_at_a_time(yard.sessions, "wms"):
        await yard.execute(now=LATER)
    assert [gap["keeper"] for gap in gaps(yard, "stale_keeper")] == ["wms"]
    await yard.execute(now=LATER)
    assert gaps(yard, "stale_keeper") == []


@pytest.mark.parametrize("done", [False, True])
async def test_a_name_is_taken_up_again_whose_end_the_keeper_did_not_answer(yard: Yard, done: bool) -> None:
    wms, _ = await held(yard)

    def refuse(call: str) -> None:
        if call.startswith("release"):
            raise InventoryError("not now")

    async with yard.sessions.begin() as session:
        await lots_to_nonconformity(session, NUMBER, [yard.lot], NOW)
    if done:
        wms.after = refuse
    else:
        wms.before = refuse
    await yard.execute(claim=False)
    async with yard.sessions.begin() as session:
        await reclaim_lots(session, NUMBER, [yard.lot], NOW)
    wms.before = wms.after = None
    free: list[str] = []
    wms.after = lambda call: None if wms.locked(yard.lot, yard.warehouse) == 100 else free.append(call)
    for hours in range(1, 4):
        await yard.execute(now=NOW + timedelta(hours=hours))
    assert free == []
    assert {claimant for claimant, _ in wms.standing().values()} == {NUMBER}
    assert yard.rows("SELECT count(*) FROM keeper_hold WHERE ended_at IS NULL") == [(5,)]
    assert apart(yard.postgres.owner_url, places(yard)) == violations(yard.postgres.owner_url) == []


async def test_a_drill_is_answered_for_at_every_place_and_asks_no_keeper(yard: Yard) -> None:
    wms, carrier = partners(yard)
    keeper = (
        "INSERT INTO keeper (code, kind, name, base_url, auth, timeout_seconds, give_up_seconds, state) "
        "VALUES ('wms', 'http', 'W', 'https://w.example', 'bearer', 20, 60, 'active')"
    )
    yard.run(keeper)
    yard.run(
        "INSERT INTO keeper_location (location_id, keeper_code, place_code) VALUES (%s, 'wms', 'A')", yard.warehouse
    )
    yard.recall()
    yard.run("UPDATE recall SET drill = true")
    await yard.request()
    assert await yard.execute() == HoldFigures(confirmed=5)
    assert {call for each in (wms, carrier) for call in each.calls} == {"locate", "documents"}
    assert yard.rows("SELECT DISTINCT confirmed_by FROM hold") == [("drill: nothing is locked",)]


async def test_a_keeper_that_confirmed_all_there_is_and_holds_less_of_it_confirms_no_more(yard: Yard) -> None:
    wms, _ = partners(yard)
    wms.stock[yard.lot, yard.warehouse] = D(60)
    yard.recall()
    await yard.request()
    await yard.execute(now=LATER)
    assert await yard.execute(now=LATER + timedelta(hours=1)) == HoldFigures(confirmed=5)
    wms.lockable = D(10)
    assert (await yard.execute(now=LATER + timedelta(hours=2))).failed > 0


async def test_a_keeper_that_takes_back_its_word_confirms_no_more(yard: Yard) -> None:
    wms, _ = await held(yard)
    wms.silent = {key for key in wms.holds if wms.holds[key].position.state is PositionState.ON_HAND}
    figures = await yard.execute(now=LATER)
    assert (figures.requested, figures.confirmed) == (1, 4)
    said = "SELECT data FROM audit_event WHERE action = 'holds.undone_by_keeper'"
    assert yard.rows(said) == [({"keys": sorted(wms.silent)},)]
    wms.silent = set()
    assert await yard.execute(now=LATER + timedelta(hours=1)) == HoldFigures(confirmed=5)


async def test_what_a_former_keeper_confirmed_is_not_confirmed_by_the_one_that_keeps_the_place_now(yard: Yard) -> None:
    wms, _ = await held(yard)

    def refuse(call: str) -> None:
        if call.startswith("hold"):
            raise InventoryError("not yet")

    new = Partner("new", {(yard.lot, yard.warehouse): D(100)}, custody="own", before=refuse)
    places(yard)[yard.warehouse] = new
    assert (await yard.execute(now=LATER)).failed == 3
    assert wms.locked(yard.lot, yard.warehouse) == D(100)
    new.before = None
    assert await yard.execute(now=LATER + timedelta(hours=1)) == HoldFigures(confirmed=5)


async def test_a_reworked_lot_is_asked_for_once_its_keeper_has_booked_the_rework(disposals: Disposals) -> None:
    """Asked before, a keeper locks nothing of it, and its answer is about a lot it does not know."""
    yard = disposals.yard
    wms, _ = partners(yard)
    await yard.execute()
    found = await disposals.approved(K.rework, 30)
    early: list[str] = []

    def watch(call: str) -> None:
        made = [each for each in wms.holds.values() if each.position.lot_id != yard.lot]
        early.extend(call for each in made if each.quantity > wms.stock.get(each.place, D(0)))

    def refuse(call: str) -> None:
        if call.startswith("dispose"):
            raise InventoryError("paper missing")

    wms.after = watch
    for units, locked in ((12, 12), (8, 20)):
        _, part = await disposals.carry_out(found, units, result_lot=ResultLotFacts("RW-1"))
        wms.before = refuse
        await yard.execute(now=NOW)
        wms.before = None
        await yard.execute()
        assert wms.locked(part.result_lot_id or 0, yard.warehouse) == D(locked)
    assert early == []
    assert apart(yard.postgres.owner_url, places(yard)) == disposals.broken() == []


async def test_what_is_under_way_is_stopped_while_the_rework_that_made_its_lot_is_not_booked(
    disposals: Disposals,
) -> None:
    yard = disposals.yard
    wms, _ = partners(yard)
    await yard.execute()
    found = await disposals.approved(K.rework, 30)

    def refuse(call: str) -> None:
        if call.startswith("dispose"):
            raise InventoryError("paper missing")

    wms.before = refuse
    _, part = await disposals.carry_out(found, 12, result_lot=ResultLotFacts("RW-1"))
    yard.run(
        "INSERT INTO hold (recall_number, lot_id, location_id, position, document_no, quantity, state, attempts, late,"
        " requested_at) VALUES (%s, %s, %s, 'in_transit', 'D77', 5, 'requested', 0, false, now())",
        *(NUMBER, part.result_lot_id, yard.warehouse),
    )
    yard.run(
        "INSERT INTO movement (kind, product_id, lot_id, to_location_id, quantity, delivered, occurred_at, document_no,"
        " source_system, source_id) SELECT 'shipment', product_id, id, %s, 5, false, now(), 'D77', 't', 'x' FROM lot"
        " WHERE id = %s",
        *(yard.warehouse, part.result_lot_id),
    )
    await yard.execute(now=NOW, claim=False)
    held = [each.position for each in wms.holds.values() if each.position.lot_id == part.result_lot_id]
    assert [(each.document_no, each.quantity) for each in held] == [("D77", D(5))]


async def test_what_a_keeper_locks_too_little_of_is_shown_also_where_a_person_confirmed(yard: Yard) -> None:
    wms, _ = partners(yard)
    wms.lockable = D(60)
    yard.recall()
    await yard.request()
    await yard.execute()
    yard.run("UPDATE hold SET confirmed_by = 'Wim', confirmed_at = requested_at, state = 'confirmed'")
    await yard.execute()
    shown = yard.rows(
        "SELECT h.state, h.confirmed_by, k.last_error FROM hold h JOIN keeper_hold k ON k.hold_id = h.id"
        " WHERE k.held < h.quantity ORDER BY 3"
    )
    assert shown == [
        ("confirmed", "Wim", "only 0 of 30 units are locked"),
        ("confirmed", "Wim", "only 60 of 70 units are locked"),
    ]
