"""Holds at partners' keepers: asked, confirmed, renamed, reduced and ended, whatever fails or dies in between."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, cast

import pytest

from adapters.inventory.base import InventoryAdapter, InventoryError
from db.repositories import holds
from db.repositories.holds_of_lots import lots_to_nonconformity, reclaim_lots
from domain.disposition import DispositionKind as K
from domain.inventory import Disposal, DisposalReceipt
from models.messages import HoldFigures
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals, disposals
from tests.inventory.conftest import Yard, yard
from tests.support.keepers import Partner, Places
from tests.support.stock_invariants import apart, overstated, violations

__all__ = ["disposals", "yard"]
pytestmark = pytest.mark.db


def partners(yard: Yard) -> tuple[Partner, Partner]:
    """The warehouse is kept by one partner, the carrier's dock by another; both know what lies there."""
    wms = Partner("wms", {(yard.lot, yard.warehouse): D(100)}, custody="own")
    carrier = Partner("carrier", {(yard.lot, yard.carrier): D(20)})
    ledger = cast(InventoryAdapter, yard.inventory())
    yard.keepers = Places(ledger, {yard.warehouse: wms, yard.carrier: carrier})
    return wms, carrier


def places(yard: Yard) -> dict[int, Partner]:
    assert isinstance(yard.keepers, Places)
    return yard.keepers.kept


async def test_each_place_is_held_by_whoever_keeps_it_and_in_our_own_books(yard: Yard) -> None:
    wms, carrier = partners(yard)
    yard.recall()
    await yard.request()
    assert await yard.execute() == HoldFigures(confirmed=5)
    assert sorted(units for _, units in wms.standing().values()) == [D(15), D(30), D(70)]
    assert sorted(units for _, units in carrier.standing().values()) == [D(5), D(20)]
    assert {claimant for claimant, _ in wms.standing().values()} == {NUMBER}
    assert yard.stock()[2] == D(100)
    assert yard.rows("SELECT DISTINCT confirmed_by FROM hold ORDER BY 1") == [("carrier desk",), ("wms desk",)]
    calls = len(wms.calls)
    await yard.execute()
    assert [call for call in wms.calls[calls:] if not call.startswith(("locate", "documents"))] == []
    assert apart(yard.postgres.owner_url, places(yard)) == violations(yard.postgres.owner_url) == []


async def test_a_keeper_that_refuses_is_slow_or_owes_its_answer_holds_up_no_other(yard: Yard) -> None:
    wms, carrier = partners(yard)
    yard.recall()
    await yard.request()

    def refuse(call: str) -> None:
        if call.startswith("hold"):
            raise InventoryError("stocktaking")

    wms.before = refuse
    assert await yard.execute() == HoldFigures(failed=3, confirmed=2, owed={"wms": 3})
    assert yard.rows("SELECT DISTINCT last_error FROM hold WHERE state = 'failed'") == [("stocktaking",)]
    # Ours are locked all the same: no order of ours can take them.
    assert yard.stock()[2] == D(100)
    wms.before, wms.wait = None, asyncio.Event()
    carrier.stock[yard.lot, yard.carrier] += 4
    yard.move("receipt", 4, None, yard.carrier, day=99)
    # Three holds, and what it has open could not be read.
    assert await yard.execute(one_keeper=1, now=NOW + timedelta(hours=1)) == HoldFigures(
        failed=4, confirmed=2, owed={"wms": 3}
    )
    assert sorted(units for _, units in carrier.standing().values()) == [D(5), D(24)]
    wms.wait = None
    wms.silent = set(wms.holds) | {key for (key,) in yard.rows("SELECT key FROM keeper_hold")}
    assert await yard.execute() == HoldFigures(failed=3, confirmed=2, owed={"wms": 3})
    wms.silent = set()
    assert await yard.execute() == HoldFigures(confirmed=5)
    assert apart(yard.postgres.owner_url, places(yard)) == []


