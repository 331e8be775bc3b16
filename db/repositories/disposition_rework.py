"""The lot that comes out of a rework: made at the place of the rework, linked to what it was made of (genealogy).

It is new, or made by earlier reworks there and locked to its last unit: several lots may be merged into one. Any other
number that the product has, at whatever site, would mix reworked with conforming or with recalled units: a shelf, a
notice and most keepers know a lot by product and number alone. The recalls of the input have it in their scope from the
moment it exists, and since merged units cannot be told apart, every recall of it holds all of it.
"""

from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import ledger, ledger_sql
from db.repositories.disposal_refusals import invalid
from db.repositories.disposition_jobs import ResultLotFacts
from db.repositories.disposition_who import Who
from domain.disposition import Fault
from domain.inventory import OWN_BOOKINGS
from models.chain import Lot, LotGenealogy
from models.disposition import Disposition
from models.master import Product

_NAMED = """
SELECT lot.id FROM lot WHERE lot.product_id = :product AND lot.number = :lot AND lot.site_id = :site
"""
_ONE_NAME = "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"
_LOOSE = """
SELECT NOT EXISTS (SELECT FROM disposition_part p JOIN disposition d ON d.id = p.disposition_id
                   WHERE p.result_lot_id = :lot AND d.kind = 'rework') AS other_origin,
       EXISTS (SELECT FROM hold WHERE lot_id = :lot AND released > 0)
       OR EXISTS (SELECT FROM movement
                  WHERE lot_id = :lot AND kind IN ('shipment', 'consumption', 'adjustment')) AS gone
"""
_ANCESTOR = """
WITH RECURSIVE made_of AS (
    SELECT input_lot_id AS lot_id FROM lot_genealogy WHERE output_lot_id = :input
    UNION SELECT g.input_lot_id FROM made_of m JOIN lot_genealogy g ON g.output_lot_id = m.lot_id
)
SELECT :input = :result OR EXISTS (SELECT FROM made_of WHERE lot_id = :result)
"""
_RELEASED = """
SELECT recall_number, sum(released) AS units FROM hold
WHERE lot_id = :lot AND location_id = :place GROUP BY recall_number
"""


async def known_lot(session: AsyncSession, number: str, sequence: int, facts: ResultLotFacts) -> int | None:
    """The lot on record under the name a rework gives, if there is one; nobody else makes it until the end.

    Asked before anything is locked: what holds that lot is locked in its turn with the rest.
    """
    query = select(Disposition).where(col(Disposition.recall_number) == number, col(Disposition.sequence) == sequence)
    found = (await session.exec(query)).one_or_none()
    if found is None or found.location_id is None:
        return None
    product_id = await _product(session, found, facts.product_code)
    name = f"rework:{product_id}:{facts.number}"
    await run(session, _ONE_NAME, {"name": name})
    binds = {"product": product_id, "lot": facts.number, "site": found.location_id}
    return (await run(session, _NAMED, binds)).scalar_one_or_none()


async def result_lot(session: AsyncSession, found: Disposition, facts: ResultLotFacts, here: int) -> Lot:
    """The lot of this rework: new, or made by earlier reworks and still locked where it was made.

    Raises:
        DisposalRefused: the number belongs to a lot that units must not be mixed into.
    """
    product_id = await _product(session, found, facts.product_code)
    wanted = (col(Lot.product_id) == product_id, col(Lot.number) == facts.number)
    same = (await session.exec(select(Lot).where(*wanted))).all()
    if not same:
        lot = Lot(product_id=product_id, number=facts.number, site_id=here, expires_on=facts.expires_on)
        lot.quantity_made = Decimal(0)
        session.add(lot)
        await session.flush()
        return lot
    known = same[0]
    elsewhere = len(same) > 1 or known.site_id != here
    if elsewhere or await _unfit(session, lot_id_of(known), found.lot_id, here):
        raise invalid(
            Fault(
                "result_lot/number",
                "a new lot number: this one is on record already, and only a lot made by rework here, of which nothing "
                "was released or has left, takes further units",
            )
        )
    if facts.expires_on and (known.expires_on is None or facts.expires_on < known.expires_on):
        known.expires_on = facts.expires_on
        session.add(known)
    return known


async def _unfit(session: AsyncSession, lot_id: int, input_lot: int, here: int) -> bool:
    loose = (await run(session, _LOOSE, {"lot": lot_id})).one()
    if loose.other_origin or loose.gone:
        return True
    if (await run(session, _ANCESTOR, {"input": input_lot, "result": lot_id})).scalar_one():
        return True
    lying = {place: each.on_hand for (_, place), each in (await ledger.balances(session, [lot_id])).items()}
    held = max(
        (each.quantity for each in (await ledger.under_hold(session, lot_id, here)).values()), default=Decimal(0)
    )
    return any(units > 0 for place, units in lying.items() if place != here) or held < lying.get(here, Decimal(0))


async def hold_all(session: AsyncSession, lot_id: int, here: int, who: Who) -> None:
    """Every recall of the reworked lot holds all of it there, but for what it has released itself."""
    balance = (await ledger.balances(session, [lot_id])).get((lot_id, here))
    held = await ledger.under_hold(session, lot_id, here)
    running = {each.number for each in await ledger.running_on(session, lot_id)}
    released = {row.recall_number: row.units for row in await run(session, _RELEASED, {"lot": lot_id, "place": here})}
    for number in sorted({*held, *running}):
        mine = held[number].quantity if number in held else Decimal(0)
        missing = (balance.on_hand if balance else Decimal(0)) - mine - released.get(number, Decimal(0))
        if missing > 0:
            ended = number not in running
            await ledger.hold_at(
                session, number, lot_id, here, missing, at=who.at, by=who.principal, nonconforming=ended
            )


async def _product(session: AsyncSession, found: Disposition, code: str | None) -> int:
    if code is None:
        return (await session.exec(select(Lot.product_id).where(col(Lot.id) == found.lot_id))).one()
    product_id = (await session.exec(select(Product.id).where(col(Product.code) == code))).one_or_none()
    if product_id is None:
        raise invalid(Fault("result_lot/product_code", "a product on record"))
    return product_id


async def make(
    session: AsyncSession, found: Disposition, result: Lot, quantity: Decimal, here: int, who: Who, reference: str
) -> None:
    """The reworked units exist from now on, and the trace finds them from the lot they were made of."""
    result.quantity_made = (result.quantity_made or Decimal(0)) + quantity
    session.add(result)
    session.add(
        LotGenealogy(
            input_lot_id=found.lot_id,
            output_lot_id=lot_id_of(result),
            quantity=quantity,
            occurred_at=who.at,
            source_system=OWN_BOOKINGS,
            source_id=reference,
        )
    )
    await session.flush()
    row = {"lot_id": lot_id_of(result), "location_id": here}
    added = await run(session, ledger_sql.FIRST_COUNT, row | {"on_hand": quantity, "at": who.at})
    if not added.rowcount:
        await run(session, ledger_sql.MADE_MORE, row | {"quantity": quantity})
    await ledger.join_scope(session, found.lot_id, lot_id_of(result))


def lot_id_of(lot: Lot) -> int:
    """The id of a lot that is in the database."""
    if lot.id is None:
        raise ValueError("the lot is not flushed yet")
    return lot.id


__all__ = ["hold_all", "known_lot", "lot_id_of", "make", "result_lot"]
