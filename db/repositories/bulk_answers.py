"""Consignees and their lots as a file over many of them names them: by code, group or key, with serial numbers."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories.consignee_lots import ConsigneeLotRow, lots_of


@dataclass(frozen=True, slots=True)
class Site:
    """One consignee a file may speak of."""

    consignee_id: int
    code: str
    name: str
    kind: str
    country: str | None
    state: str
    partner_id: int
    answered_at: datetime | None
    """When the statement that counts now was given."""
    lots: tuple[ConsigneeLotRow, ...] = ()
    """What it is asked for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the record knows of whatever a file names."""

    sites: tuple[Site, ...] = ()
    serials: Mapping[int, Mapping[str, None]] = field(default_factory=dict)
    """Serial numbers on record, of lots that have any; only those that were asked for are listed."""


_SITES: Final = """
SELECT c.id AS consignee_id, partner.code, partner.name, partner.kind, partner.country, c.state, c.partner_id,
       (SELECT max(r.received_at) FROM reply r WHERE r.consignee_id = c.id AND r.kind = 'statement') AS answered_at
FROM consignee c JOIN partner ON partner.id = c.partner_id
WHERE c.recall_number = :number
"""
_NAMED: Final = f"""{_SITES}
  AND (partner.code = ANY (CAST(:codes AS text[])) OR c.id = ANY (CAST(:ids AS bigint[])))
ORDER BY c.id
"""
_TO_ASK: Final = f"""{_SITES}
  AND c.state <> 'withdrawn' AND (CAST(:answered AS boolean) OR c.state IN ('open', 'acknowledged'))
  AND (CAST(:group AS text) IS NULL OR partner.group_name = CAST(:group AS text))
  AND (CAST(:sender AS bigint) IS NULL OR CAST(:sender AS bigint) IN (c.id, c.parent_id))
ORDER BY partner.code, c.id LIMIT :limit
"""
# A lot of which no serial is on record takes any; NULL stands for "has some".
_SERIALS: Final = """
SELECT lot_id, number FROM serial
WHERE lot_id = ANY (CAST(:lots AS bigint[])) AND number = ANY (CAST(:numbers AS text[]))
UNION ALL
SELECT DISTINCT lot_id, NULL FROM serial WHERE lot_id = ANY (CAST(:lots AS bigint[]))
"""


async def named(
    session: AsyncSession, number: str, *, codes: Collection[str], ids: Collection[int], serials: Collection[str]
) -> Known:
    """The consignees of these codes and ids with their lots, and which of the serial numbers are on record."""
    found = await run(session, _NAMED, {"number": number, "codes": sorted(codes), "ids": sorted(ids)})
    sites = await _with_lots(session, [Site(**row) for row in found.mappings()])
    if not serials:
        return Known(sites)
    lots = sorted({lot.lot_id for site in sites for lot in site.lots})
    known: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for row in await run(session, _SERIALS, {"lots": lots, "numbers": sorted(serials)}):
        known[row.lot_id].update({} if row.number is None else {row.number: None})
    return Known(sites, known)


async def to_ask(
    session: AsyncSession, number: str, *, group: str | None, sender: int | None, answered: bool, limit: int
) -> tuple[Site, ...]:
    """Whose quantities are still missing, in the order of their codes.

    Args:
        group: only partners of this hospital group or chain.
        sender: only this consignee and whoever it passed product on to.
        answered: also those that have answered.
        limit: at most so many.
    """
    binds = {"number": number, "group": group, "sender": sender, "answered": answered, "limit": limit}
    return await _with_lots(session, [Site(**row) for row in (await run(session, _TO_ASK, binds)).mappings()])


async def _with_lots(session: AsyncSession, sites: Sequence[Site]) -> tuple[Site, ...]:
    lots = await lots_of(session, [site.consignee_id for site in sites])
    return tuple(replace(site, lots=tuple(lots[site.consignee_id])) for site in sites)


__all__ = ["Known", "Site", "named", "to_ask"]
