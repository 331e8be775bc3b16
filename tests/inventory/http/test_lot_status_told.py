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
from tests.support.chain import Chain

__all__ = ["place", "server", "yard"]
pytestmark = pytest.mark.db
PATH = "/lots/status"


async def tell(site: Site, hours: float = 0) -> list[Any]:
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


async def test_a_lot_for_which_the_whole_call_is_refused_keeps_no_other_from_being_told(place: Site) -> None:
    more = Chain(base=50_000)
    lots = [more.lot(more.product()) for _ in range(4)]
    more.write(place.yard.postgres.owner_url)
    place.yard.recall(NUMBER, place.yard.lot, *lots)
    place.wms.faults.choked_lots = {place.lot["number"]}
    await tell(place)
    told = dict(place.yard.rows("SELECT lot_id, state FROM keeper_lot_status"))
    assert told == dict.fromkeys(lots, "told") | {place.yard.lot: "refused"}
    assert "cannot read" in state(place)[3]
    # Where it takes none of them, the fault is no lot's: all are told again.
    place.wms.faults.choked_lots = {place.lot["number"], *(more.lots[each].number for each in lots)}
    place.yard.run("UPDATE recall SET phase = 'resolution'")
    await tell(place)
    assert place.yard.rows("SELECT DISTINCT status, state FROM keeper_lot_status") == [("recalled", "due")]
    place.wms.faults.choked_lots = set()
    assert len(await tell(place)) == 5


async def test_a_refusal_that_cannot_be_read_is_no_acknowledgement(place: Site) -> None:
    place.yard.recall()
    place.wms.faults.refused_lots, place.wms.faults.strange = {place.lot["number"]}, True
    await tell(place)
    assert (*state(place)[:3], state(place)[4]) == ("quarantined", "due", 1, False)
    place.wms.faults.strange = False
    await tell(place)
    assert state(place)[1] == "refused"


async def test_what_arrives_late_at_the_keeper_changes_nothing(place: Site) -> None:
    place.yard.recall()
    await tell(place)
    (late,) = place.wms.asked(PATH)
    place.yard.run("UPDATE recall SET phase = 'resolution'")
    await tell(place, hours=1)
    place.wms.warehouse.told(late["lots"], unknown=set())
    assert [row["status"] for row in place.wms.warehouse.rows("SELECT status FROM lot_status")] == ["recalled"]


async def test_a_keeper_that_takes_no_status_is_asked_again_after_an_hour(place: Site) -> None:
    place.yard.recall()
    place.wms.faults.unserved = {PATH}
    assert len(await tell(place)) == 1
    assert state(place)[:2] == ("quarantined", "unserved")
    assert await tell(place, hours=0.9) == []
    place.wms.faults.unserved = set()
    assert len(await tell(place, hours=1.1)) == 1
    assert state(place)[1] == "told"


async def test_a_drill_is_told_to_nobody(place: Site) -> None:
    place.yard.recall()
    place.yard.run("UPDATE recall SET drill = true")
    assert await tell(place) == []
    assert place.yard.rows("SELECT FROM keeper_lot_status") == []
    place.yard.run("UPDATE recall SET drill = false")
