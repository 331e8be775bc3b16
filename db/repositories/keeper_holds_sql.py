"""Holds at keepers outside our ledger, as SQL: what should stand there, what was told, and what is due.

Every statement compares `hold` (what is wanted) with `keeper_hold` (what was told and acknowledged); none needs to
know what happened before.
"""

from typing import Final

_PLACE: Final = """place AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:location_ids AS bigint[]), CAST(:keepers AS text[])) AS p(location_id, keeper)
)"""
_OPEN: Final = "(h.quantity > 0 AND (h.ended_at IS NULL OR h.state = 'nonconformity'))"
_EARNEST: Final = "NOT EXISTS (SELECT FROM recall r WHERE r.number = h.recall_number AND r.drill)"
"""A drill asks no keeper for anything (design promise 10)."""
_CURRENT: Final = "(NOT k.closing AND k.turn = h.turn AND k.nonconforming = (h.state = 'nonconformity'))"
WANTED: Final = f"CASE WHEN {_CURRENT} AND {_OPEN} THEN h.quantity ELSE 0 END"
"""Units that should stand under a row `k` of the hold `h`."""
_WAITS: Final = "(h.confirmed_at IS NULL OR h.state IN ('requested', 'failed'))"
_RAISE: Final = f"(k.ended_at IS NULL AND {_CURRENT} AND {_OPEN} AND (k.held < h.quantity OR {_WAITS}))"
GONE: Final = "d.kind IN ('destroy', 'return_to_factory', 'rework')"
"""Dispositions by which units leave their place or lot; a release only ends the hold."""

PLACES: Final = """
SELECT DISTINCT h.location_id FROM hold h JOIN location l ON l.id = h.location_id
WHERE (CAST(:number AS text) IS NULL OR h.recall_number = :number) AND l.custody <> 'customer'
UNION
SELECT m.from_location_id FROM hold h JOIN location l ON l.id = h.location_id AND l.custody = 'customer'
JOIN movement m ON m.lot_id = h.lot_id AND m.kind = 'shipment' AND m.to_location_id = h.location_id
     AND m.document_no IS NOT DISTINCT FROM h.document_no
WHERE (CAST(:number AS text) IS NULL OR h.recall_number = :number) AND h.position = 'in_transit'
  AND m.from_location_id IS NOT NULL
"""
"""Places whose keepers hold something, or can stop what is under way to a customer."""

_KEPT: Final = f"""{_PLACE},
kept AS MATERIALIZED (
    SELECT h.id, h.recall_number, h.turn, h.state = 'nonconformity' AS nonconforming, place.keeper
    FROM hold h JOIN place USING (location_id) JOIN location l ON l.id = h.location_id
    WHERE {_OPEN} AND {_EARNEST} AND (CAST(:number AS text) IS NULL OR h.recall_number = :number)
      AND (h.position <> 'in_transit' OR l.custody <> 'customer')
    UNION
    -- On its way to a customer: whoever sent it can stop it.
    SELECT h.id, h.recall_number, h.turn, h.state = 'nonconformity',
           coalesce(min(place.keeper) FILTER (WHERE place.keeper <> CAST(:ledger AS text)), min(place.keeper))
    FROM hold h JOIN location l ON l.id = h.location_id AND l.custody = 'customer'
    JOIN movement m ON m.lot_id = h.lot_id AND m.kind = 'shipment' AND m.to_location_id = h.location_id
         AND m.document_no IS NOT DISTINCT FROM h.document_no
    JOIN place ON place.location_id = m.from_location_id
    WHERE {_OPEN} AND {_EARNEST} AND (CAST(:number AS text) IS NULL OR h.recall_number = :number)
      AND h.position = 'in_transit'
    GROUP BY h.id
)"""  # noqa: S608 - constants

MOVED_KEEPER: Final = f"""
WITH {_KEPT}
UPDATE keeper_hold k SET closing = true
FROM kept WHERE k.hold_id = kept.id AND k.keeper <> kept.keeper AND k.ended_at IS NULL AND NOT k.closing
RETURNING k.hold_id, kept.recall_number
"""  # noqa: S608 - constants
"""Another keeper has taken over the place: the hold is asked of it, and then ended at the former one."""

