"""Who keeps which place: the routing over the records, and the names a keeper uses."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from activities.pacing import Pacer
from adapters.inventory.base import Directory, InventoryAdapter, InventoryError
from adapters.inventory.routing import KeeperParts, RoutedKeepers
from adapters.inventory.unavailable import UnavailableKeeper
from db.repositories.directory import KeeperDirectory
from db.repositories.keepers import KeeperStore
from domain.inventory import LotName, Position, PositionState
from domain.keepers import KeeperKind, Skipped, secret_of
from tests.inventory.conftest import Yard

pytestmark = pytest.mark.db
NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEEPER = (
    "INSERT INTO keeper (code, kind, name, base_url, auth, credential_variable, timeout_seconds,"
    " give_up_seconds, state)"
    " VALUES (%s, 'http', 'A WMS', 'https://wms.invalid', 'bearer', %s, 5, 20, 'active')"
)


class Named(UnavailableKeeper):
    """Says of every lot that 5 of it lie at the places given."""

    def __init__(self, name: str, *places: int) -> None:
        super().__init__(name, "a fake")
        self._at = places

    async def locate(self, lot_ids: Sequence[int]) -> list[Position]:
        return [Position(lot, at, "own", PositionState.ON_HAND, Decimal(5)) for lot in lot_ids for at in self._at]


def routing(yard: Yard, ledger: InventoryAdapter, *places: int, environment: dict[str, str]) -> RoutedKeepers:
    def build(parts: KeeperParts) -> InventoryAdapter:
        if parts.credential == "bad":
            raise ValueError("the address cannot be called")
        return Named(parts.record.code, *places)

    return RoutedKeepers(
        ledger,
        KeeperStore(yard.sessions, now=lambda: NOW),
        {KeeperKind.HTTP: build},
        secret=lambda variable: secret_of(environment, variable),
        pace=lambda record: NO_PACE,
        fresh=0,
    )


class NoPace:
    async def turn(self, priority: int, units: float, owner: object) -> bool:
        return True

    async def too_fast(self, retry_after: object) -> None:
        """Nobody complains."""


NO_PACE = NoPace()


def keep(yard: Yard, place: int, code: str = "wms", own: str = "WH-1") -> None:
    if not yard.rows("SELECT FROM keeper WHERE code = %s", code):
        yard.run(KEEPER, code, "RECALL_KEEPER_TOKEN")
    yard.run("INSERT INTO keeper_location VALUES (%s, %s, %s)", place, code, own)


async def test_each_place_has_one_keeper_and_the_ledger_the_rest(yard: Yard) -> None:
    keepers = routing(yard, Named("ledger"), environment={"RECALL_KEEPER_TOKEN": "t"})
    assert (await keepers.at(yard.warehouse)).name == "ledger"
    keep(yard, yard.warehouse)
    assert (await keepers.at(yard.warehouse)).name == "wms"
    assert (await keepers.at(yard.carrier)).name == "ledger"
    assert [each.name for each in await keepers.everyone()] == ["ledger", "wms"]
    first = await keepers.at(yard.warehouse)
    assert await keepers.at(yard.warehouse) is first  # the connections are kept
    yard.run("UPDATE keeper SET per_second = 3")
    assert await keepers.at(yard.warehouse) is not first


@pytest.mark.parametrize(
    ("change", "environment", "reason"),
    [
        ("state = 'suspended'", {"RECALL_KEEPER_TOKEN": "t"}, "wms: the keeper is suspended"),
        ("name = name", {}, "RECALL_KEEPER_TOKEN is not set"),
        ("name = name", {"RECALL_KEEPER_TOKEN": "bad"}, "the address cannot be called"),
        ("kind = 'tryton'", {"RECALL_KEEPER_TOKEN": "t"}, "no adapter for keepers of the kind tryton"),
    ],
)
async def test_a_keeper_that_cannot_be_called_refuses_and_nobody_answers_for_it(
    yard: Yard, change: str, environment: dict[str, str], reason: str
) -> None:
    keep(yard, yard.warehouse)
    yard.run(f"UPDATE keeper SET {change}")  # noqa: S608 - constants
    keepers = routing(yard, Named("ledger"), environment=environment)
    at = await keepers.at(yard.warehouse)
    position = Position(yard.lot, yard.warehouse, "own", PositionState.ON_HAND, Decimal(5))
    with pytest.raises(InventoryError, match=reason):
        await at.hold("k", "RC-2026-000001", position)
    with pytest.raises(InventoryError, match=reason):
        await at.locate([yard.lot])


async def test_stock_at_places_of_others_is_not_taken_from_a_keeper(yard: Yard) -> None:
    keep(yard, yard.warehouse)
    both = (yard.warehouse, yard.carrier)
    keepers = routing(yard, Named("ledger", *both), *both, environment={"RECALL_KEEPER_TOKEN": "t"})
    ledger, wms = await keepers.everyone()
    assert [each.location_id for each in await ledger.locate([yard.lot])] == [yard.carrier]
    for _ in range(2):
        assert [each.location_id for each in await wms.locate([yard.lot])] == [yard.warehouse]
    skipped = yard.rows("SELECT keeper_code, what, reason, times FROM keeper_skip")
    assert skipped == [("wms", "position", "the place is kept by somebody else", 2)]


async def test_names_are_the_keepers_where_it_has_its_own(yard: Yard) -> None:
    keep(yard, yard.warehouse)
    directory: Directory = KeeperDirectory(yard.sessions, "wms")
    ours = dict(yard.rows("SELECT id, code FROM location"))
    codes = await directory.place_codes([yard.warehouse, yard.carrier, -1])
    assert codes == {yard.warehouse: "WH-1", yard.carrier: ours[yard.carrier]}
    assert await directory.place_ids(["WH-1", ours[yard.carrier], "nowhere"]) == {
        "WH-1": yard.warehouse,
        ours[yard.carrier]: yard.carrier,
    }
    assert await KeeperDirectory(yard.sessions, "other").place_ids(["WH-1"]) == {}
    assert await directory.custodies([yard.warehouse, yard.clinic]) == {yard.warehouse: "own", yard.clinic: "customer"}
    # Our code of one place is the keeper's of another: the keeper means its own.
    yard.run("UPDATE keeper_location SET place_code = %s", ours[yard.carrier])
    assert await directory.place_ids([ours[yard.carrier]]) == {ours[yard.carrier]: yard.warehouse}


async def test_a_lot_name_that_fits_several_lots_is_not_guessed(yard: Yard) -> None:
    directory = KeeperDirectory(yard.sessions, "wms")
    (name,) = (await directory.lot_names([yard.lot, -1])).values()
    plain = replace(name, site_code=None)
    unknown = LotName(name.product_code, "never made")
    assert await directory.lot_ids([plain, unknown]) == {plain: yard.lot}
    yard.run(
        "INSERT INTO lot (product_id, number, site_id) SELECT product_id, number, %s FROM lot WHERE id = %s",
        yard.warehouse,
        yard.lot,
    )
    found = await directory.lot_ids([plain, replace(name, site_code=_code(yard, yard.warehouse))])
    assert plain not in found
    assert len(found) == 1


async def test_packages_are_counted_in_units_of_use(yard: Yard) -> None:
    directory = KeeperDirectory(yard.sessions, "wms")
    ((product, unit),) = yard.rows("SELECT code, unit_of_use FROM product")
    yard.run("INSERT INTO package_level (product_id, unit, units_of_use) SELECT id, 'pallet', 400 FROM product")
    assert await directory.units_of_use(product, unit) == 1
    assert await directory.units_of_use(product, "pallet") == 400
    assert await directory.units_of_use(product, "crate") is None
    assert await directory.units_of_use("unknown", "pallet") is None


async def test_of_many_rows_left_out_the_newest_stay(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.repositories.keepers.MOST_ROWS", 3)
    keep(yard, yard.warehouse)
    for minute in range(5):
        store = KeeperStore(yard.sessions, now=lambda minute=minute: NOW.replace(minute=minute))  # type: ignore[misc]
        await store.skipped("wms", [Skipped("change", f"lot {minute}", "unknown")])
    assert yard.rows("SELECT subject FROM keeper_skip ORDER BY subject") == [("lot 2",), ("lot 3",), ("lot 4",)]


async def test_all_processes_share_the_pace_of_a_keeper(yard: Yard) -> None:
    one, other = (Pacer(yard.sessions, f"keeper:{'long-code' * 4}", 1000.0) for _ in range(2))
    assert await one.turn(1, 1.0, yard)
    await other.too_fast(None)
    ((channel, slow),) = yard.rows("SELECT channel, slow FROM pacing_bucket")
    assert (len(channel), slow) == (43, 500.0)
    assert await other.turn(1, 1.0, yard)


def test_only_variables_of_keepers_are_read() -> None:
    environment = {"DATABASE_URL": "secret", "RECALL_KEEPER_A": "token", "RECALL_KEEPER_EMPTY": ""}
    found = [secret_of(environment, name) for name in ("RECALL_KEEPER_A", "RECALL_KEEPER_EMPTY", "DATABASE_URL", None)]
    assert found == ["token", None, None, None]


def _code(yard: Yard, place: int) -> str:
    ((code,),) = yard.rows("SELECT code FROM location WHERE id = %s", place)
    return str(code)
