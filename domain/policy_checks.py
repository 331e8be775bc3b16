"""Whether the parts of a policy fit together: ids, levels, days, and branches that only make things stricter.

Each fault is a path into the document ("branches[0].tasks.gate.due") and what was expected there.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from domain.expressions import facts_used
from domain.policy_branches import STEPS_OF_LADDER, Branch, longer_than, merged_task, no_longer
from domain.policy_facts import OF_A_SIGNATURE
from domain.policy_figures import Sourced, overlapping
from domain.policy_parts import Gate, Obligation, StageRules
from domain.stages import Owed

if TYPE_CHECKING:
    from domain.policy import Policy

PathFault = tuple[str, str]
"""Path and what was expected there."""


class PolicyFaultsError(ValueError):
    """Faults of a whole policy, each with its own path."""

    def __init__(self, faults: Sequence[PathFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{path}: {message}" for path, message in faults))


def faults_of(policy: "Policy") -> Iterator[PathFault]:
    """Everything that does not fit together, in the order of the document."""
    if policy.valid_to and policy.valid_to < policy.valid_from:
        yield "valid_to", "lies before valid_from"
    yield from _table(policy)
    yield from _gates(policy)
    yield from _ids(policy)
    yield from _days(policy)
    for index, branch in enumerate(policy.branches):
        yield from _branch(policy, branch, f"branches[{index}]")
    yield from _shared_by_branches(policy)


def _table(policy: "Policy") -> Iterator[PathFault]:
    for index, rule in enumerate(policy.decision_table):
        level = policy.levels.get(rule.level)
        if level is None:
            known = ", ".join(policy.levels)
            yield f"decision_table[{index}].level", f"{rule.id}: level {rule.level!r} is none of {known}"
        elif rule.recall_class not in level.classes:
            message = f"{rule.id}: level {rule.level} does not cover class {rule.recall_class}"
            yield f"decision_table[{index}].class", message
    if policy.decision_table[-1].when:
        yield "decision_table", "the last rule must have no condition, so that every case has a result"


def _gates(policy: "Policy") -> Iterator[PathFault]:
    at_levels = [item for rules in policy.levels.values() for item in rules.obligations]
    owed = {item.id for item in (*policy.obligations, *at_levels)}
    lists: list[tuple[str, tuple[Gate, ...], set[str]]] = [("gates", policy.gates, owed)]
    for index, branch in enumerate(policy.branches):
        lists.append((f"branches[{index}].gates", branch.gates, owed | {item.id for item in branch.obligations}))
    for where, gates, known in lists:
        for index, gate in enumerate(gates):
            for unknown in sorted(set(gate.settles) - known):
                yield f"{where}[{index}].settles", f"{unknown!r} is no obligation of this policy"
            for code in gate.levels:
                if code not in policy.levels:
                    yield f"{where}[{index}].levels", f"level {code!r} is none of {', '.join(policy.levels)}"
            for action in gate.actions:
                if action not in policy.actions:
                    expected = f"expected one of the policy's actions {', '.join(policy.actions)}"
                    yield f"{where}[{index}].actions", f"{expected}, got {action}"


def _ids(policy: "Policy") -> Iterator[PathFault]:
    extra = [*policy.extra_tasks, *(task for branch in policy.branches for task in branch.extra_tasks)]
    rules = [*policy.approvals, *(rule for branch in policy.branches for rule in branch.approvals)]
    lists: dict[str, list[str]] = {
        "decision_table": [rule.id for rule in policy.decision_table],
        "branches": [branch.id for branch in policy.branches],
        "extra_tasks (branches included)": [task.id for task in extra],
        "approvals (branches included)": [rule.id for rule in rules],
    }
    for where, ids in lists.items():
        for twice in sorted({item for item in ids if ids.count(item) > 1}):
            yield where, f"id {twice} is used twice"
    yield from _windows("gates", policy.gates)
    for code, rules_of_level in policy.levels.items():
        yield from _windows(f"levels.{code}.obligations", (*policy.obligations, *rules_of_level.obligations))


def _windows(where: str, figures: Sequence[Gate | Obligation]) -> Iterator[PathFault]:
    """One id may be used again for other days, never twice for one day."""
    for name in sorted({figure.id for figure in figures}):
        same = [figure for figure in figures if figure.id == name]
        if overlapping(same):
            yield where, f"id {name} is used twice for the same days; give each valid_from and valid_to"


def _days(policy: "Policy") -> Iterator[PathFault]:
    for path, figure in _lone_figures(policy):
        if figure.valid_from > policy.valid_from:
            yield (
                f"{path}.valid_from",
                f"expected no later than the profile's, {policy.valid_from}: nothing else counts before",
            )
        if figure.valid_to and (policy.valid_to is None or figure.valid_to < policy.valid_to):
            yield f"{path}.valid_to", "expected as long as the profile: nothing else counts after"


def _lone_figures(policy: "Policy") -> Iterator[tuple[str, Sourced]]:
    """Figures that have no second one for other days, with their path."""
    yield "retention", policy.retention
    yield "channels", policy.channels
    yield "closing", policy.closing
    if policy.quiet_hours:
        yield "quiet_hours", policy.quiet_hours
    yield "hold", policy.hold
    yield "mass_balance", policy.mass_balance
    if policy.release:
        yield "release", policy.release
    if policy.destruction:
        yield "destruction", policy.destruction
    if policy.supplier_answers:
        yield "supplier_answers", policy.supplier_answers
    for step, rule in policy.tasks.items():
        yield f"tasks.{step}", rule
    for code, rules in policy.levels.items():
        yield f"levels.{code}.notify", rules.notify
        yield f"levels.{code}.effectiveness", rules.effectiveness
        for name in STEPS_OF_LADDER:
            yield f"levels.{code}.ladder.{name}", getattr(rules.ladder, name)
        if rules.ladder.deputy:
            yield f"levels.{code}.ladder.deputy", rules.ladder.deputy
        for name in Owed:
            stage = getattr(rules.ladder, name)
            for kind in StageRules.model_fields if stage else ():
                yield f"levels.{code}.ladder.{name}.{kind}", getattr(stage, kind)


def _branch(policy: "Policy", branch: Branch, where: str) -> Iterator[PathFault]:
    for name in facts_used(branch.when):
        if name in OF_A_SIGNATURE:
            expected = "expected a fact of the whole recall, such as dispositions"
            yield f"{where}.when", f"{name} is known for approvals only; {expected}"
    for step, change in branch.tasks.items():
        path = f"{where}.tasks.{step}"
        rule = policy.tasks[step]
        if change.due and change.due.as_timedelta() > rule.due.as_timedelta():
            yield f"{path}.due", f"expected no more than {rule.due}, the profile's; a branch only makes limits shorter"
        elif change.remind and change.remind.as_timedelta() > rule.remind.as_timedelta():
            yield f"{path}.remind", f"expected no more than {rule.remind}, the profile's"
        else:
            try:
                merged_task(rule, [change])
            except ValueError as error:
                first = str(error).splitlines()[-2].strip().removeprefix("Value error, ").split(" [type")[0]
                yield path, f"{first}; give remind as well"
    yield from _branch_at_levels(policy, branch, where)
    yield from _branch_reports(policy, branch, where)


def _branch_at_levels(policy: "Policy", branch: Branch, where: str) -> Iterator[PathFault]:
    levels = policy.levels.items()
    if branch.notify:
        limits = {code: rules.notify.due for code, rules in levels}
        new = branch.notify.due
        for code, old in limits.items():
            if not no_longer(new, old) and not no_longer(old, new):
                yield f"{where}.notify.due", f"{new} and {old} of level {code} have no order; expected the same unit"
        if not any(no_longer(new, old) and new != old for old in limits.values()):
            yield f"{where}.notify.due", f"expected less than one of {_shown(limits.values())}; {new} shortens nothing"
    if branch.ladder:
        for name in STEPS_OF_LADDER:
            own = [getattr(rules.ladder, name).after for _, rules in levels]
            after = getattr(branch.ladder, name)
            if all(after.as_timedelta() > limit.as_timedelta() for limit in own):
                yield f"{where}.ladder.{name}", f"expected no more than one of {_shown(own)}; {after} shortens nothing"
    if branch.effectiveness:
        shares = [rules.effectiveness.percent for _, rules in levels]
        if branch.effectiveness.percent <= min(shares):
            yield (
                f"{where}.effectiveness.percent",
                f"expected more than one of {_shown(shares)}: a branch widens the check",
            )


def _shown(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values))


def _branch_reports(policy: "Policy", branch: Branch, where: str) -> Iterator[PathFault]:
    at_levels = [item for rules in policy.levels.values() for item in rules.obligations]
    for index, new in enumerate(branch.obligations):
        for old in (*policy.obligations, *at_levels):
            if old.id == new.id:
                for fault in longer_than(new, old):
                    key, _, message = fault.partition(": ")
                    yield f"{where}.obligations[{index}].{key}", message
    yield from _windows(f"{where}.obligations", branch.obligations)
    for index, gate in enumerate(branch.gates):
        if gate.id in {item.id for item in policy.gates}:
            yield f"{where}.gates[{index}].id", f"{gate.id} is a gate of the policy already; a branch adds gates"


def _shared_by_branches(policy: "Policy") -> Iterator[PathFault]:
    """What two branches both add must be the same thing: otherwise the one written first would hide the other."""
    owed = {item.id for item in policy.obligations} | {
        item.id for rules in policy.levels.values() for item in rules.obligations
    }
    reports: dict[str, tuple[Obligation, ...]] = {}
    gates: dict[str, str] = {}
    for index, branch in enumerate(policy.branches):
        for name in dict.fromkeys(item.id for item in branch.obligations if item.id not in owed):
            mine = tuple(item for item in branch.obligations if item.id == name)
            if reports.setdefault(name, mine) != mine:
                yield f"branches[{index}].obligations", f"{name} is written differently in another branch"
        for gate in branch.gates:
            if gates.setdefault(gate.id, branch.id) != branch.id:
                yield f"branches[{index}].gates", f"id {gate.id} is used by branch {gates[gate.id]} already"
