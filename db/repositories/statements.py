"""Stated quantities: checked against what a consignee received, stored lot by lot, read back for the next form."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.consignee_lots import lots_of
from domain.replies import Finding, LotStatement, Shipped, check_statement
from models.replies import StatedLot


class UnknownLot(ValueError):  # noqa: N818 - a term of the API
    """A stated lot that the recall does not list for this consignee."""


@dataclass(frozen=True, slots=True)
class LatestStatement:
    """The statement that counts: the last one given."""

    reply_id: int
    at: datetime
    affected: bool | None
    lots: tuple[StatedLot, ...]


_LINES: Final = """
INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on)
SELECT :reply, * FROM unnest(CAST(:lots AS bigint[]), CAST(:on_hand AS numeric[]), CAST(:used AS numeric[]),
                             CAST(:held AS numeric[]), CAST(:passed_on AS numeric[]))
"""


async def check_lots(
    session: AsyncSession,
    consignee_id: int,
    statements: Sequence[StatedLot],
    at: datetime,
    *,
    passed_on_lots: Sequence[int] = (),
) -> tuple[Finding, ...]:
    """Findings about a statement; none for a mere acknowledgement.

    Raises:
        UnknownLot: a lot id that the recall does not list for this consignee.
    """
    if not statements and not passed_on_lots:
        return ()
    rows = (await lots_of(session, [consignee_id]))[consignee_id]
    keys = {row.lot_id: row.key for row in rows}
    named = [each.lot_id for each in statements] + list(passed_on_lots)
    foreign = sorted(lot for lot in named if lot not in keys)
    if foreign:
        raise UnknownLot(f"lot id {foreign[0]}: not among this recipient's affected lots")
    if not statements:
        return ()
    if len({each.lot_id for each in statements}) != len(statements):
        raise UnknownLot("each lot can be stated once")
    stated = [
        LotStatement(
            lot=keys[each.lot_id],
            on_hand=each.on_hand,
            used=each.used,
            held=each.held,
            passed_on=each.passed_on,
        )
        for each in statements
    ]
    shipped = {row.key: Shipped(quantity=row.received, last_shipped_on=row.last_shipped_on) for row in rows}
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
            "on_hand": [each.on_hand for each in statements],
            "used": [each.used for each in statements],
            "held": [each.held for each in statements],
            "passed_on": [each.passed_on for each in statements],
        },
    )


async def latest_statement(session: AsyncSession, consignee_id: int) -> LatestStatement | None:
    """The last statement of quantities, or None where only an acknowledgement or nothing was given."""
    found = await run(
        session,
        "SELECT id, received_at, affected FROM reply WHERE consignee_id = :consignee AND kind = 'statement'"
        " ORDER BY id DESC LIMIT 1",
        {"consignee": consignee_id},
    )
    reply = found.mappings().one_or_none()
    if reply is None:
        return None
    lines = await run(
        session,
        "SELECT lot_id, on_hand, used, held, passed_on FROM reply_line WHERE reply_id = :reply ORDER BY id",
        {"reply": reply["id"]},
    )
    return LatestStatement(
        reply["id"],
        reply["received_at"],
        reply["affected"],
        tuple(StatedLot(**line) for line in lines.mappings()),
    )
