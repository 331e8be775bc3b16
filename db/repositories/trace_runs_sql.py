"""Frozen results as SQL text: what a run found (`lots_at`, `sites_at`, `gaps_at`), and the difference a trace makes.

A run holds only what differs from the run before it (`models.trace_run`): the state at a run is the newest row of each
key up to it. Nothing here goes through Python; a recall with 100,000 sites is compared and stored by one statement.
"""

FIGURES = (
    *("shipped_to", "received", "in_transit", "returned_in", "shipped_out", "returned_out", "consumed", "destroyed"),
    *("adjusted", "on_hand"),
)
"""Quantities of a lot at a place, in units of use, in the order in which they are hashed."""

VOLATILE = (
    *("quantity", "date", "last_data", "newest_data", "on_hand", "lots", "expected", "counted", "difference", "as_of"),
    *("produced", "distributed", "own_stock", "in_transit", "used", "destroyed", "made", "on_record", "from", "to"),
    *("receipts", "first_receipt", "last_receipt", "serials", "units"),
)
"""Fields of a gap that are figures; the others say which gap it is."""

_RUNS = """CAST(ARRAY(SELECT id FROM trace_run WHERE recall_number = :recall_number AND run <= {upto}) AS bigint[])"""


def _state(table: str, keys: str, upto: str) -> str:
    """Rows of one kind that hold at the run `upto` (an expression)."""
    runs = _RUNS.format(upto=upto)
    return (
        f"SELECT * FROM (SELECT DISTINCT ON ({keys}) * FROM {table} WHERE run_id = ANY({runs})"  # noqa: S608 - constants
        f" ORDER BY {keys}, run_id DESC) AS newest WHERE NOT gone"
    )


def lots_at(upto: str = ":run") -> str:
    """Lots of the result of a run of `:recall_number`."""
    return _state("trace_run_lot", "lot_id", upto)


def sites_at(upto: str = ":run") -> str:
    """Lot and place of the result of a run of `:recall_number`."""
    return _state("trace_run_site", "lot_id, location_id", upto)


def gaps_at(upto: str = ":run") -> str:
    """Gaps of the result of a run of `:recall_number`."""
    return _state("trace_run_gap", "key", upto)


_NEWEST = "(SELECT coalesce(max(run), 0) FROM trace_run WHERE recall_number = :recall_number)"
_NEW = ", ".join(f"coalesce(p.{name}, 0)" for name in FIGURES)
_SAME = (
    f"({', '.join(f'p.{name}' for name in FIGURES)}, p.counted IS NOT NULL, p.last_at)"
    f" IS NOT DISTINCT FROM ({', '.join(f'k.{name}' for name in FIGURES)}, k.is_counted, k.last_at)"
)
_UTC = """to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_SITE_TEXT = (
    "concat_ws('|', p.lot_id, p.location_id, "
    + ", ".join(f"trim_scale(p.{name})" for name in FIGURES)
    + f", p.counted IS NOT NULL, coalesce({_UTC.format(column='p.last_at')}, ''))"
)


def _digest(rows: str, order: str) -> str:
    """SHA-256 over the SHA-256 of each text in order, in hexadecimal."""
    return (
        f"encode(sha256(coalesce(string_agg(sha256(convert_to({rows}, 'UTF8')), ''::bytea ORDER BY {order}),"
        " ''::bytea)), 'hex')"
    )


FREEZE_SITES = f"""
known_site AS ({sites_at(_NEWEST)}),
frozen_site AS (
    INSERT INTO trace_run_site (run_id, lot_id, location_id, gone, {", ".join(FIGURES)}, is_counted, last_at)
    SELECT CAST(:run_id AS bigint), coalesce(p.lot_id, k.lot_id), coalesce(p.location_id, k.location_id),
           p.lot_id IS NULL, {_NEW}, p.counted IS NOT NULL, p.last_at
    FROM position p FULL JOIN known_site k ON k.lot_id = p.lot_id AND k.location_id = p.location_id
    WHERE ({_SAME}) IS NOT TRUE OR p.lot_id IS NULL OR k.lot_id IS NULL
    RETURNING lot_id
)
"""  # noqa: S608 - constants
"""CTE over `position`: what its lots did where, as far as the newest run has it otherwise; binds `:run_id`."""

SITES_FROZEN = f"""
SELECT (SELECT count(*) FROM frozen_site) AS changed, (SELECT count(*) FROM position) AS total,
       (SELECT {_digest(_SITE_TEXT, "p.lot_id, p.location_id")} FROM position p) AS sha256
