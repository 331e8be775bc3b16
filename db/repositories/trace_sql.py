"""The trace as SQL text: reachable lots, and what each lot did at each location.

Pieces are common table expressions that build on each other by name: `scope` (lot ids) -> `moved`, `counted` ->
`arrival` -> `flow` -> `position`. The recall's own statements (`scope_records`), the gaps and the stock to be held
all start from them, so every answer of one scope rests on the same reading of the movements:

* A shipment not `delivered` is in transit until receipts of the same document, lot and destination cover it.
* A receipt of the same document as a delivered shipment or a return confirms it and is not counted again.
* A receipt beyond what was sent is an arrival without a shipment; its source, where named, has shipped it.
* A count (`stock`) is the truth at its instant; movements after it are added to it.
* Goods redirected on their way go where the provider's answer says (`redirected_sql`).
"""

from db.repositories import redirected_sql

TUNE = """
SELECT set_config('work_mem', '64MB', true), set_config('random_page_cost', '1.1', true),
       set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('statement_timeout', '14min', true)
"""
"""For the rest of the transaction: sums stay in memory, a scope's rows are fetched by index, nothing is compiled, and
each plan is made for the lots asked for: one lot and a hundred thousand share no good plan.

A trace may take as long as its activity (15 minutes); the session's own limit would end a large one at each retry.
"""

WALK = """
walk(depth, frontier, parents, seen) AS (
    SELECT 0, CAST(:lot_ids AS bigint[]), CAST(NULL AS bigint[]), CAST(:lot_ids AS bigint[]){blocked}
    UNION ALL
    SELECT walk.depth + 1, step.lots, step.parents, walk.seen || step.lots
    FROM walk CROSS JOIN LATERAL (
        -- Each level holds the lots not seen before, so a cycle ends and the depth is the shortest one.
        SELECT array_agg(fresh.lot_id ORDER BY fresh.lot_id) AS lots,
               array_agg(fresh.parent_id ORDER BY fresh.lot_id) AS parents
        FROM (
            SELECT next.lot_id, min(next.parent_id) AS parent_id
            FROM (
                SELECT g.{head} AS lot_id, g.{tail} AS parent_id, false AS old
                FROM unnest(walk.frontier) AS f(lot_id) JOIN lot_genealogy g ON g.{tail} = f.lot_id
                UNION ALL
                SELECT unnest(walk.seen), NULL, true
            ) AS next GROUP BY next.lot_id HAVING NOT bool_or(next.old)
        ) AS fresh
    ) AS step
    WHERE step.lots IS NOT NULL
),
reached AS MATERIALIZED (
    SELECT depth, lot_id, parent_id
    FROM walk CROSS JOIN LATERAL unnest(frontier, parents) AS f(lot_id, parent_id)
)
"""

_EDGES = {
    "forward": {"tail": "input_lot_id", "head": "output_lot_id"},
    "backward": {"tail": "output_lot_id", "head": "input_lot_id"},
}


def walk(direction: str, *, blocked: bool = False) -> str:
    """CTEs `walk` and `reached(depth, lot_id, parent_id)`: lots reachable from `:lot_ids`, `forward` or `backward`.

    With `blocked` the lots `:blocked` count as seen before the start: neither they nor ways through them are taken.
    """
    return WALK.format(**_EDGES[direction], blocked=" || CAST(:blocked AS bigint[])" if blocked else "")


def lots(direction: str) -> str:
    """Statement: every reached lot with its depth and the parent it was first reached through."""
    return f"""
WITH RECURSIVE {walk(direction)}
SELECT r.lot_id, l.number, p.code AS product_code, s.code AS site_code, l.supplier_lot, l.quantity_made,
       r.depth, r.depth = 0 AS root, r.parent_id
FROM reached r
JOIN lot l ON l.id = r.lot_id
JOIN product p ON p.id = l.product_id
LEFT JOIN location s ON s.id = l.site_id
ORDER BY r.depth, r.lot_id
"""  # noqa: S608 - constants


