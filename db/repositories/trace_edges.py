"""The genealogy among the lots of a trace, for a picture of it."""

from collections.abc import Sequence
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run

_EDGES: Final = """
WITH scope AS MATERIALIZED (SELECT DISTINCT unnest(CAST(:lot_ids AS bigint[])) AS lot_id)
SELECT DISTINCT g.input_lot_id, g.output_lot_id
FROM scope JOIN lot_genealogy g ON g.input_lot_id = scope.lot_id
WHERE g.output_lot_id = ANY(CAST(:lot_ids AS bigint[]))
ORDER BY 1, 2
"""
MOST: Final = 20_000
"""Lots of which the genealogy is read; no picture shows more."""


async def edges_among(session: AsyncSession, lot_ids: Sequence[int]) -> list[tuple[int, int]]:
    """(input lot, output lot) of every genealogy step between two of these lots, the first `MOST` of them."""
    rows = await run(session, _EDGES, {"lot_ids": list(lot_ids[:MOST])})
    return [(row[0], row[1]) for row in rows]


__all__ = ["MOST", "edges_among"]
