"""The mass balance as SQL, one statement per group of terms, each over the whole scope at once.

Movements are read as the trace reads them (`trace_sql.positions`): a receipt confirms its shipment and is not counted
again, a count of stock is the truth at its instant. Three sides: `own` (our and logistics custody), `maker` (suppliers
and contract manufacturers that lock their own stock), `market` (everybody who got the product to use or sell).
"""

from typing import Final

from db.repositories import trace_sql

SCOPE: Final = """scope AS MATERIALIZED (
    SELECT s.lot_id FROM scope_lot s JOIN recall r ON r.number = s.recall_number AND r.scope_version = s.scope_version
    WHERE s.recall_number = :number AND (CAST(:lot AS bigint) IS NULL OR s.lot_id = CAST(:lot AS bigint))
)"""
"""Lots of the current scope version; a lot taken out by a reduction is in no balance."""

SIDE: Final = """CASE WHEN l.custody <> 'customer' THEN 'own'
            WHEN partner.kind IN ('supplier', 'manufacturer', 'regulator') THEN 'maker' ELSE 'market' END"""

LEDGER: Final = f"""
WITH {trace_sql.positions(SCOPE)},
place AS MATERIALIZED (
    SELECT l.id, {SIDE} AS side FROM location l JOIN partner ON partner.id = l.partner_id
),
hop AS MATERIALIZED (
    -- Goods that went from one side to another; `unknown` where the record names no place.
    SELECT m.lot_id, m.kind, m.quantity, coalesce(s.side, 'unknown') AS source, coalesce(t.side, 'unknown') AS target
    FROM moved m LEFT JOIN place s ON s.id = m.source_id LEFT JOIN place t ON t.id = m.target_id
    WHERE m.kind IN ('shipment', 'return') AND s.side IS DISTINCT FROM t.side
    UNION ALL
    SELECT a.lot_id, 'shipment', a.unsent, coalesce(s.side, 'unknown'), t.side
    FROM arrival a JOIN place t ON t.id = a.target_id LEFT JOIN place s ON s.id = a.receipt_source
    WHERE a.unsent > 0 AND s.side IS DISTINCT FROM t.side
),
under_way AS (
    SELECT a.lot_id, coalesce(s.side, 'unknown') AS source, t.side AS target, a.in_transit AS quantity
    FROM arrival a JOIN place t ON t.id = a.target_id LEFT JOIN place s ON s.id = a.sent_from
    WHERE a.in_transit > 0
),
term AS (
    SELECT lot_id, 'distributed' AS name, quantity FROM hop
    WHERE target = 'market' AND (kind = 'shipment' OR source = 'own') OR target = 'unknown' AND source = 'own'
    UNION ALL
    SELECT lot_id, CASE target WHEN 'own' THEN 'returned' ELSE 'returned_to_maker' END, quantity FROM hop
    WHERE source = 'market' AND target IN ('own', 'maker') OR source = 'unknown' AND target = 'own' AND kind = 'return'
    UNION ALL
    -- Sent back and not arrived yet: our dock has not counted it.
    SELECT lot_id, CASE target WHEN 'own' THEN 'returned' ELSE 'returned_to_maker' END, -quantity FROM under_way
    WHERE source = 'market' AND target <> 'market'
    UNION ALL
    SELECT lot_id, CASE target WHEN 'own' THEN 'own_stock' ELSE 'at_maker' END, quantity FROM under_way
    WHERE source <> 'market' AND target <> 'market'
    UNION ALL
    SELECT p.lot_id, CASE place.side WHEN 'own' THEN 'own_stock' ELSE 'at_maker' END,
           -- A place that gave out more than it is known to have got must have got what is still called under way.
           p.on_hand - CASE WHEN p.counted IS NULL
                            THEN least(p.in_transit, greatest(p.unlocated - p.net, 0)) ELSE 0 END
    FROM position p JOIN place ON place.id = p.location_id WHERE place.side <> 'market'
    UNION ALL
    SELECT p.lot_id, CASE place.side WHEN 'market' THEN 'destroyed_in_place' ELSE 'scrapped' END, p.destroyed
    FROM position p JOIN place ON place.id = p.location_id WHERE p.destroyed <> 0
    UNION ALL
    SELECT p.lot_id, CASE place.side WHEN 'own' THEN 'own_use' ELSE 'maker_use' END, p.consumed
    FROM position p JOIN place ON place.id = p.location_id WHERE p.consumed <> 0 AND place.side <> 'market'
    UNION ALL
    -- Without a batch quantity: what the places of origin have given out or have, beyond what they received.
    SELECT p.lot_id, 'received', p.on_hand - p.net
    FROM position p JOIN birth b ON b.lot_id = p.lot_id AND b.quantity_made IS NULL
    JOIN place ON place.id = p.location_id
    WHERE p.location_id = b.site_id OR place.side = 'maker'
    UNION ALL
    SELECT h.lot_id, 'received', h.quantity
    FROM hop h JOIN birth b ON b.lot_id = h.lot_id AND b.quantity_made IS NULL
    WHERE h.source = 'unknown' AND h.kind = 'shipment'
)
SELECT birth.quantity_made, birth.unlocated, t.*, birth.lot_id
FROM birth
LEFT JOIN (
    SELECT lot_id,
           sum(quantity) FILTER (WHERE name = 'received') AS received,
           coalesce(sum(quantity) FILTER (WHERE name = 'distributed'), 0) AS distributed,
           coalesce(sum(quantity) FILTER (WHERE name = 'own_stock'), 0) AS own_stock,
           coalesce(sum(quantity) FILTER (WHERE name = 'at_maker'), 0) AS at_maker,
           coalesce(sum(quantity) FILTER (WHERE name = 'scrapped'), 0) AS scrapped,
           coalesce(sum(quantity) FILTER (WHERE name = 'own_use'), 0) AS own_use,
           coalesce(sum(quantity) FILTER (WHERE name = 'maker_use'), 0) AS maker_use,
           coalesce(sum(quantity) FILTER (WHERE name = 'returned'), 0) AS returned,
           coalesce(sum(quantity) FILTER (WHERE name = 'returned_to_maker'), 0) AS returned_to_maker,
           coalesce(sum(quantity) FILTER (WHERE name = 'destroyed_in_place'), 0) AS destroyed_in_place
    FROM term GROUP BY lot_id
) AS t ON t.lot_id = birth.lot_id
ORDER BY birth.lot_id
"""  # noqa: S608 - constants
"""One row per lot of the scope: what movements and counts say."""

