"""Exposure as SQL over the whole scope: events of each site and lot, the level after each, the area under it.

`:start` is the awareness, `:until` now or the end of the recall. What each event means is in `domain.exposure`.
"""

from typing import Final

from db.repositories import trace_sql
from db.repositories.mass_balance_sql import SCOPE, SIDE

_PLACES: Final = f"""
place AS MATERIALIZED (
    SELECT l.id, l.partner_id, {SIDE} AS side FROM location l JOIN partner ON partner.id = l.partner_id
),
hop AS MATERIALIZED (
    SELECT m.id, m.lot_id, m.kind, m.quantity, m.delivered, m.occurred_at AS at, m.document_no, m.source_id,
           s.side AS source, t.side AS target, s.partner_id AS source_partner, t.partner_id AS target_partner
    FROM moved m LEFT JOIN place s ON s.id = m.source_id LEFT JOIN place t ON t.id = m.target_id
    WHERE m.kind IN ('shipment', 'return')
      AND (s.side IS DISTINCT FROM t.side OR s.side = 'market' AND s.partner_id <> t.partner_id)
),
unsent AS MATERIALIZED (
    SELECT a.lot_id, a.unsent AS quantity, a.last_at AS at, a.receipt_source AS source_id, s.side AS source,
           t.side AS target, s.partner_id AS source_partner, t.partner_id AS target_partner
    FROM arrival a JOIN place t ON t.id = a.target_id LEFT JOIN place s ON s.id = a.receipt_source
    WHERE a.unsent > 0 AND (s.side IS DISTINCT FROM t.side OR s.side = 'market' AND s.partner_id <> t.partner_id)
)"""  # noqa: S608 - constants

_SAID: Final = """
statement AS MATERIALIZED (
    -- Every statement that can be, or that quality has settled: each counts from its instant until the next.
    SELECT r.id, r.consignee_id, c.partner_id, c.action_done_at, r.received_at AS at,
           row_number() OVER (PARTITION BY r.consignee_id ORDER BY r.id DESC) = 1 AS last
    FROM reply r JOIN consignee c ON c.id = r.consignee_id
    WHERE r.recall_number = :number AND r.kind = 'statement' AND c.state <> 'withdrawn'
      AND (NOT jsonb_path_exists(r.findings, '$[*] ? (@.severity != "note")')
           OR EXISTS (SELECT FROM consignee_documented d WHERE d.reply_id = r.id AND d.kind = 'settled'))
),
said AS MATERIALIZED (
    SELECT s.id, s.partner_id, l.lot_id, s.at, l.used, l.held, greatest(l.on_hand, l.held) AS on_hand,
           coalesce(l.returned, 0) + coalesce(l.destroyed, 0) AS gone, s.last, s.action_done_at
    FROM statement s JOIN reply_line l ON l.reply_id = s.id JOIN scope ON scope.lot_id = l.lot_id
),
passing AS (
    -- Passed on by words alone: the receiver has no shipment on record.
    SELECT p.lot_id, s.partner_id AS sender, receiver.partner_id AS receiver, p.quantity, s.at
    FROM statement s JOIN passed_on p ON p.reply_id = s.id JOIN scope ON scope.lot_id = p.lot_id
    JOIN consignee receiver ON receiver.id = p.consignee_id
    JOIN consignee_lot l ON l.consignee_id = p.consignee_id AND l.lot_id = p.lot_id AND l.stated
    WHERE s.last
)"""

