"""The facts branches of policies look at, read from the record by one statement.

Units in scope are what consignees received from us and did not return, what our own places hold as last counted, and
what is on its way to us. The trace's parts are used as far as goods in transit need them; the positions themselves
(the dear part of a trace) are not computed.
"""

from typing import Final

from db.repositories import stock_sql, trace_sql

_WHOLE: Final = """whole AS MATERIALIZED (
    SELECT lot_id FROM scope_lot WHERE recall_number = :recall_number AND scope_version = :scope_version
)"""
_SENT_LOTS: Final = """scope AS MATERIALIZED (
    -- Only lots with a shipment that was not recorded as delivered at once can have units under way.
    SELECT lot_id FROM whole WHERE EXISTS (
        SELECT FROM movement m WHERE m.lot_id = whole.lot_id AND m.kind = 'shipment' AND NOT m.delivered)
)"""
FACTS: Final = f"""
WITH {_WHOLE},{trace_sql.positions(_SENT_LOTS)},{stock_sql.UNDER_WAY},
reached AS MATERIALIZED (
    SELECT c.id, c.tier, c.partner_id, p.country::text AS country, p.region::text AS region, p.kind
    FROM consignee c JOIN partner p ON p.id = c.partner_id
    WHERE c.recall_number = :recall_number AND c.state <> 'withdrawn'
),
received AS MATERIALIZED (
    SELECT cl.lot_id, sum(greatest(cl.shipped - cl.returned, 0)) FILTER (WHERE r.tier = 1) AS units
    FROM reached r JOIN consignee_lot cl ON cl.consignee_id = r.id
    WHERE cl.withdrawn_in IS NULL GROUP BY cl.lot_id
),
kept AS (
    SELECT s.lot_id, sum(s.on_hand) AS units
    FROM whole JOIN stock s USING (lot_id) JOIN location l ON l.id = s.location_id
    WHERE l.custody <> 'customer' GROUP BY s.lot_id
),
way AS MATERIALIZED (
    SELECT lot_id, sum(quantity) AS units, sum(quantity) FILTER (WHERE custody <> 'customer') AS to_us
    FROM under_way GROUP BY lot_id
),
lots AS MATERIALIZED (
    SELECT product.id AS product_id, product.code, product.family, coalesce(product.family, product.code) AS line,
           product.implantable, product.life_supporting, product.sterile, product.device_class,
           product.unit_value, product.unit_currency, received.lot_id IS NOT NULL AS out,
           coalesce(received.units, 0) + coalesce(kept.units, 0) + coalesce(way.to_us, 0) AS units
    FROM whole JOIN lot ON lot.id = whole.lot_id JOIN product ON product.id = lot.product_id
    LEFT JOIN received ON received.lot_id = lot.id
    LEFT JOIN kept ON kept.lot_id = lot.id
    LEFT JOIN way ON way.lot_id = lot.id
),
lines AS (SELECT line, bool_or(out) AS out FROM lots GROUP BY line),
unpriced AS (
    SELECT DISTINCT code FROM lots WHERE units > 0 AND unit_currency IS DISTINCT FROM CAST(:currency AS text)
),
reported AS (SELECT severity FROM complaint WHERE recall_number = :recall_number)
SELECT coalesce((SELECT bool_or(implantable) FROM lots), false) AS implantable,
       coalesce((SELECT bool_or(life_supporting) FROM lots), false) AS life_supporting,
       coalesce((SELECT bool_or(sterile) FROM lots), false) AS sterile,
       coalesce((SELECT sum(units) FROM way), 0) AS units_in_transit,
       EXISTS (SELECT FROM reported) AS harm_reported,
       EXISTS (SELECT FROM reported WHERE severity IN ('serious', 'death')) AS serious_harm_reported,
       EXISTS (SELECT FROM reported WHERE severity = 'death') AS death_reported,
       EXISTS (SELECT FROM patient_follow_up WHERE recall_number = :recall_number AND exposed > 0)
         OR EXISTS (SELECT FROM reply_line l JOIN reply ON reply.id = l.reply_id
                    JOIN reached ON reached.id = reply.consignee_id AND reached.kind = 'hospital'
                    WHERE l.used > 0) AS patients_involved,
       coalesce((SELECT sum(units) FROM lots), 0) AS units,
       (SELECT count(*) FROM reached) AS consignees,
       (SELECT count(*) FROM whole) AS lots,
       coalesce((SELECT sum(units * unit_value) FROM lots WHERE unit_currency = CAST(:currency AS text)), 0) AS value,
       (SELECT coalesce(array_agg(DISTINCT country ORDER BY country), '{{}}') FROM reached WHERE country IS NOT NULL)
         AS countries,
       (SELECT coalesce(array_agg(DISTINCT family ORDER BY family), '{{}}') FROM lots WHERE family IS NOT NULL)
         AS product_families,
       (SELECT coalesce(array_agg(DISTINCT device_class ORDER BY device_class), '{{}}')
          FROM lots WHERE device_class IS NOT NULL) AS device_classes,
       (SELECT coalesce(array_agg(DISTINCT kind ORDER BY kind), '{{}}') FROM disposition
         WHERE recall_number = :recall_number AND state NOT IN ('rejected', 'withdrawn')) AS dispositions,
       -- As `recalls.product_lines`: the lines that reached consignees, or every line where none did.
       (SELECT coalesce(array_agg(line ORDER BY line), '{{}}')
          FROM lines WHERE out OR NOT EXISTS (SELECT FROM lines WHERE out)) AS product_lines,
       (SELECT coalesce(array_agg(code ORDER BY code), '{{}}') FROM (SELECT code FROM unpriced ORDER BY code LIMIT 20)
          AS first) AS unpriced,
       (SELECT count(*) FROM unpriced) AS unpriced_count,
       (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_array(country, region)), '[]') FROM reached) AS places
"""  # noqa: S608 - constants

__all__ = ["FACTS"]