async def test_a_keeper_that_locks_less_than_it_has_leaves_the_hold_open(yard: Yard) -> None:
    wms, _ = partners(yard)
    wms.lockable = D(60)
    yard.recall()
    await yard.request()
    assert (await yard.execute()).failed == 2
    errors = [error for (error,) in yard.rows("SELECT last_error FROM hold WHERE state = 'failed' ORDER BY 1")]
    assert errors == ["only 0 of 30 units are locked", "only 60 of 70 units are locked"]
    wms.lockable = None
    assert await yard.execute() == HoldFigures(confirmed=5)


async def test_a_reduced_lot_goes_by_another_name_and_is_never_free_in_between(yard: Yard) -> None:
    wms, _ = partners(yard)
    yard.recall()
    await yard.request()
    await yard.execute()
    async with yard.sessions.begin() as session:
        await lots_to_nonconformity(session, NUMBER, [yard.lot], NOW)
    free: list[str] = []

    def watch(call: str) -> None:
        if wms.locked(yard.lot, yard.warehouse) < 100:
            free.append(call)

    wms.after = watch
    assert await yard.execute(claim=False) == HoldFigures()
    assert free == []
    assert {claimant for claimant, _ in wms.standing().values()} == {f"{NUMBER}:nonconformity"}
    assert apart(yard.postgres.owner_url, places(yard)) == []
    async with yard.sessions.begin() as session:
        await reclaim_lots(session, NUMBER, [yard.lot], NOW)
    await yard.execute()
    assert free == []
    assert {claimant for claimant, _ in wms.standing().values()} == {NUMBER}
    assert apart(yard.postgres.owner_url, places(yard)) == violations(yard.postgres.owner_url) == []


async def test_a_refused_new_name_leaves_the_old_lock_standing(yard: Yard) -> None:
    wms, _ = partners(yard)
    yard.recall()
    await yard.request()
    await yard.execute()
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)

    def refuse(call: str) -> None:
        if call.startswith("hold"):
            raise InventoryError("no such claimant")

    wms.before = refuse
    await yard.execute(claim=False)
    assert wms.locked(yard.lot, yard.warehouse) == D(100)
    assert {claimant for claimant, _ in wms.standing().values()} == {NUMBER}
    wms.before = None
    await yard.execute(claim=False)
    assert {claimant for claimant, _ in wms.standing().values()} == {f"{NUMBER}:nonconformity"}


async def test_another_recalls_hold_stays_when_one_ends(yard: Yard) -> None:
    wms, _ = partners(yard)
    for number in (NUMBER, OTHER):
        yard.recall(number)
        await yard.request(number)
        await yard.execute(number)
    before = {key: units for key, units in wms.standing().items() if key.startswith(OTHER)}
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    await yard.execute(NUMBER, claim=False)
    assert {key: units for key, units in wms.standing().items() if key.startswith(OTHER)} == before
    assert apart(yard.postgres.owner_url, places(yard)) == []


async def test_what_is_destroyed_leaves_the_keepers_books_before_its_hold_is_lowered(disposals: Disposals) -> None:
    yard = disposals.yard
    wms, _ = partners(yard)
    await yard.execute()
    found = await disposals.approved(K.destroy, 30)
    await disposals.carry_out(found, 12)
    free: list[str] = []

    def watch(call: str) -> None:
        if wms.locked(yard.lot, yard.warehouse) < wms.stock[yard.lot, yard.warehouse]:
            free.append(call)

    wms.after = watch

    def refuse(call: str) -> None:
        if call.startswith("dispose"):
            raise InventoryError("paper missing")

    wms.before = refuse
    await yard.execute(now=NOW)
    assert wms.locked(yard.lot, yard.warehouse) == wms.stock[yard.lot, yard.warehouse] == D(100)
    wms.before = None
    await yard.execute()
    assert wms.stock[yard.lot, yard.warehouse] == wms.locked(yard.lot, yard.warehouse) == D(88)
    await yard.execute()
    assert len(wms.disposals) == 1
    assert free == []
    assert apart(yard.postgres.owner_url, places(yard)) == disposals.broken() == []
    assert disposals.actions().count("disposition.booked_by_keeper") == 1


