"""What a person does next about a consignee that does not answer: call, account manager, visit, authority, document.

Each step has a task with its own limit; when that limit passes, or the step was done without an answer, the next one
is opened beside it. A refusal goes straight to the authority, a consignee that is out of business to the documented
account. An *episode* begins with the oldest open case, so a second silence climbs from the first step again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Stage(StrEnum):
    """The step; its value is the prefix of the task's key."""

    CALL = "call"
    MANAGER = "manager"
    """Whoever of our staff looks after the customer; left out where nobody does."""
    VISIT = "visit"
    AUTHORITY = "report"
    """Reporting the consignee to the authority; `authority:` keys are the recall's own."""
    ACCOUNT = "account"


CONTACT_REASONS: Final = frozenset({"silence", "bounce", "refusal", "out_of_business", "effectiveness"})
"""Reasons of cases that end when the consignee answers or is documented."""
_CLIMB: Final = (Stage.CALL, Stage.MANAGER, Stage.VISIT, Stage.AUTHORITY, Stage.ACCOUNT)


@dataclass(frozen=True, slots=True)
class StageTask:
    """A task of the episode."""

    stage: Stage
    due_at: datetime | None
    is_open: bool


@dataclass(frozen=True, slots=True)
class Next:
    """The step to open now, or when to look again; neither when only an answer or a document is awaited."""

    stage: Stage | None = None
    look_at: datetime | None = None


def next_stage(
    reasons: Collection[str], tasks: Sequence[StageTask], now: datetime, *, has_manager: bool = False
) -> Next:
    """What follows from the open reasons and the episode's tasks at `now`; `has_manager`: somebody looks after it."""
    for stage in _ways(reasons):
        if stage is Stage.MANAGER and not has_manager:
            continue
        own = [task for task in tasks if task.stage is stage]
        if not own:
            return Next(stage=stage)
        waiting = [task for task in own if task.is_open and (task.due_at is None or task.due_at > now)]
        if waiting:
            return Next(look_at=min((task.due_at for task in waiting if task.due_at), default=None))
    return Next()


def _ways(reasons: Collection[str]) -> tuple[Stage, ...]:
    if not CONTACT_REASONS.intersection(reasons):
        return ()
    if "out_of_business" in reasons:
        return (Stage.ACCOUNT,)
    return (Stage.AUTHORITY, Stage.ACCOUNT) if "refusal" in reasons else _CLIMB


def task_key(stage: Stage, consignee_id: int, episode: int = 1) -> str:
    """`call:12`; from the second episode on `call:12:2`."""
    return f"{stage.value}:{consignee_id}" + (f":{episode}" if episode > 1 else "")