SCOPE_OF_IDS = "scope AS MATERIALIZED (SELECT DISTINCT unnest(CAST(:lot_ids AS bigint[])) AS lot_id)"
SCOPE_OF_RECALL = """scope AS MATERIALIZED (
    SELECT lot_id FROM scope_lot WHERE recall_number = :recall_number AND scope_version = :scope_version
)"""

_WINDOW = """
      AND m.occurred_at >= coalesce(CAST(:window_start AS timestamptz), '-infinity')
      AND m.occurred_at < coalesce(CAST(:window_end AS timestamptz), 'infinity')"""


def moved(*, windowed: bool = False) -> str:
    """CTE `moved`: the movements of the scope's lots, within `:window_start`..`:window_end` if asked."""
    window = _WINDOW if windowed else ""
    return f"""
moved AS MATERIALIZED (
    WITH RECURSIVE {redirected_sql.REDIRECT},{redirected_sql.PIECE}
    SELECT m.id, m.kind, m.lot_id, m.from_location_id AS source_id, m.to_location_id AS target_id,
           m.quantity, m.delivered, m.occurred_at, m.document_no
    FROM scope JOIN movement m ON m.lot_id = scope.lot_id
    WHERE (m.id IN (SELECT id FROM piece)) IS NOT TRUE{window}
    UNION ALL{redirected_sql.TURNED}{window}
)"""  # noqa: S608 - constants


