"""Holds go where an import says that their units went: to another place of ours, or on the way there.

A running recall claims them there by itself; here they stop being held where they no longer are. Nobody claims anew
what a recall left as a nonconformity, so its hold is made there (design promise 6), and what customers send back and
what a count finds joins it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import ledger, stock_sql, trace_sql
from db.repositories.hold_records import record
from db.repositories.nonconformity_holds import open_for_holds
from domain.phases import FINAL_PHASES, Phase

ZERO = Decimal(0)
_Row = Row[*tuple[Any, ...]]

_LEFT = """
kept AS MATERIALIZED (
    SELECT h.recall_number, h.lot_id, h.location_id, sum(h.quantity) AS quantity,
           bool_and(h.state = 'nonconformity') AS nonconforming
    FROM hold h
    WHERE h.lot_id = ANY(CAST(:lot_ids AS bigint[])) AND h.quantity > 0 AND h.position <> 'in_transit'
      AND (h.state = 'nonconformity' OR h.ended_at IS NULL) GROUP BY h.recall_number, h.lot_id, h.location_id
),
concerned AS MATERIALIZED (
    -- Lots of which a recall has units locked; after its orderly end all lots of its scope, whatever was done.
    SELECT recall_number, lot_id, r.phase = ANY(CAST(:ended AS text[])) OR NOT EXISTS (
               SELECT FROM scope_lot s WHERE s.recall_number = l.recall_number AND s.lot_id = l.lot_id
                 AND s.scope_version = (SELECT max(v.scope_version) FROM scope_lot v
                                        WHERE v.recall_number = l.recall_number)) AS claims_nothing
    FROM (SELECT recall_number, lot_id FROM kept
          UNION SELECT s.recall_number, s.lot_id FROM scope_lot s JOIN recall r ON r.number = s.recall_number
          WHERE r.phase = :terminated AND s.lot_id = ANY(CAST(:lot_ids AS bigint[]))
            AND s.scope_version = (SELECT max(v.scope_version) FROM scope_lot v WHERE v.recall_number = r.number)
         ) AS l JOIN recall r ON r.number = l.recall_number
    WHERE NOT r.drill
)"""
_HOLDERS = f"WITH {_LEFT} SELECT DISTINCT recall_number FROM concerned ORDER BY recall_number"  # noqa: S608 - constant
_SHIFTED = f"""
WITH {trace_sql.positions(trace_sql.SCOPE_OF_IDS)},{stock_sql.LOCATED},{_LEFT},
there AS (
    SELECT lot_id, location_id, part = 'in_transit' AS under_way, document_no, sum(quantity) AS units
    FROM located GROUP BY 1, 2, 3, 4
),
mine AS (
    SELECT recall_number, lot_id, location_id, under_way, document_no, sum(units) AS units
    FROM (
        -- As for the claims of running recalls: what the gate has released there is nothing new.
        SELECT h.recall_number, h.lot_id, h.location_id, h.position = 'in_transit' AS under_way, h.document_no,
               h.released + CASE WHEN h.ended_at IS NULL OR h.state = 'nonconformity' THEN h.quantity ELSE 0 END
                   AS units
        FROM hold h JOIN concerned USING (recall_number, lot_id)
        UNION ALL
        -- What has arrived of a stopped shipment brings its own hold, or its recall claims it there.
        SELECT h.recall_number, h.lot_id, h.location_id, false, NULL, h.quantity - coalesce(way.units, 0)
        FROM hold h JOIN concerned USING (recall_number, lot_id)
        LEFT JOIN there way ON way.lot_id = h.lot_id AND way.location_id = h.location_id AND way.under_way
             AND coalesce(':' || way.document_no, '') = coalesce(':' || h.document_no, '')
        WHERE h.position = 'in_transit' AND (h.ended_at IS NULL OR h.state = 'nonconformity')
          AND h.quantity > coalesce(way.units, 0)
    ) AS each GROUP BY 1, 2, 3, 4, 5
)
SELECT o.recall_number, t.lot_id, t.location_id, t.under_way, t.document_no, false AS missing, o.claims_nothing,
       false AS nonconforming,
       t.units - coalesce(m.units, 0) AS units, coalesce((
           SELECT greatest(p.counted - (p.net - p.net_after), 0)
                  -- What the count before had found, where nothing moved since, is not found again.
                  - coalesce((SELECT least(greatest(b.on_hand - (p.net - p.net_after), 0), p.counted)
                              FROM stock_before b
                              WHERE (b.batch_id, b.lot_id, b.location_id) = (s.batch_id, s.lot_id, s.location_id)
                                AND NOT EXISTS (
                                    SELECT FROM movement v WHERE v.lot_id = b.lot_id AND v.occurred_at > b.as_of
                                      AND b.location_id IN (v.from_location_id, v.to_location_id))), 0)
           FROM stock s JOIN position p ON p.lot_id = s.lot_id AND p.location_id = s.location_id
           WHERE s.batch_id = :batch_id AND s.lot_id = t.lot_id AND s.location_id = t.location_id AND NOT t.under_way
             AND o.claims_nothing), 0) AS found
