"""A regulation profile: one jurisdiction's rules as validated, frozen data.

A running recall keeps the profile it started with (`pinned`), recognised by `policy_hash`. Nothing
here reads a file or a clock: `parse_policy` turns YAML text, read elsewhere, into a `Policy`.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from domain.audit_chain import canonical_json
from domain.decision import Proposal, Rule, evaluate, strictest_level
from domain.hazard import DeviceFlags, HazardEvaluation
from domain.ladder import Ladder, strictest_ladder
from domain.levels import MarketAction, RecallClass, strictness
from domain.policy_approvals import ApprovalRule, ApprovalStep, required_signers
from domain.policy_branches import MAX_ITEMS, Branch
from domain.policy_checks import PolicyFaultsError, faults_of
from domain.policy_disposition import DestructionRule, ReleaseRule
from domain.policy_facts import PolicyFacts
from domain.policy_figures import Name, Part, Text, valid_figures
from domain.policy_parts import (
    Channels,
    Closing,
    Gate,
    HoldWatch,
    LevelRules,
    MassBalanceRule,
    Obligation,
    QuietHours,
    Retention,
)
from domain.policy_supplier import SupplierAnswers
from domain.policy_tasks import ExtraTask, HumanStep, TaskRule
from domain.policy_text import PolicyError, check_zone, fault_line, load_mapping
from domain.roles import Role

__all__ = ["Policy", "PolicyError", "WorkingCalendar", "common_ladder", "parse_policy", "policy_hash", "signers"]

LevelCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,15}$")]


class WorkingCalendar(StrEnum):
    """Which days are working days (regulations.md §9)."""

    US_FEDERAL = "us-federal"
    CN_STATE_COUNCIL = "cn-state-council"
    EU_MEMBER_STATE = "eu-member-state"
    CA_FEDERAL = "ca-federal"
    AU_ACT = "au-act"
    GB_ENGLAND = "gb-england"


_STATES: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
EEA_STATES: Final = frozenset(_STATES.split())
"""States that apply the MDR: the 27 members of the EU and IS, LI, NO."""


class CalendarRule(Part):
    """The calendar that counts working days, and the state for an EU calendar."""

    working_days: WorkingCalendar
    state: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    """ISO code of the member state whose authority receives the reports (a recall may name another)."""

    @model_validator(mode="after")
    def _names_its_state(self) -> "CalendarRule":
        if (self.working_days == WorkingCalendar.EU_MEMBER_STATE) != (self.state is not None):
            raise ValueError("state is needed for eu-member-state and only there")
        if self.state is not None and self.state not in EEA_STATES:
            raise ValueError(f"{self.state} does not apply the MDR; expected one of {', '.join(sorted(EEA_STATES))}")
        return self


class ZoneRule(Part):
    """Where a day ends: the IANA zone and whose it is."""

    zone: str = Field(min_length=1, max_length=64)
    of: Text


class Policy(Part):
    """One jurisdiction's profile in one version."""

    schema_: Literal["recall-policy/1"] = Field(alias="schema")
    id: Name
    version: int = Field(ge=1, le=1_000_000)
    title: Text
    title_zh: Text
    authority: Text
    authority_zh: Text
    valid_from: date
    valid_to: date | None = None
    verified_on: date
    verified_note: Text
    calendar: CalendarRule
    zone: ZoneRule
    retention: Retention
    actions: tuple[MarketAction, ...] = Field(min_length=1)
    """Market actions this law knows."""
    channels: Channels
    quiet_hours: QuietHours | None = None
    closing: Closing
    levels: dict[LevelCode, LevelRules] = Field(min_length=1, max_length=20)
    """The jurisdiction's own levels, strictest first."""
    decision_table: tuple[Rule, ...] = Field(min_length=1, max_length=500)
    gates: tuple[Gate, ...] = Field(max_length=MAX_ITEMS)
    obligations: tuple[Obligation, ...] = Field(default=(), max_length=MAX_ITEMS)
    """Obligations at every level, beside those of the level."""
    tasks: dict[HumanStep, TaskRule]
    extra_tasks: tuple[ExtraTask, ...] = Field(default=(), max_length=MAX_ITEMS)
    """Tasks of every recall beside the fixed steps."""
    approvals: tuple[ApprovalRule, ...] = Field(default=(), max_length=MAX_ITEMS)
    hold: HoldWatch
    mass_balance: MassBalanceRule
    release: ReleaseRule | None = None
    """Inspections that the release gate asks for."""
    destruction: DestructionRule | None = None
    """Destruction under the authority's eyes."""
    supplier_answers: SupplierAnswers | None = None
    """How long a supplier has for a corrective action request."""
    branches: tuple[Branch, ...] = Field(default=(), max_length=MAX_ITEMS)

    @model_validator(mode="before")
    @classmethod
    def _gives_every_figure_its_days(cls, data: Any) -> Any:
        days = data.get("valid_from") if isinstance(data, dict) else None
        return data if days is None else _with_days(data, days)

    @field_validator("tasks")
    @classmethod
    def _covers_every_step(cls, tasks: dict[HumanStep, TaskRule]) -> dict[HumanStep, TaskRule]:
        if missing := [step for step in HumanStep if step not in tasks]:
            raise ValueError(f"no task rule for {', '.join(missing)}")
        return tasks

    @field_validator("levels")
    @classmethod
    def _covers_every_class(cls, levels: dict[str, LevelRules]) -> dict[str, LevelRules]:
        covered = {item for rules in levels.values() for item in rules.classes}
        if missing := [item for item in RecallClass if item not in covered]:
            raise ValueError(f"no level covers class {', '.join(missing)}")
        top = [max(strictness(item) for item in rules.classes) for rules in levels.values()]
        if top != sorted(top, reverse=True):
            raise ValueError("levels must be listed strictest first")
        return levels

    @model_validator(mode="after")
    def _fits_together(self) -> "Policy":
        if faults := list(faults_of(self)):
            raise PolicyFaultsError(faults)
        return self

    def propose(self, evaluation: HazardEvaluation, flags: DeviceFlags) -> Proposal:
        """The decision table's proposal for one product line, with every rule that fired."""
        classes = {code: rules.classes for code, rules in self.levels.items()}
        return evaluate(self.decision_table, classes, evaluation, flags)

    def level_for(self, recall_class: RecallClass) -> str:
        """The strictest own level that covers `recall_class`, where only our class is known.

        A level that must be named counts only where no other covers the class.
        """
        every = {code: rules.classes for code, rules in self.levels.items()}
        unnamed = {code: classes for code, classes in every.items() if not self.levels[code].named_only}
        covered = any(recall_class in classes for classes in unnamed.values())
        return strictest_level(unnamed if covered else every, recall_class)

    def level(self, level_or_class: str) -> LevelRules:
        """The rules of an own level ("1", "II"), or of the strictest level of a `RecallClass`.

        Raises:
            KeyError: when this policy has no such level; the message lists those it has.
        """
        if not isinstance(level_or_class, RecallClass) and level_or_class in self.levels:
            return self.levels[level_or_class]
        if level_or_class in set(RecallClass):
            return self.levels[self.level_for(RecallClass(level_or_class))]
        raise KeyError(f"{self.id}: no level {level_or_class!r}; expected one of {', '.join(self.levels)}")

    def obligations_for(self, level_or_class: str, day: date | None = None) -> tuple[Obligation, ...]:
        """What is owed at a level: the common obligations and the level's own.

        Args:
            level_or_class: own level or our class.
            day: local day of the clock start, whose figures count; None gives those of all days.
        """
        return valid_figures((*self.obligations, *self.level(level_or_class).obligations), day)

    def gates_for(self, action: MarketAction, level: str | None = None, day: date | None = None) -> tuple[Gate, ...]:
        """The gates that a market action has to pass before its notice.

        Args:
            action: the market action.
            level: own level, whose gates count; None gives those of all levels.
            day: as for `obligations_for`.
        """
        gates = (gate for gate in self.gates if action in gate.actions)
        return valid_figures((gate for gate in gates if level is None or not gate.levels or level in gate.levels), day)

    def in_force(self, day: date) -> bool:
        """Whether the profile applies on `day`."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def pinned(self) -> dict[str, Any]:
        """The whole profile as JSON-able data, for a running recall to keep."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def from_pinned(cls, data: dict[str, Any]) -> "Policy":
        """The profile a recall has kept; equal to the one `pinned` was called on, and read once for the same data."""
        return _read_pinned(json.dumps(data))


