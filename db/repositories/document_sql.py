"""What documents for authorities read of a recall, as set-based SQL: one statement per table of a document."""

from typing import Final

from db.repositories.chasing_sql import COPY

PRODUCTS: Final = """
SELECT p.code, p.name, p.brand, p.family, p.gtin, p.udi_di, p.unit_of_use AS unit, p.device_class, p.implantable,
       p.life_supporting, p.sterile, p.expected_life_years,
       array_remove(array_agg(DISTINCT CASE WHEN site.custody = 'customer' THEN maker.name END), NULL) AS makers,
       bool_or(site.custody <> 'customer') IS TRUE AS made_by_us
FROM lot l
JOIN product p ON p.id = l.product_id
LEFT JOIN location site ON site.id = l.site_id
LEFT JOIN partner maker ON maker.id = site.partner_id
WHERE l.id IN (
    SELECT cl.lot_id FROM consignee_lot cl JOIN consignee c ON c.id = cl.consignee_id
    WHERE c.recall_number = :number AND cl.withdrawn_in IS NULL)
GROUP BY p.id
ORDER BY p.code
"""
"""Affected products; who made their lots: we (own or logistics custody), or the named partners."""

LOTS: Final = """
SELECT p.code AS product_code, p.name AS product, l.number, site.name AS site, l.made_on, l.expires_on,
       l.quantity_made AS made,
       sum(CASE WHEN cl.stated THEN 0 ELSE cl.shipped - cl.returned END) AS shipped, min(cl.scope_version) AS added_in
FROM consignee c
JOIN consignee_lot cl ON cl.consignee_id = c.id AND cl.withdrawn_in IS NULL
JOIN lot l ON l.id = cl.lot_id
JOIN product p ON p.id = l.product_id
LEFT JOIN location site ON site.id = l.site_id
WHERE c.recall_number = :number
GROUP BY l.id, p.id, site.id
ORDER BY p.code, l.number, l.id
"""
"""Lots that reached consignees; what one consignee passed on to another is not distributed twice."""

DELIVERIES: Final = """
WITH reached AS MATERIALIZED (
    SELECT c.id, c.partner_id, c.tier, cl.lot_id, cl.shipped - cl.returned AS quantity, cl.stated, cl.scope_version
    FROM consignee c JOIN consignee_lot cl ON cl.consignee_id = c.id AND cl.withdrawn_in IS NULL
    WHERE c.recall_number = :number
), days AS (
    SELECT place.partner_id, m.lot_id, (m.occurred_at AT TIME ZONE CAST(:zone AS text))::date AS day,
           sum(m.quantity) AS units
    FROM movement m JOIN location place ON place.id = m.to_location_id
    WHERE m.kind = 'shipment' AND m.lot_id IN (SELECT DISTINCT lot_id FROM reached)
    GROUP BY 1, 2, 3
), shipments AS (
    SELECT partner_id, lot_id, array_agg(day ORDER BY day) AS days, array_agg(units ORDER BY day) AS units
    FROM days GROUP BY 1, 2
), phones AS (
    SELECT DISTINCT ON (k.partner_id) k.partner_id, k.phone
    FROM contact k WHERE k.phone IS NOT NULL AND k.status <> 'left' ORDER BY k.partner_id, k.position
)
SELECT r.id AS consignee_id, partner.code, partner.name, partner.kind, partner.country, phones.phone, r.tier,
       p.code AS product_code, l.number AS lot, r.quantity, r.stated, s.days, s.units, r.scope_version AS added_in
FROM reached r
JOIN partner ON partner.id = r.partner_id
JOIN lot l ON l.id = r.lot_id
JOIN product p ON p.id = l.product_id
LEFT JOIN shipments s ON s.partner_id = r.partner_id AND s.lot_id = r.lot_id
LEFT JOIN phones ON phones.partner_id = r.partner_id
ORDER BY partner.code, p.code, l.number, r.lot_id
"""
"""Who received what: quantity as traced, dates and quantities of our shipments (days of the authority's zone)."""

PROGRESS: Final = """
SELECT count(*) AS consignees, count(c.first_notified_at) AS notified, min(c.first_notified_at) AS first_notified_at,
       max(c.first_notified_at) AS last_notified_at,
       count(*) FILTER (WHERE c.state IN ('acknowledged', 'answered')) AS responded,
       count(*) FILTER (WHERE c.state = 'documented') AS documented
FROM consignee c WHERE c.recall_number = :number AND c.state <> 'withdrawn'
"""

