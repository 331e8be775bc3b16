"""What was measured along the trace, as SQL text: the lots concerned, and one statement's part per kind of finding.

`relevant(lot_id, rank)` holds every lot of the frozen traces and of the nonconformities (affected, 0), what went into
them (upstream, 1), what was made of a nonconformity's lots (downstream, 2), and what else was made of what went into
them (sibling, 3); a lot has its lowest rank. Each part yields keys `rank, a, b`, by which its rows are ordered; what is
said of a row is looked up for the rows of the page only. Sets are told apart by grouping, never by an anti-join: a
recall just begun has no statistics.
"""

from typing import Final

RELATIONS: Final = ("affected", "upstream", "downstream", "sibling", "recall")
"""By rank; `recall` is a complaint under the recall that names no lot."""
MOST_SUPPLIER_LOTS: Final = 200
"""Supplier lots compared, those in most affected lots first."""
MOST_LOTS: Final = 10
"""Lots named with an excursion or a supplier lot."""

TUNE: Final = """
SELECT set_config('work_mem', '64MB', true), set_config('random_page_cost', '1.1', true),
       set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)
"""

RELEVANT: Final = """
newest AS (
    SELECT DISTINCT ON (run.recall_number, l.lot_id) l.lot_id, l.gone
    FROM trace_run run JOIN trace_run_lot l ON l.run_id = run.id
    WHERE run.recall_number = ANY(CAST(:recalls AS text[]))
    ORDER BY run.recall_number, l.lot_id, run.run DESC
),
given AS MATERIALIZED (
    SELECT lot_id FROM nonconformity_lot WHERE nonconformity_number = ANY(CAST(:nonconformities AS text[]))
),
affected AS MATERIALIZED (
    SELECT lot_id FROM newest WHERE NOT gone
    UNION SELECT lot_id FROM given
    -- A recall that is not traced to its end yet has a scope and no run.
    UNION SELECT s.lot_id FROM recall r JOIN scope_lot s
        ON s.recall_number = r.number AND s.scope_version = r.scope_version
    WHERE r.number = ANY(CAST(:recalls AS text[]))
      AND NOT EXISTS (SELECT FROM trace_run t WHERE t.recall_number = r.number)
),
up AS (
    SELECT lot_id FROM affected
    UNION SELECT g.input_lot_id FROM up JOIN lot_genealogy g ON g.output_lot_id = up.lot_id
),
down AS (
    SELECT lot_id FROM given
    UNION SELECT g.output_lot_id FROM down JOIN lot_genealogy g ON g.input_lot_id = down.lot_id
),
relevant AS MATERIALIZED (
    SELECT lot_id, min(rank) AS rank FROM (
        SELECT lot_id, 0 AS rank FROM affected
        UNION ALL SELECT lot_id, 1 FROM up
        UNION ALL SELECT lot_id, 2 FROM down
        UNION ALL SELECT g.output_lot_id, 3 FROM up JOIN lot_genealogy g ON g.input_lot_id = up.lot_id
    ) AS each GROUP BY lot_id
)
"""

_AT = """to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _at(expression: str) -> str:
    return _AT.format(expression)


def _number(expression: str) -> str:
    return f"trim_scale({expression})::text"


_NO_LOTS = "NULL::bigint AS lots"

_MEASUREMENT_KEYS = f"""
    SELECT r.rank, m.id AS a, 0::bigint AS b, {_NO_LOTS}
    FROM relevant r JOIN lot_measurement m ON m.lot_id = r.lot_id
    WHERE m.stage {{which}} 'parameter' AND (NOT m.passed OR m.out_of_limits)
"""  # noqa: S608 - constants

_MEASUREMENT = f"""
    SELECT jsonb_build_object(
        'product_code', p.code, 'lot', l.number, 'lot_id', l.id, 'stage', m.stage, 'step', m.step,
        'characteristic', m.characteristic, 'result', {_number("m.result")}, 'result_text', m.result_text,
        'lower', {_number("m.lower")}, 'upper', {_number("m.upper")}, 'unit', m.unit, 'passed', m.passed,
        'out_of_limits', m.out_of_limits, 'document_no', m.document_no, 'measured_at', {_at("m.measured_at")},
        'source_system', m.source_system, 'source_id', m.source_id) AS detail
    FROM lot_measurement m JOIN lot l ON l.id = m.lot_id JOIN product p ON p.id = l.product_id WHERE m.id = k.a
