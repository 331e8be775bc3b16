"""From the unit a file counts in to units of use: by the mapping's constant, the product's unit, or a package level."""

import json
from collections.abc import Mapping
from decimal import Decimal

from db.repositories.imports.differences import composed
from db.repositories.imports.stage import Cursor

_UNITS = """
    CREATE TEMP TABLE imp_unit ON COMMIT DROP AS
    WITH asked AS (
        SELECT DISTINCT <product> AS variant, unit FROM imp_row WHERE unit IS NOT NULL AND <product> IS NOT NULL
    ), product_unit AS (
        SELECT v.variant, v.id,
            coalesce(p.unit_of_use, (SELECT o.unit_of_use FROM imp_product o
                                     WHERE o.id = v.id AND o.creates ORDER BY o.variant LIMIT 1)) AS unit_of_use
        FROM imp_product v LEFT JOIN product p ON p.id = v.id
    ), level AS (
        SELECT product_id, unit, units_of_use FROM package_level
        UNION SELECT product_id, unit, units_of_use FROM imp_package k
            WHERE NOT EXISTS (SELECT FROM product p WHERE p.id = k.product_id)
    )
    SELECT a.variant, a.unit, p.unit_of_use, coalesce((%(units)s::jsonb ->> a.unit)::numeric,
        CASE WHEN a.unit = p.unit_of_use THEN 1 END,
        (SELECT min(l.units_of_use) FROM level l WHERE l.product_id = p.id AND l.unit = a.unit)) AS units
    FROM asked a JOIN product_unit p USING (variant)
"""

UNIT_REASON = """
    CASE WHEN s.unit IS NOT NULL AND u.units IS NULL AND s.quantity IS NOT NULL THEN
        'unknown unit: neither the unit of use (' || coalesce(u.unit_of_use, 'unknown')
            || '), nor a package level of the product, nor under units of the mapping' END
"""
"""Reason to reject a row `s` for its unit `u`."""

INEXACT_REASON = """
    CASE WHEN scale(trim_scale(<quantity>)) > 6 THEN 'is not exact to 6 decimals in units of use'
         WHEN abs(<quantity>) >= 1e14 THEN 'has more than 14 digits in units of use' END
"""


async def resolve_units(cursor: Cursor, units: Mapping[str, Decimal], *, product: str = "product_v") -> None:
    """Make `imp_unit`: units of use in one unit, per product variant named by the column `product`."""
    table = json.dumps({unit: str(factor) for unit, factor in units.items()})
    await cursor.execute(composed(_UNITS, product=product), {"units": table})
