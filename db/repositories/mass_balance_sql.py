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

_TERMS: Final = (
    "distributed",
    "returned",
    "returned_to_maker",
    "destroyed_in_place",
    "scrapped",
    "own_use",
    "maker_use",
)
_N: Final = {term: number for number, term in enumerate(_TERMS)}
_SUMS: Final = ",\n           ".join(f"sum(quantity) FILTER (WHERE term = {n}) AS {term}" for term, n in _N.items())
MAKERS: Final = "('supplier', 'manufacturer', 'regulator')"
"""Kinds of partners that lock their own stock."""
OURS: Final = f"""ours AS MATERIALIZED (
    SELECT id, 'own' AS side FROM location WHERE custody <> 'customer'
    UNION ALL
    SELECT l.id, 'maker' FROM partner JOIN location l ON l.partner_id = partner.id
    WHERE partner.kind IN {MAKERS} AND l.custody = 'customer'
)"""  # noqa: S608 - constants
"""The places of two sides. Every other one is the market's, which is most of them: they are not joined row by row."""
_ASKED: Final = """
    SELECT id FROM ours
    UNION SELECT lot.site_id FROM scope JOIN lot ON lot.id = scope.lot_id WHERE lot.site_id IS NOT NULL"""
"""What is at the market follows from hops and statements; its positions, most of all there are, are in no term."""

LEDGER: Final = f"""
WITH {trace_sql.positions(f"{SCOPE}, {OURS}", at=_ASKED)},
went AS (
    -- Goods that went from one side to another; `unknown` where the record names no place.
    SELECT lot_id, kind, quantity, source_id, target_id FROM moved
    WHERE kind IN ('shipment', 'return', 'destruction', 'consumption')
    UNION ALL
    SELECT lot_id, 'shipment', unsent, receipt_source, target_id FROM arrival WHERE unsent > 0
),
sided AS (
    SELECT w.lot_id, w.kind, w.quantity,
           CASE WHEN w.source_id IS NULL THEN 'unknown' ELSE coalesce(s.side, 'market') END AS source,
           CASE WHEN w.target_id IS NULL THEN 'unknown' ELSE coalesce(t.side, 'market') END AS target
    FROM went w LEFT JOIN ours s ON s.id = w.source_id LEFT JOIN ours t ON t.id = w.target_id
    OFFSET 0
),
counted_as AS (
    -- Each movement counts towards one term: the sums skip it by a number instead of reading its sides again.
    SELECT lot_id, quantity, kind = 'shipment' AND source = 'unknown' AND target <> 'unknown' AS entered,
           CASE WHEN kind IN ('shipment', 'return') THEN
                CASE WHEN source = target THEN NULL
                     WHEN source = 'own' AND target IN ('market', 'unknown') THEN {_N["distributed"]}
                     WHEN target = 'market' THEN CASE kind WHEN 'shipment' THEN {_N["distributed"]} END
                     WHEN target = 'unknown' THEN NULL
                     WHEN source = 'market' THEN CASE target WHEN 'own' THEN {_N["returned"]}
                                                 ELSE {_N["returned_to_maker"]} END
                     WHEN source = 'unknown' AND target = 'own' AND kind = 'return' THEN {_N["returned"]} END
                WHEN source = 'unknown' AND target = 'unknown' THEN NULL
                WHEN kind = 'destruction'
                THEN CASE coalesce(nullif(source, 'unknown'), target)
                          WHEN 'market' THEN {_N["destroyed_in_place"]} ELSE {_N["scrapped"]} END
                ELSE CASE coalesce(nullif(source, 'unknown'), target)
                          WHEN 'own' THEN {_N["own_use"]} WHEN 'maker' THEN {_N["maker_use"]} END
           END AS term
    FROM sided OFFSET 0
),
crossed AS (
    SELECT lot_id, sum(quantity) FILTER (WHERE entered) AS entered,
           {_SUMS}
    FROM counted_as GROUP BY lot_id
),
under_way AS (
    -- Sent back and not arrived yet: our dock has not counted it.
    SELECT a.lot_id,
           sum(a.in_transit) FILTER (WHERE sent.market AND t.side = 'own') AS to_own,
           sum(a.in_transit) FILTER (WHERE sent.market AND t.side = 'maker') AS to_maker,
           sum(a.in_transit) FILTER (WHERE NOT sent.market AND t.side = 'own') AS own,
           sum(a.in_transit) FILTER (WHERE NOT sent.market AND t.side = 'maker') AS maker
    FROM arrival a JOIN ours t ON t.id = a.target_id
    CROSS JOIN LATERAL (
        SELECT a.sent_from IS NOT NULL AND (a.sent_from IN (SELECT id FROM ours)) IS NOT TRUE AS market
    ) AS sent
    WHERE a.in_transit > 0 GROUP BY a.lot_id
),
lying AS (
    SELECT p.lot_id,
           -- A place that gave out more than it is known to have got must have got what is still called under way.
           p.on_hand - CASE WHEN p.counted IS NULL
                            THEN least(p.in_transit, greatest(p.unlocated - p.net, 0)) ELSE 0 END AS quantity,
           -- Without a batch quantity: what the places of origin have given out or have, beyond what they received.
           CASE WHEN b.quantity_made IS NULL AND (p.location_id = b.site_id OR o.side = 'maker')
                THEN p.on_hand - p.net END AS received, o.side
    FROM position p JOIN birth b ON b.lot_id = p.lot_id LEFT JOIN ours o ON o.id = p.location_id
    OFFSET 0
),
here AS (
    SELECT lot_id, sum(received) AS received, sum(quantity) FILTER (WHERE side = 'own') AS own,
           sum(quantity) FILTER (WHERE side = 'maker') AS maker
    FROM lying GROUP BY lot_id
)
SELECT birth.lot_id, lot.number, product.code AS product_code, site.code AS site_code, product.unit_of_use AS unit,
       birth.quantity_made, birth.unlocated,
       CASE WHEN h.received IS NOT NULL OR c.entered IS NOT NULL
            THEN coalesce(h.received, 0) + coalesce(c.entered, 0) END AS received,
       c.distributed, coalesce(h.own, 0) + coalesce(u.own, 0) AS own_stock,
       coalesce(h.maker, 0) + coalesce(u.maker, 0) AS at_maker, c.scrapped, c.own_use, c.maker_use,
       coalesce(c.returned, 0) - coalesce(u.to_own, 0) AS returned,
       coalesce(c.returned_to_maker, 0) - coalesce(u.to_maker, 0) AS returned_to_maker, c.destroyed_in_place
FROM birth JOIN lot ON lot.id = birth.lot_id JOIN product ON product.id = lot.product_id
LEFT JOIN location site ON site.id = lot.site_id
LEFT JOIN crossed c ON c.lot_id = birth.lot_id
LEFT JOIN here h ON h.lot_id = birth.lot_id
LEFT JOIN under_way u ON u.lot_id = birth.lot_id
ORDER BY birth.lot_id
"""  # noqa: S608 - constants
"""One row per lot of the scope: its names, and what movements and counts say (null: nothing does)."""