_PARTS = {
    part: number
    for number, part in enumerate(
        (
            "received",
            "in_transit",
            "returned_in",
            "shipped_out",
            "returned_out",
            "consumed",
            "destroyed",
            "adjusted",
            "made",
            "unlocated",
        )
    )
}
"""What a row of `flow` counts towards. A sum skips the rows of other parts: adding noughts, column by column, took
longer than reading the movements."""
_SUMS = ",\n           ".join(
    f"coalesce(sum_of_few(quantity) FILTER (WHERE part = {number}), 0) AS {part}" for part, number in _PARTS.items()
)
POSITIONS = """
counted AS MATERIALIZED (
    -- What we booked ourselves since the count is a movement as well: it is added with the movements.
    SELECT s.lot_id, s.location_id, s.on_hand - s.booked AS on_hand, s.reserved, s.held, s.as_of
    FROM scope JOIN stock s USING (lot_id)
),
document AS (
    SELECT m.lot_id, m.target_id, m.document_no,
           coalesce(sum_of_few(m.quantity) FILTER (WHERE m.kind = 'shipment' AND NOT m.delivered), 0) AS sent,
           coalesce(sum_of_few(m.quantity) FILTER (WHERE m.kind = 'shipment' AND m.delivered), 0) AS delivered,
           coalesce(sum_of_few(m.quantity) FILTER (WHERE m.kind = 'return'), 0) AS returned,
           coalesce(sum_of_few(m.quantity) FILTER (WHERE m.kind = 'receipt'), 0) AS received,
           coalesce(sum_of_few(m.quantity) FILTER (
               WHERE m.occurred_at > c.as_of AND (m.kind <> 'shipment' OR m.delivered)), 0) AS recorded_after,
           min(m.source_id) FILTER (WHERE m.kind = 'shipment' AND NOT m.delivered) AS sent_from,
           min(m.source_id) FILTER (WHERE m.kind = 'receipt') AS receipt_source,
           max(m.occurred_at) AS last_at
    FROM moved m LEFT JOIN counted c ON c.lot_id = m.lot_id AND c.location_id = m.target_id
    WHERE m.target_id IS NOT NULL AND m.kind IN ('shipment', 'receipt', 'return')
    GROUP BY m.lot_id, m.target_id, m.document_no
),
paired AS (
    SELECT *,
           CASE WHEN document_no IS NULL THEN 0 ELSE least(sent, received) END AS matched,
           -- What is left of the receipts confirms deliveries and returns already counted.
           CASE WHEN document_no IS NULL THEN 0
                ELSE least(delivered + returned, greatest(received - sent, 0)) END AS confirmed
    FROM document
),
arrival AS MATERIALIZED (
    -- Only what is read of it: it is kept for several readers, row by row.
    SELECT lot_id, target_id, document_no, sent_from, receipt_source, last_at, matched, returned,
           delivered + received - confirmed AS arrived, received - matched - confirmed AS unsent,
           sent - matched AS in_transit, greatest(recorded_after - confirmed, 0) AS arrived_after
    FROM paired
),
genealogy_use AS (
    SELECT g.input_lot_id AS lot_id, sum(g.quantity) AS quantity
    FROM scope JOIN lot_genealogy g ON g.input_lot_id = scope.lot_id GROUP BY g.input_lot_id
),
own_use AS (
    SELECT m.lot_id, sum(m.quantity) AS quantity
    FROM moved m JOIN location l ON l.id = coalesce(m.source_id, m.target_id)
    WHERE m.kind = 'consumption' AND l.custody <> 'customer' GROUP BY m.lot_id
),
birth AS MATERIALIZED (
    -- A receipt from nowhere in our own custody is the lot leaving its manufacturing site.
    SELECT l.id AS lot_id, l.site_id, l.quantity_made, coalesce(entry.quantity, 0) AS entered,
           coalesce(g.quantity, 0) AS built_in, coalesce(u.quantity, 0) AS consumed,
           -- Genealogy says the lot was used, no consumption movement says where.
           greatest(coalesce(g.quantity, 0) - coalesce(u.quantity, 0), 0) AS unlocated
    FROM scope JOIN lot l ON l.id = scope.lot_id
    LEFT JOIN genealogy_use g ON g.lot_id = l.id
    LEFT JOIN own_use u ON u.lot_id = l.id
    LEFT JOIN (
        SELECT a.lot_id, sum(a.unsent) AS quantity
        FROM arrival a JOIN location t ON t.id = a.target_id JOIN lot l ON l.id = a.lot_id
        WHERE a.unsent > 0 AND a.receipt_source IS NULL AND t.custody <> 'customer'
          AND a.target_id IS DISTINCT FROM l.site_id
        GROUP BY a.lot_id
    ) AS entry ON entry.lot_id = l.id
),
flow AS (
    SELECT lot_id, target_id AS location_id, {received} AS part, arrived AS quantity,
           arrived_after AS net_after, last_at
    FROM arrival
    UNION ALL
    SELECT lot_id, target_id, {in_transit}, in_transit, NULL, NULL FROM arrival WHERE in_transit <> 0
    UNION ALL
    SELECT lot_id, target_id, {returned_in}, returned, NULL, NULL FROM arrival WHERE returned <> 0
    UNION ALL
    SELECT m.lot_id, m.source_id, CASE WHEN m.kind = 'shipment' THEN {shipped_out} ELSE {returned_out} END,
           m.quantity, CASE WHEN m.occurred_at > c.as_of THEN -m.quantity END, m.occurred_at
    FROM moved m LEFT JOIN counted c ON c.lot_id = m.lot_id AND c.location_id = m.source_id
    WHERE m.source_id IS NOT NULL AND m.kind IN ('shipment', 'return')
    UNION ALL
    SELECT a.lot_id, a.receipt_source, {shipped_out}, a.unsent,
           CASE WHEN a.last_at > c.as_of THEN -a.unsent END, a.last_at
    FROM arrival a LEFT JOIN counted c ON c.lot_id = a.lot_id AND c.location_id = a.receipt_source
    WHERE a.unsent > 0 AND a.receipt_source IS NOT NULL
    UNION ALL
    SELECT m.lot_id, place.location_id,
           CASE m.kind WHEN 'consumption' THEN {consumed} WHEN 'destruction' THEN {destroyed} ELSE {adjusted} END,
           m.quantity * place.sign,
           CASE WHEN m.occurred_at > c.as_of
                THEN m.quantity * CASE WHEN m.kind = 'adjustment' THEN place.sign ELSE -1 END END,
           m.occurred_at
    FROM moved m
    CROSS JOIN LATERAL (
        -- Recorded at one place, whichever column names it; an adjustment with both moves from one to the other.
        SELECT coalesce(m.target_id, m.source_id) AS location_id, 1 AS sign
        WHERE m.kind = 'adjustment'
        UNION ALL
        SELECT m.source_id, -1 WHERE m.kind = 'adjustment' AND m.source_id <> m.target_id
        UNION ALL
        SELECT coalesce(m.source_id, m.target_id), 1 WHERE m.kind <> 'adjustment'
    ) AS place
    LEFT JOIN counted c ON c.lot_id = m.lot_id AND c.location_id = place.location_id
    WHERE m.kind IN ('consumption', 'destruction', 'adjustment')
    UNION ALL
    SELECT lot_id, site_id, {made}, quantity_made - entered, NULL, NULL
    FROM birth WHERE quantity_made IS NOT NULL AND site_id IS NOT NULL
    UNION ALL
    SELECT lot_id, site_id, {unlocated}, unlocated, NULL, NULL
    FROM birth WHERE quantity_made IS NOT NULL AND site_id IS NOT NULL AND unlocated <> 0
    UNION ALL
    SELECT lot_id, location_id, NULL, NULL, NULL, as_of FROM counted
),
summed AS (
    SELECT lot_id, location_id,
           {sums},
           coalesce(sum_of_few(net_after) FILTER (WHERE net_after <> 0), 0) AS net_after, max(last_at) AS last_at
    FROM flow GROUP BY lot_id, location_id
),
netted AS (
    -- What was sent there has arrived or is under way.
    SELECT *, received + in_transit AS shipped_to,
           received + returned_in - shipped_out - returned_out - consumed - destroyed + adjusted + made AS net
    FROM summed
),
position AS (
    -- Read once, only the columns asked for are added up; read more often, PostgreSQL keeps it.
    SELECT s.*, c.on_hand AS counted, c.reserved, c.held, c.as_of,
           greatest(CASE WHEN c.lot_id IS NULL THEN s.net - s.unlocated ELSE c.on_hand + s.net_after END, 0) AS on_hand
    FROM netted s LEFT JOIN counted c ON c.lot_id = s.lot_id AND c.location_id = s.location_id
)
""".format(**_PARTS, sums=_SUMS)  # noqa: S608 - constants of this file


