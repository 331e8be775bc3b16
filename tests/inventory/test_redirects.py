"""A shipment that its provider redirects: expected, held and received at the other place, and no unit counted twice."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from adapters.inventory.base import InventoryError
from db.repositories import logistics, logistics_watch, redirects, stock_sql, trace, trace_sql
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.logistics import Answer, Ask
from domain.inventory import Document, DocumentKind, DocumentState, Position, PositionState
from domain.scope import LotRef, ScopeCriteria
from models.logistics import LogisticsKind
from tests.inventory.conftest import NOW, NUMBER, OTHER, Yard, yard
from tests.inventory.test_holds_at_keepers import partners
from tests.inventory.test_looks_at_keepers import paper, received
from tests.support.chain import Chain
from tests.support.keepers import Partner
from tests.support.stock_invariants import violations

__all__ = ["yard"]
pytestmark = pytest.mark.db
LATER = NOW + timedelta(hours=1)
D = Decimal
SHIPPED = D(160)
"""Units of the lot that are on record at all."""
_WHERE = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_IDS)},{stock_sql.UNDER_WAY}
SELECT 'there' AS part, location_id, sum(on_hand) AS units FROM position WHERE on_hand > 0 GROUP BY 2
UNION ALL SELECT 'under way', location_id, sum(quantity) FROM under_way GROUP BY 2
"""  # noqa: S608 - constants


async def known(yard: Yard, lot: int | None = None) -> tuple[dict[int, Decimal], dict[int, Decimal]]:
    """Units of the lot by place, there and under way; together all there are."""
    async with yard.sessions() as session:
        connection = await session.connection()
        rows = (await connection.execute(text(_WHERE), {"lot_ids": [lot or yard.lot]})).all()
    there, way = ({place: units for part, place, units in rows if part == p} for p in ("there", "under way"))
    assert lot is not None or sum(there.values()) + sum(way.values()) == SHIPPED
    assert violations(yard.postgres.owner_url) == []
    return there, way


async def asked(yard: Yard, target: int, *, document: str = "D1", number: str = NUMBER, lot: int | None = None) -> int:
    """Ask the provider to redirect the shipment; the request's id."""
    ((hold,),) = yard.rows(
        "SELECT id FROM hold WHERE recall_number = %s AND document_no = %s AND quantity > 0 AND lot_id = %s"
        " AND (ended_at IS NULL OR state = 'nonconformity')",
        *(number, document, lot or yard.lot),
    )
    ((code,),) = yard.rows("SELECT code FROM partner ORDER BY id LIMIT 1")
    async with yard.sessions.begin() as session:
        ask = Ask(hold, LogisticsKind.redirect, code, target)
        (row,) = await logistics.ask(session, number, [ask], Who("Wanda", "warehouse", LATER))
    return row.id or 0


async def answered(yard: Yard, request: int, reference: str | None = "RD-1", number: str = NUMBER) -> list[str]:
    """Record the provider's answer; the recalls that trace again for it."""
    async with yard.sessions.begin() as session:
        given = Answer(reference, None, None if reference else "It is on the plane.")
        row = await logistics.answer(session, number, request, given, Who("Wanda", "warehouse", LATER))
        return await redirects.concerned(session, row)


async def held(yard: Yard, *numbers: str) -> None:
    for number in numbers or (NUMBER,):
        yard.recall(number)
        await yard.execute(number)


def under_way(yard: Yard, number: str = NUMBER, document: str = "D1") -> dict[int, tuple[Decimal, str]]:
    found = yard.holds(number).items()
    return {
        place: each[:2] for (position, place, paper), each in found if (position, paper) == ("in_transit", document)
    }


