"""What the trace could not know, as SQL (design promise 5): each gap names lot or product, site and figures.

Every kind is one CTE over `positions` that yields `kind, detail`; quantities are text, so JSON never rounds them.
"""

PERIOD = """
period AS MATERIALIZED (
    SELECT lot.product_id, coalesce(min({starts}), 'infinity') AS starts,
           -- Until the goods last seen moving had time to arrive; without any movement it stays open.
           coalesce(span.last_at + CAST(:arrival_margin AS interval), 'infinity') AS ends
    FROM scope JOIN lot ON lot.id = scope.lot_id
    LEFT JOIN (SELECT lot_id, min(occurred_at) AS at FROM moved GROUP BY lot_id) AS first ON first.lot_id = lot.id
    CROSS JOIN (SELECT min(occurred_at) AS first_at, max(occurred_at) AS last_at FROM moved) AS span
    GROUP BY lot.product_id, span.last_at
),
lotless AS MATERIALIZED (
    SELECT m.id, m.kind, m.product_id, m.from_location_id, m.to_location_id, m.quantity, m.delivered, m.occurred_at,
           m.document_no, period.starts, period.ends
    FROM period JOIN movement m ON m.product_id = period.product_id AND m.lot_id IS NULL
         AND m.occurred_at BETWEEN period.starts AND period.ends
)
"""
"""CTEs `period(product_id, starts, ends)`: when a unit of a traced lot can have reached anybody; `lotless`: movements
of the product without a lot in it.

It begins with the day the first of the lots was made (or moved, if that was earlier); a lot whose day nobody recorded
counts from the first movement of anything traced.
"""

_SINCE_MADE = """CASE WHEN lot.made_on IS NULL THEN span.first_at
                ELSE least((lot.made_on + time '00:00') AT TIME ZONE 'UTC', first.at) END"""

NO_LOT_RECEIPT = """
SELECT 'no_lot_receipt' AS kind, jsonb_build_object(
    'movement_id', m.id, 'movement', m.kind, 'product', p.code, 'site', l.code, 'partner', partner.code,
    'custody', l.custody, 'date', m.occurred_at, 'quantity', trim_scale(m.quantity)::text,
    'document_no', m.document_no) AS detail
FROM lotless m
JOIN product p ON p.id = m.product_id
JOIN location l ON l.id = coalesce(m.to_location_id, m.from_location_id)
JOIN partner ON partner.id = l.partner_id
"""
"""Goods of a traced product without a lot, while its lots can have been moving: they may be of a traced lot."""

RECALL_PERIOD = """
SELECT 'recall_period', jsonb_build_object(
    'product', p.code, 'site', l.code, 'partner', partner.code, 'custody', l.custody,
    'from', CASE WHEN isfinite(came.starts) THEN came.starts END,
    'to', CASE WHEN isfinite(came.ends) THEN came.ends END,
    'quantity', trim_scale(came.quantity)::text, 'receipts', came.receipts,
    'first_receipt', came.first_at, 'last_receipt', came.last_at)
FROM (
    SELECT product_id, to_location_id, min(starts) AS starts, max(ends) AS ends, sum(quantity) AS quantity,
           sum(receipts) AS receipts, min(first_at) AS first_at, max(last_at) AS last_at
    FROM (
        -- Shipment and receipt of one document are the same goods.
        SELECT product_id, to_location_id, min(starts) AS starts, max(ends) AS ends, count(*) AS receipts,
               min(occurred_at) AS first_at, max(occurred_at) AS last_at,
               CASE WHEN document_no IS NULL THEN sum(quantity)
                    ELSE greatest(coalesce(sum(quantity) FILTER (WHERE kind = 'receipt'), 0),
                                  coalesce(sum(quantity) FILTER (WHERE kind <> 'receipt'), 0)) END AS quantity
        FROM lotless
        WHERE kind IN ('receipt', 'shipment', 'return') AND to_location_id IS NOT NULL
        GROUP BY product_id, to_location_id, document_no
    ) AS document GROUP BY product_id, to_location_id
) AS came
JOIN product p ON p.id = came.product_id
JOIN location l ON l.id = came.to_location_id
JOIN partner ON partner.id = l.partner_id
"""
"""A place that got a traced product without lots: the span in which it may have been of ours, and how much came."""

