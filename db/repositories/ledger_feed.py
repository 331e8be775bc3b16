"""The ledger's feed of changes: rows written with the changes, read up to the oldest transaction still running.

Each row carries the id of its transaction. A reader takes only rows of transactions older than every one that runs
(`pg_snapshot_xmin`): all of these have ended, and none can add a row behind the cursor any more. So a page misses
nothing that was in flight; a long import delays the feed by as long as it runs. A batch is one row; its lots are
looked up when it is read.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.inventory import Change, Changes, LedgerRefused

_XID: Final = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"
_NOTE: Final = f"""
INSERT INTO ledger_change (xid, lot_id, location_id, what)
SELECT {_XID}, x.lot_id, x.location_id, :what
FROM unnest(CAST(:lots AS bigint[]), CAST(:places AS bigint[])) AS x(lot_id, location_id)
"""  # noqa: S608 - constants
_NOTE_BATCH: Final = f"INSERT INTO ledger_change (xid, what, batch_id) VALUES ({_XID}, :what, :batch)"  # noqa: S608
_PAGE: Final = """
SELECT id, xid, lot_id, location_id, what, batch_id FROM ledger_change
WHERE xid < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)
  AND (xid, id) >= (CAST(:xid AS bigint), CAST(:id AS bigint))
ORDER BY xid, id LIMIT :limit
"""
_OF_BATCH: Final = """
SELECT lot_id FROM (
    SELECT lot_id FROM movement WHERE batch_id = :batch AND lot_id IS NOT NULL
    UNION SELECT lot_id FROM stock WHERE batch_id = :batch
    UNION SELECT lot_id FROM goods_document_line WHERE batch_id = :batch AND lot_id IS NOT NULL
    UNION SELECT l.id FROM goods_document_line g JOIN lot l ON l.product_id = g.product_id
          WHERE g.batch_id = :batch AND g.lot_id IS NULL
    UNION SELECT output_lot_id FROM lot_genealogy WHERE batch_id = :batch
) AS brought WHERE lot_id > :after ORDER BY lot_id LIMIT :limit
"""


class BadCursor(LedgerRefused):
    """Not a cursor of this feed."""


async def note(session: AsyncSession, what: str, places: Sequence[tuple[int, int | None]]) -> None:
    """Say that lots changed at places, in the transaction that changes them. `what` as in `domain.inventory.Change`."""
    if places:
        values = {"what": what, "lots": [lot for lot, _ in places], "places": [place for _, place in places]}
        await run(session, _NOTE, values)


async def note_batch(session: AsyncSession, what: str, batch_id: int) -> None:
    """Say that an import batch changed the lots it brought rows of."""
    await run(session, _NOTE_BATCH, {"what": what, "batch": batch_id})


async def read(session: AsyncSession, cursor: str | None, limit: int) -> Changes:
    """One page, oldest first; the cursor of its end is where the next one begins.

    Raises:
        BadCursor: the cursor is not one of this feed.
    """
    xid, row_id, lot = _position(cursor)
    rows = (await run(session, _PAGE, {"xid": xid, "id": row_id, "limit": limit + 1})).all()
    found: list[Change] = []
    for row in rows:
        same = (row.xid, row.id) == (xid, row_id)
        if same and lot < 0:
            continue
        room = limit - len(found)
        if room <= 0:
            return Changes(tuple(found), _cursor(xid, row_id, lot), more=True)
        taken, lot = await _expand(session, row, lot if same else 0, room)
        found += taken
        xid, row_id = row.xid, row.id
        if lot >= 0:
            return Changes(tuple(found), _cursor(xid, row_id, lot), more=True)
    return Changes(tuple(found), _cursor(xid, row_id, lot), more=len(rows) > limit)


async def _expand(session: AsyncSession, row: Any, after: int, room: int) -> tuple[list[Change], int]:
    """Changes of one row, at most `room`; and the lot to go on after, -1 when all are taken."""
    if row.batch_id is None:
        return ([Change(row.lot_id, row.location_id, row.what)] if row.lot_id is not None else []), -1
    values = {"batch": row.batch_id, "after": after, "limit": room + 1}
    lots = list((await run(session, _OF_BATCH, values)).scalars())
    taken = lots[:room]
    return [Change(lot, None, row.what) for lot in taken], taken[-1] if len(lots) > room else -1


def _cursor(xid: int, row_id: int, lot: int) -> str:
    return f"{xid}:{row_id}:{lot}"


def _position(cursor: str | None) -> tuple[int, int, int]:
    if cursor is None:
        return 0, 0, -1
    parts = cursor.split(":")
    try:
        xid, row_id, lot = (int(part) for part in parts)
    except ValueError:
        raise BadCursor(f"not a cursor of the ledger's feed: {cursor[:60]}") from None
    if min(xid, row_id) < 0 or max(xid, row_id, lot) >= 2**63:
        raise BadCursor(f"not a cursor of the ledger's feed: {cursor[:60]}")
    return xid, row_id, lot


__all__ = ["BadCursor", "note", "note_batch", "read"]