"""  # noqa: S608 - constants

_SUPPLIER_PARTS = f"""
made_of AS (
    SELECT lot_id, lot_id AS input_id FROM affected
    UNION SELECT made_of.lot_id, g.input_lot_id FROM made_of JOIN lot_genealogy g ON g.output_lot_id = made_of.input_id
),
candidate AS MATERIALIZED (
    SELECT l.product_id, l.supplier_lot, count(DISTINCT made_of.lot_id) AS lots,
           (array_agg(DISTINCT l.number ORDER BY l.number))[1:{MOST_LOTS}] AS numbers
    FROM made_of JOIN lot l ON l.id = made_of.input_id WHERE l.supplier_lot IS NOT NULL
    GROUP BY l.product_id, l.supplier_lot
    ORDER BY lots DESC, l.supplier_lot, l.product_id LIMIT {MOST_SUPPLIER_LOTS}
),
spread AS (
    SELECT c.product_id, c.supplier_lot, l.id AS lot_id
    FROM candidate c JOIN lot l ON l.supplier_lot = c.supplier_lot AND l.product_id = c.product_id
    UNION SELECT s.product_id, s.supplier_lot, g.output_lot_id
    FROM spread s JOIN lot_genealogy g ON g.input_lot_id = s.lot_id
),
kind AS MATERIALIZED (SELECT DISTINCT l.product_id FROM affected JOIN lot l ON l.id = affected.lot_id),
total AS MATERIALIZED (
    SELECT (SELECT count(*) FROM affected) AS affected,
           (SELECT count(*) FROM kind JOIN lot l ON l.product_id = kind.product_id) AS every
),
-- Every affected lot with the supplier lot is among those it went into: what is left are comparable ones.
reach AS (
    SELECT s.product_id, s.supplier_lot, count(*) AS lots
    FROM spread s JOIN lot l ON l.id = s.lot_id JOIN kind ON kind.product_id = l.product_id
    GROUP BY s.product_id, s.supplier_lot
),
compared AS (
    SELECT c.product_id, c.supplier_lot, c.numbers, c.lots, total.affected, coalesce(reach.lots, 0) - c.lots AS others,
           total.every - total.affected AS comparable
    FROM candidate c LEFT JOIN reach USING (product_id, supplier_lot), total
),
shares AS (
    SELECT *, round(lots::numeric / affected, 4) AS share,
           CASE WHEN comparable > 0 THEN round(others::numeric / comparable, 4) END AS other_share
    FROM compared
),
ranked AS MATERIALIZED (
    SELECT *, row_number() OVER (
        ORDER BY share - coalesce(other_share, 0) DESC, lots DESC, supplier_lot, product_id) AS place
    FROM shares
)
"""  # noqa: S608 - constants

_SUPPLIER_LOT_KEYS = f"SELECT 0 AS rank, place AS a, 0::bigint AS b, {_NO_LOTS} FROM ranked"  # noqa: S608 - constants

_SUPPLIER_LOTS = f"""
    SELECT jsonb_build_object(
        'supplier_lot', supplier_lot, 'product_code', p.code, 'lots', to_jsonb(numbers), 'affected_with', r.lots,
        'affected', affected, 'share_of_affected', {_number("share")}, 'comparable_with', others,
        'comparable', comparable, 'share_of_comparable', {_number("other_share")}) AS detail
    FROM ranked r JOIN product p ON p.id = r.product_id WHERE r.place = k.a
