"""Whom to call next: the open calls of a recall, who matters most first, with what the caller needs to know.

One order for the list and for claiming: units out of sight x weight of the class x time since the notice
(`domain.priority`). A claim skips what another caller is just taking, so two callers never get the same consignee.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import assessment
from db.repositories.stages_sql import SINCE, STAGE
from db.repositories.units_sql import UNITS, WEIGHTS
from domain.priority import UNKNOWN, weight_of
from models.case import ContactAttempt
from models.master import Contact


class CallKind(StrEnum):
    """Why somebody is called; the prefix of the task's key."""

    CALL = "call"
    """Silence, a bounce or a failed check."""
    MANAGER = "manager"
    HELP = "help"
    """It asked for a person."""
    CHECK = "check"
    """An effectiveness check."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call to make."""

    task_id: int
    kind: str
    consignee_id: int
    partner_id: int
    partner_code: str
    partner_name: str
    partner_kind: str
    country: str | None
    region: str | None
    language: str
    time_zone: str
    stage: str
    owed_since: datetime | None
    first_notified_at: datetime | None
    units: Decimal
    score: Decimal
    due_at: datetime | None
    assignee: str | None
    reason: str | None
    """Reason of its oldest open case that asks for contact; None for a check."""


_RANKED: Final = f"""
WITH {WEIGHTS}, {UNITS},
-- Whoever is to be checked has answered: what it was sent is what the check is about.
counted AS MATERIALIZED (
    SELECT consignee_id, lot_id, units FROM out_of_sight
    UNION ALL
    SELECT c.id, cl.lot_id, greatest(cl.shipped - cl.returned, 0)
    FROM task t JOIN consignee c ON c.id = t.consignee_id AND c.state = 'answered'
    JOIN consignee_lot cl ON cl.consignee_id = c.id AND cl.withdrawn_in IS NULL
    WHERE t.recall_number = :number AND t.state IN ('offered', 'accepted') AND starts_with(t.key, 'check:')
),
weighed AS (
    SELECT counted.consignee_id, sum(counted.units) AS units,
           sum(counted.units * coalesce(line_weight.weight, :unknown)) AS weighted
    FROM counted JOIN lot ON lot.id = counted.lot_id JOIN product ON product.id = lot.product_id
    LEFT JOIN line_weight ON line_weight.line = coalesce(product.family, product.code)
    GROUP BY 1
),
ranked AS (
    SELECT t.id AS task_id, split_part(t.key, ':', 1) AS kind, c.id AS consignee_id, partner.id AS partner_id,
           partner.code AS partner_code, partner.name AS partner_name, partner.kind AS partner_kind, partner.country,
           partner.region, partner.language, partner.time_zone, {STAGE} AS stage, {SINCE} AS owed_since,
           c.first_notified_at, coalesce(w.units, 0) AS units, t.due_at, t.assignee, t.role,
           round(greatest(coalesce(w.weighted, 0), 1) * greatest(
               extract(epoch FROM CAST(:as_of AS timestamptz) - coalesce(c.first_notified_at, c.added_at)) / 3600, 0
           ), 3) AS score,
           (SELECT k.reason FROM consignee_case k
            WHERE k.consignee_id = c.id AND k.state = 'open' AND split_part(t.key, ':', 1) <> 'check'
            ORDER BY k.opened_at, k.id LIMIT 1) AS reason
    FROM task t JOIN consignee c ON c.id = t.consignee_id JOIN partner ON partner.id = c.partner_id
    LEFT JOIN weighed w ON w.consignee_id = c.id
    WHERE t.recall_number = :number AND t.state IN ('offered', 'accepted')
      AND split_part(t.key, ':', 1) = ANY (CAST(:kinds AS text[]))
)
"""  # noqa: S608 - constants

_PAGE: Final = f"""{_RANKED}
SELECT * FROM ranked
WHERE CAST(:after_score AS numeric) IS NULL
   OR (score, -task_id) < (CAST(:after_score AS numeric), -CAST(:after_task AS bigint))
ORDER BY score DESC, task_id LIMIT :limit
"""  # noqa: S608 - constants

