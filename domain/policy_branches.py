"""Branches of a policy: what changes while a condition over the facts holds, and the policy that results.

A branch adds tasks, reports, gates and signatures, or makes limits shorter and checks wider; it never loosens
anything. A limit longer than the profile's is a fault found when the policy is read, and where two branches shorten
the same limit the shorter one counts. Who does a step is set by the first branch, in the order written, that names it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, model_validator

from domain.expressions import Expression, holds
from domain.limits import ElapsedText, Limit, LimitText, Unit
from domain.policy_approvals import ApprovalRule
from domain.policy_facts import PolicyFacts
from domain.policy_figures import Name, Part, Sourced, Text
from domain.policy_parts import EffectivenessLevel, Gate, LadderRules, LevelRules, Obligation, Trigger, check_share
from domain.policy_tasks import BranchTask, ExtraTask, HumanStep, TaskRule

if TYPE_CHECKING:
    from domain.policy import Policy

MAX_ITEMS: Final = 100
"""Entries of one list; far more than a law needs, few enough to be read and compared at once."""
STEPS_OF_LADDER: Final = ("first_reminder", "escalation", "phone")


class BranchNotify(Part):
    """A shorter limit for the first notice, from the same clock as the level's."""

    due: LimitText


class BranchLadder(Part):
    """Earlier steps after the first notice; all three, so that their order holds whatever the level's are."""

    first_reminder: ElapsedText
    escalation: ElapsedText
    phone: ElapsedText

    @model_validator(mode="after")
    def _rises(self) -> "BranchLadder":
        times = [getattr(self, name).as_timedelta() for name in STEPS_OF_LADDER]
        if not times[0] < times[1] < times[2] or not times[0]:
            raise ValueError("expected first_reminder before escalation before phone, all after the notice")
        return self


class BranchEffectiveness(Part):
    """A wider effectiveness check."""

    level: EffectivenessLevel
    percent: int = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _matches_the_level(self) -> "BranchEffectiveness":
        check_share(self.level, self.percent)
        return self


class Branch(Sourced):
    """What a policy adds or shortens while `when` holds."""

    id: Name
    title: Text
    title_zh: Text
    when: Expression
    tasks: dict[HumanStep, BranchTask] = Field(default_factory=dict)
    extra_tasks: tuple[ExtraTask, ...] = Field(default=(), max_length=MAX_ITEMS)
    notify: BranchNotify | None = None
    ladder: BranchLadder | None = None
    effectiveness: BranchEffectiveness | None = None
    obligations: tuple[Obligation, ...] = Field(default=(), max_length=MAX_ITEMS)
    """Further reports at every level; one with the id of a report of the policy replaces it with a shorter limit."""
    gates: tuple[Gate, ...] = Field(default=(), max_length=MAX_ITEMS)
    approvals: tuple[ApprovalRule, ...] = Field(default=(), max_length=MAX_ITEMS)

    @model_validator(mode="after")
    def _changes_something(self) -> "Branch":
        parts = ("tasks", "extra_tasks", "notify", "ladder", "effectiveness", "obligations", "gates", "approvals")
        if not any(getattr(self, name) for name in parts):
            raise ValueError(f"the branch changes nothing; expected at least one of {', '.join(parts)}")
        return self


@dataclass(frozen=True, slots=True)
class Applied:
    """A policy with its branches applied, and the ids of those that fired, in the order written."""

    policy: "Policy"
    fired: tuple[str, ...]


def applied(policy: "Policy", facts: PolicyFacts) -> Applied:
    """The policy that counts for a recall with `facts`.

    The result has no branches left: applying it again changes nothing. With no branch fired it is the policy as
    written, without its branches.
    """
    fired = [branch for branch in policy.branches if holds(branch.when, facts)]
    levels = {code: _level(rules, fired) for code, rules in policy.levels.items()}
    at_levels = {item.id for rules in policy.levels.values() for item in rules.obligations}
    changes = {
        "branches": (),
        "tasks": {
            step: merged_task(rule, [b.tasks[step] for b in fired if step in b.tasks])
            for step, rule in policy.tasks.items()
        },
        "extra_tasks": (*policy.extra_tasks, *(task for branch in fired for task in branch.extra_tasks)),
        "levels": levels,
        "obligations": _common(policy.obligations, fired, at_levels),
        "gates": (*policy.gates, *(gate for branch in fired for gate in branch.gates)),
        "approvals": (*policy.approvals, *(rule for branch in fired for rule in branch.approvals)),
    }
    return Applied(policy.model_copy(update=changes), tuple(branch.id for branch in fired))


