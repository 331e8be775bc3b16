"""Stated quantities: checked against what a consignee received, stored lot by lot, read back for the next form."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.consignee_lots import ConsigneeLotRow, lots_of
from domain.replies import Finding, LotStatement, Shipped, check_statement
from models.replies import PassedOnTo, StatedLot


class UnknownLot(ValueError):  # noqa: N818 - a term of the API
    """A stated lot that the recall does not list for this consignee."""


@dataclass(frozen=True, slots=True)
class EarlierStatement:
    """A statement on record; the last one given is the one that counts."""

    reply_id: int
    at: datetime
    affected: bool | None
    lots: tuple[StatedLot, ...]


_LINES: Final = """
INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on, returned, destroyed)
SELECT :reply, * FROM unnest(CAST(:lots AS bigint[]), CAST(:on_hand AS numeric[]), CAST(:used AS numeric[]),
                             CAST(:held AS numeric[]), CAST(:passed_on AS numeric[]), CAST(:returned AS numeric[]),
                             CAST(:destroyed AS numeric[]))
"""
_FIGURES: Final = ("on_hand", "used", "held", "passed_on", "returned", "destroyed")


_EARLIER: Final = """
SELECT r.id, r.received_at, r.affected,
       coalesce(jsonb_agg(jsonb_build_object(
           'lot_id', l.lot_id, 'on_hand', l.on_hand, 'used', l.used, 'held', l.held, 'passed_on', l.passed_on,
           'returned', l.returned, 'destroyed', l.destroyed) ORDER BY l.id) FILTER (WHERE l.id IS NOT NULL), '[]')
           AS lines
FROM (
    SELECT id, received_at, affected FROM reply
    WHERE consignee_id = :consignee AND kind = 'statement' ORDER BY id DESC LIMIT :limit
) r LEFT JOIN reply_line l ON l.reply_id = r.id
GROUP BY r.id, r.received_at, r.affected ORDER BY r.id DESC
"""


async def check_lots(
    session: AsyncSession,
    consignee_id: int,
    statements: Sequence[StatedLot],
    at: datetime,
    *,
    passed_on: Sequence[PassedOnTo] = (),
) -> tuple[Finding, ...]:
    """Findings about a statement; none for a mere acknowledgement.

    Raises:
        UnknownLot: a lot id that the recall does not list for this consignee.
    """
    if not statements and not passed_on:
        return ()
    rows = (await lots_of(session, [consignee_id]))[consignee_id]
    keys = {row.lot_id: row.key for row in rows}
    named = [each.lot_id for each in statements] + [lot.lot_id for receiver in passed_on for lot in receiver.lots]
    foreign = sorted(lot for lot in named if lot not in keys)
    if foreign:
        raise UnknownLot(f"lot id {foreign[0]}: not among this recipient's affected lots")
    return judged(rows, statements, passed_on, at) if statements else ()


def judged(
    rows: Sequence[ConsigneeLotRow], statements: Sequence[StatedLot], passed_on: Sequence[PassedOnTo], at: datetime
) -> tuple[Finding, ...]:
    """Findings about a statement of lots that are all among the consignee's `rows`, and of who got them.

    Raises:
        UnknownLot: a lot is stated twice.
    """
    if len({each.lot_id for each in statements}) != len(statements):
        raise UnknownLot("each lot can be stated once")
    keys = {row.lot_id: row.key for row in rows}
    named: defaultdict[int, Decimal] = defaultdict(Decimal)
    for lot in (lot for receiver in passed_on for lot in receiver.lots):
        named[lot.lot_id] += lot.quantity
    stated = [
        LotStatement(
            lot=keys[each.lot_id], named=named[each.lot_id], **{name: getattr(each, name) for name in _FIGURES}
        )
        for each in statements
    ]
    shipped = {
        row.key: Shipped(quantity=row.received, returned=row.returned, last_shipped_on=row.last_shipped_on)
        for row in rows
    }
    return check_statement(stated, shipped, at.date())


async def insert_lines(session: AsyncSession, reply_id: int, statements: Sequence[StatedLot]) -> None:
    """Store the stated quantities as given."""
    if not statements:
        return
    await run(
        session,
        _LINES,
        {
            "reply": reply_id,
            "lots": [each.lot_id for each in statements],
            **{name: [getattr(each, name) for each in statements] for name in _FIGURES},
        },
    )


async def earlier_statements(session: AsyncSession, consignee_id: int, limit: int = 10) -> list[EarlierStatement]:
    """The consignee's statements, the newest first: a correction is a row of its own and the earlier ones stay."""
    found = await run(
        session,
        _EARLIER,
        {"consignee": consignee_id, "limit": limit},
    )
    return [
        EarlierStatement(row.id, row.received_at, row.affected, tuple(StatedLot(**line) for line in row.lines))
        for row in found
    ]