_MARKET: Final = """
market_event AS (
    SELECT target_partner AS partner_id, lot_id, at, quantity AS got, 0 AS gone, 0 AS fed,
           NULL::numeric AS used, NULL::numeric AS held, NULL::numeric AS said_gone, NULL::bigint AS reply_id
    FROM hop WHERE target = 'market' AND (kind = 'shipment' OR source IN ('own', 'market'))
    UNION ALL
    SELECT target_partner, lot_id, at, quantity, 0, 0, NULL, NULL, NULL, NULL FROM unsent WHERE target = 'market'
    UNION ALL
    -- To nowhere on record: at risk with nobody.
    SELECT 0, lot_id, at, quantity, 0, 0, NULL, NULL, NULL, NULL FROM hop WHERE source = 'own' AND target IS NULL
    UNION ALL
    SELECT source_partner, lot_id, at, -quantity, 0, 0, NULL, NULL, NULL, NULL
    FROM hop WHERE source = 'market' AND target = 'market'
    UNION ALL
    SELECT source_partner, lot_id, at, -quantity, 0, 0, NULL, NULL, NULL, NULL
    FROM unsent WHERE source = 'market' AND target = 'market'
    UNION ALL
    SELECT sender, lot_id, at, -quantity, 0, 0, NULL, NULL, NULL, NULL FROM passing
    UNION ALL
    SELECT receiver, lot_id, at, quantity, 0, 0, NULL, NULL, NULL, NULL FROM passing
    UNION ALL
    -- Back with us or at the maker: when it is counted there.
    SELECT coalesce(h.source_partner, c.partner_id, 0), h.lot_id, h.at, 0, h.quantity, 0, NULL, NULL, NULL, NULL
    FROM hop h LEFT JOIN goods_return r ON r.movement_id = h.id AND r.recall_number = :number
    LEFT JOIN consignee c ON c.id = r.consignee_id
    WHERE (h.source = 'market' OR h.source IS NULL AND h.kind = 'return') AND h.target IN ('own', 'maker')
      AND (h.kind = 'return' OR h.delivered)
    UNION ALL
    SELECT s.partner_id, a.lot_id, a.last_at, 0, a.matched, 0, NULL, NULL, NULL, NULL
    FROM arrival a JOIN place t ON t.id = a.target_id JOIN place s ON s.id = a.sent_from
    WHERE a.matched > 0 AND s.side = 'market' AND t.side <> 'market'
    UNION ALL
    SELECT source_partner, lot_id, at, 0, quantity, 0, NULL, NULL, NULL, NULL
    FROM unsent WHERE source = 'market' AND target <> 'market'
    UNION ALL
    SELECT l.partner_id, m.lot_id, m.occurred_at, 0, m.quantity, 0, NULL, NULL, NULL, NULL
    FROM moved m JOIN place l ON l.id = coalesce(m.source_id, m.target_id) AND l.side = 'market'
    WHERE m.kind = 'destruction'
    UNION ALL
    SELECT c.partner_id, d.lot_id, p.done_at, 0, p.quantity, 0, NULL, NULL, NULL, NULL
    FROM disposition d JOIN scope ON scope.lot_id = d.lot_id JOIN consignee c ON c.id = d.consignee_id
    JOIN disposition_part p ON p.disposition_id = d.id LEFT JOIN movement m ON m.id = p.movement_id
    WHERE d.recall_number = :number AND d.kind <> 'return_to_us'
      AND coalesce(m.kind NOT IN ('return', 'shipment', 'destruction'), true)
    UNION ALL
    SELECT l.partner_id, m.lot_id, m.occurred_at, 0, 0, m.quantity, NULL, NULL, NULL, NULL
    FROM moved m JOIN place l ON l.id = coalesce(m.source_id, m.target_id) AND l.side = 'market'
    WHERE m.kind = 'consumption'
    UNION ALL
    SELECT partner_id, lot_id, at, 0, 0, 0, used, held, gone, id FROM said
    UNION ALL
    -- Action confirmed: what it has on hand is set aside.
    SELECT partner_id, lot_id, greatest(action_done_at, at), 0, 0, 0, used, on_hand, gone, id + 1
    FROM said WHERE last AND action_done_at IS NOT NULL
),
market_instant AS (
    SELECT partner_id, lot_id, greatest(at, :start) AS at, sum(got) AS got, sum(gone) AS gone, sum(fed) AS fed,
           (array_agg(used ORDER BY reply_id DESC) FILTER (WHERE reply_id IS NOT NULL))[1] AS used,
           (array_agg(held ORDER BY reply_id DESC) FILTER (WHERE reply_id IS NOT NULL))[1] AS held,
           (array_agg(said_gone ORDER BY reply_id DESC) FILTER (WHERE reply_id IS NOT NULL))[1] AS said_gone
    FROM market_event WHERE at <= :until GROUP BY 1, 2, 3
),
market_sum AS (
    SELECT partner_id, lot_id, at, used, held, said_gone, sum(got) OVER so_far AS got, sum(gone) OVER so_far AS gone,
           sum(fed) OVER so_far AS fed, count(used) OVER so_far AS turn
    FROM market_instant WINDOW so_far AS (PARTITION BY partner_id, lot_id ORDER BY at)
),
market_said AS (
    SELECT partner_id, lot_id, at, got, gone, fed, turn, first_value(used) OVER since AS used,
           first_value(held) OVER since AS held, first_value(said_gone) OVER since AS said_gone,
           first_value(gone) OVER since AS gone_then
    FROM market_sum WINDOW since AS (PARTITION BY partner_id, lot_id, turn ORDER BY at)
),
market_level AS (
    SELECT 'consignee' AS side, partner_id AS place_id, lot_id, at,
           greatest(got - gone - coalesce(used, fed) - greatest(coalesce(held, 0) - greatest(
               gone - gone_then - greatest(said_gone - gone_then, 0), 0), 0), 0) AS at_risk,
           coalesce(used, fed) AS used
    FROM market_said
)"""

