"""The plainest SQL that gives a trace's own answer on any chain: counts, confirmed deliveries, arrivals nobody sent,
what was made, who had it without a shipment. `bench.trace` compares its rows with the product's, value by value.
"""

_RECORD = """
WITH RECURSIVE s(lot_id) AS (
    SELECT unnest(CAST(:roots AS bigint[]))
    UNION
    SELECT g.output_lot_id FROM s JOIN lot_genealogy g ON g.input_lot_id = s.lot_id
),
m AS (SELECT m.* FROM s JOIN movement m USING (lot_id)),
k AS (
    SELECT lot_id, t.location_id, t.on_hand - t.booked AS on_hand, t.as_of FROM s JOIN stock t USING (lot_id)
),
d AS (
    SELECT *, sent + unsent + delivered AS shipped_to, delivered + matched + unsent AS received
    FROM (
        SELECT *, received_here - matched - confirmed AS unsent, greatest(after_count - confirmed, 0) AS arrived_after
        FROM (
            SELECT *, CASE WHEN document_no IS NULL THEN 0 ELSE least(sent, received_here) END AS matched,
                   CASE WHEN document_no IS NULL THEN 0
                        ELSE least(delivered + returned, greatest(received_here - sent, 0)) END AS confirmed
            FROM (
                SELECT m.lot_id, m.to_location_id AS at, m.document_no,
                       sum(CASE WHEN kind = 'shipment' AND NOT delivered THEN quantity ELSE 0 END) AS sent,
                       sum(CASE WHEN kind = 'shipment' AND delivered THEN quantity ELSE 0 END) AS delivered,
                       sum(CASE WHEN kind = 'return' THEN quantity ELSE 0 END) AS returned,
                       sum(CASE WHEN kind = 'receipt' THEN quantity ELSE 0 END) AS received_here,
                       sum(CASE WHEN occurred_at > k.as_of AND (kind <> 'shipment' OR delivered)
                                THEN quantity ELSE 0 END) AS after_count,
                       min(from_location_id) FILTER (WHERE kind = 'receipt') AS source, max(occurred_at) AS last_at
                FROM m LEFT JOIN k ON k.lot_id = m.lot_id AND k.location_id = m.to_location_id
                WHERE m.to_location_id IS NOT NULL AND kind IN ('shipment', 'receipt', 'return')
                GROUP BY m.lot_id, m.to_location_id, m.document_no
            ) AS document
        ) AS paired
    ) AS arrived
),
made AS (
    SELECT l.id AS lot_id, l.site_id AS at,
           l.quantity_made - coalesce((
               SELECT sum(d.unsent) FROM d JOIN location t ON t.id = d.at
               WHERE d.lot_id = l.id AND d.unsent > 0 AND d.source IS NULL AND t.custody <> 'customer'
                 AND d.at <> l.site_id), 0) AS quantity,
           greatest(coalesce((SELECT sum(quantity) FROM lot_genealogy g WHERE g.input_lot_id = l.id), 0) - coalesce((
               SELECT sum(m.quantity) FROM m JOIN location t ON t.id = coalesce(m.from_location_id, m.to_location_id)
               WHERE m.lot_id = l.id AND m.kind = 'consumption' AND t.custody <> 'customer'), 0), 0) AS used
    FROM s JOIN lot l ON l.id = s.lot_id WHERE l.quantity_made IS NOT NULL AND l.site_id IS NOT NULL
),
f AS (
    SELECT lot_id, at, shipped_to, received, sent - matched AS in_transit, returned AS returned_in, 0 AS shipped_out,
           0 AS returned_out, 0 AS consumed, 0 AS destroyed, 0 AS adjusted, 0 AS made, 0 AS used,
           arrived_after AS later, last_at
    FROM d
    UNION ALL
    SELECT d.lot_id, source, 0, 0, 0, 0, unsent, 0, 0, 0, 0, 0, 0,
           CASE WHEN last_at > k.as_of THEN -unsent ELSE 0 END, last_at
    FROM d LEFT JOIN k ON k.lot_id = d.lot_id AND k.location_id = d.source
    WHERE unsent > 0 AND source IS NOT NULL
    UNION ALL
    SELECT m.lot_id, place, 0, 0, 0, 0, CASE WHEN kind = 'shipment' THEN quantity ELSE 0 END,
           CASE WHEN kind = 'return' THEN quantity ELSE 0 END,
           CASE WHEN kind = 'consumption' THEN quantity ELSE 0 END,
           CASE WHEN kind = 'destruction' THEN quantity ELSE 0 END,
           CASE WHEN kind = 'adjustment' THEN sign * quantity ELSE 0 END, 0, 0,
           CASE WHEN occurred_at > k.as_of THEN CASE WHEN kind = 'adjustment' THEN sign ELSE -1 END * quantity
                ELSE 0 END, occurred_at
    FROM m CROSS JOIN LATERAL (
        SELECT CASE WHEN kind = 'adjustment' THEN coalesce(to_location_id, from_location_id)
                    WHEN kind IN ('shipment', 'return') THEN from_location_id
                    ELSE coalesce(from_location_id, to_location_id) END AS place, 1 AS sign
        UNION ALL
        SELECT from_location_id, -1 WHERE kind = 'adjustment' AND from_location_id <> to_location_id
    ) AS there
    LEFT JOIN k ON k.lot_id = m.lot_id AND k.location_id = place
    WHERE kind <> 'receipt' AND place IS NOT NULL
    UNION ALL
    SELECT lot_id, at, 0, 0, 0, 0, 0, 0, 0, 0, 0, quantity, used, 0, NULL FROM made
    UNION ALL
    SELECT lot_id, location_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, as_of FROM k
),
p AS (
    SELECT *, CASE WHEN counted IS NULL THEN greatest(net - used, 0) ELSE greatest(counted + later, 0) END AS on_hand
    FROM (
        SELECT f.lot_id, f.at, sum(shipped_to) AS shipped_to, sum(received) AS received,
               sum(in_transit) AS in_transit, sum(returned_in) AS returned_in, sum(shipped_out) AS shipped_out,
               sum(returned_out) AS returned_out, sum(consumed) AS consumed, sum(destroyed) AS destroyed,
               sum(adjusted) AS adjusted, sum(used) AS used, sum(later) AS later, k.on_hand AS counted,
               sum(received + returned_in - shipped_out - returned_out - consumed - destroyed + adjusted + made)
                   AS net, max(last_at) AS last_at
        FROM f LEFT JOIN k ON k.lot_id = f.lot_id AND k.location_id = f.at
        GROUP BY f.lot_id, f.at, k.on_hand
    ) AS added
)
"""