def merged_task(rule: TaskRule, changes: Iterable[BranchTask]) -> TaskRule:
    """`rule` with the shortest limits of `changes`, and the people of the first change that names them."""
    given = list(changes)
    update: dict[str, Any] = {}
    for name in ("due", "remind"):
        limits = [getattr(rule, name), *(limit for change in given if (limit := getattr(change, name)) is not None)]
        update[name] = min(limits, key=Limit.as_timedelta)
    for name in ("role", "stand_in"):
        update[name] = next(
            (role for change in given if (role := getattr(change, name)) is not None), getattr(rule, name)
        )
    return TaskRule.model_validate(dict(rule) | update)


def _level(rules: LevelRules, fired: list[Branch]) -> LevelRules:
    notify, ladder, checks = rules.notify, rules.ladder, rules.effectiveness
    for branch in fired:
        if branch.notify and no_longer(branch.notify.due, notify.due):
            notify = notify.model_copy(update={"due": branch.notify.due})
        if branch.ladder:
            ladder = _earlier(ladder, branch.ladder)
        if branch.effectiveness and branch.effectiveness.percent > checks.percent:
            checks = checks.model_copy(update=dict(branch.effectiveness))
    ladder = _with_deputy(ladder)
    obligations = tuple(_shortest(item, fired) for item in rules.obligations)
    return rules.model_copy(
        update={"notify": notify, "ladder": ladder, "effectiveness": checks, "obligations": obligations}
    )


def _earlier(ladder: LadderRules, branch: BranchLadder) -> LadderRules:
    steps = {}
    for name in STEPS_OF_LADDER:
        step, after = getattr(ladder, name), getattr(branch, name)
        steps[name] = step.model_copy(update={"after": min(step.after, after, key=Limit.as_timedelta)})
    return ladder.model_copy(update=steps)


def _with_deputy(ladder: LadderRules) -> LadderRules:
    """The deputy is told halfway to the escalation where a branch has pulled that forward to before it."""
    first, escalation = (each.after.as_timedelta() for each in (ladder.first_reminder, ladder.escalation))
    if ladder.deputy is None or ladder.deputy.after.as_timedelta() < escalation:
        return ladder
    minutes = (first + escalation) / 2 // timedelta(minutes=1)
    after = Limit.parse(f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min")
    return ladder.model_copy(update={"deputy": ladder.deputy.model_copy(update={"after": after})})


def _common(obligations: tuple[Obligation, ...], fired: list[Branch], at_levels: set[str]) -> tuple[Obligation, ...]:
    known = {item.id for item in obligations} | at_levels
    added: dict[str, list[Obligation]] = {}
    for branch in fired:
        new: dict[str, list[Obligation]] = {}
        for item in branch.obligations:
            if item.id not in known:
                new.setdefault(item.id, []).append(item)
        for name, items in new.items():  # two branches that ask for one report ask for it once
            added.setdefault(name, items)
    return (*(_shortest(item, fired) for item in obligations), *(item for items in added.values() for item in items))


def _shortest(item: Obligation, fired: list[Branch]) -> Obligation:
    for branch in fired:
        for other in branch.obligations:
            if other.id == item.id and not longer_than(other, item):
                item = other
    return item


def longer_than(new: Obligation, old: Obligation) -> tuple[str, ...]:
    """Why `new` cannot take the place of `old`: which of its keys makes the report later. Empty when it can."""
    faults = []
    if new.runs_from != old.runs_from:
        faults.append(f"clock: expected {old.runs_from}, the clock of the report it replaces")
    if new.trigger != old.trigger and (new.trigger, old.trigger) != (Trigger.ALWAYS, Trigger.IF_ASKED):
        faults.append(f"trigger: expected {old.trigger}, that of the report it replaces")
    if not no_longer(new.due, old.due):
        faults.append(f"due: expected no more than {old.due}, in the same unit; a branch only makes limits shorter")
    if old.every and (new.every is None or not no_longer(new.every, old.every)):
        faults.append(f"every: expected no more than {old.every}, in the same unit")
    return tuple(faults)


_HOURS: Final[Mapping[Unit, float]] = {Unit.MINUTE: 1 / 60, Unit.HOUR: 1}


def no_longer(new: Limit, old: Limit) -> bool:
    """Whether `new` ends no later than `old` from the same clock start, whatever day and zone that is.

    False too where it depends on the day: 30 hours end before or after one calendar day.
    """
    if new.unit == old.unit:
        return new.amount <= old.amount
    if new.unit == Unit.IMMEDIATELY or old.unit == Unit.NONE:
        return True
    if old.unit == Unit.WORKING_DAY and new.unit == Unit.CALENDAR_DAY:
        return new.amount <= old.amount
    if new.unit in _HOURS and old.unit in _HOURS:
        return new.amount * _HOURS[new.unit] <= old.amount * _HOURS[old.unit]
    if new.unit in _HOURS and old.unit in (Unit.CALENDAR_DAY, Unit.WORKING_DAY):
        # A day limit ends at the end of its last day; the shortest such span loses an hour to daylight saving.
        return new.amount * _HOURS[new.unit] <= old.amount * 24 - 1
    return False
