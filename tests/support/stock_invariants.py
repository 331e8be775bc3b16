"""What must be true of stock at every moment, checked from the tables alone: balances, holds, claims, movements.

Property tests call `violations` after each step; it reads with plain SQL and knows nothing of the product's code.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from tests.support.keepers import Partner

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
FROM hold h JOIN recall r ON r.number = h.recall_number LEFT JOIN stock_claim c ON c.released_at IS NULL
     AND c.key = h.recall_number || ':hold:' || h.id || CASE WHEN h.turn > 0 THEN ':' || h.turn ELSE '' END
WHERE CASE WHEN r.drill OR h.ended_at IS NOT NULL AND h.state <> 'nonconformity' OR h.quantity = 0
           THEN c.key IS NOT NULL
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
    SELECT recall_number, lot_id, location_id, sum(quantity) AS quantity, sum(released) AS released
    FROM hold JOIN recall ON number = recall_number AND NOT drill
    WHERE position <> 'in_transit' AND quantity > 0 AND confirmed_at IS NOT NULL GROUP BY 1, 2, 3) AS h
    USING (lot_id, location_id)
WHERE h.released = 0 AND h.quantity >= s.on_hand AND s.held < s.on_hand
"""
_RANGE = """
SELECT format('lot %s at %s: held %s of %s on hand', lot_id, location_id, held, on_hand)
FROM stock WHERE held < 0 OR held > on_hand
"""
_SIGNED_FREE = """
SELECT format('%s, lot %s at %s: %s units are free, but only %s were released by two signatures', h.recall_number,
              h.lot_id, h.location_id, h.released, coalesce(p.quantity, 0))
FROM (SELECT recall_number, lot_id, location_id, sum(released) AS released FROM hold GROUP BY 1, 2, 3) AS h
LEFT JOIN (
    SELECT d.recall_number, d.lot_id, d.location_id, sum(p.quantity) AS quantity
    FROM disposition d JOIN disposition_part p ON p.disposition_id = d.id
    WHERE d.kind = 'release' AND (
        SELECT count(DISTINCT lower(s.actor)) = 2 AND count(DISTINCT s.body ->> 'capacity') = 2
               AND bool_and(lower(s.actor) <> lower(d.proposed_by))
        FROM sign_off s WHERE s.recall_number = d.recall_number AND s.step = 'disposition:' || d.sequence
           AND s.outcome = 'approved')
    GROUP BY 1, 2, 3) AS p USING (recall_number, lot_id, location_id)
WHERE h.released > coalesce(p.quantity, 0)
"""
_ENDED = """
SELECT format('%s is %s, and its hold %s of %s units is %s', r.number, r.phase, h.id, h.quantity, h.state)
FROM hold h JOIN recall r ON r.number = h.recall_number
WHERE r.phase IN ('rejected', 'cancelled', 'terminated') AND h.quantity > 0
  AND h.state IN ('requested', 'confirmed', 'failed') AND h.ended_at IS NULL
"""
_CHECKS = (_RANGE, _HELD, _CLAIMS, _ORPHANS, _BALANCE, _DONE, _FREE_SUSPECT, _SIGNED_FREE)


def violations(url: str) -> list[str]:
    """Every broken rule, in words; empty when stock, holds, claims and movements agree.

    Movements that were imported after a count are not in `stock.on_hand` until the next count or booking; rows that we
    never booked on are therefore compared with their claims only.
    """
    with psycopg.connect(url) as db:
        return _broken(db, *_CHECKS)


def broken(db: "psycopg.Connection[Any]") -> list[str]:
    """The same over an open connection, with the rule that an ended recall holds nothing but as nonconforming: it is
    true once the recall's workflow has wound up."""
    return _broken(db, *_CHECKS, _ENDED)


_TOLD = """
SELECT k.keeper, k.key, k.held, k.closing OR k.ended_at IS NOT NULL AS over FROM keeper_hold k
"""
_WANTED = """
SELECT h.id, h.recall_number || CASE WHEN h.state = 'nonconformity' THEN ':nonconformity' ELSE '' END AS claimant,
       CASE WHEN l.custody <> 'customer' THEN l.id ELSE (
           SELECT min(m.from_location_id) FROM movement m
           WHERE m.lot_id = h.lot_id AND m.to_location_id = l.id AND m.document_no = h.document_no) END, h.quantity
FROM hold h JOIN location l ON l.id = h.location_id
WHERE h.quantity > 0 AND (h.ended_at IS NULL OR h.state = 'nonconformity')
"""


def overstated(url: str, partners: "Iterable[Partner]") -> list[str]:
    """True at every moment, also between two steps: we never believe more to be locked at a keeper than is."""
    with psycopg.connect(url) as db:
        told = db.execute(_TOLD).fetchall()
    by = {each.name: each.standing() for each in partners}
    return [
        f"{key}: we believe {held} units are locked at {keeper}, it holds {by[keeper].get(key, ('', 0))[1]}"
        for keeper, key, held, over in told
        if not over and held > by[keeper].get(key, ("", 0))[1]
    ]


def apart(url: str, partners: "Mapping[int, Partner]") -> list[str]:
    """True once nothing is due: keepers hold exactly what our holds say, each under one name, and no more."""
    with psycopg.connect(url) as db:
        wanted = {row[0]: row[1:] for row in db.execute(_WANTED).fetchall() if row[2] in partners}
        keys: dict[str, int] = dict(db.execute("SELECT key, hold_id FROM keeper_hold").fetchall())
        stock = {
            (lot, place): units for lot, place, units in db.execute("SELECT lot_id, location_id, on_hand FROM stock")
        }
    found: dict[int, list[tuple[str, str, Any]]] = {}
    strange = []
    for partner in {id(each): each for each in partners.values()}.values():
        for key, (claimant, units) in partner.standing().items():
            if key not in keys:
                strange.append(f"{partner.name} holds {units} under {key}, of which we know nothing")
            else:
                found.setdefault(keys[key], []).append((partner.name, claimant, units))
        strange += [
            f"{partner.name} has {units} of lot {place}, we {stock.get(place)}"
            for place, units in partner.stock.items()
            if stock.get(place, 0) != units and place in stock
        ]
    for hold in sorted({*wanted, *found}):
        claimant, place, units = wanted.get(hold, ("", None, 0))
        right = [(partners[place].name, claimant, units)] if place is not None else []
        if found.get(hold, []) != right:
            strange.append(f"hold {hold}: keepers hold {found.get(hold)}, wanted is {right}")
    return strange


def _broken(db: "psycopg.Connection[Any]", *checks: str) -> list[str]:
    return [row[0] for check in checks for row in db.execute(check).fetchall()]


__all__ = ["apart", "broken", "overstated", "violations"]