@lru_cache(maxsize=64)
def _read_pinned(text: str) -> Policy:
    """By the whole text, not its hash: data that was tampered with is read as it is."""
    return Policy.model_validate(json.loads(text))


@lru_cache(maxsize=32)
def parse_policy(text: str) -> Policy:
    """The policy written in `text` (YAML, schema `recall-policy/1`); a profile is frozen, so a text is read once.

    Raises:
        PolicyError: with every fault found, each one line `path: what was expected`.
    """
    try:
        policy = Policy.model_validate(load_mapping(text))
    except ValidationError as error:
        raise PolicyError([line for item in error.errors(include_url=False) for line in _lines(item)]) from error
    check_zone(policy.zone.zone)
    return policy


def policy_hash(policy: Policy) -> str:
    """SHA-256 (hex) of the profile's content; comments and layout of its file do not count."""
    return hashlib.sha256(canonical_json(policy.pinned()).encode()).hexdigest()


def common_ladder(policies: Iterable[tuple[Policy, str]]) -> Ladder:
    """One ladder for several jurisdictions, each given with its level or class: strictest step wins."""
    return strictest_ladder([policy.level(level).ladder.build() for policy, level in policies])


def signers(policies: Policy | Iterable[Policy], step: ApprovalStep | str, facts: PolicyFacts) -> tuple[Role, ...]:
    """The roles that must sign `step`, in order, each a different person, under one policy or under several together.

    Raises:
        ValueError: when `step` is no step that is signed.
    """
    given = [policies] if isinstance(policies, Policy) else list(policies)
    return required_signers((rule for policy in given for rule in policy.approvals), ApprovalStep(step), facts)


def _with_days(value: Any, days: Any) -> Any:
    """The document with `valid_from` written into every figure (whatever names a basis) that has none."""
    if isinstance(value, dict):
        copy = {key: _with_days(item, days) for key, item in value.items()}
        return copy if "basis" not in copy or copy.get("valid_from") is not None else copy | {"valid_from": days}
    return [_with_days(item, days) for item in value] if isinstance(value, list | tuple) else value


def _lines(item: Any) -> list[str]:
    error = item.get("ctx", {}).get("error")
    if isinstance(error, PolicyFaultsError):
        return [f"{path}: {message}" for path, message in error.faults]
    return [fault_line(item)]
