"""Recalls' own activities against a warehouse kept in a real Tryton, routed there by the records."""

import pytest

from db.repositories.holds_of_lots import lots_to_nonconformity
from tests.inventory.conftest import NOW, NUMBER, OTHER, Yard
from tests.inventory.tryton.goods import Goods, Names
from tests.support.tryton import DATABASE, PASSWORDS, TrytonForTests, model
from worker_keepers import keepers_of

pytestmark = pytest.mark.e2e


async def test_a_recall_holds_what_a_tryton_keeps_and_lets_go_of_its_own_claim_only(
    yard: Yard, tryton: TrytonForTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((product, number),) = yard.rows(
        "SELECT product.code, lot.number FROM lot JOIN product ON product.id = lot.product_id WHERE lot.id = %s",
        yard.lot,
    )
    goods = Goods(tryton, Names(), code=product)
    there = goods.lot(number)
    goods.receive(there, 103)
    reserved = goods.customer_shipment(there, 30, "wait", "assign_try")
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
    try:
        yard.recall()
        await yard.request()
        await yard.execute()
        await yard.execute()
        states = set(yard.rows("SELECT position, location_id, state FROM hold WHERE ended_at IS NULL"))
        on_the_road = ("in_transit", yard.clinic, "failed")
        assert on_the_road in states, "Tryton knows nothing of what our own books have on its way to the clinic"
        assert {state for _, _, state in states - {on_the_road}} == {"confirmed"}
        assert {"erp", "ledger"} <= {by for (by,) in yard.rows("SELECT confirmed_by FROM hold")}
        assert (goods.quarantined(there), goods.state(there)) == (103, "held"), "the three it found are held as well"
        reserved.reload()
        assert reserved.state == "waiting"

        yard.recall(OTHER)
        await yard.request(OTHER)
        await yard.execute(OTHER)
        async with yard.sessions.begin() as session:
            await lots_to_nonconformity(session, NUMBER, [yard.lot], NOW)
        await yard.execute(claim=False)
        assert goods.quarantined(there) == 103
        claims = model("recall.hold").find([("lot", "=", goods.lots[there].id), ("state", "=", "open")])
        assert {claim.claimant for claim in claims} == {OTHER, f"{NUMBER}:nonconformity"}
    finally:
        await keepers.close()