async def test_redirected_goods_are_expected_and_held_where_they_are_to_come_for_both_recalls(yard: Yard) -> None:
    await held(yard, NUMBER, OTHER)
    before = await known(yard)
    yard.run("UPDATE recall SET traced_batches = 0")
    assert await answered(yard, await asked(yard, yard.carrier)) == [NUMBER, OTHER]
    there, way = await known(yard)
    assert (before[1], there) == ({yard.clinic: D(15), yard.carrier: D(5)}, before[0])
    assert way == {yard.carrier: D(20)}
    for number in (NUMBER, OTHER):
        assert under_way(yard, number) == {yard.carrier: (D(15), "confirmed")}
    told = yard.rows(
        "SELECT stream, action FROM audit_event WHERE action IN ('logistics.answered', 'holds.redirected')"
    )
    assert sorted(told) == [(NUMBER, "logistics.answered"), (OTHER, "holds.redirected")]
    assert (await yard.execute(claim=False)).records_arrived, "the trace of the lot is due again"
    for number in (NUMBER, OTHER):
        await yard.execute(number, now=LATER)
        async with yard.sessions.begin() as session:
            assert await logistics_watch.turn(session, number, LATER) == (0, False)
        assert under_way(yard, number) == {yard.carrier: (D(15), "confirmed")}
    about = "SELECT count(*) FROM logistics_request l JOIN hold h ON h.id = l.hold_id WHERE h.location_id = %s"
    assert yard.rows(about + " AND h.document_no = 'D1'", yard.carrier) == [(0,)], "they are stopped already"
    yard.move("receipt", 15, None, yard.carrier, document="D1", day=101)
    for number in (NUMBER, OTHER):
        await yard.execute(number, now=LATER)
        assert under_way(yard, number) == {}
        assert yard.holds(number)["on_hand", yard.carrier, None][0] == D(35)
    assert await known(yard) == ({**there, yard.carrier: D(35)}, {yard.carrier: D(5)})


async def test_goods_that_came_to_the_first_place_all_the_same_are_there_and_nowhere_else(yard: Yard) -> None:
    await held(yard)
    there, _ = await known(yard)
    await answered(yard, await asked(yard, yard.carrier))
    yard.move("receipt", 15, None, yard.clinic, document="D1", day=101)
    assert await known(yard) == ({**there, yard.clinic: D(35)}, {yard.carrier: D(5)})
    await yard.execute(now=LATER)
    assert under_way(yard) == {}
    gaps = yard.rows("SELECT detail ->> 'document_no' FROM scope_gap WHERE kind = 'shipped_under_hold'")
    assert gaps == [("D1",)], "a customer got what was to be stopped"


async def test_what_arrived_before_the_answer_stays_and_the_rest_goes_where_it_is_sent_in_parts(yard: Yard) -> None:
    await held(yard)
    there, _ = await known(yard)
    request = await asked(yard, yard.carrier)
    yard.move("receipt", 4, None, yard.clinic, document="D1", day=101)
    await answered(yard, request)
    assert await known(yard) == ({**there, yard.clinic: D(24)}, {yard.carrier: D(16)})
    assert under_way(yard)[yard.carrier] == (D(11), "confirmed")
    yard.move("receipt", 6, None, yard.carrier, document="D1", day=102)
    yard.move("receipt", 2, None, yard.clinic, document="D1", day=103)
    there = {**there, yard.clinic: D(26), yard.carrier: D(26)}
    assert await known(yard) == (there, {yard.carrier: D(8)})
    await yard.execute(now=LATER)
    assert under_way(yard) == {yard.carrier: (D(3), "confirmed")}


async def test_goods_are_redirected_once_more_and_by_another_recall(yard: Yard) -> None:
    await held(yard, NUMBER, OTHER)
    there, _ = await known(yard)
    await answered(yard, await asked(yard, yard.carrier))
    with pytest.raises(DisposalRefused, match="another place"):
        await asked(yard, yard.carrier)
    await answered(yard, await asked(yard, yard.warehouse, number=OTHER), "RD-2", OTHER)
    assert await known(yard) == (there, {yard.carrier: D(5), yard.warehouse: D(15)})
    for number in (NUMBER, OTHER):
        assert under_way(yard, number) == {yard.warehouse: (D(15), "confirmed")}
    yard.move("receipt", 2, None, yard.clinic, document="D1", day=101)
    yard.move("receipt", 3, None, yard.carrier, document="D1", day=102)
    yard.move("receipt", 10, None, yard.warehouse, document="D1", day=103)
    arrived = {**there, yard.clinic: D(22), yard.carrier: D(23), yard.warehouse: D(110)}
    assert await known(yard) == (arrived, {yard.carrier: D(5)})


