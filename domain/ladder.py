"""The notice ladder: what happens to one consignee that stays silent, as pure data.

First notice, reminder, escalation to another contact or channel, then a telephone call by a person; the stages of an
answer that follow (quantities, action) have shorter ladders of their own. Each step is counted from the step before it
as it really happened, so a late reminder never meets its own escalation. Several jurisdictions on one recall share one
ladder: the earliest of each step.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from domain.stages import Owed


class StepKind(StrEnum):
    """What is done at a step; the order of the members is the order of a ladder."""

    FIRST = "first"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    PHONE = "phone"
    """A telephone task for a person: a case is opened, nothing is sent automatically."""


class ContactRule(StrEnum):
    """Whom a step addresses, compared with the step before."""

    SAME = "same"
    NEXT_CONTACT = "next_contact"
    """The consignee's next contact in order; the same one where there is no other."""
    OTHER_CHANNEL = "other_channel"
    """The next contact if there is one, and a channel not used yet where the contact has one."""


class LadderError(ValueError):
    """A ladder that cannot be walked, or ladders that cannot be merged."""


class LadderStep(BaseModel):
    """One step, `after` counted from the step before (the first: from the approved notice)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: StepKind
    after: timedelta
    contact: ContactRule = ContactRule.SAME


class StageLadder(BaseModel):
    """How whoever owes one stage is asked: reminders, then a call; the first step counts from the stage's start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owed: Owed
    steps: tuple[LadderStep, ...]

    @model_validator(mode="after")
    def _ends_with_a_person(self) -> "StageLadder":
        kinds = [list(StepKind).index(step.kind) for step in self.steps]
        if not kinds or kinds[0] == 0 or self.steps[-1].kind is not StepKind.PHONE:
            raise LadderError(f"the stage {self.owed} starts with a reminder or a call and ends with a call")
        if any(later < earlier for earlier, later in pairwise(kinds)):
            raise LadderError("steps must come in the order reminder, escalation, phone")
        if any(step.after < timedelta(0) for step in self.steps) or self.steps[0].after == timedelta(0):
            raise LadderError(f"the stage {self.owed} needs some time before its first step, and no step goes back")
        return self


class Ladder(BaseModel):
    """The steps in order: exactly one `first` at the head, kinds never going backwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: tuple[LadderStep, ...]
    stages: tuple[StageLadder, ...] = ()
    """What follows an acknowledgement, at most one ladder per stage; a stage without one is not chased by messages."""

    @model_validator(mode="after")
    def _is_walkable(self) -> "Ladder":
        kinds = [list(StepKind).index(step.kind) for step in self.steps]
        if not kinds or kinds[0] != 0 or kinds.count(0) != 1:
            raise LadderError("a ladder starts with its one 'first' step")
        if any(later < earlier for earlier, later in pairwise(kinds)):
            raise LadderError("steps must come in the order first, reminder, escalation, phone")
        if any(step.after < timedelta(0) for step in self.steps):
            raise LadderError("a step cannot come before the one it follows")
        if len(self.steps) > 1 and self.steps[1].after == timedelta(0):
            raise LadderError("the step after the first notice needs some time to answer before it")
        if len({stage.owed for stage in self.stages}) != len(self.stages):
            raise LadderError("stages: each stage once")
        return self

    def stage(self, owed: Owed) -> StageLadder | None:
        """The ladder of whoever owes this; None where the policy has none."""
        return next((stage for stage in self.stages if stage.owed is owed), None)

    def offsets(self) -> tuple[timedelta, ...]:
        """Time of each step from the approved notice, if every step is on time."""
        return tuple(accumulate(step.after for step in self.steps))


class NextStep(BaseModel):
    """The step to take next and when."""

    model_config = ConfigDict(frozen=True)

    index: int
    step: LadderStep
    due: AwareDatetime
    is_due: bool


def next_step(ladder: Ladder, done_index: int, done_at: datetime, now: datetime) -> NextStep | None:
    """What follows step `done_index` taken at `done_at`; None when the ladder is at its end.

    Args:
        ladder: the ladder of the campaign.
        done_index: 0-based index of the last step taken, -1 before the first.
        done_at: when it was taken (policy time); before the first: when the notice was approved.
        now: the current policy time, in workflows from `workflow.now()`.
    """
    if not -1 <= done_index < len(ladder.steps):
        raise LadderError(f"step {done_index}: this ladder has steps 0 to {len(ladder.steps) - 1}")
    index = done_index + 1
    if index == len(ladder.steps):
        return None
    step = ladder.steps[index]
    due = done_at + step.after
    return NextStep(index=index, step=step, due=due, is_due=now >= due)


_PARTS: Final = 8
"""In how many looks the shortest wait of a stage is divided."""
_SHORTEST_LOOK: Final = timedelta(seconds=1)
_LEAST_PATIENCE: Final = timedelta(days=1)


def stages_of(ladder: Ladder) -> tuple[StageLadder, ...]:
    """The ladders after an acknowledgement; without any, a call for the quantities after the notice's own ladder."""
    if ladder.stages:
        return ladder.stages
    patience = max(ladder.offsets()[-1], _LEAST_PATIENCE)
    return (StageLadder(owed=Owed.QUANTITIES, steps=(LadderStep(kind=StepKind.PHONE, after=patience),)),)


