"""Who of our staff looks after a consignee: named on the partner's record, else by the responsibilities of the place.

The partner's own account manager counts before any rule. A name that is not on staff answers for nobody, so that no
task is given to somebody who cannot see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import recalls, staff
from domain.responsibility import Matter, ranked
from domain.roles import HEADS, Role
from models.recall import Recall
from models.responsibility import Responsibility

_PLACE: Final = """
SELECT partner.account_manager, partner.country, partner.region
FROM consignee c JOIN partner ON partner.id = c.partner_id
WHERE c.id = :consignee AND c.recall_number = :number
"""
_PLACES: Final = """
SELECT DISTINCT partner.country, partner.region
FROM consignee c JOIN partner ON partner.id = c.partner_id
WHERE c.recall_number = :number AND partner.account_manager IS NULL
"""


@dataclass(frozen=True, slots=True)
class ByPlace:
    """Who looks after the partners of a place that name nobody, as parallel lists for a statement."""

    countries: Sequence[str]
    regions: Sequence[str]
    principals: Sequence[str]

    def binds(self) -> dict[str, Any]:
        """Parameters of `MANAGER_OF`'s join."""
        return {
            "am_countries": list(self.countries),
            "am_regions": list(self.regions),
            "am_principals": list(self.principals),
        }


RULES: Final = """account_rule AS (
    SELECT * FROM unnest(CAST(:am_countries AS text[]), CAST(:am_regions AS text[]), CAST(:am_principals AS text[]))
        AS r (country, region, principal)
)"""
JOIN: Final = """LEFT JOIN account_rule ON account_rule.country = coalesce(partner.country, '')
     AND account_rule.region = coalesce(partner.region, '')"""
MANAGER: Final = "coalesce(partner.account_manager, account_rule.principal)"
"""The account manager of `partner`; NULL where nobody looks after it. Needs `RULES` and `JOIN`."""


async def of_consignee(session: AsyncSession, number: str, consignee_id: int, now: datetime) -> str | None:
    """The account manager of a consignee who can be given a task: on staff, with that function or its head's."""
    found = (await run(session, _PLACE, {"consignee": consignee_id, "number": number})).one_or_none()
    if found is None:
        return None
    named, country, region = found
    recall = await recalls.get(session, number)
    principal = named or _of_place(await _rules(session, now), recall, country, region)
    if principal is None or await staff.find(session, principal) is None:
        return None
    wanted = {Role.ACCOUNT_MANAGER.value, HEADS[Role.ACCOUNT_MANAGER].value}
    return principal if wanted & await staff.roles_of(session, principal, now) else None


async def by_place(session: AsyncSession, number: str, now: datetime) -> ByPlace:
    """The rules that count for the recall's places on the day of `now`."""
    rules = await _rules(session, now)
    if not rules:
        return ByPlace([], [], [])
    recall = await recalls.get(session, number)
    rows = (await run(session, _PLACES, {"number": number})).all()
    known = [(row.country or "", row.region or "", _of_place(rules, recall, row.country, row.region)) for row in rows]
    found = [each for each in known if each[2] is not None]
    return ByPlace([each[0] for each in found], [each[1] for each in found], [str(each[2]) for each in found])


async def _rules(session: AsyncSession, now: datetime) -> Sequence[Responsibility]:
    day = now.date()
    query = select(Responsibility).where(
        col(Responsibility.role) == Role.ACCOUNT_MANAGER.value,
        col(Responsibility.valid_from) <= day,
        or_(col(Responsibility.valid_to).is_(None), col(Responsibility.valid_to) >= day),
    )
    return (await session.exec(query)).all()


def _of_place(rules: Sequence[Responsibility], recall: Recall, country: str | None, region: str | None) -> str | None:
    lines = tuple(recall.facts.get("facts", {}).get("product_lines", ()))
    fitting = ranked(rules, Matter(Role.ACCOUNT_MANAGER, lines, ((country or "", region),)))
    return fitting[0].principal if fitting else None


__all__ = ["JOIN", "MANAGER", "RULES", "ByPlace", "by_place", "of_consignee"]
