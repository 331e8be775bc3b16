"""Product and partner masters: a row is new when it brings a record that no earlier row and no record has."""

from db.repositories.imports.load import Load
from db.repositories.imports.places import insert_places
from db.repositories.imports.products import insert_products
from db.repositories.imports.stage import Cursor

_PRODUCTS = """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, p.variant, p.id AS product_id,
        NULL::numeric AS stated, NULL::numeric AS quantity, '' AS unit, false AS kept,
        coalesce(s.problem_field, nullif(p.problem_field, ''), CASE WHEN p.problem_reason IS NOT NULL THEN 'code' END)
            AS problem_field,
        coalesce(s.problem_value, p.problem_value) AS problem_value,
        coalesce(s.problem_reason, p.problem_reason) AS problem_reason,
        NULL::bigint AS existing_id, NULL::int AS repeats
    FROM imp_row s LEFT JOIN imp_product p ON p.variant = s.product_v
"""

_PRODUCTS_THERE = """
    WITH judged AS (
        SELECT r.line, r.product_id, v.fresh AND row_number() OVER (PARTITION BY r.product_id ORDER BY r.line) = 1
            OR EXISTS (
                SELECT FROM imp_package k
                WHERE k.variant = r.variant
                    AND NOT EXISTS (
                        SELECT FROM package_level l WHERE l.product_id = k.product_id AND l.unit = k.unit)
                    AND NOT EXISTS (
                        SELECT FROM imp_package o JOIN imp_resolved e ON e.variant = o.variant
                        WHERE o.product_id = k.product_id AND o.unit = k.unit AND o.variant < k.variant
                            AND e.problem_reason IS NULL)) AS brings
        FROM imp_resolved r JOIN imp_product v ON v.variant = r.variant WHERE r.problem_reason IS NULL
    )
    UPDATE imp_resolved r SET existing_id = j.product_id FROM judged j WHERE j.line = r.line AND NOT j.brings
"""

_PARTNERS = """
    CREATE TEMP TABLE imp_resolved ON COMMIT DROP AS
    SELECT s.line, p.variant, p.id AS location_id, p.partner_id,
        NULL::numeric AS stated, NULL::numeric AS quantity, '' AS unit, false AS kept,
        coalesce(s.problem_field, nullif(p.problem_field, ''), CASE WHEN p.problem_reason IS NOT NULL THEN 'code' END)
            AS problem_field,
        coalesce(s.problem_value, p.problem_value) AS problem_value,
        coalesce(s.problem_reason, p.problem_reason) AS problem_reason,
        NULL::bigint AS existing_id, NULL::int AS repeats
    FROM imp_row s LEFT JOIN imp_place p ON p.variant = s.place_v
"""

_PARTNERS_THERE = """
    WITH judged AS (
        SELECT r.line, r.partner_id,
            v.partner_fresh AND row_number() OVER (PARTITION BY r.partner_id ORDER BY r.line) = 1
            OR v.fresh AND row_number() OVER (PARTITION BY r.location_id ORDER BY r.line) = 1 AS brings
        FROM imp_resolved r JOIN imp_place v ON v.variant = r.variant WHERE r.problem_reason IS NULL
    )
    UPDATE imp_resolved r SET existing_id = j.partner_id FROM judged j WHERE j.line = r.line AND NOT j.brings
"""


async def load_products(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged product and insert what is new."""
    await cursor.execute(_PRODUCTS)
    await cursor.execute(_PRODUCTS_THERE)
    await cursor.execute(
        "CREATE TEMP TABLE imp_used_product ON COMMIT DROP AS "
        "SELECT DISTINCT product_id AS id FROM imp_resolved WHERE problem_reason IS NULL"
    )
    return await insert_products(cursor, load.batch_id, new_levels_of_known=True)


async def load_partners(cursor: Cursor, load: Load) -> dict[str, int]:
    """Judge every staged partner (and location) and insert what is new."""
    await cursor.execute(_PARTNERS)
    await cursor.execute(_PARTNERS_THERE)
    await cursor.execute(
        "CREATE TEMP TABLE imp_used_place ON COMMIT DROP AS "
        "SELECT DISTINCT location_id AS id, partner_id FROM imp_resolved WHERE problem_reason IS NULL"
    )
    return await insert_places(cursor, load.batch_id)