"""  # noqa: S608 - constants

_EXCURSION_PARTS = """
-- Goods under a document are on their way from the first sending until all has come; a delivery or return recorded in
-- one movement does not say how long it took. What is recorded at midnight (UTC) is a day.
way AS (
    SELECT m.lot_id, m.document_no,
           CASE WHEN NOT bool_or(m.delivered OR m.kind = 'return')
               THEN min(m.occurred_at) FILTER (WHERE m.kind = 'shipment') END AS began,
           CASE WHEN NOT bool_or(m.delivered OR m.kind = 'return') AND coalesce(
                   sum(m.quantity) FILTER (WHERE m.kind = 'receipt')
                   >= sum(m.quantity) FILTER (WHERE m.kind = 'shipment'), true)
               THEN max(m.occurred_at) FILTER (WHERE m.kind = 'receipt') END AS ended
    FROM relevant r JOIN movement m ON m.lot_id = r.lot_id
    WHERE m.document_no IS NOT NULL AND EXISTS (SELECT FROM sensor_series s WHERE s.document_no = m.document_no)
    GROUP BY m.lot_id, m.document_no
),
watched AS MATERIALIZED (
    SELECT DISTINCT s.location_id FROM sensor_series s JOIN sensor_excursion x ON x.series_id = s.id
    WHERE s.document_no IS NULL
),
step AS (
    SELECT m.lot_id, m.to_location_id AS location_id, m.occurred_at AS came, NULL::timestamptz AS went,
           m.quantity AS gained
    FROM relevant r JOIN movement m ON m.lot_id = r.lot_id
    WHERE m.to_location_id IN (SELECT location_id FROM watched) AND (m.kind <> 'shipment' OR m.delivered)
    UNION ALL
    SELECT m.lot_id, m.from_location_id, NULL, m.occurred_at, -m.quantity
    FROM relevant r JOIN movement m ON m.lot_id = r.lot_id
    WHERE m.from_location_id IN (SELECT location_id FROM watched)
    UNION ALL
    SELECT l.id, l.site_id, coalesce(l.made_on::timestamp AT TIME ZONE 'UTC', '-infinity'), NULL,
           coalesce(l.quantity_made, 0)
    FROM relevant r JOIN lot l ON l.id = r.lot_id WHERE l.site_id IN (SELECT location_id FROM watched)
    UNION ALL
    SELECT k.lot_id, k.location_id, NULL, NULL, 0 FROM relevant r JOIN stock k ON k.lot_id = r.lot_id
    WHERE k.on_hand > 0 AND k.location_id IN (SELECT location_id FROM watched)
),
stay AS (
    SELECT s.lot_id, s.location_id, min(s.came) AS began,
           CASE WHEN coalesce(k.on_hand, 0) > 0 OR (k.on_hand IS NULL AND sum(s.gained) > 0) THEN NULL
                ELSE max(s.went) END AS ended
    FROM step s LEFT JOIN stock k ON k.lot_id = s.lot_id AND k.location_id = s.location_id
    GROUP BY s.lot_id, s.location_id, k.on_hand
),
-- Records that let goods leave before they came put them there at both times, and in between.
presence AS MATERIALIZED (
    SELECT p.series_id, p.lot_id, r.rank, p.began AS came, p.ended AS went,
           least(coalesce(p.began, '-infinity'), p.until) AS began, greatest(p.began, p.until) AS until
    FROM (
        SELECT way.lot_id, s.id AS series_id, way.began, way.ended
        FROM way JOIN sensor_series s ON s.document_no = way.document_no
        UNION ALL
        SELECT stay.lot_id, s.id, stay.began, stay.ended
        FROM stay JOIN sensor_series s ON s.location_id = stay.location_id AND s.document_no IS NULL
    ) AS each CROSS JOIN LATERAL (
        SELECT each.*, coalesce(CASE WHEN each.ended = date_trunc('day', each.ended, 'UTC')
                                     THEN each.ended + interval '1 day' ELSE each.ended END, 'infinity') AS until
    ) AS p JOIN relevant r ON r.lot_id = p.lot_id
),
-- Lots that had come when an excursion ended, less those that had left before it began: one pass in the order of time,
-- where pairs of lots and excursions are millions.
tick AS (
    SELECT series_id, rank, began AS at, 0 AS turn, NULL::timestamptz AS starts_at, false AS ending FROM presence
    UNION ALL SELECT series_id, rank, until, 2, NULL, false FROM presence
    UNION ALL
    SELECT p.series_id, p.rank, edge.at, 1, x.starts_at, edge.ending
    FROM (SELECT DISTINCT series_id, rank FROM presence) AS p JOIN sensor_excursion x ON x.series_id = p.series_id
    CROSS JOIN LATERAL (VALUES (x.starts_at, false), (x.ends_at, true)) AS edge(at, ending)
),
passed AS (
    SELECT series_id, rank, starts_at, CASE WHEN ending THEN count(*) FILTER (WHERE turn = 0) OVER so_far
                                            ELSE - count(*) FILTER (WHERE turn = 2) OVER so_far END AS lots
    FROM tick WINDOW so_far AS (PARTITION BY series_id, rank ORDER BY at, turn ROWS UNBOUNDED PRECEDING)
),
hit AS (
    SELECT series_id, starts_at, min(rank) FILTER (WHERE lots > 0) AS rank, sum(lots)::bigint AS lots
    FROM (
        SELECT series_id, rank, starts_at, sum(lots) AS lots FROM passed WHERE starts_at IS NOT NULL
        GROUP BY series_id, rank, starts_at
    ) AS each GROUP BY series_id, starts_at HAVING sum(lots) > 0
)
"""

_PRESENT: Final = """
present AS MATERIALIZED (
    SELECT series_id, array_agg(lot_id ORDER BY rank, lot_id) AS lots, array_agg(rank ORDER BY rank, lot_id) AS ranks,
           array_agg(began ORDER BY rank, lot_id) AS began, array_agg(until ORDER BY rank, lot_id) AS until,
           array_agg(came ORDER BY rank, lot_id) AS came, array_agg(went ORDER BY rank, lot_id) AS went
    FROM presence WHERE series_id IN (SELECT a FROM page) GROUP BY series_id
)
"""
"""What lay or travelled where the excursions of a page were, the closest first: read until there are enough."""

_EXCURSION_KEYS = """
    SELECT rank, series_id AS a, (extract(epoch FROM starts_at) * 1000000)::bigint AS b, lots FROM hit
