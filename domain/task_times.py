"""When a task is reminded of, handed over and escalated: three instants from one offer.

The first person has until `due_at` and is reminded at `remind_at`; then the stand-in gets it, for as long as the first
had before the reminder, until `escalate_at`; then the head of the function. All are real instants: policy time is
divided by the recall's pace here, once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from domain.policy_parts import TaskRule
from domain.roles import HEADS, Role


class Stage(IntEnum):
    """How far a late task has climbed."""

    OFFERED = 0
    REMINDED = 1
    HANDED_OVER = 2
    WITH_HEAD = 3


@dataclass(frozen=True, slots=True)
class TaskTimes:
    """The three real instants of one task; None where nothing happens then."""

    remind_at: datetime | None
    due_at: datetime | None
    escalate_at: datetime | None


@dataclass(frozen=True, slots=True)
class TaskLimit:
    """What a person has for one step, in policy time, and the function that stands in for `role`."""

    limit: timedelta
    remind: timedelta
    role: Role
    stand_in: Role


def strictest_limit(rules: Sequence[TaskRule]) -> TaskLimit:
    """The limit of a step under several policies: the least time and the earliest reminder.

    Role and stand-in are those of the policy with the least time.

    Raises:
        ValueError: without a rule.
    """
    if not rules:
        raise ValueError("expected the task rule of at least one policy")
    strictest = min(rules, key=lambda rule: rule.due.as_timedelta())
    return TaskLimit(
        limit=strictest.due.as_timedelta(),
        remind=min(rule.remind.as_timedelta() for rule in rules),
        role=strictest.role,
        stand_in=strictest.stand_in,
    )


def task_times(offered_at: datetime, limit: timedelta, remind: timedelta | None = None, pace: float = 1) -> TaskTimes:
    """The instants of a task offered at `offered_at`; `limit` and `remind` are policy time counted from the offer.

    Without `remind` the reminder comes at half the limit.
    """
    early = limit / 2 if remind is None else remind
    due = offered_at + limit / pace
    return TaskTimes(remind_at=offered_at + early / pace, due_at=due, escalate_at=due + early / pace)


def times_until(offered_at: datetime, due_at: datetime, rule: TaskLimit, pace: float = 1) -> TaskTimes:
    """The instants of a task whose due time is given from outside (a legal limit), never earlier than the offer.

    The reminder leaves as much time before `due_at` as the rule leaves between reminder and limit; of a shorter time
    the same share, so that nobody is reminded of what came with the same mail.
    """
    left = (rule.limit - rule.remind) / pace
    share = max(due_at - offered_at, timedelta(0)) * ((rule.limit - rule.remind) / rule.limit)
    return TaskTimes(
        remind_at=max(offered_at, due_at - min(left, share)),
        due_at=due_at,
        escalate_at=max(offered_at, due_at) + rule.remind / pace,
    )


def due_stage(stage: int, times: TaskTimes, now: datetime, *, stand_in: bool) -> Stage:
    """The stage a task should be at `now`; without a stand-in the head of the function gets it when it is late.

    Several instants that passed unseen (a worker that was down) are one step: nobody is reminded of what has gone to
    somebody else already.
    """
    reached = Stage(stage)
    if _passed(times.remind_at, now):
        reached = max(reached, Stage.REMINDED)
    if _passed(times.due_at, now):
        reached = max(reached, Stage.HANDED_OVER if stand_in else Stage.WITH_HEAD)
        if _passed(times.escalate_at, now):
            reached = Stage.WITH_HEAD
    return reached


def next_instant(stage: int, times: TaskTimes) -> datetime | None:
    """When a task at `stage` needs its next turn; None when there is nobody further to go to."""
    match Stage(stage):
        case Stage.OFFERED:
            return times.remind_at or times.due_at
        case Stage.REMINDED:
            return times.due_at
        case Stage.HANDED_OVER:
            return times.escalate_at
        case _:
            return None


def _passed(instant: datetime | None, now: datetime) -> bool:
    return instant is not None and instant <= now


def stand_in_for(role: Role, rule_role: Role | None, stand_in: Role | None) -> Role | None:
    """The function that gets a late task offered to `role`; None when only the head of the function is left.

    A rule speaks of one function. A task of its step that is offered to another one (the second signature under the
    strategy, say) goes to that one's head, because nobody else is known to be able to do it.
    """
    if stand_in is None or rule_role not in (None, role) or stand_in in (role, HEADS.get(role)):
        return None
    return stand_in


__all__ = [
    "Stage",
    "TaskLimit",
    "TaskTimes",
    "due_stage",
    "next_instant",
    "stand_in_for",
    "strictest_limit",
    "task_times",
    "times_until",
]
