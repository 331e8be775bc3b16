"""What became of the rows of a load: counts and quantities per outcome, and the rejected rows with their reasons."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import cast

from psycopg import AsyncConnection

from db.repositories.imports.differences import composed
from db.repositories.imports.stage import Cursor

OUTCOMES = ("new", "already_there", "rejected")

_TOTALS = """
    SELECT CASE WHEN problem_reason IS NOT NULL THEN 'rejected'
                WHEN existing_id IS NOT NULL OR repeats IS NOT NULL THEN 'already_there' ELSE 'new' END AS outcome,
        unit, count(*), count(stated), coalesce(sum(stated), 0), coalesce(sum(quantity), 0),
        count(*) FILTER (WHERE kept), <lotless>
    FROM imp_resolved GROUP BY 1, 2 ORDER BY 1, 2
"""


class OutcomeRow(tuple[str, str, int, int, Decimal, Decimal, int, int]):
    """outcome, unit, rows, rows with a readable quantity, quantity as stated, in units of use, kept, without lot."""

    __slots__ = ()


async def totals(cursor: Cursor, *, lots: bool) -> list[OutcomeRow]:
    """Counts and sums per outcome and unit of the current load."""
    await cursor.execute(composed(_TOTALS, lotless="count(*) FILTER (WHERE lot IS NULL)" if lots else "0"))
    return [
        OutcomeRow(row)
        for row in cast(list[tuple[str, str, int, int, Decimal, Decimal, int, int]], await cursor.fetchall())
    ]


async def rejected(connection: AsyncConnection[tuple[object, ...]]) -> AsyncIterator[tuple[int, str, str, str]]:
    """(line, field, value, reason) of each rejected row in the order of the file, streamed."""
    async with connection.cursor("imp_rejected") as cursor:
        await cursor.execute(
            "SELECT line, problem_field, problem_value, problem_reason FROM imp_resolved "
            "WHERE problem_reason IS NOT NULL ORDER BY line"
        )
        async for row in cursor:
            yield cast(tuple[int, str, str, str], row)
