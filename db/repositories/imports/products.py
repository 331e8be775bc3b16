"""Products and package levels named by a file: found on record, reserved to be created, or in conflict."""

from db.repositories.imports.differences import JOINED, composed, pairs
from db.repositories.imports.stage import PRODUCT_ATTRIBUTES, Cursor

_FIND = "UPDATE imp_product v SET id = p.id FROM product p WHERE p.code = v.code"

_RESERVE = """
    UPDATE imp_product v SET id = n.id, fresh = true
    FROM (SELECT code, nextval(pg_get_serial_sequence('product', 'id')) AS id
          FROM (SELECT DISTINCT code FROM imp_product WHERE id IS NULL AND creates) AS wanted) AS n
    WHERE v.code = n.code AND v.id IS NULL
"""

_UNKNOWN = """
    UPDATE imp_product SET problem_field = '', problem_value = code,
        problem_reason = 'no such product on record, and the mapping creates none'
    WHERE id IS NULL
"""

_UNPAIRED = """
    UPDATE imp_product SET problem_field = CASE WHEN unit_value IS NULL THEN 'unit_value' ELSE 'unit_currency' END,
        problem_value = coalesce(unit_currency, trim_scale(unit_value)::text),
        problem_reason = 'a value and its currency come together'
    WHERE problem_reason IS NULL AND creates AND (unit_value IS NULL) <> (unit_currency IS NULL)
"""


def _as_text(row: str, name: str) -> str:
    """A column as it is compared: 2.50 and 2.5 are one value."""
    return f"trim_scale({row}.{name})" if name == "unit_value" else f"{row}.{name}"


_DIFFERENCES = composed(
    """
    WITH reference AS (
        SELECT p.id, 'on record' AS whence, <recorded> FROM product p
        WHERE p.id IN (SELECT id FROM imp_product WHERE NOT fresh)
        UNION ALL
        (SELECT DISTINCT ON (v.id) v.id, 'in line ' || v.line, <staged>
         FROM imp_product v WHERE v.fresh AND v.creates ORDER BY v.id, v.variant)
    ), found AS (
        SELECT v.variant, <joined>
        FROM imp_product v JOIN reference r USING (id) CROSS JOIN LATERAL <pairs>
        WHERE v.creates AND d.here IS DISTINCT FROM d.there AND d.here IS NOT NULL
        GROUP BY v.variant
    )
    UPDATE imp_product v SET kept = v.keeps,
        problem_field = CASE WHEN NOT v.keeps THEN f.field END,
        problem_value = CASE WHEN NOT v.keeps THEN f.value END,
        problem_reason = CASE WHEN NOT v.keeps THEN f.reason END
    FROM found f WHERE f.variant = v.variant
    """,
    joined=JOINED,
    whence="r.whence",
    recorded=", ".join(f"p.{name}" for name in PRODUCT_ATTRIBUTES),
    staged=", ".join(f"v.{name}" for name in PRODUCT_ATTRIBUTES),
    pairs=pairs([(name, _as_text("v", name), _as_text("r", name)) for name in PRODUCT_ATTRIBUTES]),
)

_GTIN_TAKEN = """
    UPDATE imp_product v SET problem_field = 'gtin', problem_value = v.gtin,
        problem_reason = 'is the GTIN of product ' || t.code
    FROM (SELECT gtin, code, id FROM product
          UNION ALL
          (SELECT DISTINCT ON (gtin) gtin, code, id FROM imp_product
           WHERE fresh AND creates AND gtin IS NOT NULL ORDER BY gtin, variant)) AS t
    WHERE v.fresh AND t.gtin = v.gtin AND t.id <> v.id AND v.problem_reason IS NULL
"""

_ORPHANS = """
    UPDATE imp_product v SET problem_field = '', problem_value = v.code,
        problem_reason = 'no such product on record, and the rows that would create it are rejected'
    WHERE v.fresh AND NOT v.creates AND NOT EXISTS (
        SELECT FROM imp_product o WHERE o.id = v.id AND o.creates AND o.problem_reason IS NULL)
"""

_PACKAGES = """
    CREATE TEMP TABLE imp_package ON COMMIT DROP AS
    SELECT v.variant, v.line, v.id AS product_id, k.unit, k.units_of_use, k.gtin, v.keeps,
        row_number() OVER (PARTITION BY v.id, k.unit ORDER BY v.variant) AS nr
    FROM imp_product v
    CROSS JOIN LATERAL jsonb_to_recordset(v.packages) AS k(unit text, units_of_use numeric, gtin text)
    WHERE v.packages IS NOT NULL AND v.problem_reason IS NULL
"""