CHANNELS: Final = f"""
SELECT d.channel, count(DISTINCT d.consignee_id) AS consignees
FROM delivery d JOIN campaign g ON g.id = d.campaign_id
WHERE g.recall_number = :number AND d.state IN ('submitted', 'delivered') AND d.step <> {COPY}
GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - a constant
"""How those who have the goods were told; a copy for who pays is none of it."""

ON_HAND: Final = """
SELECT coalesce(sum(line.on_hand), 0) AS on_hand
FROM (
    SELECT DISTINCT ON (r.consignee_id) r.id FROM reply r
    WHERE r.recall_number = :number AND EXISTS (SELECT FROM reply_line x WHERE x.reply_id = r.id)
    ORDER BY r.consignee_id, r.id
) reply JOIN reply_line line ON line.reply_id = reply.id
"""
"""On hand when the notice came: each consignee's first answer with quantities (21 CFR 7.53(b)(2))."""

SILENT: Final = """
SELECT partner.code, partner.name, partner.country
FROM consignee c JOIN partner ON partner.id = c.partner_id
WHERE c.recall_number = :number AND c.state = 'open' AND c.first_notified_at IS NOT NULL
ORDER BY partner.code
"""

COUNTRIES: Final = """
SELECT partner.country, count(DISTINCT c.id) AS consignees,
       sum(CASE WHEN cl.stated THEN 0 ELSE cl.shipped - cl.returned END) AS units
FROM consignee c
JOIN partner ON partner.id = c.partner_id
JOIN consignee_lot cl ON cl.consignee_id = c.id AND cl.withdrawn_in IS NULL
WHERE c.recall_number = :number
GROUP BY 1 ORDER BY 1 NULLS LAST
"""

HARMS: Final = """
SELECT h.id, h.sequence, h.severity, h.awareness_at, h.patients, h.description, h.product_line, l.number AS lot,
       partner.name AS reporter
FROM complaint h
LEFT JOIN lot l ON l.id = h.lot_id
LEFT JOIN consignee c ON c.id = h.consignee_id
LEFT JOIN partner ON partner.id = c.partner_id
WHERE h.recall_number = :number ORDER BY h.sequence
"""

HARM_REPORTS: Final = """
SELECT d.complaint_id, d.jurisdiction, max(d.reference) AS reference
FROM deadline d
WHERE d.recall_number = :number AND d.complaint_id IS NOT NULL AND d.reference IS NOT NULL
GROUP BY 1, 2
"""

COMMUNICATIONS: Final = """
SELECT n.version AS notice_version, n.kind, b.kind AS step, b.channel, b.language, n.approved_at, b.sha256,
       b.body ->> 'subject' AS subject, coalesce(b.body ->> 'text', '') AS text
FROM notice n JOIN notice_body b ON b.notice_id = n.id
WHERE n.recall_number = :number
ORDER BY n.version, b.kind, b.channel, b.language
"""

CHECKS: Final = """
SELECT r.level, r.percent, r.population, r.sample_size AS sample, r.outcome,
       count(*) FILTER (WHERE k.state = 'done' AND k.passed) AS passed,
       count(*) FILTER (WHERE k.state = 'done' AND NOT k.passed) AS failed,
       count(*) FILTER (WHERE k.state = 'no_response') AS no_response,
       count(*) FILTER (WHERE k.state = 'pending') AS pending
FROM effectiveness_round r LEFT JOIN effectiveness_check k ON k.round_id = r.id
WHERE r.recall_number = :number
GROUP BY r.id ORDER BY r.sequence DESC LIMIT 1
"""

CAPAS: Final = """
SELECT c.sequence, c.title, c.state, c.cause, c.cause_category, c.effective,
       coalesce(array_agg(a.what ORDER BY a.sequence) FILTER (WHERE a.withdrawn_at IS NULL AND a.id IS NOT NULL),
                '{}') AS actions
FROM capa c LEFT JOIN capa_action a ON a.capa_id = c.id
WHERE c.recall_number = :number
GROUP BY c.id ORDER BY c.sequence
"""

DISPOSED: Final = """
SELECT kind, sum(quantity) AS decided, sum(done) AS done FROM disposition
WHERE recall_number = :number AND state IN ('approved', 'done') GROUP BY 1 ORDER BY 1
"""

EARLIER: Final = """
SELECT s.subject, s.kind, s.version, s.report_number, s.submitted_at, e.reference
FROM submission s
LEFT JOIN submission_event e ON e.submission_id = s.id AND e.step = 'acknowledged'
WHERE s.recall_number = :number ORDER BY s.submitted_at, s.id
"""

TODAY: Final = """
SELECT count(*) AS sent FROM submission
WHERE kind IN ('us_806_report', 'us_806_amendment') AND version = 1 AND NOT drill
  AND (submitted_at AT TIME ZONE CAST(:zone AS text))::date = CAST(:today AS date)
"""
"""806 reports of the firm on one day: the sequence of the report number counts them."""

__all__ = [
    "CAPAS",
    "CHANNELS",
    "CHECKS",
    "COMMUNICATIONS",
    "COUNTRIES",
    "DELIVERIES",
    "DISPOSED",
    "EARLIER",
    "HARMS",
    "HARM_REPORTS",
    "LOTS",
    "ON_HAND",
    "PRODUCTS",
    "PROGRESS",
    "SILENT",
    "TODAY",
]
