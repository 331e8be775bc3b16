"""Recalls' own activities against a warehouse kept in a real Tryton, which its own client then looks at."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from db.repositories import holds
from db.repositories.holds_of_lots import lots_to_nonconformity
from domain.disposition import DispositionKind
from tests.disposition.conftest import Disposals, disposals, yard
from tests.inventory.conftest import NOW, NUMBER, OTHER
from tests.inventory.tryton.goods import Goods, Names
from tests.support.tryton import DATABASE, PASSWORDS, TrytonForTests, model
from worker_keepers import keepers_of

__all__ = ["disposals", "yard"]
pytestmark = pytest.mark.e2e
THERE = 97
"""Units in Tryton; our books have 100 at the warehouse."""


@pytest_asyncio.fixture
async def erp(disposals: Disposals, tryton: TrytonForTests, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Goods]:
    """The warehouse of the yard belongs to a keeper of the kind `tryton`."""
    yard = disposals.yard
    ((product, number),) = yard.rows(
        "SELECT product.code, lot.number FROM lot JOIN product ON product.id = lot.product_id WHERE lot.id = %s",
        yard.lot,
    )
    goods = Goods(tryton, Names(), code=product)
    goods.receive(goods.lot(number), THERE)
    monkeypatch.setenv("RECALL_KEEPER_ERP", f"recall:{PASSWORDS['recall']}")
    yard.run(
        "INSERT INTO keeper (code, kind, name, base_url, database, auth, credential_variable, timeout_seconds, "
        "give_up_seconds, state) "
        "VALUES ('erp', 'tryton', 'ERP', %s, %s, 'password', 'RECALL_KEEPER_ERP', 20, 60, 'active')",
        tryton.url,
        DATABASE,
    )
    yard.run(
        "INSERT INTO keeper_location (location_id, keeper_code, place_code) VALUES (%s, 'erp', 'WH1')", yard.warehouse
    )
    keepers = keepers_of(yard.sessions)
    yard.keepers = keepers
    yield goods
    await keepers.close()


def claims(goods: Goods) -> dict[str, tuple[float, float]]:
    """Claimed and in quarantine by claimant, as Tryton's users read it under Recalls."""
    found: dict[str, tuple[float, float]] = {}
    for claim in model("recall.hold").find([("lot", "=", goods.lots[1].id), ("state", "=", "open")]):
        claimed, inside = found.get(claim.claimant, (0, 0))
        found[claim.claimant] = claimed + claim.quantity, inside + claim.inside
    return found


async def test_after_two_recalls_tryton_shows_what_each_did_and_still_claims(disposals: Disposals, erp: Goods) -> None:
    yard, lot = disposals.yard, 1
    reserved = erp.customer_shipment(lot, 30, "wait", "assign_try")
    await yard.execute()
    await yard.execute()
    kept = yard.rows("SELECT state, confirmed_by, last_error FROM hold WHERE location_id = %s", yard.warehouse)
    assert {(state, by) for state, by, _ in kept} == {("confirmed", "erp")}
    (short,) = {error for _, _, error in kept if error}
    assert short in {"only 27 of 30 found", "only 67 of 70 found"}, "whichever was asked for last"
    assert claims(erp) == {NUMBER: (100, THERE)}, "what is not there is not in quarantine"
    assert (erp.quarantined(lot), erp.state(lot)) == (THERE, "held")
    reserved.reload()
    assert reserved.state == "waiting"

    await disposals.held(OTHER)
    await yard.execute(OTHER)
    assert claims(erp) == {NUMBER: (100, THERE), OTHER: (THERE, THERE)}
    await disposals.carry_out(await disposals.approved(DispositionKind.destroy, 30), 12)
    await disposals.carry_out(await disposals.approved(DispositionKind.release, 25), 25)
    for number in (NUMBER, OTHER):
        await yard.execute(number)
    assert claims(erp) == {NUMBER: (60, 60), OTHER: (85, 85)}
    assert (erp.quarantined(lot), erp.state(lot)) == (85, "held"), "what one recall releases the other still claims"
    (gone,) = model("recall.disposal").find([("lot", "=", erp.lots[lot].id)])
    assert (gone.kind, gone.quantity, gone.document) == ("destroy", 12, "DOC-1")

    async with yard.sessions.begin() as session:
        await lots_to_nonconformity(session, NUMBER, [yard.lot], NOW)
    await yard.execute(claim=False)
    assert claims(erp) == {f"{NUMBER}:nonconformity": (60, 60), OTHER: (85, 85)}, "a reduced scope frees nothing"
    released = await disposals.approved(DispositionKind.release, 35, number=OTHER)
    await disposals.carry_out(released, 35, number=OTHER)
    async with yard.sessions.begin() as session:
        await holds.to_nonconformity(session, OTHER, NOW)
    await yard.execute(OTHER, claim=False)
    assert claims(erp) == {f"{NUMBER}:nonconformity": (60, 60), f"{OTHER}:nonconformity": (50, 50)}
    assert (erp.quarantined(lot), erp.stock(lot, "WH1-A"), erp.state(lot)) == (60, 25, "partly_released")
    into = [quantity for quantity, _, target in erp.moves(lot) if target == "WH1-QUARANTINE"]
    out = [(quantity, target) for quantity, source, target in erp.moves(lot) if source == "WH1-QUARANTINE"]
    assert (sum(into), out) == (THERE, [(12, None), (25, "WH1-A")])
    assert disposals.broken() == []
