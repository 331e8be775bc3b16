"""What the record knows of a scanned code: its product, and which of the possible lots are under the recall.

The whole scope is asked, not only what our records say the recipient got: a box that reached it another way is just as
affected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run

_SCOPE: Final = """
WITH scope AS (
    SELECT lot.id, lot.number, lot.product_id
    FROM scope_lot s JOIN recall r ON r.number = s.recall_number AND r.scope_version = s.scope_version
    JOIN lot ON lot.id = s.lot_id
    WHERE s.recall_number = :number
    UNION SELECT lot.id, lot.number, lot.product_id FROM lot WHERE lot.id = ANY (CAST(:own AS bigint[]))
)"""
_SAME_NUMBER: Final = """regexp_replace(lower(scope.number), '[^[:alnum:]]', '', 'g')
                 = ANY (SELECT regexp_replace(lower(each), '[^[:alnum:]]', '', 'g')
                        FROM unnest(CAST(:lots AS text[])) AS each)"""
_FIND: Final = f"""{_SCOPE}
SELECT p.id AS product_id, p.name AS product,
       EXISTS (SELECT FROM scope WHERE scope.product_id = p.id) AS recalled,
       ARRAY(SELECT scope.id FROM scope WHERE scope.product_id = p.id
             AND ({_SAME_NUMBER} OR cardinality(CAST(:lots AS text[])) = 0 AND EXISTS (
                 SELECT FROM serial u WHERE u.number = CAST(:serial AS text) AND u.lot_id = scope.id))) AS lot_ids
FROM product p
WHERE p.gtin = CAST(:gtin AS text)
   OR p.id IN (SELECT product_id FROM package_level WHERE gtin = CAST(:gtin AS text))
ORDER BY recalled DESC, p.id LIMIT 1
"""  # noqa: S608 - constants
_NUMBER_RECALLED: Final = f"{_SCOPE} SELECT EXISTS (SELECT FROM scope WHERE {_SAME_NUMBER})"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class KnownProduct:
    """The product of a code."""

    product_id: int
    product: str
    recalled: bool
    """Whether any of its lots is under the recall."""
    lot_ids: tuple[int, ...]
    """Lots of it under the recall that one of the readings names, or that the serial number is of."""


async def find(
    session: AsyncSession, number: str, gtin: str, lots: Sequence[str], own: Sequence[int], serial: str | None = None
) -> KnownProduct | None:
    """The product with this GTIN (its own or a package's), or None when the record has none.

    Args:
        session: open session.
        number: recall.
        gtin: 14 digits.
        lots: possible readings of the lot number.
        own: ids of the lots the recipient is asked for; they count as recalled like the scope's.
        serial: serial number of the unit (AI 21); says which lot it is where the code names none.
    """
    values = {"number": number, "gtin": gtin, "lots": list(lots), "own": list(own), "serial": serial}
    found = await run(session, _FIND, values)
    row = found.mappings().one_or_none()
    if row is None:
        return None
    return KnownProduct(row["product_id"], row["product"], row["recalled"], tuple(row["lot_ids"]))


async def number_recalled(session: AsyncSession, number: str, lots: Sequence[str], own: Sequence[int]) -> bool:
    """Whether any lot under the recall, of whatever product, has a number that is one of the readings `lots`."""
    values = {"number": number, "lots": list(lots), "own": list(own)}
    return bool((await run(session, _NUMBER_RECALLED, values)).scalar_one())


__all__ = ["KnownProduct", "find", "number_recalled"]