async def test_a_signed_release_frees_exactly_its_units_at_the_keeper(disposals: Disposals) -> None:
    yard = disposals.yard
    wms, _ = partners(yard)
    await yard.execute()
    found = await disposals.approved(K.release, 25)
    await disposals.carry_out(found, 25)
    await yard.execute()
    assert wms.locked(yard.lot, yard.warehouse) == D(75)
    assert wms.stock[yard.lot, yard.warehouse] == D(100)
    assert wms.disposals == {}
    assert apart(yard.postgres.owner_url, places(yard)) == disposals.broken() == []


async def test_a_place_that_changes_its_keeper_is_locked_by_the_new_one_first(yard: Yard) -> None:
    wms, carrier = partners(yard)
    yard.recall()
    await yard.request()
    await yard.execute()
    new = Partner("new-wms", dict(wms.stock), custody="own")
    places(yard)[yard.warehouse] = new
    places(yard)[-1] = wms  # still on record, for nothing that we hold
    await yard.execute()
    assert new.locked(yard.lot, yard.warehouse) == D(100)
    await yard.execute()
    assert wms.standing() == {}
    assert carrier.locked(yard.lot, yard.carrier) == D(20)


async def test_our_ledger_confirms_nothing_at_a_place_that_somebody_else_keeps(yard: Yard) -> None:
    wms, _ = partners(yard)
    yard.recall()
    await yard.request()
    yard.run(
        "INSERT INTO keeper (code, kind, name, base_url, auth, timeout_seconds, give_up_seconds, state)"
        " VALUES ('wms', 'http', 'A WMS', 'https://wms.invalid', 'bearer', 5, 20, 'active')"
    )
    yard.run("INSERT INTO keeper_location VALUES (%s, 'wms', 'WH-1')", yard.warehouse)
    async with yard.sessions() as session:
        due = await holds.due_holds(session, NUMBER, 100)
    # What the warehouse sent to the clinic is the warehouse's to stop; nothing at the WMS is planned yet.
    assert {each.position.location_id for each in due} == {yard.carrier}
    yard.run("UPDATE hold SET state = 'confirmed', confirmed_at = now(), confirmed_by = 'ledger'")

    def refuse(call: str) -> None:
        if call.startswith("hold"):
            raise InventoryError("stocktaking")

    wms.before = refuse
    assert (await yard.execute()).failed == 3
    wms.before = None
    assert await yard.execute() == HoldFigures(confirmed=5)


async def test_a_hold_that_its_keeper_let_go_of_is_noticed_and_asked_for_anew(yard: Yard) -> None:
    wms, _ = partners(yard)
    yard.recall()
    await yard.request()
    await yard.execute()
    for each in wms.holds.values():
        each.released = True

    def refuse(call: str) -> None:
        if call.endswith(":g1"):
            raise InventoryError("stocktaking")

    wms.before = refuse
    figures = await yard.execute(now=NOW + timedelta(hours=1))
    assert (figures.failed, figures.confirmed) == (3, 2)
    assert overstated(yard.postgres.owner_url, places(yard).values()) == []
    wms.before = None
    assert await yard.execute(now=NOW + timedelta(hours=2)) == HoldFigures(confirmed=5)
    assert wms.locked(yard.lot, yard.warehouse) == D(100)
    assert apart(yard.postgres.owner_url, places(yard)) == violations(yard.postgres.owner_url) == []
    actions = [row[0] for row in yard.rows("SELECT action FROM audit_event ORDER BY seq")]
    assert actions.count("holds.released_by_keeper") == 1


async def test_a_hold_let_go_of_before_it_was_confirmed_does_not_fail_for_ever(yard: Yard) -> None:
    wms, _ = partners(yard)
    yard.recall()
    await yard.request()
    wms.silent = {f"{NUMBER}:hold:{hold}" for (hold,) in yard.rows("SELECT id FROM hold")}
    await yard.execute()
    for each in wms.holds.values():
        each.released = True
    await yard.execute()
    assert await yard.execute() == HoldFigures(confirmed=5)


async def test_a_keeper_that_holds_less_than_it_said_confirms_no_more(yard: Yard) -> None:
    wms, _ = partners(yard)
    yard.recall()
    await yard.request()
    await yard.execute()
    wms.lockable = D(60)
    assert (await yard.execute(now=NOW + timedelta(hours=1))).failed == 2
    wms.lockable = None
    assert await yard.execute(now=NOW + timedelta(hours=2)) == HoldFigures(confirmed=5)


