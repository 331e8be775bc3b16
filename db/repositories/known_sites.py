"""Which partner a consignee means by a site it names: one address may be that of one person for twenty sites.

The address finds whom it may be, the name tells them apart. Where it does not, nobody guesses: the site is taken as
named, and a person finds out.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from models.replies import PassedOnTo

# A file may name thousands: joined, every contact is read once for all of them. Whoever has left speaks for no site.
_CANDIDATES: Final = """
WITH given AS (
    SELECT * FROM unnest(CAST(:emails AS text[]), CAST(:phones AS text[])) WITH ORDINALITY AS one (email, phone, place)
)
SELECT found.place, partner.id, partner.name FROM (
    SELECT given.place, contact.partner_id
    FROM given JOIN contact ON lower(contact.email) = lower(given.email) AND contact.status <> 'left'
    UNION
    SELECT given.place, contact.partner_id
    FROM given JOIN contact ON contact.phone = given.phone AND contact.status <> 'left'
) found JOIN partner ON partner.id = found.partner_id
ORDER BY found.place, partner.id
"""


@dataclass(frozen=True, slots=True)
class Meant:
    """What the records know of a named site."""

    partner_id: int | None = None
    unclear: bool = False
    """Several partners have its address, and none of them its name."""


async def meant(session: AsyncSession, recipients: Sequence[PassedOnTo]) -> list[Meant]:
    """For each of them the partner that has its e-mail address or telephone already; by name, where several have."""
    if not recipients:
        return []
    addresses = {
        # An empty text is nobody's address.
        "emails": [recipient.email or None for recipient in recipients],
        "phones": [recipient.phone or None for recipient in recipients],
    }
    candidates: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for row in await run(session, _CANDIDATES, addresses):
        candidates[row.place].append((row.id, row.name))
    return [_meant(recipient.name, candidates[place]) for place, recipient in enumerate(recipients, start=1)]


def _meant(name: str, candidates: Sequence[tuple[int, str]]) -> Meant:
    named = [partner for partner, known in candidates if _plain(known) == _plain(name)]
    if named or len(candidates) == 1:
        return Meant(named[0] if named else candidates[0][0])
    return Meant(unclear=bool(candidates))


def _plain(name: str) -> str:
    """A name without what people write differently: case, width, spaces, punctuation."""
    return "".join(char for char in unicodedata.normalize("NFKC", name).casefold() if char.isalnum())


__all__ = ["Meant", "meant"]