def look_again(due: datetime, anchor: datetime, waits: Sequence[timedelta]) -> datetime:
    """The first instant at or after `due` of a grid from `anchor`, an eighth of the shortest wait apart (real times).

    So that many who became due one after the other are one look; nobody is asked before its time.
    """
    grid = max(min(wait for wait in waits if wait) / _PARTS, _SHORTEST_LOOK)
    return due if due <= anchor else anchor - ((anchor - due) // grid) * grid


def strictest_ladder(ladders: Sequence[Ladder]) -> Ladder:
    """One ladder for several jurisdictions: each step at the earliest time any of them asks for.

    A step that only some ladders have is kept. Steps are matched by kind and by their count within
    the kind (second reminder with second reminder).

    Raises:
        LadderError: when there is no ladder to merge.
    """
    if not ladders:
        raise LadderError("no ladder to choose the strictest from")
    stages = [
        StageLadder(owed=owed, steps=_merged([found.steps for each in ladders if (found := each.stage(owed))]))
        for owed in Owed
        if any(each.stage(owed) for each in ladders)
    ]
    return Ladder(steps=_merged([each.steps for each in ladders]), stages=tuple(stages))


def _merged(ladders: Sequence[tuple[LadderStep, ...]]) -> tuple[LadderStep, ...]:
    earliest: dict[tuple[int, int], tuple[timedelta, ContactRule]] = {}
    for steps in ladders:
        seen: dict[StepKind, int] = {}
        for step, offset in zip(steps, accumulate(each.after for each in steps), strict=True):
            nth = seen[step.kind] = seen.get(step.kind, -1) + 1
            key = (list(StepKind).index(step.kind), nth)
            known = earliest.get(key)
            earliest[key] = (
                (offset, step.contact) if known is None else (min(known[0], offset), _wider(known[1], step.contact))
            )
    return _from_offsets(earliest)


def _wider(left: ContactRule, right: ContactRule) -> ContactRule:
    order = list(ContactRule)
    return max(left, right, key=order.index)


def _from_offsets(earliest: dict[tuple[int, int], tuple[timedelta, ContactRule]]) -> tuple[LadderStep, ...]:
    kinds = list(StepKind)
    merged = [(kinds[kind], *value) for (kind, _), value in sorted(earliest.items())]
    # A step only a slower ladder has may lie behind a later one; it is pulled forward, never dropped.
    ceiling = merged[-1][1]
    offsets: list[timedelta] = []
    for _, offset, _ in reversed(merged):
        ceiling = min(ceiling, offset)
        offsets.insert(0, ceiling)
    gaps = [offsets[0], *(later - earlier for earlier, later in pairwise(offsets))]
    return tuple(
        LadderStep(kind=kind, after=gap, contact=contact) for (kind, _, contact), gap in zip(merged, gaps, strict=True)
    )
