"""Facts of a notice beside its products and lots: expiry dates, serial numbers at recipients, how names are written."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.notice_content import DEFAULT_LANGUAGE

MOST_SERIALS: Final = 500
"""Serial numbers given for one lot of one consignee."""
MOST_CHARACTERS: Final = 600
"""Characters of names embedded for the own sheets of a language; beyond it a name shows others by their code point."""

_EXPIRY: Final = """
SELECT product_id, number, min(expires_on) AS expires_on
FROM lot
WHERE product_id = ANY (CAST(:products AS bigint[]))
GROUP BY product_id, number HAVING min(expires_on) = max(expires_on) AND count(expires_on) = count(*)
"""
_SERIALS: Final = """
SELECT consignee_id, lot_id, array_agg(number ORDER BY number) AS numbers
FROM (
    SELECT c.id AS consignee_id, serial.lot_id, serial.number,
           row_number() OVER (PARTITION BY c.id, serial.lot_id ORDER BY serial.number) AS place
    FROM consignee c
    JOIN consignee_lot cl ON cl.consignee_id = c.id
    JOIN location l ON l.partner_id = c.partner_id
    JOIN serial ON serial.lot_id = cl.lot_id AND serial.location_id = l.id
    JOIN recall r ON r.number = c.recall_number
    LEFT JOIN scope_lot s ON s.recall_number = r.number AND s.scope_version = r.scope_version AND s.lot_id = cl.lot_id
    WHERE c.id = ANY (CAST(:consignees AS bigint[]))
      -- Of a lot that is in scope for single units only these are affected.
      AND (s.by_serial IS NOT TRUE OR EXISTS (
          SELECT FROM scope_serial n WHERE n.recall_number = r.number AND n.scope_version = r.scope_version
             AND n.serial_id = serial.id))
) listed
WHERE place <= :most
GROUP BY consignee_id, lot_id
"""
_DISTRIBUTORS: Final = """
SELECT consignee.id FROM consignee JOIN partner ON partner.id = consignee.partner_id
WHERE consignee.id = ANY (CAST(:consignees AS bigint[])) AND partner.kind = 'distributor'
"""
_LANGUAGES: Final = """
SELECT DISTINCT partner.language FROM consignee JOIN partner ON partner.id = consignee.partner_id
WHERE consignee.recall_number = :number AND consignee.state <> 'withdrawn'
"""
_CHARACTERS: Final = """
SELECT language, string_agg(character, '' ORDER BY character) AS characters
FROM (
    SELECT language, character, row_number() OVER (PARTITION BY language ORDER BY character) AS place
    FROM (
        SELECT DISTINCT partner.language, unnest(string_to_array(partner.name, NULL)) AS character
        FROM consignee JOIN partner ON partner.id = consignee.partner_id
        WHERE consignee.recall_number = :number
    ) used
) numbered
WHERE place <= :most
GROUP BY language
"""


async def expiry_of(session: AsyncSession, products: Sequence[int]) -> dict[int, dict[str, date]]:
    """Expiry date by product and lot number; a number that two sites gave to lots of different expiry has none."""
    found: dict[int, dict[str, date]] = {}
    for row in (await run(session, _EXPIRY, {"products": list(products)})).mappings():
        found.setdefault(row["product_id"], {})[row["number"]] = row["expires_on"]
    return found


async def serials_of(session: AsyncSession, consignees: Sequence[int]) -> dict[int, dict[int, tuple[str, ...]]]:
    """Affected serial numbers on record at each consignee's sites, by consignee and lot."""
    found: dict[int, dict[int, tuple[str, ...]]] = {consignee: {} for consignee in consignees}
    binds = {"consignees": list(consignees), "most": MOST_SERIALS}
    for row in (await run(session, _SERIALS, binds)).mappings():
        found[row["consignee_id"]][row["lot_id"]] = tuple(row["numbers"])
    return found


async def distributors(session: AsyncSession, consignees: Sequence[int]) -> frozenset[int]:
    """Which of the consignees sell on: their notice asks for a sub-recall (21 CFR 7.49(d))."""
    rows = await run(session, _DISTRIBUTORS, {"consignees": list(consignees)})
    return frozenset(rows.scalars())


async def languages_read(session: AsyncSession, number: str) -> frozenset[str]:
    """The languages in which a recall's consignees are written to, as their records have them."""
    rows = await run(session, _LANGUAGES, {"number": number})
    return frozenset(rows.scalars())


async def name_characters(session: AsyncSession, number: str) -> dict[str, str]:
    """The characters that the names of a recall's consignees are written with, by language of the consignee."""
    rows = await run(session, _CHARACTERS, {"number": number, "most": MOST_CHARACTERS})
    return {row["language"] or DEFAULT_LANGUAGE: row["characters"] for row in rows.mappings()}


__all__ = [
    "MOST_CHARACTERS",
    "MOST_SERIALS",
    "distributors",
    "expiry_of",
    "languages_read",
    "name_characters",
    "serials_of",
]