STALE_SITE = """
SELECT 'stale_site', jsonb_build_object(
    'site', l.code, 'partner', partner.code, 'custody', l.custody, 'last_data', site.last_at,
    'newest_data', site.newest_at, 'on_hand', trim_scale(site.on_hand)::text, 'lots', site.lots)
FROM (
    SELECT location_id, max(last_at) AS last_at, max(max(last_at)) OVER () AS newest_at,
           sum(on_hand) AS on_hand, count(*) FILTER (WHERE on_hand > 0) AS lots
    FROM position GROUP BY location_id
) AS site
JOIN location l ON l.id = site.location_id JOIN partner ON partner.id = l.partner_id
WHERE site.on_hand > 0 AND site.last_at < site.newest_at - CAST(:stale_after AS interval)
"""

UNBALANCED_SITE = """
SELECT 'unbalanced', jsonb_build_object(
    'check', CASE WHEN s.counted IS NULL THEN 'more_out_than_in' ELSE 'count_differs' END,
    'lot_id', s.lot_id, 'lot', lot.number, 'product', product.code, 'site', l.code, 'partner', partner.code,
    'custody', l.custody, 'expected', trim_scale(s.expected)::text, 'counted', trim_scale(s.counted)::text,
    'difference', trim_scale(coalesce(s.counted, 0) - s.expected)::text, 'as_of', s.as_of)
FROM (
    -- Most places balance: only the others are worth a look at their lot, place and partner.
    SELECT * FROM (SELECT position.*, net - net_after AS expected FROM position) AS each
    WHERE CASE WHEN counted IS NULL THEN net < 0 ELSE counted <> expected END
) AS s
JOIN birth ON birth.lot_id = s.lot_id
JOIN location l ON l.id = s.location_id JOIN partner ON partner.id = l.partner_id
JOIN lot ON lot.id = s.lot_id JOIN product ON product.id = lot.product_id
WHERE CASE WHEN s.counted IS NOT NULL AND s.location_id = lot.site_id AND lot.quantity_made IS NULL
           THEN false  -- nobody said how much was made there
           WHEN s.counted IS NOT NULL
           -- Use that only the genealogy records explains a lower count at a place of ours.
           THEN s.expected - s.counted NOT BETWEEN 0
                    AND CASE WHEN l.custody = 'customer' THEN 0 ELSE birth.unlocated END
           -- Without a count, a place of ours that only sends says nothing; a customer must have received first.
           ELSE s.net < 0 AND (l.custody = 'customer' AND partner.kind NOT IN ('supplier', 'manufacturer')
                               OR s.received > 0 OR s.made > 0) END
"""

UNBALANCED_LOT = """
SELECT 'unbalanced', jsonb_build_object(
    'check', 'produced_differs', 'lot_id', b.lot_id, 'lot', lot.number, 'product', product.code,
    'produced', trim_scale(b.quantity_made)::text, 'distributed', trim_scale(b.distributed)::text,
    'own_stock', trim_scale(b.own_stock)::text, 'in_transit', trim_scale(b.in_transit)::text,
    'used', trim_scale(b.used)::text, 'destroyed', trim_scale(b.destroyed)::text,
    'difference', trim_scale(b.difference)::text)
FROM (
    SELECT *, quantity_made + adjusted - distributed - own_stock - in_transit - used - destroyed - lost AS difference
    FROM (
        SELECT birth.lot_id, birth.quantity_made, greatest(birth.built_in, birth.consumed) AS used,
               coalesce(at.distributed, 0) AS distributed, coalesce(at.own_stock, 0) AS own_stock,
               coalesce(at.in_transit, 0) AS in_transit, coalesce(at.destroyed, 0) AS destroyed,
               coalesce(at.adjusted, 0) AS adjusted, coalesce(lost.quantity, 0) AS lost
        FROM birth
        LEFT JOIN (
            SELECT p.lot_id,
                   sum(p.shipped_to + p.returned_in - p.shipped_out - p.returned_out)
                       FILTER (WHERE l.custody = 'customer') AS distributed,
                   sum(CASE WHEN p.counted IS NOT NULL THEN p.on_hand
                            WHEN p.received + p.returned_in > 0 THEN greatest(p.on_hand - p.made, 0) ELSE 0 END)
                       FILTER (WHERE l.custody <> 'customer') AS own_stock,
                   sum(p.in_transit) FILTER (WHERE l.custody <> 'customer') AS in_transit,
                   sum(p.destroyed) FILTER (WHERE l.custody <> 'customer') AS destroyed,
                   sum(p.adjusted) FILTER (WHERE l.custody <> 'customer') AS adjusted
            FROM position p JOIN location l ON l.id = p.location_id GROUP BY p.lot_id
        ) AS at ON at.lot_id = birth.lot_id
        LEFT JOIN (
            SELECT m.lot_id, sum(m.quantity) AS quantity
            FROM moved m JOIN location l ON l.id = m.source_id AND l.custody <> 'customer'
            WHERE m.kind = 'shipment' AND m.target_id IS NULL GROUP BY m.lot_id
        ) AS lost ON lost.lot_id = birth.lot_id
        WHERE birth.quantity_made IS NOT NULL
    ) AS parts
) AS b
JOIN lot ON lot.id = b.lot_id JOIN product ON product.id = lot.product_id
WHERE b.difference <> 0
"""
"""produced = distributed + own stock (design §7), with what is under way, used, destroyed or sent to nowhere."""