_OWN: Final = """
own_unit AS (
    -- Units under a hold, or taken out of one by a disposition; until when they were not safe.
    SELECT h.lot_id, h.location_id, h.quantity, CASE WHEN h.late THEN h.requested_at END AS since,
           CASE WHEN h.state NOT IN ('requested', 'failed') THEN h.confirmed_at END AS safe_at,
           CASE WHEN h.late THEN 2 ELSE 3 END AS turn
    FROM hold h JOIN scope ON scope.lot_id = h.lot_id
    WHERE h.recall_number = :number AND h.quantity > 0
    UNION ALL
    SELECT d.lot_id, d.location_id, p.quantity, NULL, least(p.done_at, h.confirmed_at), 1
    FROM disposition d JOIN scope ON scope.lot_id = d.lot_id JOIN disposition_part p ON p.disposition_id = d.id
    LEFT JOIN (
        SELECT lot_id, location_id, min(confirmed_at) AS confirmed_at FROM hold
        WHERE recall_number = :number GROUP BY 1, 2
    ) h ON h.lot_id = d.lot_id AND h.location_id = d.location_id
    WHERE d.recall_number = :number AND d.location_id IS NOT NULL
),
own_weight AS (
    -- Goods counted at our dock were safe from the count on: their part of what lies there is left out.
    SELECT u.lot_id, u.location_id, u.since, u.safe_at, u.quantity,
           sum(u.quantity) OVER (PARTITION BY u.lot_id, u.location_id ORDER BY u.turn, u.safe_at DESC, u.quantity
                                 ROWS UNBOUNDED PRECEDING) - coalesce(r.quantity, 0) AS beyond
    FROM own_unit u LEFT JOIN (
        SELECT lot_id, location_id, sum(quantity) AS quantity FROM goods_return
        WHERE recall_number = :number GROUP BY 1, 2
    ) r ON r.lot_id = u.lot_id AND r.location_id = u.location_id
),
own_event AS (
    SELECT location_id, lot_id, greatest(since, :start) AS at, least(quantity, beyond) AS change
    FROM own_weight WHERE beyond > 0
    UNION ALL
    SELECT location_id, lot_id, greatest(safe_at, since, :start), -least(quantity, beyond)
    FROM own_weight WHERE beyond > 0 AND safe_at IS NOT NULL
    UNION ALL
    SELECT source_id, lot_id, edge.at, edge.sign * quantity
    FROM hop CROSS JOIN LATERAL (VALUES (CAST(:start AS timestamptz), 1), (hop.at, -1)) AS edge (at, sign)
    WHERE source = 'own' AND target IS DISTINCT FROM 'own' AND hop.at > :start AND kind = 'shipment'
),
own_instant AS (
    SELECT location_id, lot_id, at, sum(change) AS change FROM own_event WHERE at <= :until GROUP BY 1, 2, 3
),
own_level AS (
    SELECT 'own' AS side, location_id AS place_id, lot_id, at,
           greatest(sum(change) OVER (PARTITION BY location_id, lot_id ORDER BY at), 0) AS at_risk, 0::numeric AS used
    FROM own_instant
)"""

STEPS: Final = f"""
WITH {trace_sql.positions(SCOPE)}, {_PLACES}, {_SAID}, {_MARKET}, {_OWN},
step AS MATERIALIZED (
    SELECT side, place_id, lot_id, at, at_risk, used, lead(at) OVER site IS NULL AS now,
           at_risk - lag(at_risk, 1, 0::numeric) OVER site AS change,
           at_risk * extract(epoch FROM coalesce(lead(at) OVER site, :until) - at) AS unit_seconds
    FROM (SELECT * FROM market_level UNION ALL SELECT * FROM own_level) AS level
    WINDOW site AS (PARTITION BY side, place_id, lot_id ORDER BY at)
)"""  # noqa: S608 - constants
"""CTEs up to `step`: the level of each site and lot from an instant on, and its area until the next."""

