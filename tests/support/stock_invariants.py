"""What must be true of stock at every moment, checked from the tables alone: balances, holds, claims, movements.

Property tests call `violations` after each step; it reads with plain SQL and knows nothing of the product's code.
"""

import psycopg

_HELD = """
SELECT format('lot %s at %s: held %s, but claims say %s (on hand %s)', s.lot_id, s.location_id, s.held,
              least(s.on_hand, coalesce(c.most, 0)), s.on_hand)
FROM stock s LEFT JOIN (
    SELECT lot_id, location_id, max(quantity) AS most FROM (
        SELECT claimant, lot_id, location_id, sum(quantity) AS quantity FROM stock_claim
        WHERE released_at IS NULL AND position <> 'in_transit' GROUP BY claimant, lot_id, location_id) AS mine
    GROUP BY lot_id, location_id) AS c USING (lot_id, location_id)
WHERE s.held <> least(s.on_hand, coalesce(c.most, 0))
"""
_CLAIMS = """
SELECT format('hold %s of %s (%s, %s units, turn %s): claim %s', h.id, h.recall_number, h.state, h.quantity, h.turn,
              coalesce(c.quantity::text, 'none'))
FROM hold h LEFT JOIN stock_claim c ON c.released_at IS NULL
     AND c.key = h.recall_number || ':hold:' || h.id || CASE WHEN h.turn > 0 THEN ':' || h.turn ELSE '' END
WHERE CASE WHEN h.ended_at IS NOT NULL AND h.state <> 'nonconformity' OR h.quantity = 0 THEN c.key IS NOT NULL
           WHEN h.confirmed_at IS NOT NULL THEN c.quantity IS DISTINCT FROM h.quantity
           ELSE c.quantity > h.quantity END
"""
_ORPHANS = """
SELECT format('claim %s (%s units) belongs to no hold', c.key, c.quantity)
FROM stock_claim c WHERE c.released_at IS NULL AND NOT EXISTS (
    SELECT FROM hold h WHERE c.key = h.recall_number || ':hold:' || h.id
        || CASE WHEN h.turn > 0 THEN ':' || h.turn ELSE '' END)
"""
_BALANCE = """
SELECT format('lot %s at %s: on hand %s, counted %s and moved since %s', s.lot_id, s.location_id, s.on_hand,
              s.on_hand - s.booked, m.net)
FROM stock s CROSS JOIN LATERAL (
    SELECT coalesce(sum(CASE WHEN m.to_location_id = s.location_id AND m.kind = 'shipment' AND NOT m.delivered THEN 0
                             WHEN m.to_location_id = s.location_id AND m.kind <> 'consumption' THEN m.quantity
                             ELSE -m.quantity END), 0) AS net
    FROM movement m WHERE m.lot_id = s.lot_id AND s.location_id IN (m.from_location_id, m.to_location_id)
      AND m.occurred_at > s.as_of) AS m
WHERE s.booked <> 0 AND s.on_hand <> greatest(s.on_hand - s.booked + m.net, 0)
"""
_DONE = """
SELECT format('disposition %s of %s: done %s, its parts say %s, quantity %s, state %s', d.sequence, d.recall_number,
              d.done, coalesce(p.done, 0), d.quantity, d.state)
FROM disposition d LEFT JOIN (SELECT disposition_id, sum(quantity) AS done FROM disposition_part GROUP BY 1) AS p
     ON p.disposition_id = d.id
WHERE d.done <> coalesce(p.done, 0) OR (d.state = 'done') <> (d.done = d.quantity)
"""
_FREE_SUSPECT = """
SELECT format('lot %s at %s: %s of %s free although %s holds it whole', s.lot_id, s.location_id, s.on_hand - s.held,
              s.on_hand, h.recall_number)
FROM stock s JOIN (
    SELECT recall_number, lot_id, location_id, sum(quantity) AS quantity, sum(released) AS released FROM hold
    WHERE position <> 'in_transit' AND quantity > 0 AND confirmed_at IS NOT NULL GROUP BY 1, 2, 3) AS h
    USING (lot_id, location_id)
WHERE h.released = 0 AND h.quantity >= s.on_hand AND s.held < s.on_hand
"""
_CHECKS = (_HELD, _CLAIMS, _ORPHANS, _BALANCE, _DONE, _FREE_SUSPECT)


def violations(url: str) -> list[str]:
    """Every broken rule, in words; empty when stock, holds, claims and movements agree.

    Movements that were imported after a count are not in `stock.on_hand` until the next count or booking; rows that we
    never booked on are therefore compared with their claims only.
    """
    with psycopg.connect(url) as db:
        return [row[0] for check in _CHECKS for row in db.execute(check).fetchall()]


__all__ = ["violations"]
