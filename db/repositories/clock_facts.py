"""What the engine for time computes with, read from the record: levels in force since when, clocks, harm, gates.

Real instants become policy time here: awareness lies before the recall exists and so before its pace; policy time is
real time there. A raised severity names the clock starts `new_decision:{n}` and `new_facts:{n}`, which the decision
recorded.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import obligations, recalls
from domain.levels import MarketAction
from domain.obligations import RunningClock
from domain.pace import policy_instant
from domain.policy import Policy
from domain.timeline_facts import Facts, GateOutcome, Standing
from models.recall import ClassDecision, Recall

NEW_DECISION = "new_decision"
NEW_FACTS = "new_facts"
DECIDED = ("approved", "overridden", "authority")


@dataclass(frozen=True, slots=True)
class Anew:
    """Which clocks a decision on a level starts."""

    decision: bool
    awareness: bool


async def facts_of(session: AsyncSession, recall: Recall, policies: Mapping[str, Policy] | None = None) -> Facts:
    """Everything on record that a limit runs from, in policy time; under the recall's policies unless others are given.

    Others are for looking ahead (a dry run, the preview of a move) and must know every level in force.
    """
    number = recall.number
    if policies is None:
        policies = {policy.id: policy for policy in await recalls.pinned(session, number)}
    clocks = tuple(_in_policy_time(recall, each) for each in await obligations.running_clocks(session, number))
    complaints = await obligations.complaints(session, number)
    gates = await obligations.settled_by_gates(session, number)
    return Facts(
        levels=tuple(
            _standings(
                recall, await _decisions(session, number), policies, clocks, await original_lines(session, number)
            )
        ),
        clocks=clocks,
        harm={sequence: row.severity for sequence, row in complaints.items()},
        gates={
            key: GateOutcome(row.outcome, policy_time(recall, row.signed_at)) if row else None
            for key, row in gates.items()
        },
    )


async def original_lines(session: AsyncSession, number: str) -> frozenset[str]:
    """Product lines of the recall as it began, whenever the trace found them; others came with an extension."""
    return frozenset(line.key for line in await recalls.product_lines(session, number, 1))


def policy_time(recall: Recall, at: datetime) -> datetime:
    """The policy's instant of a real one."""
    return at if at <= recall.created_at else policy_instant(at, recall.created_at, recall.pace)


def _in_policy_time(recall: Recall, clock: RunningClock) -> RunningClock:
    return replace(clock, at=policy_time(recall, clock.at))


async def _decisions(session: AsyncSession, number: str) -> Sequence[ClassDecision]:
    query = select(ClassDecision).where(
        col(ClassDecision.recall_number) == number, col(ClassDecision.kind).in_(DECIDED)
    )
    return (await session.exec(query.order_by(col(ClassDecision.decided_at), col(ClassDecision.id)))).all()


def _standings(
    recall: Recall,
    rows: Sequence[ClassDecision],
    policies: Mapping[str, Policy],
    clocks: Sequence[RunningClock],
    original: Collection[str],
) -> list[Standing]:
    """One per decision on a line and jurisdiction; a policy the recall was moved to may not know an old level."""
    by_name = {clock.name: clock for clock in clocks}
    turns = {at: number for number, at in enumerate(sorted({row.decided_at for row in rows}), start=1)}
    lines: defaultdict[tuple[str, str], list[ClassDecision]] = defaultdict(list)
    for row in rows:
        lines[row.product_line, row.jurisdiction].append(row)
    found = []
    for mine in lines.values():
        for place, row in enumerate(mine):
            policy, later = policies[row.jurisdiction], mine[place + 1] if place + 1 < len(mine) else None
            if later is not None and row.level not in policy.levels:
                continue
            before = mine[place - 1] if place else None
            since = policy_time(recall, row.decided_at)
            standing = Standing(
                policy,
                row.level,
                row.product_line,
                MarketAction(row.market_action),
                since,
                policy_time(recall, later.decided_at) if later else None,
            )
            turn = turns[row.decided_at]
            anew = starts_anew(
                policy, before.level if before else None, row.level, turn, added=row.product_line not in original
            )
            if anew.decision:
                standing = replace(standing, decision=_clock(by_name, f"{NEW_DECISION}:{turn}", since))
            if anew.awareness:
                standing = replace(standing, new_facts=_clock(by_name, f"{NEW_FACTS}:{turn}", since))
            found.append(standing)
    return found


def starts_anew(policy: Policy, before: str | None, after: str, turn: int, *, added: bool) -> Anew:
    """Which clocks a decision starts: both when it raises a level, or is the first on a line an extension added.

    A line of the recall as it began that is only decided on later (`turn` > 1) has a decision of its own; that the firm
    was aware from the beginning does not become less true.
    """
    order = list(policy.levels)
    if before is None:
        return Anew(decision=turn > 1, awareness=turn > 1 and added)
    raised = before in order and after in order and order.index(after) < order.index(before)
    return Anew(decision=raised, awareness=raised)


def _clock(by_name: dict[str, RunningClock], name: str, since: datetime) -> RunningClock:
    return by_name.get(name) or RunningClock(name, 1, since)


__all__ = ["DECIDED", "NEW_DECISION", "NEW_FACTS", "facts_of", "original_lines", "policy_time", "starts_anew"]
