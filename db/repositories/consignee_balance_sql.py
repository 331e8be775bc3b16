"""The market's side of the mass balance by consignee and lot, as one statement.

The same readings of the record as `mass_balance_sql`, each with the partner it speaks of, so that the rows of a lot
add up to the lot's own terms. What one consignee passed on to another is in no term of the lot; here it is taken from
the one and given to the other.
"""

from typing import Final

from db.repositories import trace_sql
from db.repositories.mass_balance_sql import SCOPE, SIDE, STATED

SUMMED: Final = (
    "received",
    "taken_over",
    "passed_on",
    "returned",
    "returned_to_maker",
    "destroyed_in_place",
    "corrected",
    "released",
    "replaced",
    "used",
    "implanted",
    "held_pending",
)
"""Columns of a row besides its names; unaccounted is what is left of the first three."""
_ACCOUNTED: Final = " - ".join(SUMMED[3:])
_N: Final = {name: str(number) for number, name in enumerate(SUMMED)}
"""A sum skips the rows of other terms by a number."""
_SUMS: Final = ",\n           ".join(
    f"coalesce(sum(quantity) FILTER (WHERE term = {number}), 0) AS {name}" for name, number in _N.items()
)

_PLACE: Final = f"""place AS MATERIALIZED (
    SELECT l.id, l.partner_id, {SIDE} AS side FROM location l JOIN partner ON partner.id = l.partner_id
)"""  # noqa: S608 - constants
_ASKED: Final = "SELECT id FROM place WHERE side <> 'market'"
"""What is on its way to the market is in no term."""
_LEDGER: Final = f"""
hop AS MATERIALIZED (
    -- Goods that went from one side to another, or from one consignee to another.
    SELECT m.id, m.lot_id, m.kind, m.quantity, coalesce(s.side, 'unknown') AS source,
           coalesce(t.side, 'unknown') AS target, s.partner_id AS source_partner, t.partner_id AS target_partner
    FROM moved m LEFT JOIN place s ON s.id = m.source_id LEFT JOIN place t ON t.id = m.target_id
    WHERE m.kind IN ('shipment', 'return')
      AND (s.side IS DISTINCT FROM t.side OR s.side = 'market' AND s.partner_id <> t.partner_id)
    UNION ALL
    SELECT NULL, a.lot_id, 'shipment', a.unsent, coalesce(s.side, 'unknown'), t.side, s.partner_id, t.partner_id
    FROM arrival a JOIN place t ON t.id = a.target_id LEFT JOIN place s ON s.id = a.receipt_source
    WHERE a.unsent > 0 AND (s.side IS DISTINCT FROM t.side OR s.side = 'market' AND s.partner_id <> t.partner_id)
),
counted_return AS MATERIALIZED (
    -- Whose goods a return without a place was, as our count says.
    SELECT r.movement_id, c.partner_id FROM goods_return r JOIN consignee c ON c.id = r.consignee_id
    WHERE r.recall_number = :number
),
ledger_term AS (
    SELECT lot_id, target_partner AS partner_id, {_N["received"]} AS term, quantity FROM hop
    WHERE source <> 'market' AND (target = 'market' AND (kind = 'shipment' OR source = 'own')
                                  OR target = 'unknown' AND source = 'own')
    UNION ALL
    SELECT lot_id, target_partner, {_N["taken_over"]}, quantity FROM hop WHERE source = 'market' AND target = 'market'
    UNION ALL
    SELECT lot_id, source_partner, {_N["passed_on"]}, quantity FROM hop WHERE source = 'market' AND target = 'market'
    UNION ALL
    SELECT h.lot_id, coalesce(h.source_partner, r.partner_id),
           CASE h.target WHEN 'own' THEN {_N["returned"]} ELSE {_N["returned_to_maker"]} END, h.quantity
    FROM hop h LEFT JOIN counted_return r ON r.movement_id = h.id AND h.source = 'unknown'
    WHERE h.source = 'market' AND h.target IN ('own', 'maker')
       OR h.source = 'unknown' AND h.target = 'own' AND h.kind = 'return'
    UNION ALL
    -- Sent back and not arrived yet.
    SELECT a.lot_id, s.partner_id, CASE t.side WHEN 'own' THEN {_N["returned"]} ELSE {_N["returned_to_maker"]} END,
           -a.in_transit
    FROM arrival a JOIN place t ON t.id = a.target_id JOIN place s ON s.id = a.sent_from
    WHERE a.in_transit > 0 AND s.side = 'market' AND t.side <> 'market'
    UNION ALL
    SELECT m.lot_id, l.partner_id, {_N["destroyed_in_place"]}, m.quantity
    FROM moved m JOIN place l ON l.id = coalesce(m.source_id, m.target_id) AND l.side = 'market'
    WHERE m.kind = 'destruction'
)"""  # noqa: S608 - constants