COUNTS: Final = """(NOT jsonb_path_exists(r.findings, '$[*] ? (@.severity != "note")')
           OR EXISTS (SELECT FROM consignee_documented d WHERE d.reply_id = r.id AND d.kind = 'settled'))"""
"""A statement `r` that can be, or that quality has settled although it cannot."""
SETTLED: Final = f"""
settled AS MATERIALIZED (
    -- The latest statement that can be, or that quality has settled although it cannot (design §7).
    SELECT DISTINCT ON (r.consignee_id) r.consignee_id, r.id AS reply_id, r.received_at, c.partner_id
    FROM reply r JOIN consignee c ON c.id = r.consignee_id
    WHERE r.recall_number = :number AND r.kind = 'statement' AND c.state <> 'withdrawn'
      AND {COUNTS}
    ORDER BY r.consignee_id, r.id DESC
)"""  # noqa: S608 - constants

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
    -- Tested row by row against a hash: what our own places sent is most of what was sent.
    WHERE (m.from_location_id IN (SELECT l.id FROM settled JOIN location l USING (partner_id))) IS TRUE
      AND CASE WHEN m.kind = 'shipment' THEN (m.to_location_id IN (
              SELECT l.id FROM location l JOIN partner ON partner.id = l.partner_id
              WHERE l.custody <> 'customer' OR partner.kind IN {MAKERS})) IS TRUE ELSE true END
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
               CASE WHEN g.lot_id IS NULL THEN 0
                    ELSE greatest(g.returned_since - greatest(line.returned - (g.returned - g.returned_since), 0), 0)
                         + greatest(g.destroyed_since
                                    - greatest(line.destroyed - (g.destroyed - g.destroyed_since), 0), 0)
                         + g.other_since END AS gone
        FROM line LEFT JOIN left_by g ON g.consignee_id = line.consignee_id AND g.lot_id = line.lot_id
        OFFSET 0
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
SELECT f.lot_id, CASE WHEN product.implantable THEN 0 ELSE f.used END AS used,
       CASE WHEN product.implantable THEN f.used ELSE 0 END AS implanted, f.held_pending
FROM (
    SELECT lot_id, coalesce(sum(used), 0) AS used, sum(pending) AS held_pending
    FROM (
        SELECT lot_id, used, pending FROM remaining
        UNION ALL
        SELECT lot_id, quantity, 0 FROM recorded_use
    ) AS each GROUP BY lot_id
) AS f JOIN lot ON lot.id = f.lot_id JOIN product ON product.id = lot.product_id
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

__all__ = ["DIFFERENCES", "DISPOSED", "LEDGER", "OURS", "PENDING", "RETAINED", "SCOPE", "SIDE", "STATED", "STATEMENTS"]