WANTED_AGAIN: Final = f"""
WITH {_KEPT}
UPDATE keeper_hold k SET closing = false, held = 0
FROM kept WHERE k.hold_id = kept.id AND k.turn = kept.turn AND k.keeper = kept.keeper
  AND k.nonconforming = kept.nonconforming AND k.closing AND k.ended_at IS NULL
  AND NOT EXISTS (
    SELECT FROM keeper_hold later WHERE later.hold_id = k.hold_id AND later.turn = k.turn AND later.keeper = k.keeper
       AND later.nonconforming = k.nonconforming AND later.ended_at IS NULL AND later.generation > k.generation)
"""  # noqa: S608 - constants
"""The keeper has not said yet that it let go, and the hold is wanted once more: the same key is asked for again.

Beside the former one a new key of the same claimant would find nothing left to lock. If the keeper has let go by now,
it says so, and the hold gets another key.
"""

_NEW_KEYS: Final = """
INSERT INTO keeper_hold (key, hold_id, keeper, claimant, nonconforming, turn, generation, attempts, closing, planned_at)
SELECT recall_number || ':hold:' || id || CASE WHEN turn > 0 THEN ':' || turn ELSE '' END
       || CASE WHEN nth > 0 THEN '\\:g' || nth ELSE '' END,
       id, keeper, recall_number || CASE WHEN nonconforming THEN '\\:nonconformity' ELSE '' END, nonconforming, turn,
       nth, 0, false, CAST(:now AS timestamptz)
FROM fresh ORDER BY id
ON CONFLICT DO NOTHING
"""
PLAN: Final = f"""
WITH {_KEPT}, fresh AS (
    SELECT kept.*, (SELECT count(*) FROM keeper_hold old WHERE old.hold_id = kept.id AND old.turn = kept.turn) AS nth
    FROM kept WHERE keeper <> :ledger AND NOT EXISTS (
        SELECT FROM keeper_hold k WHERE k.hold_id = kept.id AND k.turn = kept.turn AND k.keeper = kept.keeper
           AND k.nonconforming = kept.nonconforming AND k.ended_at IS NULL AND NOT k.closing)
)
{_NEW_KEYS}
"""  # noqa: S608 - constants
"""Keys go on from `domain.inventory.hold_key`; once the recall's claim has ended, quality holds, from that recall."""

PLAN_DISPOSALS: Final = f"""
WITH {_PLACE}
INSERT INTO keeper_disposal (part_id, key, keeper, attempts, planned_at)
SELECT p.id, d.recall_number || ':disposal:' || p.id, place.keeper, 0, CAST(:now AS timestamptz)
FROM place JOIN disposition d USING (location_id) JOIN disposition_part p ON p.disposition_id = d.id
WHERE {GONE} AND place.keeper <> :ledger
  -- It was to hold units of the lot there before these left: what came before is none of its business.
  AND EXISTS (SELECT FROM hold h JOIN keeper_hold k ON k.hold_id = h.id
              WHERE h.lot_id = d.lot_id AND h.location_id = d.location_id AND k.keeper = place.keeper
                AND k.planned_at <= p.done_at)
ORDER BY p.id ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
"""Whoever's: the keeper's count of the place is only as good as what it has booked for all recalls."""

DUE_DISPOSALS: Final = """
SELECT kd.part_id, kd.key, d.recall_number, d.kind, d.lot_id, d.location_id, p.quantity, p.document_no, p.result_lot_id
FROM keeper_disposal kd JOIN disposition_part p ON p.id = kd.part_id JOIN disposition d ON d.id = p.disposition_id
WHERE kd.keeper = :keeper AND kd.acknowledged_at IS NULL ORDER BY kd.attempts, kd.part_id LIMIT :limit
"""

_ASKED: Final = """
SELECT k.key, k.claimant, h.id AS hold_id, h.turn, h.recall_number, h.lot_id, h.location_id, l.custody, h.position,
       h.quantity, h.document_no
FROM keeper_hold k JOIN hold h ON h.id = k.hold_id JOIN location l ON l.id = h.location_id
"""
DUE_RAISES: Final = f"""
WITH coming AS MATERIALIZED (
    SELECT p.result_lot_id AS lot_id, d.location_id, sum(p.quantity) AS quantity
    FROM keeper_disposal kd JOIN disposition_part p ON p.id = kd.part_id JOIN disposition d ON d.id = p.disposition_id
    WHERE kd.keeper = :keeper AND kd.acknowledged_at IS NULL AND p.result_lot_id IS NOT NULL
    GROUP BY p.result_lot_id, d.location_id
)
{_ASKED} LEFT JOIN coming ON coming.lot_id = h.lot_id AND coming.location_id = h.location_id AND h.position = 'on_hand'
WHERE k.keeper = :keeper AND {_RAISE} AND (coming.quantity IS NULL OR k.held + coming.quantity < h.quantity)
ORDER BY h.recall_number = CAST(:number AS text) DESC NULLS LAST, k.attempts, h.id LIMIT :limit
"""  # noqa: S608 - constants
"""What the keeper must lock; this recall's first, then what was tried least.