"""

_EXCURSIONS = f"""
    SELECT jsonb_build_object(
        'device', s.device, 'measure', s.measure, 'document_no', s.document_no, 'location_code', place.code,
        'unit', s.unit, 'lower', {_number("s.lower")}, 'upper', {_number("s.upper")}, 'side', x.side,
        'peak', {_number("x.peak")}, 'starts_at', {_at("x.starts_at")}, 'ends_at', {_at("x.ends_at")},
        'open', x.open, 'minutes', floor(extract(epoch FROM x.ends_at - x.starts_at) / 60)::bigint,
        'readings', x.readings, 'series_from', {_at("s.first_at")}, 'series_to', {_at("s.last_at")},
        'longest_gap_s', s.longest_gap_s, 'mean_kinetic_celsius', round(s.mean_kinetic_c::numeric, 2)::text,
        'source_system', s.source_system, 'lots', k.lots, 'first_lots', (
            SELECT jsonb_agg(jsonb_build_object('product_code', p.code, 'lot', l.number, 'lot_id', l.id,
                       'relation', (CAST(:relations AS text[]))[o.rank + 1],
                       'present_from', {_at("NULLIF(o.came, '-infinity')")},
                       'present_to', {_at("o.went")}) ORDER BY o.rank, o.lot_id)
            FROM (SELECT * FROM (
                      SELECT unnest(lots) AS lot_id, unnest(ranks) AS rank, unnest(began) AS began,
                             unnest(until) AS until, unnest(came) AS came, unnest(went) AS went
                      FROM present WHERE series_id = k.a) AS each
                  WHERE began <= x.ends_at AND until >= x.starts_at LIMIT {MOST_LOTS}) AS o
            JOIN lot l ON l.id = o.lot_id JOIN product p ON p.id = l.product_id)) AS detail
    FROM sensor_series s JOIN sensor_excursion x ON x.series_id = s.id
    LEFT JOIN location place ON place.id = s.location_id
    WHERE s.id = k.a AND (extract(epoch FROM x.starts_at) * 1000000)::bigint = k.b
"""  # noqa: S608 - constants

_COMPLAINT_KEYS = f"""
    SELECT coalesce(r.rank, 4) AS rank, c.id AS a, 0::bigint AS b, {_NO_LOTS}
    FROM complaint c JOIN recall ON recall.number = c.recall_number LEFT JOIN relevant r ON r.lot_id = c.lot_id
    WHERE c.recall_number = ANY(CAST(:recalls AS text[])) OR r.lot_id IS NOT NULL AND NOT recall.drill