SETTLED: Final = """
settled AS MATERIALIZED (
    -- The latest statement that can be, or that quality has settled although it cannot (design §7).
    SELECT DISTINCT ON (r.consignee_id) r.consignee_id, r.id AS reply_id, r.received_at, c.partner_id
    FROM reply r JOIN consignee c ON c.id = r.consignee_id
    WHERE r.recall_number = :number AND r.kind = 'statement' AND c.state <> 'withdrawn'
      AND (NOT jsonb_path_exists(r.findings, '$[*] ? (@.severity != "note")')
           OR EXISTS (SELECT FROM consignee_documented d WHERE d.reply_id = r.id AND d.kind = 'settled'))
    ORDER BY r.consignee_id, r.id DESC
)"""

STATED: Final = f"""{SETTLED},
line AS MATERIALIZED (
    SELECT s.consignee_id, s.partner_id, s.received_at, l.lot_id, l.used, greatest(l.on_hand, l.held) AS on_hand,
           coalesce(l.returned, 0) AS returned, coalesce(l.destroyed, 0) AS destroyed,
           coalesce(l.returned, 0) + coalesce(l.destroyed, 0) > 0 AS gone_stated
    FROM settled s JOIN reply_line l ON l.reply_id = s.reply_id JOIN scope ON scope.lot_id = l.lot_id
),
counted_part AS MATERIALIZED (
    -- Parts carried out at consignees; those whose movement the ledger counts as gone are counted there, once.
    SELECT d.consignee_id, d.lot_id, d.kind, p.quantity, p.done_at,
           coalesce(m.kind IN ('return', 'shipment', 'destruction'), false) AS in_ledger
    FROM disposition d JOIN scope ON scope.lot_id = d.lot_id
    JOIN disposition_part p ON p.disposition_id = d.id
    LEFT JOIN movement m ON m.id = p.movement_id
    WHERE d.recall_number = :number AND d.consignee_id IS NOT NULL
),
gone AS (
    -- What has left a consignee since it stated what it had: by the ledger, and by parts without a movement. Where it
    -- stated returns or destruction, also what had left before: the rest of those was still to be counted.
    SELECT line.consignee_id, line.lot_id, m.quantity, m.occurred_at > line.received_at AS since,
           CASE m.kind WHEN 'destruction' THEN 'destroyed' ELSE 'returned' END AS way
    FROM line
    JOIN location here ON here.partner_id = line.partner_id
    JOIN movement m ON m.lot_id = line.lot_id AND m.from_location_id = here.id
     AND m.kind IN ('return', 'shipment', 'destruction') AND (m.occurred_at > line.received_at OR line.gone_stated)
    LEFT JOIN location there ON there.id = m.to_location_id
    LEFT JOIN partner ON partner.id = there.partner_id
    WHERE m.kind <> 'shipment' OR there.custody <> 'customer'
       OR partner.kind IN ('supplier', 'manufacturer', 'regulator')
    UNION ALL
    -- A consignee known from a reply only has no place its goods could leave: our count names whose they were.
    SELECT r.consignee_id, r.lot_id, r.quantity, r.counted_at > line.received_at, 'returned'
    FROM goods_return r JOIN line USING (consignee_id, lot_id) JOIN movement m ON m.id = r.movement_id
    WHERE m.from_location_id IS NULL AND (r.counted_at > line.received_at OR line.gone_stated)
    UNION ALL
    SELECT p.consignee_id, p.lot_id, p.quantity, p.done_at > line.received_at,
           CASE p.kind WHEN 'destroy' THEN 'destroyed' WHEN 'return_to_factory' THEN 'returned' ELSE 'other' END
    FROM counted_part p JOIN line USING (consignee_id, lot_id)
    WHERE NOT p.in_ledger AND p.kind <> 'return_to_us' AND (p.done_at > line.received_at OR line.gone_stated)
),
left_by AS (
    SELECT consignee_id, lot_id,
           coalesce(sum(quantity) FILTER (WHERE way = 'returned'), 0) AS returned,
           coalesce(sum(quantity) FILTER (WHERE way = 'returned' AND since), 0) AS returned_since,
           coalesce(sum(quantity) FILTER (WHERE way = 'destroyed'), 0) AS destroyed,
           coalesce(sum(quantity) FILTER (WHERE way = 'destroyed' AND since), 0) AS destroyed_since,
           coalesce(sum(quantity) FILTER (WHERE way = 'other' AND since), 0) AS other_since
    FROM gone GROUP BY 1, 2
),
remaining AS MATERIALIZED (
    SELECT f.*, greatest(f.on_hand - f.gone, 0) AS pending
    FROM (
        SELECT line.*, coalesce(g.returned, 0) AS returned_counted, coalesce(g.destroyed, 0) AS destroyed_counted,
               -- What was stated as gone and is counted later did not come out of what was stated as on hand.
               coalesce(greatest(g.returned_since - greatest(line.returned - (g.returned - g.returned_since), 0), 0)
                        + greatest(g.destroyed_since
                                   - greatest(line.destroyed - (g.destroyed - g.destroyed_since), 0), 0)
                        + g.other_since, 0) AS gone
        FROM line LEFT JOIN left_by g USING (consignee_id, lot_id)
    ) f
)"""  # noqa: S608 - constants
"""CTEs up to `remaining(consignee_id, lot_id, on_hand, gone, pending, used)`.

`returned` and `destroyed` of a line are the consignee's words and no terms of the balance: `returned_counted` and
`destroyed_counted` are what the record says of the same units (whole only where something was stated).
"""