def positions(scope: str, *, windowed: bool = False, at: str = "") -> str:
    """All CTEs up to `position`, for a `WITH` clause.

    Args:
        scope: CTE `scope`, and what `at` builds on.
        windowed: only movements within the window count.
        at: a query of the only locations whose positions are asked. Arrivals elsewhere are read only where receipts
            are on record, which may exceed what was sent there.
    """
    if not at:
        return f"{scope},{moved(windowed=windowed)},{POSITIONS}"
    # Places are tested row by row against a hash, whatever the planner expects of either side.
    asked = f"asked AS MATERIALIZED ({at})"
    summed = POSITIONS.replace("FROM flow GROUP BY", f"FROM flow WHERE (location_id IN ({_ASKED})) IS TRUE GROUP BY")
    summed = summed.replace(_LISTED, f"{_LISTED} AND (m.target_id IN ({_TOLD})) IS TRUE")
    return f"{scope},{asked},{moved(windowed=windowed)},{summed}"


def customer_positions(scope: str) -> str:
    """As `positions`, for whoever reads only the places of customers: what left the others is not added up."""
    of_customers = POSITIONS.replace(_FROM_ANYWHERE, _FROM_CUSTOMERS)
    return f"{scope},{moved()},{_CUSTOMERS_SENT_FROM},{of_customers}"


