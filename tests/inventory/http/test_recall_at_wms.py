"""A recall whose warehouse is kept by a WMS: from the request to the lock there, while the WMS fails and comes back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.quarantine import QuarantineActivities
from adapters.inventory import http_client
from adapters.inventory.factory import build_keepers, builders
from adapters.inventory.routing import RoutedKeepers
from db.repositories.keepers import KeeperStore
from models.messages import HoldFigures, RecallScopeRef
from tests.inventory.conftest import NOW, NUMBER, OTHER, Yard
from tests.inventory.http.conftest import Paced
from tests.inventory.http.test_feeds import KEEPER
from tests.wms.server import TOKEN, Wms

pytestmark = pytest.mark.db
D = Decimal


@dataclass
class Site:
    """The yard's warehouse at a WMS that has the same 100 units, and a shipment of 15 on its way from there."""

    yard: Yard
    wms: Wms
    keepers: RoutedKeepers
    lot: dict[str, str]

    async def turn(self, number: str = NUMBER) -> HoldFigures:
        """One turn of the recall's hold watch."""
        quarantine = QuarantineActivities(self.yard.sessions, self.keepers)
        ref = RecallScopeRef(number=number, now=NOW, scope_version=1)
        figures: HoldFigures = await ActivityEnvironment().run(quarantine.execute_holds, ref)
        return figures

    def locked(self) -> Decimal:
        return self.wms.warehouse.locked(self.lot, "WH-1")

    def at_warehouse(self) -> list[tuple[Any, ...]]:
        query = "SELECT state, confirmed_by, last_error FROM hold WHERE location_id = %s AND position <> 'in_transit'"
        return self.yard.rows(query + " ORDER BY position", self.yard.warehouse)


@pytest_asyncio.fixture
async def place(yard: Yard, server: Wms, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(http_client, "_FIRST_PAUSE", 0.005)
    server.reset()
    yard.run(KEEPER, "wms", server.url)
    yard.run("INSERT INTO keeper_location VALUES (%s, 'wms', 'WH-1')", yard.warehouse)
    store = KeeperStore(yard.sessions, now=lambda: datetime.now(UTC))
    (name,) = (await store.directory("wms").lot_names([yard.lot])).values()
    lot = {"product": name.product_code, "number": name.number}
    server.warehouse.put(lot, "WH-1", 70)
    server.warehouse.put(lot, "WH-1", 30, state="reserved")
    ((clinic,),) = yard.rows("SELECT code FROM location WHERE id = %s", yard.clinic)
    server.warehouse.put(lot, clinic, 15, state="in_transit", document="D1")
    keepers = build_keepers(yard.inventory(), store, {"RECALL_KEEPER_T": TOKEN}, lambda record: Paced(), builders())
    yield Site(yard, server, keepers, lot)
    await keepers.close()
    assert server.violations == []


async def test_stock_at_the_wms_is_locked_there_and_confirmed_by_it_alone(place: Site) -> None:
    place.yard.recall()
    await place.yard.request()
    place.wms.faults.drop_after, place.wms.faults.pending = 1, True
    figures = await place.turn()
    assert (figures.requested, figures.failed) == (3, 0)
    assert [state for state, _, _ in place.at_warehouse()] == ["requested"] * 2
    place.wms.warehouse.settle()
    figures = await place.turn()
    assert (figures.confirmed, figures.requested) == (5, 0)
    assert place.at_warehouse() == [("confirmed", "wms: shift lead", None)] * 2
    assert place.locked() == 100


async def test_a_wms_that_is_away_leaves_its_holds_open_and_others_confirmed(place: Site) -> None:
    place.yard.recall()
    await place.yard.request()
    place.wms.faults.statuses = [503] * 99
    figures = await place.turn()
    # Three holds, and its documents, which could not be read.
    assert (figures.confirmed, figures.failed) == (2, 4)
    assert place.at_warehouse() == [("failed", None, "wms: Not done: told to fail")] * 2
    place.wms.faults.statuses.clear()
    assert (await place.turn()).confirmed == 5
    assert place.locked() == 100


async def test_a_suspended_keeper_is_not_answered_for_by_our_ledger(place: Site) -> None:
    place.yard.run("UPDATE keeper SET state = 'suspended'")
    place.yard.recall()
    await place.yard.request()
    assert (await place.turn()).failed == 4
    assert {error for _, _, error in place.at_warehouse()} == {"wms: the keeper is suspended"}
    assert place.wms.calls == []


async def test_two_recalls_stand_side_by_side_at_the_wms(place: Site) -> None:
    for number in (NUMBER, OTHER):
        place.yard.recall(number)
        await place.yard.request(number)
        await place.turn(number)
    assert place.locked() == 100
    claims = place.wms.warehouse.rows(
        "SELECT claimant, sum(held) AS held FROM hold GROUP BY claimant ORDER BY claimant"
    )
    assert [(row["claimant"], row["held"]) for row in claims] == [
        (NUMBER, 115),
        (OTHER, 115),
    ]  # with the shipment under way
