"""Rounds of effectiveness checks (21 CFR 7.42(b)(3)): drawn, judged, widened; whoever failed is chased again.

`turn` looks at the record and does whatever is due, in one transaction under the recall's row lock; a repeat finds
nothing to do. Round 1 waits until every consignee has answered or is documented; a failed round widens at once.
Documented consignees are in no population: their own signed account closes them, and the authority sees them apart.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, effectiveness_sql, recalls, tasks
from db.rows import insert_new
from domain import effectiveness as rules
from domain.pace import policy_instant
from domain.policy_parts import EffectivenessLevel, HumanStep
from domain.workflow_ids import recall_id
from models.effectiveness import EffectivenessCheck, EffectivenessRound
from models.messages import EffectivenessFigures, Strategy
from models.recall import Recall, SignOff
from models.task import Task, TaskState

TASK: Final = "check"
"""Key of a check's task: `check:{round}:{consignee}`."""
_WAITING: Final = frozenset({"open", "acknowledged"})


@dataclass(frozen=True, slots=True)
class Standing:
    """The consignees as the checks see them."""

    candidates: tuple[int, ...]
    """At the strategy's depth, neither documented nor withdrawn."""
    passed: tuple[int, ...]
    failed: tuple[int, ...]
    waiting: int
    """Consignees of the recall that still have to answer."""


async def signed_strategy(session: AsyncSession, number: str) -> Strategy | None:
    """The strategy both have signed; None before."""
    query = select(SignOff.step, SignOff.body).where(
        col(SignOff.recall_number) == number, col(SignOff.step).in_(("strategy:quality", "strategy:regulatory"))
    )
    bodies: dict[str, Any] = dict((await session.exec(query.order_by(col(SignOff.id)))).all())
    return Strategy.model_validate(bodies["strategy:quality"]) if len(bodies) == 2 else None


async def standing(session: AsyncSession, number: str, depth: str) -> Standing:
    """Candidates at a depth, and whose newest check passed or failed."""
    rows = list((await run(session, effectiveness_sql.STANDING, {"number": number})).mappings())
    pool = [
        row
        for row in rows
        if row["state"] != "documented" and rules.at_depth(depth, row["kind"], row["tier"], row["passes_on"])
    ]
    checked = [row for row in pool if row["check_state"] is not None]
    return Standing(
        candidates=tuple(row["id"] for row in pool),
        passed=tuple(row["id"] for row in checked if row["passed"] and row["still_stands"]),
        failed=tuple(row["id"] for row in checked if not row["passed"]),
        waiting=sum(row["state"] in _WAITING for row in rows),
    )


async def percent_for(session: AsyncSession, number: str, level: EffectivenessLevel) -> int:
    """Percent a level checks under the recall's pinned policies."""
    policies = await recalls.pinned(session, number)
    known = [rule.effectiveness for policy in policies for rule in policy.levels.values()]
    return rules.percent_of(level, [each.percent for each in known if each.level == EffectivenessLevel.B])


async def newest_round(session: AsyncSession, number: str) -> EffectivenessRound | None:
    """The last round drawn."""
    query = select(EffectivenessRound).where(col(EffectivenessRound.recall_number) == number)
    return (await session.exec(query.order_by(col(EffectivenessRound.sequence).desc()).limit(1))).first()


async def turn(session: AsyncSession, number: str, now: datetime) -> EffectivenessFigures:
    """Draw, judge or widen whatever is due; the caller commits, then nudges the campaign if anybody was reopened."""
    recall = await recalls.get(session, number, lock=True)
    strategy = await signed_strategy(session, number)
    if strategy is None:
        return EffectivenessFigures()
    await run(session, effectiveness_sql.CLOSE_CASES, {"number": number, "now": now})
    newest = await newest_round(session, number)
    if newest is not None and newest.outcome is None:
        await _judge(session, newest, now)
    if newest is None or newest.outcome is not None:
        newest = await _draw_if_due(session, recall, strategy, newest, now) or newest
    if newest is not None and newest.outcome is None:
        await _offer(session, recall, newest, now)
    return await _figures(session, number, newest)


async def _figures(session: AsyncSession, number: str, newest: EffectivenessRound | None) -> EffectivenessFigures:
    if newest is None:
        return EffectivenessFigures()
    pending = await _pending(session, newest)
    # Read from the record, not from what this turn did: a repeat after a crash must not lose the nudge.
    reopened = (await run(session, effectiveness_sql.TO_CHASE, {"number": number})).scalar_one()
    met = None if newest.outcome is None else await is_met(session, number)
    due = (await run(session, effectiveness_sql.NEXT_DUE, {"number": number})).scalar_one()
    return EffectivenessFigures(
        sequence=newest.sequence,
        level=newest.level,
        population=newest.population,
        sample_size=newest.sample_size,
        pending=pending,
        passed=met,
        reopened=reopened,
        next_due_at=due if pending else None,
    )


async def is_met(session: AsyncSession, number: str) -> bool:
    """Whether the level is met: the newest round has passed and covers everybody who is in the recall by now."""
    strategy, newest = await signed_strategy(session, number), await newest_round(session, number)
    if strategy is None or newest is None or newest.outcome != "passed":
        return False
    found = await standing(session, number, strategy.depth)
    return rules.is_met(found.candidates, newest.percent, found.passed, found.failed)


async def _pending(session: AsyncSession, newest: EffectivenessRound) -> int:
    query = select(func.count()).where(
        col(EffectivenessCheck.round_id) == newest.id, col(EffectivenessCheck.state) == "pending"
    )
    return (await session.exec(query)).one()