"""  # noqa: S608 - constants

FREEZE_LOTS = f"""
WITH known AS ({lots_at(_NEWEST)}),
found AS MATERIALIZED (
    SELECT lot_id, root, depth, by_serial FROM scope_lot
    WHERE recall_number = :recall_number AND scope_version = :scope_version
),
frozen AS (
    INSERT INTO trace_run_lot (run_id, lot_id, gone, root, depth, by_serial)
    SELECT CAST(:run_id AS bigint), coalesce(f.lot_id, k.lot_id), f.lot_id IS NULL, coalesce(f.root, false),
           coalesce(f.depth, 0), coalesce(f.by_serial, false)
    FROM found f FULL JOIN known k ON k.lot_id = f.lot_id
    WHERE f.lot_id IS NULL OR k.lot_id IS NULL OR (f.root, f.depth, f.by_serial) <> (k.root, k.depth, k.by_serial)
    RETURNING lot_id
)
SELECT (SELECT count(*) FROM frozen) AS changed, (SELECT count(*) FROM found) AS total,
       (SELECT {_digest("concat_ws('|', lot_id, root, depth, by_serial)", "lot_id")} FROM found) AS sha256
"""  # noqa: S608 - constants

FREEZE_GAPS = f"""
WITH known AS ({gaps_at(_NEWEST)}),
found AS MATERIALIZED (
    SELECT encode(sha256(convert_to(concat_ws('|', kind, named, row_number() OVER (
               PARTITION BY kind, named ORDER BY detail::text)), 'UTF8')), 'hex') AS key, kind, detail
    FROM (
        SELECT kind, detail, (detail - CAST(:volatile AS text[]))::text AS named FROM scope_gap
        WHERE recall_number = :recall_number AND scope_version = :scope_version
    ) AS gap
),
frozen AS (
    INSERT INTO trace_run_gap (run_id, key, gone, kind, detail)
    SELECT CAST(:run_id AS bigint), coalesce(f.key, k.key), f.key IS NULL, coalesce(f.kind, k.kind),
           coalesce(f.detail, k.detail)
    FROM found f FULL JOIN known k ON k.key = f.key
    WHERE f.key IS NULL OR k.key IS NULL OR f.detail <> k.detail
    RETURNING key
)
SELECT (SELECT count(*) FROM frozen) AS changed, (SELECT count(*) FROM found) AS total,
       (SELECT {_digest("concat_ws('|', kind, detail)", "key")} FROM found) AS sha256
"""  # noqa: S608 - constants

SOURCES = """
SELECT source_system, max(movement_at) AS newest_movement, max(count_at) AS newest_count,
       max(loaded_at) AS newest_import
FROM (
    SELECT m.source_system, max(m.occurred_at) AS movement_at, NULL::timestamptz AS count_at,
           NULL::timestamptz AS loaded_at
    FROM scope JOIN movement m ON m.lot_id = scope.lot_id GROUP BY m.source_system
    UNION ALL
    SELECT coalesce(b.source_system, 'keeper\\:' || s.source, 'unknown'), NULL, max(s.as_of), NULL
    FROM scope JOIN stock s ON s.lot_id = scope.lot_id LEFT JOIN import_batch b ON b.id = s.batch_id
    GROUP BY 1
    UNION ALL
    SELECT source_system, NULL, NULL, max(loaded_at) FROM import_batch WHERE state = 'loaded' GROUP BY source_system
) AS fact
GROUP BY source_system ORDER BY source_system
"""
"""Over `scope`: how old the data of each source system is; a keeper of stock is one, named as by its movements."""

ADD_RUN = """
INSERT INTO trace_run (id, recall_number, run, scope_version, traced_at, found, sources, sha256)
SELECT CAST(:run_id AS bigint), CAST(:recall_number AS text), coalesce(max(run), 0) + 1, CAST(:scope_version AS int),
       CAST(:now AS timestamptz), CAST(:found AS jsonb), CAST(:sources AS jsonb), :sha256
FROM trace_run WHERE recall_number = CAST(:recall_number AS text)
RETURNING run
"""

IS_FROZEN = (
    "SELECT EXISTS (SELECT FROM trace_run WHERE recall_number = :recall_number AND scope_version = :scope_version)"
)

NEXT_ID = "SELECT nextval(pg_get_serial_sequence('trace_run', 'id'))"