FROM there t JOIN concerned o USING (lot_id) LEFT JOIN mine m ON m.recall_number = o.recall_number
     AND m.lot_id = t.lot_id AND m.location_id = t.location_id AND m.under_way = t.under_way
     AND coalesce(':' || m.document_no, '') = coalesce(':' || t.document_no, '')
WHERE t.units > coalesce(m.units, 0)
UNION ALL
SELECT k.recall_number, k.lot_id, k.location_id, false, NULL, true, false, k.nonconforming,
       k.quantity - coalesce(t.units, 0), 0
FROM kept k JOIN concerned USING (recall_number, lot_id)
     LEFT JOIN there t ON t.lot_id = k.lot_id AND t.location_id = k.location_id AND NOT t.under_way
WHERE k.quantity > coalesce(t.units, 0)
"""  # noqa: S608 - constants
"""Units that lie at a place, or are under way to it, beyond a recall's holds, and how many of them this batch's count
found beyond the movements; units that are missing under holds. Documents are compared as they can be hashed."""
_BY_HASH = "SELECT set_config('enable_nestloop', CAST(:nested AS text), true)"
"""Holds under way are compared with what is under way, both of which grow with the documents."""
_MOVES = """
SELECT m.lot_id, m.from_location_id AS source_id, m.to_location_id AS target_id, m.document_no,
       s.custody = 'customer' AS came_back, sum(m.quantity) AS units
FROM movement m JOIN location s ON s.id = m.from_location_id JOIN location t ON t.id = m.to_location_id
WHERE m.batch_id = :batch_id AND m.lot_id IS NOT NULL AND s.id <> t.id AND t.custody <> 'customer'
  AND (m.kind = 'return' OR s.custody <> 'customer' AND m.kind IN ('shipment', 'receipt', 'adjustment'))
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4
"""
_COUNTED = "SELECT EXISTS (SELECT FROM stock WHERE batch_id = :batch_id)"
_RAISE_UNDER_WAY = """
INSERT INTO hold AS old (recall_number, lot_id, location_id, position, document_no, quantity, state, attempts, late,
                         requested_at, ended_at)
VALUES (:number, :lot_id, :location_id, 'in_transit', :document_no, CAST(:quantity AS numeric), 'nonconformity', 0,
        true, CAST(:at AS timestamptz), CAST(:at AS timestamptz))
ON CONFLICT (recall_number, lot_id, location_id, position, document_no) DO UPDATE
    SET quantity = CASE WHEN old.ended_at IS NULL OR old.state = 'nonconformity' THEN old.quantity ELSE 0 END
                   + excluded.quantity,
        turn = old.turn + (old.ended_at IS NOT NULL AND old.state <> 'nonconformity')::int, state = excluded.state,
        attempts = 0, last_error = NULL, late = true, confirmed_at = NULL, confirmed_by = NULL,
        ended_at = excluded.ended_at, ended_by = NULL