Not what only a rework makes that the keeper has not booked yet: asked before, it locks nothing.
"""

DUE_AGAIN: Final = f"""
{_ASKED}
WHERE k.keeper = :keeper AND k.ended_at IS NULL AND {_CURRENT} AND {_OPEN} AND k.held >= h.quantity AND NOT {_WAITS}
  AND k.acknowledged_at < CAST(:now AS timestamptz)
                          - CASE WHEN h.recall_number = CAST(:number AS text) THEN interval '0'
                                 ELSE CAST(:seldom AS interval) END
ORDER BY k.acknowledged_at, h.id LIMIT :limit
"""
"""What the keeper has acknowledged, longest ago first: of this recall at each look, of others after `seldom`."""

RELEASED: Final = """
UPDATE keeper_hold k SET closing = true, held = 0, asked = 0, ended_at = CAST(:now AS timestamptz) FROM hold h
WHERE h.id = k.hold_id AND k.key = ANY(CAST(:keys AS text[])) AND k.ended_at IS NULL
RETURNING k.key, k.hold_id, h.recall_number
"""
"""The keeper let go by itself: nothing is locked under the key."""

RENEW: Final = f"""
WITH fresh AS (
    SELECT h.id, h.recall_number, h.turn, k.nonconforming, k.keeper,
           (SELECT count(*) FROM keeper_hold old WHERE old.hold_id = h.id AND old.turn = h.turn) AS nth
    FROM keeper_hold k JOIN hold h ON h.id = k.hold_id
    WHERE k.key = ANY(CAST(:keys AS text[])) AND k.ended_at IS NOT NULL AND {_OPEN}
      AND k.turn = h.turn AND k.nonconforming = (h.state = 'nonconformity')
)
{_NEW_KEYS}
"""  # noqa: S608 - constants
"""Another key where the hold is still wanted: until it is locked, what else stands for the hold is not let go."""


def _all_there_is(hold: str, row: str) -> str:
    """Whether the keeper has counted, and there is no more at the place than it holds for the recall."""
    return f"""EXISTS (
        SELECT FROM stock s WHERE s.lot_id = {hold}.lot_id AND s.location_id = {hold}.location_id
           AND s.source = {row}.keeper AND {hold}.position <> 'in_transit' AND s.on_hand <= (
               SELECT sum(mine.held) FROM hold each JOIN keeper_hold mine ON mine.hold_id = each.id
               WHERE each.recall_number = {hold}.recall_number AND each.lot_id = {hold}.lot_id
                 AND each.location_id = {hold}.location_id AND each.position <> 'in_transit'
                 AND mine.ended_at IS NULL AND NOT mine.closing AND mine.turn = each.turn
                 AND mine.nonconforming = (each.state = 'nonconformity')))"""  # noqa: S608 - our own names


_BEFORE: Final = f"""(
    -- Nothing is let go before what takes its place is locked: the same units under another name, arrived, redirected.
    ({_OPEN} OR h.position = 'in_transit') AND EXISTS (
        SELECT FROM hold o JOIN keeper_hold r ON r.hold_id = o.id
        WHERE o.recall_number = h.recall_number AND o.lot_id = h.lot_id
          AND (o.id = h.id OR h.position = 'in_transit' AND (
               o.location_id = h.location_id
               OR o.position = 'in_transit' AND o.document_no IS NOT DISTINCT FROM h.document_no))
          AND {_RAISE.replace("k.", "r.").replace("h.", "o.")} AND NOT {_all_there_is("o", "r")})
    OR EXISTS (
        SELECT FROM disposition d JOIN disposition_part p ON p.disposition_id = d.id
        WHERE d.lot_id = h.lot_id AND d.location_id = h.location_id AND {GONE} AND p.done_at >= k.planned_at
          AND NOT EXISTS (SELECT FROM keeper_disposal kd WHERE kd.part_id = p.id AND kd.acknowledged_at IS NOT NULL)))