_NEXT: Final = f"""{_RANKED}
SELECT t.id FROM task t JOIN ranked ON ranked.task_id = t.id
WHERE t.state = 'offered' AND (t.assignee IS NULL OR t.assignee = :me) AND t.role = ANY (CAST(:roles AS text[]))
ORDER BY ranked.score DESC, t.id LIMIT 1
FOR UPDATE OF t SKIP LOCKED
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the list begins: the instant its scores are of, and the last row seen."""

    as_of: datetime
    score: Decimal | None = None
    task_id: int | None = None


async def page(
    session: AsyncSession, number: str, kinds: Sequence[CallKind], place: Place, limit: int
) -> Sequence[CallRow]:
    """The calls after `place`, who matters most first; their scores are of `place.as_of` on every page."""
    values = await _binds(session, number, kinds, place.as_of)
    values |= {"after_score": place.score, "after_task": place.task_id, "limit": limit}
    found = (await run(session, _PAGE, values)).mappings()
    return [CallRow(**{name: row[name] for name in CallRow.__slots__}) for row in found]


async def next_call(
    session: AsyncSession,
    number: str,
    kinds: Sequence[CallKind],
    *,
    principal: str,
    roles: Sequence[str],
    now: datetime,
) -> int | None:
    """The task that matters most of those this person may take, locked until the transaction ends; None without any."""
    values = await _binds(session, number, kinds, now) | {"me": principal, "roles": list(roles)}
    found: int | None = (await run(session, _NEXT, values)).scalar_one_or_none()
    return found


async def row_of(session: AsyncSession, number: str, task_id: int, now: datetime) -> CallRow | None:
    """One call of the list; None when it is not open."""
    query = f"{_RANKED} SELECT * FROM ranked WHERE task_id = :task"  # noqa: S608 - constants
    values = await _binds(session, number, list(CallKind), now) | {"task": task_id}
    row = (await run(session, query, values)).mappings().one_or_none()
    return CallRow(**{name: row[name] for name in CallRow.__slots__}) if row else None


async def _binds(session: AsyncSession, number: str, kinds: Sequence[CallKind], as_of: datetime) -> dict[str, Any]:
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for row in await assessment.classes_in_force(session, number):
        classes[row.product_line].append(row.recall_class)
    return {
        "number": number,
        "kinds": [kind.value for kind in kinds],
        "as_of": as_of,
        "unknown": UNKNOWN,
        "lines": list(classes),
        "weights": [weight_of(each) for each in classes.values()],
    }


_CONTACTS: Final = """
SELECT contact.* FROM contact
WHERE contact.partner_id = ANY (CAST(:partners AS bigint[])) AND contact.status <> 'left'
ORDER BY contact.partner_id, contact.position
"""
_ATTEMPTS: Final = """
SELECT a.* FROM unnest(CAST(:consignees AS bigint[])) AS asked (id)
CROSS JOIN LATERAL (
    SELECT * FROM contact_attempt WHERE consignee_id = asked.id ORDER BY at DESC, id DESC LIMIT :latest
) a
ORDER BY a.consignee_id, a.at DESC, a.id DESC
"""
LATEST: Final = 3
"""Attempts shown with a call."""


async def contacts_of(session: AsyncSession, partners: Sequence[int]) -> dict[int, list[Contact]]:
    """Whom to ask for at each partner, in the order in which they are tried."""
    found: defaultdict[int, list[Contact]] = defaultdict(list)
    for row in (await run(session, _CONTACTS, {"partners": list(partners)})).mappings():
        found[row["partner_id"]].append(Contact(**row))
    return found


async def last_attempts(session: AsyncSession, consignees: Sequence[int]) -> dict[int, list[ContactAttempt]]:
    """What people tried last at each consignee, the newest first."""
    found: defaultdict[int, list[ContactAttempt]] = defaultdict(list)
    for row in (await run(session, _ATTEMPTS, {"consignees": list(consignees), "latest": LATEST})).mappings():
        found[row["consignee_id"]].append(ContactAttempt(**row))
    return found


__all__ = ["CallKind", "CallRow", "Place", "contacts_of", "last_attempts", "next_call", "page", "row_of"]