"""
"""Whoever keeps the place has yet to stop it: not confirmed."""


async def holders(session: AsyncSession, lot_ids: Sequence[int]) -> list[str]:
    """Recalls that hold units of these lots, or to whose nonconformity they would come; lock them before
    `follow_units`."""
    return list((await run(session, _HOLDERS, _binds(lot_ids))).scalars())


async def follow_units(
    session: AsyncSession, batch_id: int, lot_ids: Sequence[int], locked: Iterable[str], now: datetime
) -> None:
    """Let holds of the `locked` recalls follow what this batch moved between our places, and take in what it brought
    back or found.

    Claims of running recalls on what has come are the caller's, in the same transaction. No more is locked elsewhere
    than went missing under the hold, so what the gate has released moves freely.
    """
    moves = (await run(session, _MOVES, {"batch_id": batch_id})).all()
    if not moves and not (await run(session, _COUNTED, {"batch_id": batch_id})).scalar_one():
        return
    await run(session, _BY_HASH, {"nested": "off"})
    shifted = (await run(session, _SHIFTED, _binds(lot_ids) | {"batch_id": batch_id})).all()
    await run(session, _BY_HASH, {"nested": "on"})
    numbers = set(locked)
    found = _Found.of(row for row in shifted if row.recall_number in numbers)
    moved: defaultdict[ledger.Holding, Decimal] = defaultdict(Decimal)
    joined: defaultdict[str, set[int]] = defaultdict(set)
    places: set[ledger.Place] = set()
    for move, taken in found.taken(moves):
        for row, units in taken:
            if move.came_back or (row.recall_number, move.lot_id, move.source_id) in found.nonconforming:
                await _lock(session, row, units, now)
            places |= {(move.lot_id, move.source_id), (move.lot_id, move.target_id)}
            if move.came_back:
                joined[row.recall_number].add(move.lot_id)
            else:
                moved[row.recall_number, move.lot_id, move.source_id] += units
    for row, units in found.counted():
        await _lock(session, row, units, now)
        places.add((row.lot_id, row.location_id))
        joined[row.recall_number].add(row.lot_id)
    if moved:
        await ledger.take(session, moved, at=now, by="system", confirmed=False)
    if places:
        await ledger.settle(session, sorted(places), now)
    for number in sorted(joined):
        await open_for_holds(session, number, now, joined[number])
    for number in sorted({*joined, *(source[0] for source in moved)}):
        facts = {"batch_id": batch_id, "moved_from": sum(source[0] == number for source in moved)}
        await record(session, number, "holds.followed_units", now, facts | {"lots_joined": len(joined[number])})


@dataclass(frozen=True, slots=True)
class _Move:
    """Units that went from one place to another, by one movement or by several of a batch."""

    lot_id: int
    source_id: int
    target_id: int
    documents: Iterable[str | None]
    came_back: bool
    units: Decimal


@dataclass(frozen=True, slots=True)
class _Found:
    """What has shifted and is not spoken for yet, in units of use."""

    beyond: defaultdict[ledger.Place, list[_Row]]
    """Units that lie at a place."""
    coming: defaultdict[ledger.Place, dict[str | None, list[_Row]]]
    """Units under way to a place, by document."""
    units: dict[_Row, Decimal]
    missing: dict[ledger.Holding, Decimal]
    nonconforming: set[ledger.Holding]
    """Those of `missing` that nobody claims anew."""

    @classmethod
    def of(cls, rows: Iterable[_Row]) -> "_Found":
        found = cls(defaultdict(list), defaultdict(dict), {}, {}, set())
        for row in rows:
            if row.missing:
                there = (row.recall_number, row.lot_id, row.location_id)
                found.missing[there] = row.units
                if row.nonconforming:
                    found.nonconforming.add(there)
                continue
            if row.under_way:
                found.coming[row.lot_id, row.location_id].setdefault(row.document_no, []).append(row)
            else:
                found.beyond[row.lot_id, row.location_id].append(row)
            found.units[row] = row.units
        return found

    def taken(self, moves: Sequence[_Row]) -> Iterator[tuple["_Move", list[tuple[_Row, Decimal]]]]:
        """Which units of each recall these movements brought to where they are now: those that stayed where one
        brought them, then those that others of them took further.
        """
        direct = [
            _Move(row.lot_id, row.source_id, row.target_id, (row.document_no,), row.came_back, row.units)
            for row in moves
        ]
        on: defaultdict[ledger.Place, set[int]] = defaultdict(set)
        last: defaultdict[ledger.Place, set[str | None]] = defaultdict(set)
        left: defaultdict[tuple[int, int, bool], defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        """Units of each recall that left a place, or came back to it, and do not lie where a movement brought them."""
        numbers = {row.recall_number for row in self.units}
        for move in direct:
            taken = self.taken_by(move)
            yield move, taken
            last[move.lot_id, move.target_id].update(move.documents)
            if not move.came_back:
                on[move.lot_id, move.source_id].add(move.target_id)
            start = move.target_id if move.came_back else move.source_id
            for number in numbers:
                here = sum((units for row, units in taken if row.recall_number == number), ZERO)
                left[move.lot_id, start, move.came_back][number] += move.units - here
        for (lot_id, start, came_back), units in left.items():
            for place in _reached(on, lot_id, start):
                further = _Move(lot_id, start, place, last[lot_id, place], came_back, ZERO)
                yield further, self.taken_by(further, units)

    def taken_by(self, move: "_Move", left: dict[str, Decimal] | None = None) -> list[tuple[_Row, Decimal]]:
        """Which units of each recall this movement brought to where they are now; `left`: no more of each recall."""
        taken: list[tuple[_Row, Decimal]] = []
        left = {} if left is None else left
        there = (move.lot_id, move.target_id)
        coming = (row for document in move.documents for row in self.coming[there].get(document, []))
        for row in (*coming, *self.beyond[there]):
            if move.came_back and not row.claims_nothing:
                continue
            number, source = row.recall_number, (row.recall_number, move.lot_id, move.source_id)
            units = min(self.units[row], left.get(number, move.units))
            if not move.came_back:
                units = min(units, self.missing.get(source, ZERO))
            if units > 0:
                self.units[row] -= units
                left[number] = left.get(number, move.units) - units
                if not move.came_back:
                    self.missing[source] -= units
                taken.append((row, units))
        return taken

    def counted(self) -> list[tuple[_Row, Decimal]]:
        """Units of each recall that this batch's counts found and no movement explains."""
        here = [(row, min(units, row.found)) for row, units in self.units.items()]
        return [(row, units) for row, units in here if units > 0]


def _reached(on: Mapping[ledger.Place, set[int]], lot_id: int, start: int) -> dict[int, None]:
    """Places to which movements led from here, the nearest first."""
    found: dict[int, None] = {}
    edge = [start]
    while edge:
        edge = sorted({place for at in edge for place in on.get((lot_id, at), ())} - {*found, start})
        found |= dict.fromkeys(edge)
    return found


async def _lock(session: AsyncSession, row: _Row, units: Decimal, now: datetime) -> None:
    if row.under_way:
        place = {"number": row.recall_number, "lot_id": row.lot_id, "location_id": row.location_id}
        await run(session, _RAISE_UNDER_WAY, place | {"document_no": row.document_no, "quantity": units, "at": now})
    else:
        there = (row.recall_number, row.lot_id, row.location_id)
        await ledger.hold_at(session, *there, units, at=now, by="system", nonconforming=True)


def _binds(lot_ids: Sequence[int]) -> dict[str, Any]:
    ended = [phase.value for phase in FINAL_PHASES]
    return {"lot_ids": list(lot_ids), "ended": ended, "terminated": Phase.TERMINATED.value}


__all__ = ["follow_units", "holders"]