_FROM_ANYWHERE = "WHERE m.source_id IS NOT NULL AND m.kind IN ('shipment', 'return')"
_FROM_CUSTOMERS = "WHERE m.kind IN ('shipment', 'return') AND (m.source_id IN (SELECT id FROM customer_source)) IS TRUE"
_CUSTOMERS_SENT_FROM = """
customer_source AS MATERIALIZED (
    -- Most of it left a few places of ours: each place is looked at once, each movement compared with a hash.
    SELECT id FROM location WHERE custody = 'customer' AND id = ANY(ARRAY(SELECT DISTINCT source_id FROM moved))
)"""
_ASKED = "SELECT id FROM asked"
_TOLD = """
    SELECT id FROM asked UNION SELECT DISTINCT target_id FROM moved WHERE kind = 'receipt' AND target_id IS NOT NULL"""
_LISTED = "WHERE m.target_id IS NOT NULL AND m.kind IN ('shipment', 'receipt', 'return')"
"""Of the CTE `document`."""


SITES = """
SELECT p.lot_id, p.location_id, l.code AS location_code, l.name AS location_name, l.custody,
       partner.id AS partner_id, partner.code AS partner_code, partner.kind AS partner_kind, partner.country,
       p.shipped_to, p.received, p.in_transit, p.returned_in, p.shipped_out, p.returned_out,
       p.consumed, p.destroyed, p.adjusted, p.on_hand, p.counted IS NOT NULL AS is_counted, p.net, p.last_at
FROM position p JOIN location l ON l.id = p.location_id JOIN partner ON partner.id = l.partner_id
"""

CONSIGNEES = f"""
onward AS MATERIALIZED (
    -- From customer to customer: passed on, or moved between the sites of one of them.
    SELECT m.kind, m.lot_id, s.partner_id AS source_partner, t.partner_id AS target_partner, m.quantity
    FROM moved m
    JOIN location s ON s.id = m.source_id JOIN location t ON t.id = m.target_id AND t.custody = 'customer'
    {_FROM_CUSTOMERS}
    UNION ALL
    SELECT 'shipment', a.lot_id, s.partner_id, t.partner_id, a.unsent
    FROM arrival a
    JOIN location s ON s.id = a.receipt_source AND s.custody = 'customer'
    JOIN location t ON t.id = a.target_id AND t.custody = 'customer'
    WHERE a.unsent > 0
),
internal AS (
    SELECT lot_id, source_partner AS partner_id,
           coalesce(sum(quantity) FILTER (WHERE kind = 'shipment'), 0) AS shipped,
           coalesce(sum(quantity) FILTER (WHERE kind = 'return'), 0) AS returned
    FROM onward WHERE source_partner = target_partner GROUP BY lot_id, source_partner
),
passed_on AS (
    SELECT lot_id, target_partner AS partner_id, sum(quantity) AS quantity
    FROM onward WHERE kind = 'shipment' AND source_partner <> target_partner GROUP BY lot_id, target_partner
),
touched AS MATERIALIZED (
    SELECT p.lot_id, p.location_id, l.partner_id, p.shipped_to, p.returned_out
    FROM position p JOIN location l ON l.id = p.location_id
    WHERE l.custody = 'customer' AND (
        p.shipped_to > 0
        -- Whoever had the product without a shipment on record must be told too; its makers need no notice.
        OR (p.returned_in + p.shipped_out + p.returned_out + p.consumed + p.destroyed + p.on_hand > 0
            OR p.adjusted <> 0)
           AND (SELECT kind FROM partner WHERE id = l.partner_id) NOT IN ('supplier', 'manufacturer', 'regulator'))
),
received_by AS (
    SELECT t.partner_id, t.lot_id, sum_of_few(t.shipped_to) - coalesce(max(i.shipped), 0) AS shipped,
           sum_of_few(t.returned_out) - coalesce(max(i.returned), 0) AS returned,
           coalesce(max(o.quantity), 0) AS from_customers
    FROM touched t
    LEFT JOIN internal i ON i.partner_id = t.partner_id AND i.lot_id = t.lot_id
    LEFT JOIN passed_on o ON o.partner_id = t.partner_id AND o.lot_id = t.lot_id
    GROUP BY t.partner_id, t.lot_id
)
"""  # noqa: S608 - constants
"""`received_by(partner_id, lot_id, shipped, returned, from_customers)`: builds on `customer_positions`."""