LOTS_AND_CURVE: Final = f"""
{STEPS},
instants AS (SELECT count(DISTINCT at) AS number FROM step),
shown AS (
    -- Too many instants: a change shows at the end of its interval, so that the last value is the true one.
    SELECT CASE WHEN instants.number <= :points OR step.at <= :start THEN step.at
                ELSE least(CAST(:until AS timestamptz), CAST(:start AS timestamptz) + CAST(:width AS interval)
                     * ceil(extract(epoch FROM step.at - :start) / extract(epoch FROM CAST(:width AS interval)))::float)
           END AS at, step.change
    FROM step CROSS JOIN instants
)
SELECT 'lot' AS part, step.lot_id, lot.number AS lot_number, product.code AS product_code,
       product.unit_of_use AS unit, CAST(NULL AS timestamptz) AS at, sum(unit_seconds) AS unit_seconds,
       coalesce(sum(at_risk) FILTER (WHERE now), 0) AS at_risk, coalesce(sum(used) FILTER (WHERE now), 0) AS used
FROM step JOIN lot ON lot.id = step.lot_id JOIN product ON product.id = lot.product_id
GROUP BY 2, 3, 4, 5
UNION ALL
SELECT 'curve', NULL, NULL, NULL, NULL, at, NULL, sum(sum(change)) OVER (ORDER BY at), NULL FROM shown GROUP BY at
ORDER BY 1, 7 DESC NULLS LAST, 6, 2
"""  # noqa: S608 - constants
"""One row per lot, the largest area first, and the curve of the whole recall."""

SITES: Final = f"""
{STEPS},
site AS (
    SELECT side, place_id, lot_id, sum(unit_seconds) AS unit_seconds,
           coalesce(sum(at_risk) FILTER (WHERE now), 0) AS at_risk, coalesce(sum(used) FILTER (WHERE now), 0) AS used
    FROM step GROUP BY 1, 2, 3
),
page AS MATERIALIZED (
    SELECT * FROM site
    WHERE CAST(:after AS numeric) IS NULL
       OR (-unit_seconds, side, place_id, lot_id) > (-CAST(:after AS numeric), CAST(:after_side AS text),
                                                     CAST(:after_place AS bigint), CAST(:after_lot AS bigint))
    ORDER BY -unit_seconds, side, place_id, lot_id LIMIT :limit
)
SELECT page.*, c.id AS consignee_id, coalesce(partner.code, location.code, '') AS code,
       coalesce(partner.name, location.name, '') AS name, lot.number AS lot_number
FROM page JOIN lot ON lot.id = page.lot_id
LEFT JOIN partner ON page.side = 'consignee' AND partner.id = page.place_id
LEFT JOIN location ON page.side = 'own' AND location.id = page.place_id
LEFT JOIN consignee c ON c.recall_number = :number AND c.partner_id = partner.id
ORDER BY -page.unit_seconds, page.side, page.place_id, page.lot_id
"""  # noqa: S608 - constants
"""Rows by site and lot, the largest area first."""

PLACES: Final = f"""
{STEPS},
place_sum AS (
    SELECT side, place_id, sum(unit_seconds) AS unit_seconds,
           coalesce(sum(at_risk) FILTER (WHERE now), 0) AS at_risk, coalesce(sum(used) FILTER (WHERE now), 0) AS used
    FROM step GROUP BY 1, 2
)
SELECT p.side, p.place_id, c.id AS consignee_id, coalesce(partner.code, location.code, '') AS code,
       p.unit_seconds / 3600 AS unit_hours, p.at_risk, p.used
FROM place_sum p
LEFT JOIN partner ON p.side = 'consignee' AND partner.id = p.place_id
LEFT JOIN location ON p.side = 'own' AND location.id = p.place_id
LEFT JOIN consignee c ON c.recall_number = :number AND c.partner_id = partner.id
ORDER BY p.unit_seconds DESC, p.side, p.place_id
"""  # noqa: S608 - constants
"""One row per consignee and place of ours over all its lots, the largest area first."""

__all__ = ["LOTS_AND_CURVE", "PLACES", "SITES", "STEPS"]
