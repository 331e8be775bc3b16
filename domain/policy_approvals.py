"""Who must sign a step: the usual signatures, and those that a policy's rules add by class, value or country.

Rules only ever add. Every rule whose condition holds counts; a role is asked as often as the rule that asks most, and
each signature is a different person's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import Field, field_validator

from domain.expressions import Expression, holds
from domain.policy_facts import PolicyFacts
from domain.policy_figures import Name, Sourced
from domain.policy_tasks import check_worker
from domain.roles import Role


class ApprovalStep(StrEnum):
    """A decision that is signed."""

    ASSESSMENT = "assessment"
    NOTICE = "notice"
    DISPOSITION = "disposition"
    RELEASE = "release"
    COMPLETION = "completion"
    ALLOCATION = "allocation"


USUAL: Final[Mapping[ApprovalStep, tuple[Role, ...]]] = MappingProxyType(
    {
        ApprovalStep.ASSESSMENT: (Role.APPROVER,),
        ApprovalStep.NOTICE: (Role.APPROVER,),
        ApprovalStep.DISPOSITION: (Role.APPROVER,),
        ApprovalStep.RELEASE: (Role.QA, Role.HEAD_OF_QUALITY),
        ApprovalStep.COMPLETION: (Role.QA, Role.REGULATORY),
        ApprovalStep.ALLOCATION: (Role.APPROVER,),
    }
)
"""Signatures every step needs, whatever a policy says (design §1, §2 promise 6, §7)."""


class ApprovalRule(Sourced):
    """Further signatures for one step, where `when` holds."""

    id: Name
    step: ApprovalStep
    when: Expression = "true"
    signers: tuple[Role, ...] = Field(min_length=1, max_length=6)
    """All must sign, in this order, each a different person; a role may be listed twice."""

    @field_validator("signers")
    @classmethod
    def _may_sign(cls, signers: tuple[Role, ...]) -> tuple[Role, ...]:
        for role in signers:
            check_worker(role)
        return signers


def required_signers(rules: Iterable[ApprovalRule], step: ApprovalStep, facts: PolicyFacts) -> tuple[Role, ...]:
    """The roles that must sign `step`, in order: the usual ones, and what the rules add that hold for `facts`.

    The order is that of the first rule; what later rules add follows, and a usual signature that no rule names comes
    first. For several jurisdictions give the rules of all of them.
    """
    wanted: list[Role] = []
    for rule in rules:
        if rule.step == step and holds(rule.when, facts):
            wanted.extend(_missing(rule.signers, wanted))
    return (*_missing(USUAL[step], wanted), *wanted)


def _missing(roles: Iterable[Role], present: Iterable[Role]) -> list[Role]:
    """The `roles` that `present` does not hold yet, counted one by one."""
    have = Counter(present)
    found = []
    for role in roles:
        if have[role]:
            have[role] -= 1
        else:
            found.append(role)
    return found