"""  # noqa: S608 - constants
_LOWER: Final = f"""k.ended_at IS NULL AND NOT {_BEFORE}
  AND ({WANTED} < greatest(k.held, k.asked) OR {WANTED} = 0)"""

DUE_LOWERS: Final = f"""
SELECT k.key FROM keeper_hold k JOIN hold h ON h.id = k.hold_id
WHERE k.keeper = :keeper AND {_LOWER}
ORDER BY h.recall_number = CAST(:number AS text) DESC NULLS LAST, k.attempts, h.id LIMIT :limit
"""  # noqa: S608 - constants

BEGIN_RAISE: Final = """
UPDATE keeper_hold k SET asked = greatest(k.asked, told.quantity), asked_at = CAST(:now AS timestamptz),
       attempts = k.attempts + 1
FROM unnest(CAST(:keys AS text[]), CAST(:quantities AS numeric[])) AS told(key, quantity)
WHERE k.key = told.key AND k.ended_at IS NULL AND NOT k.closing
RETURNING k.key
"""
"""Written down before the keeper is told, so that nothing told is ever forgotten."""

BEGIN_LOWER: Final = f"""
UPDATE keeper_hold k SET closing = k.closing OR {WANTED} = 0, held = least(k.held, {WANTED}), attempts = k.attempts + 1
FROM hold h WHERE h.id = k.hold_id AND k.key = ANY(CAST(:keys AS text[])) AND {_LOWER}
RETURNING k.key, CASE WHEN k.closing THEN 0 ELSE {WANTED} END AS wanted, k.asked_at IS NOT NULL AS told, h.recall_number
"""  # noqa: S608 - constants
"""From here on the keeper may hold as little as that, and as much as before, until it answers."""

ACKNOWLEDGE: Final = """
UPDATE keeper_hold k SET held = told.held, asked = CASE WHEN told.lowered THEN told.held ELSE k.asked END,
       acknowledged_at = CAST(:now AS timestamptz), last_error = NULL, by = coalesce(told.by, k.by),
       ended_at = CASE WHEN told.lowered AND told.held = 0 AND k.closing THEN CAST(:now AS timestamptz) END
FROM unnest(CAST(:keys AS text[]), CAST(:held AS numeric[]), CAST(:lowered AS boolean[]), CAST(:by AS text[]))
     AS told(key, held, lowered, by)
WHERE k.key = told.key AND k.ended_at IS NULL
RETURNING k.key
"""

LESS: Final = """
SELECT k.hold_id FROM unnest(CAST(:keys AS text[]), CAST(:held AS numeric[])) AS told(key, held)
JOIN keeper_hold k ON k.key = told.key WHERE told.held < k.held
"""
"""Holds of which less is locked than the keeper had acknowledged."""

UNDONE: Final = """
UPDATE keeper_hold k SET held = 0 FROM hold h
WHERE h.id = k.hold_id AND k.key = ANY(CAST(:keys AS text[])) AND k.ended_at IS NULL AND k.held > 0
RETURNING k.key, k.hold_id, h.recall_number
"""

FAIL: Final = """
UPDATE keeper_hold k SET last_error = left(failed.error, 500)
FROM unnest(CAST(:keys AS text[]), CAST(:errors AS text[])) AS failed(key, error) WHERE k.key = failed.key
"""

SHORT: Final = f"""
SELECT k.key, h.id AS hold_id, told.held, told.asked, told.by, {_all_there_is("h", "k")} AS all_there_is
FROM unnest(CAST(:keys AS text[]), CAST(:asked AS numeric[]), CAST(:held AS numeric[]), CAST(:by AS text[]))
     AS told(key, asked, held, by)
JOIN keeper_hold k ON k.key = told.key JOIN hold h ON h.id = k.hold_id
"""  # noqa: S608 - constants
"""What each answer means for its hold: all of it locked, all there is, or too little."""

DISPOSED: Final = """
UPDATE keeper_disposal SET acknowledged_at = CAST(:now AS timestamptz), reference = :reference, last_error = NULL,
       attempts = attempts + 1
WHERE part_id = :part_id AND acknowledged_at IS NULL RETURNING part_id
"""
NOT_DISPOSED: Final = (
    "UPDATE keeper_disposal SET attempts = attempts + 1, last_error = left(:error, 500) WHERE part_id = :part_id"
)

STANDING: Final = """
SELECT DISTINCT keeper FROM keeper_hold WHERE ended_at IS NULL
UNION SELECT keeper FROM keeper_disposal WHERE acknowledged_at IS NULL
"""