STATEMENTS: Final = f"""
WITH {SCOPE}, {STATED},
recorded_use AS (
    -- A feed of uses counts where the consignee has stated nothing itself.
    SELECT m.lot_id, m.quantity
    FROM scope JOIN movement m ON m.lot_id = scope.lot_id AND m.kind = 'consumption'
    JOIN location l ON l.id = coalesce(m.from_location_id, m.to_location_id) AND l.custody = 'customer'
    JOIN partner ON partner.id = l.partner_id AND partner.kind NOT IN ('supplier', 'manufacturer', 'regulator')
    WHERE NOT EXISTS (SELECT FROM line WHERE line.lot_id = m.lot_id AND line.partner_id = l.partner_id)
)
SELECT f.lot_id,
       coalesce(sum(f.used) FILTER (WHERE NOT product.implantable), 0) AS used,
       coalesce(sum(f.used) FILTER (WHERE product.implantable), 0) AS implanted,
       sum(f.pending) AS held_pending
FROM (
    SELECT lot_id, used, pending FROM remaining
    UNION ALL
    SELECT lot_id, quantity, 0 FROM recorded_use
) AS f JOIN lot ON lot.id = f.lot_id JOIN product ON product.id = lot.product_id
GROUP BY f.lot_id
"""  # noqa: S608 - constants

DISPOSED: Final = f"""
WITH {SCOPE},
part AS (
    SELECT d.lot_id, d.kind, d.location_id, p.quantity, m.kind AS movement
    FROM disposition d JOIN scope ON scope.lot_id = d.lot_id
    JOIN disposition_part p ON p.disposition_id = d.id
    LEFT JOIN movement m ON m.id = p.movement_id
    WHERE d.recall_number = :number
      -- Returned, sent off or destroyed by a movement: the ledger has it.
      AND coalesce(m.kind NOT IN ('return', 'shipment', 'destruction'), true)
)
SELECT lot_id,
       coalesce(sum(quantity) FILTER (WHERE location_id IS NOT NULL AND kind = 'rework'
                                        AND movement IN ('adjustment', 'consumption')), 0) AS reworked,
       coalesce(sum(quantity) FILTER (WHERE location_id IS NOT NULL AND kind = 'rework'
                                        AND movement = 'consumption'), 0) AS reworked_as_use,
       coalesce(sum(quantity) FILTER (WHERE location_id IS NULL AND kind IN ('field_correction', 'rework')), 0)
           AS corrected,
       coalesce(sum(quantity) FILTER (WHERE location_id IS NULL AND kind = 'release'), 0) AS released,
       coalesce(sum(quantity) FILTER (WHERE location_id IS NULL AND kind = 'replace'), 0) AS replaced,
       coalesce(sum(quantity) FILTER (WHERE location_id IS NULL AND kind = 'destroy'), 0) AS destroyed,
       coalesce(sum(quantity) FILTER (WHERE location_id IS NULL AND kind = 'return_to_factory'), 0) AS to_maker
FROM part GROUP BY lot_id
"""  # noqa: S608 - constants

