"""Which branches of a recall's policies hold, since when, and what that makes of the policies.

The state is recorded with the recall and changes only by `turned`, so that everybody who reads a policy of the recall
sees the same one until the facts are looked at again. A branch that ends takes back its shorter limits for what comes
later and its extra tasks; reports and gates it made owed stay owed, because nothing open ever becomes later or less.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.expressions import holds
from domain.policy import Policy
from domain.policy_approvals import ApprovalStep, required_signers
from domain.policy_branches import Branch, applied
from domain.policy_facts import PolicyFacts
from domain.policy_tasks import ExtraTask
from domain.roles import Role

_TRUE = "true"


class FiredBranch(BaseModel):
    """A branch that holds, or held once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str
    branch: str
    title: str
    title_zh: str
    when: str
    since: AwareDatetime
    until: AwareDatetime | None = None
    """When it ceased to hold; None while it does."""
    times: int = Field(default=1, ge=1)
    """How often it has begun to hold; tasks of a second time are tasks of their own."""


class Unvalued(BaseModel):
    """What the fact `value` leaves out, so that nobody takes it for the whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    products: tuple[str, ...] = ()
    """Codes of products in scope without a value in the reporting currency, the first twenty."""
    count: int = 0
    """How many there are."""


class BranchState(BaseModel):
    """Facts of a recall as last looked at, and its branches; stored as `recall.facts`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: PolicyFacts = PolicyFacts()
    """Facts all jurisdictions share; `market_action` is set per jurisdiction by `facts_for`."""
    market_actions: dict[str, str] = Field(default_factory=dict)
    """Jurisdiction -> weightiest market action of its product lines."""
    currency: str = ""
    """Reporting currency of `facts.value`."""
    unvalued: Unvalued = Unvalued()
    branches: tuple[FiredBranch, ...] = ()
    seen_at: AwareDatetime | None = None
    """When the facts last differed from those before."""
    changed_at: AwareDatetime | None = None
    """When a branch last began or ended."""

    def facts_for(self, policy_id: str) -> PolicyFacts:
        """The facts as conditions of one jurisdiction's policy see them."""
        return self.facts.model_copy(update={"market_action": self.market_actions.get(policy_id, "")})

    def of_policy(self, policy_id: str) -> dict[str, FiredBranch]:
        """Branch id -> branch that holds or held, of one policy."""
        return {each.branch: each for each in self.branches if each.policy == policy_id}

    def holding(self) -> tuple[FiredBranch, ...]:
        """The branches that hold now."""
        return tuple(each for each in self.branches if each.until is None)


@dataclass(frozen=True, slots=True)
class Turned:
    """What a look at the facts changed."""

    state: BranchState
    fired: tuple[FiredBranch, ...]
    ended: tuple[FiredBranch, ...]
    facts: tuple[str, ...]
    """Names of the facts that changed."""


def turned(before: BranchState, now_seen: BranchState, policies: Iterable[Policy], at: AwareDatetime) -> Turned:
    """The state after a look at `at` that saw the facts of `now_seen`, under `policies` as they are written."""
    fired: list[FiredBranch] = []
    ended: list[FiredBranch] = []
    kept: list[FiredBranch] = []
    for policy in policies:
        known, facts = before.of_policy(policy.id), now_seen.facts_for(policy.id)
        for branch in policy.branches:
            was, is_so = known.get(branch.id), holds(branch.when, facts)
            if is_so and (was is None or was.until is not None):
                fired.append(_fired(policy.id, branch, was, at))
                kept.append(fired[-1])
            elif not is_so and was is not None and was.until is None:
                ended.append(was.model_copy(update={"until": at}))
                kept.append(ended[-1])
            elif was is not None:
                kept.append(was)
    changed = _changed(before, now_seen)
    update = {
        "branches": tuple(kept),
        "seen_at": at if changed else before.seen_at,
        "changed_at": at if fired or ended else before.changed_at,
    }
    return Turned(now_seen.model_copy(update=update), tuple(fired), tuple(ended), changed)


def _fired(policy_id: str, branch: Branch, was: FiredBranch | None, at: AwareDatetime) -> FiredBranch:
    return FiredBranch(
        policy=policy_id,
        branch=branch.id,
        title=branch.title,
        title_zh=branch.title_zh,
        when=branch.when,
        since=at,
        times=was.times + 1 if was else 1,
    )


def _changed(before: BranchState, after: BranchState) -> tuple[str, ...]:
    names = [name for name in PolicyFacts.model_fields if getattr(before.facts, name) != getattr(after.facts, name)]
    if before.market_actions != after.market_actions:
        names.append("market_actions")
    return tuple(names)


def effective(policy: Policy, state: BranchState) -> Policy:
    """The policy that counts for a recall in `state`: its branches that hold applied, no branches left."""
    known = state.of_policy(policy.id)
    counting = tuple(_as_it_counts(branch, known[branch.id]) for branch in policy.branches if branch.id in known)
    return applied(policy.model_copy(update={"branches": counting}), state.facts_for(policy.id)).policy


def _as_it_counts(branch: Branch, fired: FiredBranch) -> Branch:
    if fired.until is None:
        return branch.model_copy(update={"when": _TRUE})
    only_what_is_owed: dict[str, object] = {
        "when": _TRUE,
        "tasks": {},
        "extra_tasks": (),
        "notify": None,
        "ladder": None,
        "effectiveness": None,
        "approvals": (),
    }
    return branch.model_copy(update=only_what_is_owed)


@dataclass(frozen=True, slots=True)
class DueExtraTask:
    """An extra task with the key of its record."""

    key: str
    policy: str
    task: ExtraTask


def extra_tasks(policies: Sequence[Policy], state: BranchState) -> list[DueExtraTask]:
    """The extra tasks asked for now: of each policy as written, and of its branches that hold."""
    found = []
    for policy in policies:
        found += [DueExtraTask(extra_key(policy.id, task.id), policy.id, task) for task in policy.extra_tasks]
        known = state.of_policy(policy.id)
        for branch in policy.branches:
            fired = known.get(branch.id)
            if fired is not None and fired.until is None:
                found += [
                    DueExtraTask(extra_key(policy.id, task.id, fired.times), policy.id, task)
                    for task in branch.extra_tasks
                ]
    return list({each.key: each for each in found}.values())


def extra_key(policy_id: str, task_id: str, times: int = 1) -> str:
    """Key of an extra task's record: `extra:{policy}:{task}`, numbered from the second time its branch fires."""
    return f"extra:{policy_id}:{task_id}" + (f":{times}" if times > 1 else "")


def needed_signers(
    policies: Sequence[Policy],
    state: BranchState,
    step: ApprovalStep | str,
    changes: Mapping[str, object] | None = None,
) -> tuple[Role, ...]:
    """The roles that must sign `step`, in order, under all policies together.

    Args:
        policies: as they are written; branches that hold with `changes` in the facts count.
        changes: facts of what is decided on that differ from the recall's (a class proposed, the value of a lot).
    """
    rules = []
    for policy in policies:
        facts = PolicyFacts.model_validate(state.facts_for(policy.id).model_dump() | dict(changes or {}))
        own = applied(policy, facts).policy.approvals
        rules += [rule.model_copy(update={"when": _TRUE}) for rule in own if holds(rule.when, facts)]
    return required_signers(rules, ApprovalStep(step), state.facts)


__all__ = [
    "BranchState",
    "DueExtraTask",
    "FiredBranch",
    "Turned",
    "Unvalued",
    "effective",
    "extra_key",
    "extra_tasks",
    "needed_signers",
    "turned",
]
