"""The notice limit of lots added later: met once everybody who received one of them was told, each scope by itself."""

from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls
from db.repositories.chasing_sql import COPY
from domain.timeline import NOTIFY

_OPEN: Final = """
SELECT DISTINCT CAST(split_part(name, ':', 2) AS int) FROM deadline
WHERE recall_number = :number AND name LIKE 'notify:%' AND met_at IS NULL AND stopped_at IS NULL
"""

# A consignee whose state says that it needs no notice (withdrawn, documented by a person) is not waited for. Who pays
# does not have the goods: its copy tells nobody who could stop using them.
_TOLD: Final = f"""
SELECT count(*) AS concerned, count(first.at) AS told, max(first.at) AS last
FROM (
    SELECT DISTINCT c.id FROM consignee c JOIN consignee_lot cl ON cl.consignee_id = c.id
    WHERE c.recall_number = :number AND cl.scope_version = :version AND cl.withdrawn_in IS NULL
      AND c.state NOT IN ('withdrawn', 'documented')
) AS who
CROSS JOIN LATERAL (
    SELECT min(d.submitted_at) AS at FROM delivery d
    JOIN campaign k ON k.id = d.campaign_id JOIN notice n ON n.id = k.notice_id
    WHERE d.consignee_id = who.id AND n.scope_version >= :version AND d.submitted_at IS NOT NULL
      AND d.step <> {COPY}
) AS first
"""  # noqa: S608 - a constant


async def meet(session: AsyncSession, number: str, now: datetime) -> None:
    """Note which notice limits of added lots are met by now; lots that reached nobody need no notice."""
    for version in (await run(session, _OPEN, {"number": number})).scalars().all():
        found = (await run(session, _TOLD, {"number": number, "version": version})).one()
        if found.told < found.concerned:
            continue
        reference = None if found.concerned else "the lots added reached no consignee"
        met = await recalls.meet_deadlines(
            session, number, f"{NOTIFY}:{version}", found.last or now, by=audit.SYSTEM, reference=reference
        )
        await audit.append(
            session,
            number,
            actor=audit.SYSTEM,
            role=audit.SYSTEM,
            action="notice.lots_added_sent",
            at=now,
            data={"scope_version": version, "consignees": found.concerned, "met": met},
        )


__all__ = ["meet"]