RETAINED: Final = f"""
WITH {SCOPE}
SELECT s.lot_id, sum(s.quantity) AS retained
FROM retained_sample s JOIN scope ON scope.lot_id = s.lot_id
WHERE s.recall_number = :number AND s.settled_at IS NULL
GROUP BY s.lot_id
"""  # noqa: S608 - constants
"""Samples still kept for the authority; they are part of the stock where they lie."""

LOTS: Final = f"""
WITH {SCOPE}
SELECT lot.id AS lot_id, lot.number, product.code AS product_code, site.code AS site_code,
       product.unit_of_use AS unit
FROM scope JOIN lot ON lot.id = scope.lot_id JOIN product ON product.id = lot.product_id
LEFT JOIN location site ON site.id = lot.site_id
ORDER BY lot.id
"""  # noqa: S608 - constants

DIFFERENCES: Final = f"""
WITH {SCOPE}, {STATED},
promised AS (
    SELECT consignee_id, lot_id, sum(quantity) AS quantity
    FROM counted_part WHERE kind = 'return_to_us' GROUP BY 1, 2
),
arrived AS (
    SELECT promised.consignee_id, promised.lot_id, sum(m.quantity) AS quantity
    FROM promised JOIN consignee c ON c.id = promised.consignee_id
    JOIN location here ON here.partner_id = c.partner_id
    JOIN movement m ON m.lot_id = promised.lot_id AND m.from_location_id = here.id AND m.kind = 'return'
    JOIN location dock ON dock.id = m.to_location_id AND dock.custody <> 'customer'
    GROUP BY 1, 2
),
found AS (
    SELECT consignee_id, lot_id, 'more_gone_than_stated' AS kind, on_hand AS stated, gone AS counted
    FROM remaining WHERE gone > on_hand
    UNION ALL
    SELECT consignee_id, lot_id, 'return_stated_not_counted', returned, returned_counted
    FROM remaining WHERE returned > returned_counted
    UNION ALL
    SELECT consignee_id, lot_id, 'destruction_stated_not_proven', destroyed, destroyed_counted
    FROM remaining WHERE destroyed > destroyed_counted
    UNION ALL
    SELECT promised.consignee_id, promised.lot_id, 'return_not_as_stated', promised.quantity,
           coalesce(arrived.quantity, 0)
    FROM promised LEFT JOIN arrived USING (consignee_id, lot_id)
    WHERE coalesce(arrived.quantity, 0) <> promised.quantity
)
SELECT found.kind, found.consignee_id, partner.code AS consignee_code, found.lot_id, lot.number AS lot_number,
       found.stated, found.counted
FROM found JOIN consignee c ON c.id = found.consignee_id JOIN partner ON partner.id = c.partner_id
JOIN lot ON lot.id = found.lot_id
ORDER BY found.lot_id, found.consignee_id, found.kind LIMIT :limit
"""  # noqa: S608 - constants
"""Where what was stated and what was counted part; the counted quantity is the one in the balance."""

_OF_NAMED: Final = STATED.replace(
    "AND c.state <> 'withdrawn'", "AND c.state <> 'withdrawn' AND c.id = ANY (CAST(:consignees AS bigint[]))"
)
PENDING: Final = f"""
WITH {SCOPE}, {_OF_NAMED}
SELECT r.consignee_id, partner.code AS consignee_code, r.lot_id, lot.number AS lot_number, r.pending
FROM remaining r JOIN consignee c ON c.id = r.consignee_id JOIN partner ON partner.id = c.partner_id
JOIN lot ON lot.id = r.lot_id
ORDER BY r.consignee_id, r.lot_id
"""  # noqa: S608 - constants
"""What the consignees named in `:consignees` should still have, every lot of their statements, 0 included."""

__all__ = ["DIFFERENCES", "DISPOSED", "LEDGER", "LOTS", "PENDING", "RETAINED", "SCOPE", "SIDE", "STATED", "STATEMENTS"]
