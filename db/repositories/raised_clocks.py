"""Clock starts of a raised severity: the new decision, and awareness of the facts it rests on (MDCG 2023-3 Q14).

Both are recorded with instant, source and author. Where nobody says when the new facts became known, the earliest
report of harm since the last decision counts, else the newest evaluation since then, else the decision itself.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, recalls
from db.repositories.clock_facts import DECIDED, NEW_DECISION, NEW_FACTS, original_lines, starts_anew
from domain.policy import Policy
from domain.roles import Permission, acting_role
from models.complaint import Complaint
from models.messages import Reclassify, RecordDecision
from models.recall import ClassDecision, HazardEvaluationRecord, Recall


async def record(
    session: AsyncSession,
    recall: Recall,
    policies: Mapping[str, Policy],
    before: Sequence[ClassDecision],
    rows: Sequence[ClassDecision],
    decision: Reclassify,
    given: RecordDecision,
) -> None:
    """Start the clocks of these decisions (`clock_facts.starts_anew`), as of the instant they were `given`."""
    now = given.now
    known = {(row.product_line, row.jurisdiction): row.level for row in before}
    turn, original = await _turn(session, recall.number), await original_lines(session, recall.number)
    anew = [
        (
            row,
            starts_anew(
                policies[row.jurisdiction],
                known.get((row.product_line, row.jurisdiction)),
                row.level,
                turn,
                added=row.product_line not in original,
            ),
        )
        for row in rows
    ]
    started = [(row, what) for row, what in anew if what.decision]
    if not started:
        return
    last = max((row.decided_at for row in before), default=recall.awareness_at)
    facts_at, source = await _facts(session, recall.number, last, decision.facts_known_at, now)
    author = decision.actor.principal
    lines = ", ".join(sorted({f"{row.product_line} {row.jurisdiction} {row.level}" for row, _ in started}))
    clocks = [(f"{NEW_DECISION}:{turn}", now, f"new level: {lines}")]
    if any(what.awareness for _, what in started):
        clocks.append((f"{NEW_FACTS}:{turn}", facts_at, source))
    for name, at, told in clocks:
        if await recalls.start_clock(session, recall.number, name, at, source=told[:200], author=author, now=now):
            await audit.append(
                session,
                recall.number,
                actor=author,
                role=given.role or acting_role(decision.actor.roles, Permission.DECIDE_ASSESSMENT),
                action="clock.started",
                at=now,
                data={"name": name, "at": at, "source": told[:200]},
            )


async def _turn(session: AsyncSession, number: str) -> int:
    query = select(func.count(func.distinct(ClassDecision.decided_at))).where(
        col(ClassDecision.recall_number) == number, col(ClassDecision.kind).in_(DECIDED)
    )
    return (await session.exec(query)).one()


async def _facts(
    session: AsyncSession, number: str, last: datetime, given: datetime | None, now: datetime
) -> tuple[datetime, str]:
    if given is not None:
        return min(given, now), "stated with the decision"
    harm = select(func.min(Complaint.awareness_at)).where(
        col(Complaint.recall_number) == number, col(Complaint.recorded_at) > last
    )
    at = (await session.exec(harm)).one()
    if at is not None:
        return min(at, now), "harm reported since the last decision"
    evaluated = select(func.max(HazardEvaluationRecord.recorded_at)).where(
        col(HazardEvaluationRecord.recall_number) == number, col(HazardEvaluationRecord.recorded_at) > last
    )
    at = (await session.exec(evaluated)).one()
    return (at, "evaluation since the last decision") if at is not None else (now, "the decision itself")


__all__ = ["record"]
