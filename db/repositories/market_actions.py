"""Market actions and the reviews of their justifications: added, never changed; the last one of a market counts."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.rows import insert_new
from models.assessment import MarketActionRecord, MarketActionReview, ReviewOutcome
from models.chain import Lot
from models.master import Product
from models.recall import Consignee, ConsigneeLot


@dataclass(frozen=True, slots=True)
class LeftControl:
    """What of a product line the trace finds outside the firm's control."""

    quantity: Decimal
    consignees: int

    def __bool__(self) -> bool:
        return self.consignees > 0


async def add(session: AsyncSession, rows: list[MarketActionRecord]) -> int:
    """Add market actions; those a retried activity brings again change nothing. Returns how many are new."""
    return await insert_new(session, MarketActionRecord, [row.model_dump(exclude={"id"}) for row in rows])


async def add_review(session: AsyncSession, row: MarketActionReview) -> bool:
    """Add a review; False when a retried activity brings the same one again."""
    return await insert_new(session, MarketActionReview, row.model_dump(exclude={"id"})) == 1


async def latest(session: AsyncSession, number: str) -> list[MarketActionRecord]:
    """The market action in force of each product line and jurisdiction, in a stable order."""
    line = (col(MarketActionRecord.product_line), col(MarketActionRecord.jurisdiction))
    query = (
        select(MarketActionRecord)
        .where(col(MarketActionRecord.recall_number) == number)
        .ext(distinct_on(*line))
        .order_by(*line, col(MarketActionRecord.decided_at).desc(), col(MarketActionRecord.id).desc())
    )
    return list((await session.exec(query)).all())


async def every(session: AsyncSession, number: str) -> list[MarketActionRecord]:
    """Every market action ever decided, oldest first."""
    query = (
        select(MarketActionRecord)
        .where(col(MarketActionRecord.recall_number) == number)
        .order_by(col(MarketActionRecord.decided_at), col(MarketActionRecord.id))
    )
    return list((await session.exec(query)).all())


async def reviews(session: AsyncSession, number: str) -> dict[int, MarketActionReview]:
    """Market action id -> the last review of its justification."""
    query = (
        select(MarketActionReview)
        .where(col(MarketActionReview.recall_number) == number)
        .order_by(col(MarketActionReview.reviewed_at), col(MarketActionReview.id))
    )
    return {row.market_action_id: row for row in (await session.exec(query)).all()}


async def justified(session: AsyncSession, number: str) -> set[tuple[str, str]]:
    """(product line, jurisdiction) whose justification for not reporting a designated person has accepted."""
    reviewed = await reviews(session, number)
    return {
        (row.product_line, row.jurisdiction)
        for row in await latest(session, number)
        if row.justification is not None
        and (found := reviewed.get(row.id or 0)) is not None
        and found.outcome == ReviewOutcome.accepted
    }


async def left_control(session: AsyncSession, number: str, line: str) -> LeftControl:
    """Units of a product line in scope that left the firm's control, by our own shipment records or by a statement."""
    query = (
        select(
            func.coalesce(func.sum(col(ConsigneeLot.shipped)), 0),
            func.count(func.distinct(col(ConsigneeLot.consignee_id))),
        )
        .join(Consignee, col(Consignee.id) == col(ConsigneeLot.consignee_id))
        .join(Lot, col(Lot.id) == col(ConsigneeLot.lot_id))
        .join(Product, col(Product.id) == col(Lot.product_id))
        .where(
            col(Consignee.recall_number) == number,
            col(ConsigneeLot.withdrawn_in).is_(None),
            func.coalesce(Product.family, Product.code) == line,
        )
    )
    quantity, consignees = (await session.exec(query)).one()
    return LeftControl(Decimal(quantity), consignees)


def record(
    number: str, product_line: str, jurisdiction: str, action: str, *, by: str, role: str, at: datetime
) -> MarketActionRecord:
    """A market action without a justification."""
    return MarketActionRecord(
        recall_number=number,
        product_line=product_line,
        jurisdiction=jurisdiction,
        action=action,
        decided_by=by,
        role=role,
        decided_at=at,
    )


__all__ = [
    "LeftControl",
    "add",
    "add_review",
    "every",
    "justified",
    "latest",
    "left_control",
    "record",
    "reviews",
]