async def test_of_two_recalls_that_asked_at_once_the_last_answer_counts(yard: Yard) -> None:
    await held(yard, NUMBER, OTHER)
    there, _ = await known(yard)
    mine, theirs = await asked(yard, yard.carrier), await asked(yard, yard.warehouse, number=OTHER)
    await answered(yard, mine)
    await answered(yard, theirs, "RD-2", OTHER)
    assert await known(yard) == (there, {yard.carrier: D(5), yard.warehouse: D(15)})
    for number in (NUMBER, OTHER):
        assert under_way(yard, number) == {yard.warehouse: (D(15), "confirmed")}


async def test_a_customer_whose_only_shipment_goes_elsewhere_owes_nothing(yard: Yard) -> None:
    more = Chain(base=7000)
    clinic = more.place("customer", "hospital")
    more.write(yard.postgres.owner_url)
    yard.move("shipment", 9, yard.warehouse, clinic, day=6, document="D3")
    await held(yard)
    ((number, code),) = yard.rows(
        "SELECT lot.number, product.code FROM lot JOIN product ON product.id = product_id WHERE lot.id = %s", yard.lot
    )

    async def traced() -> list[tuple[int, Decimal]]:
        async with yard.sessions.begin() as session:
            lots = ScopeCriteria(lots=(LotRef(product_code=code, number=number),))
            await trace.materialise_scope(session, NUMBER, 1, lots, LATER)
        query = "SELECT c.partner_id, cl.shipped FROM consignee c JOIN consignee_lot cl ON cl.consignee_id = c.id"
        return sorted(yard.rows(query))

    (known_clinic, _), other = await traced()
    assert other[1] == D(9)
    await answered(yard, await asked(yard, yard.carrier, document="D3"))
    await answered(yard, await asked(yard, yard.carrier), "RD-2")
    for _ in range(2):
        assert await traced() == [(known_clinic, D(20)), (other[0], D(0))]


async def test_one_lot_of_a_document_is_redirected_and_the_other_is_not(yard: Yard) -> None:
    ((other,),) = yard.rows(
        "INSERT INTO lot (product_id, number) SELECT product_id, 'N2' FROM lot WHERE id = %s RETURNING id", yard.lot
    )
    yard.chain.lots[other] = replace(yard.chain.lots[yard.lot], id=other)
    yard.move("shipment", 7, yard.warehouse, yard.clinic, lot=other, document="D1", day=4)
    yard.recall(NUMBER, yard.lot, other)
    await yard.execute()
    await answered(yard, await asked(yard, yard.carrier, lot=other))
    assert (await known(yard))[1] == {yard.clinic: D(15), yard.carrier: D(5)}
    assert (await known(yard, other))[1] == {yard.carrier: D(7)}


async def test_a_refusal_moves_nothing(yard: Yard) -> None:
    await held(yard)
    before = await known(yard)
    assert await answered(yard, await asked(yard, yard.carrier), None) == []
    assert await known(yard) == before
    assert under_way(yard).keys() == {yard.clinic}


async def test_a_nonconformity_hold_goes_with_the_goods_and_holds_them_where_they_arrive(yard: Yard) -> None:
    await held(yard)
    yard.run("UPDATE recall SET phase = 'cancelled'")
    yard.run("UPDATE hold SET state = 'nonconformity', ended_at = %s", NOW)
    await answered(yard, await asked(yard, yard.carrier))
    found = yard.rows("SELECT location_id, quantity FROM hold WHERE document_no = 'D1' AND quantity > 0")
    assert found == [(yard.carrier, D(15))]
    await known(yard)


async def test_at_every_moment_units_known_are_units_shipped_whatever_is_received_where(yard: Yard) -> None:
    await held(yard, NUMBER, OTHER)
    chance = random.Random(7)  # noqa: S311 - a story, not a secret
    left, sent_to = 15, [yard.clinic]
    for step in range(5):
        if chance.random() < 0.5:
            sent_to.append(yard.carrier if sent_to[-1] != yard.carrier else yard.warehouse)
            await answered(yard, await asked(yard, sent_to[-1]), f"RD-{step}")
        part = chance.randint(1, min(4, left))
        left -= part
        yard.move("receipt", part, None, chance.choice(sent_to), document="D1", day=101 + step)
        _, way = await known(yard)
        assert sum(way.values()) == left + 5
        for number in (NUMBER, OTHER):
            await yard.execute(number, now=LATER)
            assert sum((units for units, _ in under_way(yard, number).values()), D(0)) == left
        await known(yard)