async def test_a_hold_of_an_ended_recall_that_was_let_go_of_is_asked_for_anew(yard: Yard) -> None:
    wms, _ = partners(yard)
    yard.recall()
    await yard.request()
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    await yard.settle()
    for each in wms.holds.values():
        each.released = True
    for hours in (2, 3):
        await yard.settle(now=NOW + timedelta(hours=hours))
    assert wms.locked(yard.lot, yard.warehouse) == D(100)


async def test_a_disposal_that_hangs_keeps_no_hold_waiting(disposals: Disposals) -> None:
    yard = disposals.yard
    wms, _ = partners(yard)
    await yard.execute()
    await disposals.carry_out(await disposals.approved(K.destroy, 30), 12)
    never = asyncio.Event()
    dispose = wms.dispose

    async def hang(key: str, disposal: Disposal) -> DisposalReceipt:
        await never.wait()
        return await dispose(key, disposal)

    wms.dispose = hang  # type: ignore[method-assign]
    yard.recall(OTHER)
    await yard.request(OTHER)
    await yard.execute(OTHER, one_keeper=1)
    assert {claimant for claimant, _ in wms.standing().values()} == {NUMBER, OTHER}
    wms.dispose = dispose  # type: ignore[method-assign]
    await yard.execute(OTHER)
    assert wms.stock[yard.lot, yard.warehouse] == D(88)
    assert apart(yard.postgres.owner_url, places(yard)) == disposals.broken() == []


class Killer:
    """Ends the work at its n-th call at a keeper, before or after the call took effect."""

    def __init__(self, partner: Partner, nth: int, *, after: bool) -> None:
        self.left, self.partner = nth, partner
        self.work: asyncio.Task[Any] | None = None
        if after:
            partner.after = self
        else:
            partner.before = self

    def __call__(self, call: str) -> None:
        self.left -= 1
        if self.left == 0 and self.work is not None:
            self.work.cancel()

    async def kills(self, work: Coroutine[Any, Any, Any]) -> bool:
        self.work = asyncio.create_task(work)
        try:
            await self.work
        except asyncio.CancelledError:
            return True
        finally:
            self.partner.before = self.partner.after = None
        return False


async def _story(disposals: Disposals, turn: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Holds, a part destroyed, the recall cancelled: after each, one turn."""
    yard = disposals.yard
    await turn()
    await disposals.carry_out(await disposals.approved(K.destroy, 30), 12)
    await turn()
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    await turn()


@pytest.mark.parametrize("after", [False, True])
async def test_killed_between_any_two_steps_it_ends_where_it_would_have(disposals: Disposals, after: bool) -> None:
    """Every turn dies at each of its calls, one after the other, until it gets through."""
    yard = disposals.yard
    wms, _ = partners(yard)
    kept, url, deaths = places(yard), yard.postgres.owner_url, 0

    async def turn() -> None:
        nonlocal deaths
        nth = 1
        while await Killer(wms, nth, after=after).kills(yard.execute(claim=False)):
            deaths += 1
            nth += 1 if nth < 6 else 3
            assert overstated(url, kept.values()) == []
            assert nth < 40
        for _ in range(2):
            await yard.execute(claim=False)
        assert apart(url, kept) == disposals.broken() == []

    await _story(disposals, turn)
    assert deaths > 10 - 3 * after
    assert len(wms.disposals) == 1
    assert wms.stock[yard.lot, yard.warehouse] == wms.locked(yard.lot, yard.warehouse) == D(88)


async def test_what_ended_while_a_keeper_was_away_is_told_when_it_is_back(yard: Yard) -> None:
    wms, _ = partners(yard)
    yard.recall()
    await yard.request()
    await yard.execute()
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    yard.run("UPDATE recall SET phase = 'rejected'")
    assert await yard.settle() == 2
    assert {claimant for claimant, _ in wms.standing().values()} == {f"{NUMBER}:nonconformity"}
    assert apart(yard.postgres.owner_url, places(yard)) == violations(yard.postgres.owner_url) == []