_SAID: Final = f"""
said_term AS (
    SELECT f.lot_id, f.partner_id, CASE WHEN product.implantable THEN {_N["implanted"]} ELSE {_N["used"]} END AS term,
           f.used AS quantity
    FROM (
        SELECT lot_id, partner_id, used FROM remaining
        UNION ALL
        -- A feed of uses counts where the consignee has stated nothing itself.
        SELECT m.lot_id, l.partner_id, m.quantity
        FROM moved m JOIN place l ON l.id = coalesce(m.source_id, m.target_id) AND l.side = 'market'
        WHERE m.kind = 'consumption'
          AND NOT EXISTS (SELECT FROM line WHERE line.lot_id = m.lot_id AND line.partner_id = l.partner_id)
    ) f JOIN lot ON lot.id = f.lot_id JOIN product ON product.id = lot.product_id
    WHERE f.used <> 0
    UNION ALL
    SELECT lot_id, partner_id, {_N["held_pending"]}, pending FROM remaining
    UNION ALL
    SELECT d.lot_id, c.partner_id,
           CASE d.kind WHEN 'destroy' THEN {_N["destroyed_in_place"]}
                       WHEN 'return_to_factory' THEN {_N["returned_to_maker"]} WHEN 'release' THEN {_N["released"]}
                       WHEN 'replace' THEN {_N["replaced"]} ELSE {_N["corrected"]} END, p.quantity
    FROM disposition d JOIN scope ON scope.lot_id = d.lot_id
    JOIN consignee c ON c.id = d.consignee_id
    JOIN disposition_part p ON p.disposition_id = d.id
    LEFT JOIN movement m ON m.id = p.movement_id
    WHERE d.recall_number = :number AND d.kind <> 'return_to_us'
      AND coalesce(m.kind NOT IN ('return', 'shipment', 'destruction'), true)
),
stated_passing AS (
    -- Passed on by the sender's words alone: the receiver has no shipment of ours on record.
    SELECT p.lot_id, settled.partner_id AS sender, receiver.partner_id AS receiver, p.quantity
    FROM settled JOIN passed_on p ON p.reply_id = settled.reply_id
    JOIN scope ON scope.lot_id = p.lot_id
    JOIN consignee receiver ON receiver.id = p.consignee_id
    JOIN consignee_lot l ON l.consignee_id = p.consignee_id AND l.lot_id = p.lot_id AND l.stated
),
term AS (
    SELECT * FROM ledger_term
    UNION ALL
    SELECT * FROM said_term
    UNION ALL
    SELECT lot_id, sender, {_N["passed_on"]}, quantity FROM stated_passing
    UNION ALL
    SELECT lot_id, receiver, {_N["taken_over"]}, quantity FROM stated_passing
)"""  # noqa: S608 - constants

BY_CONSIGNEE: Final = f"""
WITH {trace_sql.positions(f"{SCOPE}, {_PLACE}", at=_ASKED)}, {STATED}, {_LEDGER}, {_SAID},
by_partner AS (
    SELECT lot_id, coalesce(partner_id, 0) AS partner_id,
           {_SUMS}
    FROM term GROUP BY 1, 2
),
rest AS (
    SELECT *, received + taken_over - passed_on - {_ACCOUNTED} AS unaccounted FROM by_partner
),
page AS MATERIALIZED (
    SELECT * FROM rest
    WHERE (CAST(:partner AS bigint) IS NULL OR partner_id = CAST(:partner AS bigint))
      AND (CAST(:after AS numeric) IS NULL
           OR (-abs(unaccounted), partner_id, lot_id)
              > (-CAST(:after AS numeric), CAST(:after_partner AS bigint), CAST(:after_lot AS bigint)))
    ORDER BY -abs(unaccounted), partner_id, lot_id LIMIT :limit
)
SELECT page.partner_id, c.id, coalesce(partner.code, ''), coalesce(partner.name, ''), c.state, page.lot_id, lot.number,
       lot.product_id, product.code, product.unit_of_use, {", ".join(f"page.{name}" for name in SUMMED)}
FROM page JOIN lot ON lot.id = page.lot_id JOIN product ON product.id = lot.product_id
LEFT JOIN partner ON partner.id = page.partner_id
LEFT JOIN consignee c ON c.recall_number = :number AND c.partner_id = page.partner_id
ORDER BY -abs(page.unaccounted), page.partner_id, page.lot_id
"""  # noqa: S608 - constants
"""By consignee and lot: names, the sums in their order. The largest rest first; partner 0: what
went to or came from no place on record."""

__all__ = ["BY_CONSIGNEE", "SUMMED"]