async def _judge(session: AsyncSession, newest: EffectivenessRound, now: datetime) -> None:
    """Judge the round once nothing is pending; who failed is chased again."""
    number = newest.recall_number
    left = list((await run(session, effectiveness_sql.SETTLE_LEFT, {"round": newest.id, "now": now})).mappings())
    for row in left:
        key = f"{TASK}:{newest.sequence}:{row['consignee_id']}"
        await tasks.cancel(session, number, key, outcome=row["state"], done_by="system", now=now)
    if left:
        settled = {"round": newest.sequence, "checks": [row["id"] for row in left]}
        await _note(session, number, "effectiveness.checks_settled", now, settled)
    if await _pending(session, newest):
        return
    failed = select(func.count()).where(
        col(EffectivenessCheck.round_id) == newest.id, col(EffectivenessCheck.passed).is_(False)
    )
    failures = (await session.exec(failed)).one()
    newest.outcome, newest.judged_at = ("failed" if failures else "passed"), now
    session.add(newest)
    await session.flush()
    values = {"number": number, "round": newest.id, "now": now}
    reopened: Sequence[int] = (await run(session, effectiveness_sql.REOPEN, values)).scalar_one() if failures else ()
    verdict = {"round": newest.sequence, "failures": failures, "reopened": list(reopened)}
    await _note(session, number, f"effectiveness.round_{newest.outcome}", now, verdict)


async def _draw_if_due(
    session: AsyncSession, recall: Recall, strategy: Strategy, last: EffectivenessRound | None, now: datetime
) -> EffectivenessRound | None:
    found = await standing(session, recall.number, strategy.depth)
    widens = last is not None and last.outcome == "failed"
    if found.waiting and not widens:
        return None
    level = EffectivenessLevel(last.level if last else strategy.effectiveness_level)
    level = rules.STRICTER[level] if widens else level
    percent = await percent_for(session, recall.number, level)
    if last is not None and not widens and rules.is_met(found.candidates, percent, found.passed, found.failed):
        return None
    seed = secrets.token_hex(32)
    sample = rules.draw(seed, found.candidates, percent, passed=found.passed, again=found.failed)
    drawn = EffectivenessRound(
        recall_number=recall.number,
        sequence=(last.sequence if last else 0) + 1,
        level=level.value,
        percent=percent,
        depth=strategy.depth,
        seed=seed,
        population=len(found.candidates),
        sample_size=len(sample),
        candidates=list(found.candidates),
        drawn_at=now,
        # Nobody to check: level E, or everybody left is documented.
        outcome=None if sample else "passed",
        judged_at=None if sample else now,
    )
    session.add(drawn)
    await session.flush()
    await run(session, effectiveness_sql.INSERT_CHECKS, {"round": drawn.id, "sample": list(sample)})
    await _note_drawn(session, drawn, found, sample)
    return drawn


async def _note_drawn(session: AsyncSession, drawn: EffectivenessRound, found: Standing, sample: Sequence[int]) -> None:
    data = {
        "round": drawn.sequence,
        "level": drawn.level,
        "percent": drawn.percent,
        "depth": drawn.depth,
        "seed": drawn.seed,
        "population": drawn.population,
        "candidates_sha256": rules.candidates_hash(found.candidates),
        "passed_before": len(set(found.passed) & set(found.candidates)),
        "again": list(found.failed),
        "sample": list(sample),
    }
    await _note(session, drawn.recall_number, "effectiveness.round_drawn", drawn.drawn_at, data)


async def _offer(session: AsyncSession, recall: Recall, newest: EffectivenessRound, now: datetime) -> None:
    """Open the tasks of checks that can be made now, all with the same due time: one timer for the workflow."""
    values = {"number": recall.number, "round": newest.id, "sequence": str(newest.sequence)}
    due = list((await run(session, effectiveness_sql.TO_OFFER, values)).mappings())
    if not due:
        return
    policies = await recalls.pinned(session, recall.number)
    offered = tasks.times_for(policies, recall, HumanStep.EFFECTIVENESS_CHECK, now)
    times = offered.times
    shared = {
        "recall_number": recall.number,
        "step": HumanStep.EFFECTIVENESS_CHECK.value,
        "role": offered.role.value,
        "first_role": offered.role.value,
        "stand_in": offered.stand_in.value if offered.stand_in else None,
        "owner": recall_id(recall.number),
        "remind_at": times.remind_at,
        "due_at": times.due_at,
        "policy_due_at": policy_instant(times.due_at, recall.created_at, recall.pace) if times.due_at else None,
        "escalate_at": times.escalate_at,
        "evidence_required": False,
        "state": TaskState.offered.value,
        "opened_at": now,
    }
    rows = [
        shared
        | {
            "key": f"{TASK}:{newest.sequence}:{row['consignee_id']}",
            "what": f"Check {row['code']}: notice received, understood, acted on; count what is there"[:300],
            "consignee_id": row["consignee_id"],
        }
        for row in due
    ]
    for start in range(0, len(rows), 1000):
        await insert_new(session, Task, rows[start : start + 1000])
    opened = {"round": newest.sequence, "tasks": len(rows), "role": offered.role, "due_at": times.due_at}
    await _note(session, recall.number, "effectiveness.checks_offered", now, opened)


async def _note(session: AsyncSession, number: str, action: str, at: datetime, data: dict[str, Any]) -> None:
    await audit.append(session, number, actor="system", role="system", action=action, at=at, data=data)


__all__ = [
    "TASK",
    "Standing",
    "is_met",
    "newest_round",
    "percent_for",
    "signed_strategy",
    "standing",
    "turn",
]