def way(yard: Yard, place: int, custody: str) -> Position:
    return Position(yard.lot, place, custody, PositionState.IN_TRANSIT, D(8), "WMS-9")


async def carried(yard: Yard) -> tuple[Partner, Partner, int]:
    """A shipment of 8 that only the warehouse's system tells of, and the request to redirect it."""
    wms, carrier = partners(yard)
    await held(yard)
    wms.stock[yard.lot, yard.warehouse] -= 8
    wms.transit = [way(yard, yard.clinic, "customer")]
    await yard.execute(now=LATER)
    return wms, carrier, await asked(yard, yard.carrier, document="WMS-9")


@pytest.mark.parametrize("kind", [DocumentKind.SHIPMENT, DocumentKind.RECEIPT])
@pytest.mark.parametrize("told", [True, False], ids=["its system follows", "its system does not know"])
async def test_a_keeper_that_carries_the_shipment_itself_counts_it_no_second_time(
    yard: Yard, told: bool, kind: DocumentKind
) -> None:
    wms, carrier, request = await carried(yard)
    there, _ = await known(yard)
    await answered(yard, request)
    assert await known(yard) == (there, {yard.clinic: D(15), yard.carrier: D(13)})
    if told:
        wms.transit = [way(yard, yard.carrier, "logistics")]
    await yard.execute(now=LATER + timedelta(hours=1))
    assert await known(yard) == (there, {yard.clinic: D(15), yard.carrier: D(13)})
    assert under_way(yard, document="WMS-9") == {yard.carrier: (D(8), "confirmed")}
    wms.transit = []
    ends = (yard.warehouse, yard.clinic) if kind is DocumentKind.SHIPMENT else (yard.carrier, yard.warehouse)
    wms.papers = [Document("WMS-9", kind, DocumentState.DONE, *ends, ())]
    carrier.stock[yard.lot, yard.carrier] += 8
    if not told:
        yard.move("receipt", 8, None, yard.carrier, document="WMS-9", day=101)
    for hours in (48, 49):
        await yard.execute(now=LATER + timedelta(hours=hours))
    assert await known(yard) == ({**there, yard.carrier: D(28)}, {yard.clinic: D(15), yard.carrier: D(5)})
    assert yard.rows("SELECT count(*) FROM movement WHERE source_id LIKE '%%:in' AND to_location_id = %s",
                     yard.clinic) == [(0,)]  # fmt: skip
    assert yard.rows("SELECT count(*) FROM scope_gap WHERE kind = 'vanished_in_transit'") == [(0,)]


@pytest.mark.parametrize("keeper_first", [True, False])
async def test_what_went_elsewhere_is_not_received_by_the_keepers_word_and_an_imports(
    yard: Yard, keeper_first: bool
) -> None:
    wms, _, request = await carried(yard)
    await answered(yard, request)
    yard.run("UPDATE redirect SET quantity = 3")
    await yard.execute(now=LATER)
    wms.transit = []
    wms.papers = [paper(yard, DocumentState.DONE)]
    if keeper_first:
        await yard.execute(now=LATER + timedelta(hours=1))
    yard.move("receipt", 5, None, yard.clinic, day=101, document="WMS-9")
    for hour in (2, 3):
        await yard.execute(now=LATER + timedelta(hours=hour))
        assert received(yard) == {"test": D(5)}


async def test_a_keeper_lets_go_of_the_goods_only_once_they_are_locked_where_they_go(yard: Yard) -> None:
    wms, carrier, request = await carried(yard)
    first = next(key for key, each in wms.holds.items() if each.position.document_no == "WMS-9")

    def refuse(call: str) -> None:
        if call.startswith("hold"):
            raise InventoryError("not announced")

    carrier.before = refuse
    await answered(yard, request)
    await yard.execute(now=LATER + timedelta(hours=1))
    assert not wms.holds[first].released
    carrier.before = None
    await yard.execute(now=LATER + timedelta(hours=2))
    await yard.execute(now=LATER + timedelta(hours=3))
    assert wms.holds[first].released
    assert D(8) in [units for _, units in carrier.standing().values()]
