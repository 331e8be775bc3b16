"""The lot that comes out of a rework: made at the place of the rework, linked to what it was made of (genealogy).

It is new, or made by an earlier part of the same disposition; a number already on record would mix conforming and
reworked units. The recalls of the input have it in their scope from the moment it exists.
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
from models.disposition import Disposition, DispositionPart
from models.master import Product


async def result_lot(session: AsyncSession, found: Disposition, facts: ResultLotFacts, here: int) -> Lot:
    """The lot of this rework: new, or made by an earlier part of the same disposition."""
    product_id = await _product(session, found, facts.product_code)
    wanted = (col(Lot.product_id) == product_id, col(Lot.number) == facts.number, col(Lot.site_id) == here)
    known = (await session.exec(select(Lot).where(*wanted))).one_or_none()
    if known is None:
        lot = Lot(product_id=product_id, number=facts.number, site_id=here, expires_on=facts.expires_on)
        lot.quantity_made = Decimal(0)
        session.add(lot)
        await session.flush()
        return lot
    made_here = select(DispositionPart.id).where(
        col(DispositionPart.disposition_id) == found.id, col(DispositionPart.result_lot_id) == known.id
    )
    if (await session.exec(made_here.limit(1))).first() is None:
        raise invalid(Fault("result_lot/number", "a new lot number: this one is on record already"))
    return known


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


__all__ = ["lot_id_of", "make", "result_lot"]