SITES = (
    _RECORD
    + """
SELECT p.lot_id, l.id, l.code, l.name, l.custody, r.id, r.code, r.kind, r.country, p.shipped_to, p.received,
       p.in_transit, p.returned_in, p.shipped_out, p.returned_out, p.consumed, p.destroyed, p.adjusted, p.on_hand,
       p.counted IS NOT NULL AS is_counted, p.net, p.last_at
FROM p JOIN location l ON l.id = p.at JOIN partner r ON r.id = l.partner_id
"""
)
SITES_BACKWARD = SITES.replace(
    "SELECT g.output_lot_id FROM s JOIN lot_genealogy g ON g.input_lot_id",
    "SELECT g.input_lot_id FROM s JOIN lot_genealogy g ON g.output_lot_id",
)
CONSIGNEES = (
    _RECORD  # noqa: S608 - constants
    + """
, hop AS (
    SELECT m.kind, m.lot_id, a.partner_id AS giver, b.partner_id AS taker, m.quantity
    FROM m JOIN location a ON a.id = m.from_location_id AND a.custody = 'customer'
    JOIN location b ON b.id = m.to_location_id AND b.custody = 'customer' WHERE m.kind IN ('shipment', 'return')
    UNION ALL
    SELECT 'shipment', d.lot_id, a.partner_id, b.partner_id, d.unsent
    FROM d JOIN location a ON a.id = d.source AND a.custody = 'customer'
    JOIN location b ON b.id = d.at AND b.custody = 'customer' WHERE d.unsent > 0
),
within AS (
    SELECT lot_id, giver, sum(CASE kind WHEN 'shipment' THEN quantity ELSE 0 END) AS shipped,
           sum(CASE kind WHEN 'return' THEN quantity ELSE 0 END) AS returned
    FROM hop WHERE giver = taker GROUP BY lot_id, giver
),
onward AS (
    SELECT lot_id, taker, sum(quantity) AS quantity FROM hop WHERE kind = 'shipment' AND giver <> taker
    GROUP BY lot_id, taker
)
SELECT r.id, r.code, p.lot_id, sum(p.shipped_to) - coalesce(max(within.shipped), 0) AS shipped,
       sum(p.returned_out) - coalesce(max(within.returned), 0) AS returned, coalesce(max(onward.quantity), 0)
FROM p JOIN location l ON l.id = p.at JOIN partner r ON r.id = l.partner_id
LEFT JOIN within ON within.giver = r.id AND within.lot_id = p.lot_id
LEFT JOIN onward ON onward.taker = r.id AND onward.lot_id = p.lot_id
WHERE l.custody = 'customer' AND (
    p.shipped_to > 0 OR r.kind NOT IN ('supplier', 'manufacturer', 'regulator') AND (
        p.returned_in + p.shipped_out + p.returned_out + p.consumed + p.destroyed + p.on_hand > 0 OR p.adjusted <> 0))
GROUP BY r.id, p.lot_id ORDER BY r.id, p.lot_id
"""
)
