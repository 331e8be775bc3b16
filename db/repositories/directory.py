"""Lots, places and packages of the record by the names a keeper of stock uses (`adapters.inventory.base.Directory`)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from db.engine import SessionFactory
from db.plain_sql import run
from domain.inventory import LotName

_LOT_NAMES: Final = """
SELECT lot.id, product.code AS product_code, lot.number, site.code AS site_code
FROM lot JOIN product ON product.id = lot.product_id LEFT JOIN location site ON site.id = lot.site_id
WHERE lot.id = ANY(CAST(:ids AS bigint[]))
"""
_LOTS_FITTING: Final = """
SELECT given.place, array_agg(lot.id ORDER BY lot.id) AS ids
FROM unnest(CAST(:products AS text[]), CAST(:numbers AS text[]), CAST(:sites AS text[]))
     WITH ORDINALITY AS given (product_code, number, site_code, place)
JOIN product ON product.code = given.product_code
JOIN lot ON lot.product_id = product.id AND lot.number = given.number
LEFT JOIN location site ON site.id = lot.site_id
WHERE given.site_code IS NULL OR site.code = given.site_code
GROUP BY given.place
"""
_PLACE_CODES: Final = """
SELECT location.id, coalesce(own.place_code, location.code) AS code
FROM location LEFT JOIN keeper_location own ON own.location_id = location.id AND own.keeper_code = :keeper
WHERE location.id = ANY(CAST(:ids AS bigint[]))
"""
# The keeper's own code of a place goes before our code of another one.
_PLACE_IDS: Final = """
SELECT DISTINCT ON (code) code, id FROM (
    SELECT place_code AS code, location_id AS id, 1 AS rank FROM keeper_location
    WHERE keeper_code = :keeper AND place_code = ANY(CAST(:codes AS text[]))
    UNION ALL
    SELECT code, id, 2 FROM location WHERE code = ANY(CAST(:codes AS text[]))
) found ORDER BY code, rank
"""
_CUSTODIES: Final = "SELECT id, custody FROM location WHERE id = ANY(CAST(:ids AS bigint[]))"
_PRODUCTS: Final = "SELECT code FROM product WHERE code = ANY(CAST(:codes AS text[]))"
_UNITS: Final = """
SELECT CASE WHEN product.unit_of_use = :unit THEN 1 ELSE package.units_of_use END
FROM product LEFT JOIN package_level package ON package.product_id = product.id AND package.unit = :unit
WHERE product.code = :product
"""


class KeeperDirectory:
    """The names one keeper uses; each call is a reading transaction of its own."""

    def __init__(self, sessions: SessionFactory, keeper: str) -> None:
        """`keeper` is the keeper's code on record."""
        self._sessions = sessions
        self._keeper = keeper

    async def lot_names(self, lot_ids: Sequence[int]) -> dict[int, LotName]:
        """Names of these lots; an unknown id is left out."""
        async with self._sessions() as session:
            rows = await run(session, _LOT_NAMES, {"ids": list(lot_ids)})
            return {row.id: LotName(row.product_code, row.number, row.site_code) for row in rows}

    async def lot_ids(self, names: Sequence[LotName]) -> dict[LotName, int]:
        """Ids of these lots; a name that is not on record, or fits several lots, is left out."""
        return {name: ids[0] for name, ids in (await self.lots_fitting(names)).items() if len(ids) == 1}

    async def lots_fitting(self, names: Sequence[LotName]) -> dict[LotName, list[int]]:
        """Every lot that a name fits (without a site: of all sites), by id; a name that fits none is left out."""
        given = list(dict.fromkeys(names))
        binds = {
            "products": [name.product_code for name in given],
            "numbers": [name.number for name in given],
            "sites": [name.site_code for name in given],
        }
        async with self._sessions() as session:
            rows = await run(session, _LOTS_FITTING, binds)
            return {given[row.place - 1]: list(row.ids) for row in rows}

    async def place_codes(self, location_ids: Sequence[int]) -> dict[int, str]:
        """The keeper's codes of these places (our code where the keeper has none of its own)."""
        async with self._sessions() as session:
            rows = await run(session, _PLACE_CODES, {"ids": list(location_ids), "keeper": self._keeper})
            return {row.id: row.code for row in rows}

    async def place_ids(self, codes: Sequence[str]) -> dict[str, int]:
        """Our places by the keeper's codes; an unknown code is left out."""
        async with self._sessions() as session:
            rows = await run(session, _PLACE_IDS, {"codes": list(codes), "keeper": self._keeper})
            return {row.code: row.id for row in rows}

    async def custodies(self, location_ids: Sequence[int]) -> dict[int, str]:
        """Who keeps the stock at these places: own, logistics or customer."""
        async with self._sessions() as session:
            rows = await run(session, _CUSTODIES, {"ids": list(location_ids)})
            return {row.id: row.custody for row in rows}

    async def known_products(self, codes: Sequence[str]) -> set[str]:
        """Those of the codes that are products on record."""
        async with self._sessions() as session:
            return set((await run(session, _PRODUCTS, {"codes": list(codes)})).scalars())

    async def units_of_use(self, product_code: str, unit: str) -> Decimal | None:
        """How many units of use one `unit` of the product holds; None when the product has no such package."""
        async with self._sessions() as session:
            found = (await run(session, _UNITS, {"product": product_code, "unit": unit})).scalar_one_or_none()
            return Decimal(found) if found is not None else None


__all__ = ["KeeperDirectory"]
