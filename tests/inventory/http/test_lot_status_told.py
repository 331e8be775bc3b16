"""What may be done with a lot is told to its keepers: once per change, until they answer."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.lot_statuses import LotStatuses
from adapters.inventory.http_client import MOST_TRIES
from db.engine import SessionFactory
from db.repositories import holds
from tests.inventory.conftest import NOW, NUMBER, OTHER, yard
from tests.inventory.http.conftest import server
from tests.inventory.http.test_recall_at_wms import Site, place

__all__ = ["place", "server", "yard"]
pytestmark = pytest.mark.db
PATH = "/lots/status"


async def tell(site: Site, hours: int = 0) -> list[Any]:
    """One turn; what the WMS was told in it."""
    before = len(site.wms.asked(PATH))
    turn = LotStatuses(site.yard.sessions, site.keepers, timedelta(seconds=30)).turn
    await ActivityEnvironment().run(turn, NOW + timedelta(hours=hours))
    return [(each["status"], each["recalls"]) for body in site.wms.asked(PATH)[before:] for each in body["lots"]]


def state(site: Site) -> tuple[Any, ...]:
    ((*found,),) = site.yard.rows(
        "SELECT status, state, attempts, last_error, told_at IS NOT NULL FROM keeper_lot_status WHERE lot_id = %s",
        site.yard.lot,
    )
    return tuple(found)


async def test_each_change_is_told_once_and_what_is_left_at_the_end(place: Site, db: SessionFactory) -> None:
    place.yard.recall()
    assert await tell(place) == [("quarantined", [NUMBER])]
    place.yard.run("UPDATE recall SET phase = 'resolution'")
    assert await tell(place) == [("recalled", [NUMBER])]
    assert await tell(place) == []
    assert state(place) == ("recalled", "told", 1, None, True)
    place.yard.recall(OTHER, place.yard.lot)
    assert await tell(place) == [("recalled", [NUMBER, OTHER])]
    ((kept,),) = place.wms.warehouse.rows("SELECT recalls FROM lot_status")
    assert kept == f"{NUMBER} {OTHER}"
    await place.turn()
    async with db.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    place.yard.run("UPDATE recall SET phase = 'terminated'")
    assert await tell(place) == [("blocked", [])]
    place.yard.run("UPDATE hold SET quantity = 0, state = 'released'")
    assert await tell(place) == [("released", [])]
    assert await tell(place) == []
    # A customer sends some back after the end.
    place.yard.run("UPDATE hold SET quantity = 5, state = 'nonconformity' WHERE id = (SELECT min(id) FROM hold)")
    assert await tell(place) == [("blocked", [])]
    assert await tell(place) == []
    told = place.yard.rows("SELECT data ->> 'keeper' FROM audit_event WHERE action = 'keeper.lot_status_told'")
    assert told == [("wms",)] * 6


async def test_what_was_not_answered_is_told_again_and_what_was_refused_is_not(place: Site) -> None:
    place.yard.recall()
    place.wms.faults.statuses = [503] * MOST_TRIES
    await tell(place)
    status, due, attempts, error, _ = state(place)
    assert (status, due, attempts, "told to fail" in error) == ("quarantined", "due", 1, True)
    place.wms.faults.drop_after = 1
    assert await tell(place) == [("quarantined", [NUMBER])] * 2
    assert state(place) == ("quarantined", "told", 2, None, True)
    place.wms.faults.refused_lots = {place.lot["number"]}
    place.yard.run("UPDATE recall SET phase = 'resolution'")
    assert len(await tell(place)) == 1
    assert state(place) == ("recalled", "refused", 1, "no such lot here", False)
    assert await tell(place) == []


async def test_a_keeper_that_takes_no_status_is_asked_again_after_a_day(place: Site) -> None:
    place.yard.recall()
    place.wms.faults.unserved = {PATH}
    assert len(await tell(place)) == 1
    assert state(place)[:2] == ("quarantined", "unserved")
    assert await tell(place, hours=23) == []
    place.wms.faults.unserved = set()
    assert len(await tell(place, hours=25)) == 1
    assert state(place)[1] == "told"


async def test_a_drill_is_told_to_nobody(place: Site) -> None:
    place.yard.recall()
    place.yard.run("UPDATE recall SET drill = true")
    assert await tell(place) == []
    assert place.yard.rows("SELECT FROM keeper_lot_status") == []
    place.yard.run("UPDATE recall SET drill = false")