_PACKAGE_DIFFERENCES = composed(
    """
    WITH reference AS (
        SELECT product_id, unit, units_of_use, gtin, 'on record' AS whence FROM package_level
        UNION ALL
        SELECT product_id, unit, units_of_use, gtin, 'in line ' || line FROM imp_package k
        WHERE nr = 1 AND NOT EXISTS (
            SELECT FROM package_level l WHERE l.product_id = k.product_id AND l.unit = k.unit)
    ), found AS (
        SELECT k.variant, <joined>
        FROM imp_package k JOIN reference r USING (product_id, unit)
        CROSS JOIN LATERAL <pairs>
        WHERE d.here IS DISTINCT FROM d.there AND d.here IS NOT NULL AND NOT k.keeps
        GROUP BY k.variant
    )
    UPDATE imp_product v SET problem_field = f.field, problem_value = f.value, problem_reason = f.reason
    FROM found f WHERE f.variant = v.variant AND v.problem_reason IS NULL
    """,
    joined=JOINED,
    whence="r.whence",
    pairs=pairs(
        [
            ("packages.units_of_use", "trim_scale(k.units_of_use)", "trim_scale(r.units_of_use)"),
            ("packages.gtin", "k.gtin", "r.gtin"),
        ]
    ),
)

_PACKAGE_GTIN_TAKEN = """
    UPDATE imp_product v SET problem_field = 'packages.gtin', problem_value = k.gtin,
        problem_reason = 'is the GTIN of another package level'
    FROM imp_package k
    WHERE k.variant = v.variant AND v.problem_reason IS NULL AND k.gtin IS NOT NULL AND (
        EXISTS (SELECT FROM package_level l
                WHERE l.gtin = k.gtin AND (l.product_id, l.unit) <> (k.product_id, k.unit))
        OR EXISTS (SELECT FROM imp_package o
                   WHERE o.gtin = k.gtin AND o.variant < k.variant AND (o.product_id, o.unit) <> (k.product_id, k.unit))
        OR EXISTS (SELECT FROM imp_package o
                   WHERE o.gtin = k.gtin AND o.variant = k.variant AND o.unit < k.unit))
"""

_INSERT = """
    INSERT INTO product (id, code, name, family, brand, gtin, udi_di, unit_of_use, device_class, implantable,
        life_supporting, sterile, expected_life_years, unit_value, unit_currency, batch_id)
    SELECT DISTINCT ON (v.id) v.id, v.code, v.name, v.family, v.brand, v.gtin, v.udi_di, v.unit_of_use, v.device_class,
        coalesce(v.implantable, false), coalesce(v.life_supporting, false), coalesce(v.sterile, false),
        v.expected_life_years, v.unit_value, v.unit_currency, %(batch)s
    FROM imp_product v
    WHERE v.fresh AND v.creates AND v.problem_reason IS NULL AND v.id IN (SELECT id FROM imp_used_product)
    ORDER BY v.id, v.variant
"""

_INSERT_PACKAGES = """
    INSERT INTO package_level (product_id, unit, units_of_use, gtin, batch_id)
    SELECT DISTINCT ON (k.product_id, k.unit) k.product_id, k.unit, k.units_of_use, k.gtin, %(batch)s
    FROM imp_package k JOIN imp_product v ON v.variant = k.variant
    WHERE v.problem_reason IS NULL AND (<every> OR v.fresh) AND v.id IN (SELECT id FROM imp_used_product)
        AND NOT EXISTS (SELECT FROM package_level l WHERE l.product_id = k.product_id AND l.unit = k.unit)
    ORDER BY k.product_id, k.unit, k.variant
"""


async def resolve_products(cursor: Cursor) -> None:
    """Give each product variant its id, or its problem."""
    for statement in (_FIND, _RESERVE, _UNKNOWN):
        await cursor.execute(statement)
    await cursor.execute(_UNPAIRED)
    await cursor.execute(_DIFFERENCES)
    await cursor.execute(_GTIN_TAKEN)
    await cursor.execute(_PACKAGES)
    await cursor.execute(_PACKAGE_DIFFERENCES)
    await cursor.execute(_PACKAGE_GTIN_TAKEN)
    await cursor.execute(_ORPHANS)


async def insert_products(cursor: Cursor, batch_id: int, *, new_levels_of_known: bool = False) -> dict[str, int]:
    """Insert the new products listed in `imp_used_product` with their package levels.

    Package levels of products already on record are added only by a product master (`new_levels_of_known`).
    """
    await cursor.execute(_INSERT, {"batch": batch_id})
    products = cursor.rowcount
    levels = composed(_INSERT_PACKAGES, every="true" if new_levels_of_known else "false")
    await cursor.execute(levels, {"batch": batch_id})
    return {"products": products, "package_levels": cursor.rowcount}