"""  # noqa: S608 - constants

_COMPLAINTS = f"""
    SELECT jsonb_build_object(
        'recall', c.recall_number, 'complaint', c.sequence, 'severity', c.severity, 'patients', c.patients,
        'state', c.state, 'awareness_at', {_at("c.awareness_at")}, 'product_code', p.code, 'lot', l.number,
        'lot_id', l.id, 'codes', coalesce((
            SELECT jsonb_agg(jsonb_build_object('code', t.code, 'term', t.term) ORDER BY t.code)
            FROM record_code k JOIN code_term t ON t.code = k.code
            WHERE k.complaint_id = c.id AND k.removed_at IS NULL), '[]')) AS detail
    FROM complaint c LEFT JOIN lot l ON l.id = c.lot_id LEFT JOIN product p ON p.id = l.product_id WHERE c.id = k.a
"""  # noqa: S608 - constants

PARTS: Final[dict[str, tuple[str, str, str]]] = {
    "inspection": ("", _MEASUREMENT_KEYS.format(which="<>"), _MEASUREMENT),
    "parameter": ("", _MEASUREMENT_KEYS.format(which="="), _MEASUREMENT),
    "supplier_lot": (_SUPPLIER_PARTS, _SUPPLIER_LOT_KEYS, _SUPPLIER_LOTS),
    "excursion": (_EXCURSION_PARTS, _EXCURSION_KEYS, _EXCURSIONS),
    "complaint": ("", _COMPLAINT_KEYS, _COMPLAINTS),
}
"""Kind -> its common table expressions, the keys of its rows, and what one row `k` says."""


def _with(kinds: list[str]) -> str:
    return "WITH RECURSIVE " + ",".join([RELEVANT, *(PARTS[kind][0] for kind in kinds if PARTS[kind][0])])


def _keys(kinds: list[str]) -> str:
    order = list(PARTS)
    return " UNION ALL ".join(
        f"SELECT {order.index(kind)} AS kind_no, {kind}_row.* FROM ({PARTS[kind][1]})"  # noqa: S608 - constants
        f" AS {kind}_row(rank, a, b, lots)"
        for kind in kinds
    )


def page(kinds: list[str]) -> str:
    """One page after the key `:kind_no, :rank, :a, :b`, by kind, relation and number; only its rows are looked up."""
    order = list(PARTS)
    details = " UNION ALL ".join(
        f"SELECT * FROM ({PARTS[kind][2]}) AS {kind}_detail WHERE k.kind_no = {order.index(kind)}"  # noqa: S608
        for kind in kinds
    )
    present = f", {_PRESENT}" if "excursion" in kinds else ""
    return (
        f"{_with(kinds)}{present}, page AS MATERIALIZED (SELECT * FROM ({_keys(kinds)}) AS found"  # noqa: S608 - constants
        " WHERE (kind_no, rank, a, b) > (:kind_no, :rank, :a, :b) ORDER BY kind_no, rank, a, b LIMIT :limit)"
        " SELECT k.kind_no, k.rank, k.a, k.b, d.detail"
        f" FROM page k CROSS JOIN LATERAL ({details}) AS d ORDER BY k.kind_no, k.rank, k.a, k.b"
    )


def counts() -> str:
    """Lots by relation and findings by kind, in rows `what, name, number`."""
    kinds = list(PARTS)
    return (
        f"{_with(kinds)} SELECT 'lots' AS what, (CAST(:relations AS text[]))[rank + 1] AS name, count(*) AS number"  # noqa: S608
        " FROM relevant GROUP BY rank UNION ALL SELECT 'findings', (CAST(:kinds AS text[]))[kind_no + 1], count(*)"
        f" FROM (SELECT kind_no FROM ({_keys(kinds)}) AS each) AS found GROUP BY kind_no"
    )


RUNS: Final = """
SELECT DISTINCT ON (recall_number) recall_number AS recall, run, traced_at, sha256 FROM trace_run
WHERE recall_number = ANY(CAST(:recalls AS text[])) ORDER BY recall_number, run DESC
"""

SOURCES: Final = """
SELECT b.source_system, b.kind, max(b.loaded_at) AS newest_import, CASE
    WHEN b.kind = 'readings' THEN (SELECT max(last_at) FROM sensor_series s WHERE s.source_system = b.source_system)
    ELSE (SELECT max(measured_at) FROM lot_measurement m
          WHERE m.source_system = b.source_system AND (m.stage = 'parameter') = (b.kind = 'parameters'))
    END AS newest_record
FROM import_batch b WHERE b.state = 'loaded' AND b.kind IN ('inspections', 'parameters', 'readings')
GROUP BY b.source_system, b.kind ORDER BY b.source_system, b.kind
"""
"""How old the data of each source is."""
