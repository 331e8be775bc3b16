"""How far a recall's consignees are, in groups: by region, country, hospital group, account manager, or stage.

One statement counts everybody; which row belongs to which group is decided there, so that a hundred thousand
consignees are never read one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import account_managers, assessment, recalls
from db.repositories.stages_sql import SINCE, STAGE
from db.repositories.units_sql import UNITS
from domain.ladder import Ladder, stages_of
from domain.policy import common_ladder
from domain.stages import BASE, Owed


class GroupBy(StrEnum):
    """What the consignees are grouped by."""

    COUNTRY = "country"
    REGION = "region"
    GROUP = "group"
    """Hospital group or chain, as the partners' records name it."""
    ACCOUNT_MANAGER = "account-manager"
    STAGE = "stage"


_NAME: Final = {
    GroupBy.COUNTRY: "partner.country",
    GroupBy.REGION: "partner.country || CASE WHEN partner.region IS NULL THEN '' ELSE ': ' || partner.region END",
    GroupBy.GROUP: "partner.group_name",
    GroupBy.ACCOUNT_MANAGER: account_managers.MANAGER,
    GroupBy.STAGE: STAGE,
}

_PROGRESS: Final = """
WITH {rules}, {units},
left_open AS (SELECT consignee_id, sum(units) AS units FROM out_of_sight GROUP BY 1),
asked AS MATERIALIZED (
    SELECT consignee_id, min(due_at) AS due_at FROM task
    WHERE recall_number = :number AND consignee_id IS NOT NULL AND state IN ('offered', 'accepted', 'sent_back')
    GROUP BY 1
),
cased AS MATERIALIZED (
    SELECT DISTINCT consignee_id FROM consignee_case WHERE recall_number = :number AND state = 'open'
),
standing AS (
    SELECT {name} AS name, {stage} AS stage, {since} AS since, coalesce(left_open.units, 0) AS units,
           cased.consignee_id IS NOT NULL AS has_case,
           least(asked.due_at, CASE
               WHEN c.state = 'open' THEN c.next_step_at
               WHEN c.state = 'acknowledged' AND c.step > {quantities} AND c.step < {action} THEN c.next_step_at
               WHEN c.state = 'acknowledged' THEN {since} + CAST(:quantities_wait AS interval)
               WHEN c.state = 'answered' AND c.action_done_at IS NULL AND c.step > {action} THEN c.next_step_at
               WHEN c.state = 'answered' AND c.action_done_at IS NULL THEN {since} + CAST(:action_wait AS interval)
           END) AS next_at
    FROM consignee c
    JOIN partner ON partner.id = c.partner_id
    {join}
    LEFT JOIN left_open ON left_open.consignee_id = c.id
    LEFT JOIN asked ON asked.consignee_id = c.id
    LEFT JOIN cased ON cased.consignee_id = c.id
    WHERE c.recall_number = :number AND c.state <> 'withdrawn'
)
SELECT name, count(*) AS consignees,
       count(*) FILTER (WHERE stage = 'open') AS open,
       count(*) FILTER (WHERE stage = 'acknowledged') AS acknowledged,
       count(*) FILTER (WHERE stage = 'quantities_stated') AS quantities_stated,
       count(*) FILTER (WHERE stage = 'action_done') AS action_done,
       count(*) FILTER (WHERE stage = 'documented') AS documented,
       count(*) FILTER (WHERE has_case) AS with_case,
       sum(units) AS units_outstanding,
       min(since) FILTER (WHERE stage NOT IN ('action_done', 'documented')) AS oldest_silence_at,
       min(next_at) AS next_deadline_at
FROM standing GROUP BY name ORDER BY name NULLS LAST
"""


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """One group; `name` is None for whoever has none."""

    name: str | None
    consignees: int
    open: int
    acknowledged: int
    quantities_stated: int
    action_done: int
    documented: int
    with_case: int
    units_outstanding: Decimal
    oldest_silence_at: datetime | None
    """Since when the one that owes its present stage longest owes it."""
    next_deadline_at: datetime | None
    """The next ladder step or task about one of them."""

    @property
    def percent_done(self) -> int:
        """Share that has done what the notice asks, or is documented, rounded down: 100 only when all have."""
        return 100 * (self.action_done + self.documented) // self.consignees


def total(groups: Sequence[GroupProgress]) -> GroupProgress:
    """All groups as one; there is at least one."""
    counted = {
        name: sum(getattr(each, name) for each in groups)
        for name in (
            "consignees", "open", "acknowledged", "quantities_stated", "action_done", "documented", "with_case",
            "units_outstanding",
        )
    }  # fmt: skip
    return GroupProgress(
        name=None,
        oldest_silence_at=min((each.oldest_silence_at for each in groups if each.oldest_silence_at), default=None),
        next_deadline_at=min((each.next_deadline_at for each in groups if each.next_deadline_at), default=None),
        **counted,
    )


async def progress(session: AsyncSession, number: str, by: GroupBy, now: datetime) -> Sequence[GroupProgress]:
    """Where the recall's consignees stand, one entry per group in the order of their names; read-only."""
    values = await binds(session, number, by, now)
    return [GroupProgress(**row) for row in (await run(session, statement(by), values)).mappings()]


def statement(by: GroupBy) -> str:
    """The SQL of one grouping, also for the benchmark."""
    parts = {
        "rules": account_managers.RULES,
        "units": UNITS,
        "name": _NAME[by],
        "stage": STAGE,
        "since": SINCE,
        "quantities": BASE[Owed.QUANTITIES],
        "action": BASE[Owed.ACTION],
        "join": account_managers.JOIN,
    }
    return _PROGRESS.format(**parts)


async def binds(session: AsyncSession, number: str, by: GroupBy, now: datetime) -> dict[str, Any]:
    """Parameters of the statement: rules of account managers and the first waits of the stages."""
    rules = account_managers.ByPlace([], [], [])
    if by is GroupBy.ACCOUNT_MANAGER:
        rules = await account_managers.by_place(session, number, now)
    pace = (await recalls.get(session, number)).pace
    ladder = await ladder_in_force(session, number)
    waits: dict[str, timedelta | None] = {"quantities_wait": None, "action_wait": None}
    for stage in stages_of(ladder) if ladder else ():
        waits[f"{stage.owed}_wait"] = stage.steps[0].after / pace
    return {"number": number, **rules.binds(), **waits}


async def ladder_in_force(session: AsyncSession, number: str) -> Ladder | None:
    """The ladder the classes in force ask for; None before any class is decided."""
    policies = {policy.id: policy for policy in await recalls.pinned(session, number)}
    rows = await assessment.classes_in_force(session, number)
    levels = [(policies[row.jurisdiction], row.level) for row in rows if row.jurisdiction in policies]
    return common_ladder(levels) if levels else None


__all__ = ["GroupBy", "GroupProgress", "binds", "ladder_in_force", "progress", "statement", "total"]