UNBALANCED_GENEALOGY = """
SELECT 'unbalanced', jsonb_build_object(
    'check', 'used_more_than_made', 'lot_id', birth.lot_id, 'lot', lot.number, 'product', product.code,
    'made', trim_scale(coalesce(birth.quantity_made, birth.entered))::text,
    'used', trim_scale(birth.built_in)::text,
    'difference', trim_scale(coalesce(birth.quantity_made, birth.entered) - birth.built_in)::text)
FROM birth JOIN lot ON lot.id = birth.lot_id JOIN product ON product.id = lot.product_id
WHERE birth.built_in > coalesce(birth.quantity_made, nullif(birth.entered, 0))
"""

BROKEN_LINK = """
SELECT 'broken_link', jsonb_build_object(
    'link', 'receipt_without_shipment', 'lot_id', a.lot_id, 'lot', lot.number, 'product', product.code,
    'site', l.code, 'partner', partner.code, 'custody', l.custody, 'from', source.code,
    'document_no', a.document_no, 'quantity', trim_scale(a.unsent)::text, 'date', a.last_at)
FROM arrival a
JOIN lot ON lot.id = a.lot_id JOIN product ON product.id = lot.product_id
JOIN location l ON l.id = a.target_id JOIN partner ON partner.id = l.partner_id
LEFT JOIN location source ON source.id = a.receipt_source
LEFT JOIN partner sender ON sender.id = source.partner_id
-- Goods enter our record by a receipt from production or a supplier: no shipment is owed for these.
WHERE a.unsent > 0 AND (l.custody <> 'customer' AND (
    a.receipt_source IS NULL OR a.receipt_source = lot.site_id OR sender.kind IN ('supplier', 'manufacturer'))
) IS NOT TRUE
UNION ALL
SELECT 'broken_link', jsonb_build_object(
    'link', CASE WHEN m.target_id IS NULL THEN m.kind || '_to_unknown' ELSE m.kind || '_from_unknown' END,
    'movement_id', m.id, 'lot_id', m.lot_id, 'lot', lot.number, 'product', product.code, 'site', l.code,
    'partner', partner.code, 'custody', l.custody, 'document_no', m.document_no,
    'quantity', trim_scale(m.quantity)::text, 'date', m.occurred_at)
FROM moved m
JOIN lot ON lot.id = m.lot_id JOIN product ON product.id = lot.product_id
JOIN location l ON l.id = coalesce(m.source_id, m.target_id) JOIN partner ON partner.id = l.partner_id
WHERE m.kind IN ('shipment', 'return') AND (m.target_id IS NULL OR m.source_id IS NULL AND m.kind = 'return')
"""

_ALL = (
    *(NO_LOT_RECEIPT, RECALL_PERIOD, STALE_SITE, UNBALANCED_SITE, UNBALANCED_LOT, UNBALANCED_GENEALOGY),
    BROKEN_LINK,
)
_WITHIN_WINDOW = (NO_LOT_RECEIPT, RECALL_PERIOD, BROKEN_LINK)
"""Balances need all movements; inside a window only these say something."""


def period(*, windowed: bool = False) -> str:
    """CTEs that `gaps` needs beside those of `positions`; inside a window only its movements say when goods moved."""
    return PERIOD.format(starts="span.first_at" if windowed else _SINCE_MADE)


def gaps(*, windowed: bool = False) -> str:
    """SELECT of `kind, detail` over the CTEs of `positions` and `period`; binds `:arrival_margin`, `:stale_after`."""
    return " UNION ALL ".join(_WITHIN_WINDOW if windowed else _ALL)
