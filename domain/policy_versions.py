"""The life of a version of a regulation profile: which step may follow which, and by whom.

draft -> reviewed -> approved -> in_force -> superseded; a draft may be withdrawn, a reviewed one sent back. Author,
reviewer and approver are three people. The stored state says what was decided; from which day it holds is a date, so
that a version can be put in force ahead of time (`standing`).
"""

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Final, Protocol

import yaml

from domain.policy import Policy, parse_policy
from domain.roles import violates_four_eyes

_NAMABLE: Final = re.compile(r"[a-z]{2}-[a-z0-9-]{2,16}")
"""Ids a recall can name as its jurisdictions: country or region, then the law or business line."""
SHIPPED: Final = "shipped"
"""Author of the versions that come with the software."""
_VERSION_LINE: Final = re.compile(r"^version:[ \t]*[0-9]+[ \t]*(#.*)?$", re.MULTILINE)


class VersionState(StrEnum):
    """Where a version stands in change control."""

    DRAFT = "draft"
    REVIEWED = "reviewed"
    APPROVED = "approved"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class Dated(Protocol):
    """What a version's row says of its days."""

    @property
    def state(self) -> str:
        """The stored state."""

    @property
    def in_force_from(self) -> date | None:
        """First day it counts."""

    @property
    def superseded_from(self) -> date | None:
        """First day it does not count any more."""


def standing(row: Dated, day: date) -> VersionState:
    """The state as of `day`: one put in force for a later day is still only approved, and its predecessor in force."""
    state = VersionState(row.state)
    if state == VersionState.SUPERSEDED and row.superseded_from is not None and day < row.superseded_from:
        state = VersionState.IN_FORCE
    if state == VersionState.IN_FORCE and row.in_force_from is not None and day < row.in_force_from:
        state = VersionState.APPROVED
    return state


def same_person(person: str, others: Iterable[str | None]) -> bool:
    """Whether `person` is one of `others` (or nobody, which proves nothing)."""
    return any(other is not None and violates_four_eyes(other, person) for other in others)


def renumbered(text: str, version: int) -> str:
    """The YAML of a profile with another version number and nothing else changed, its comments kept.

    A text without a line `version: n` of its own (written in one line, say) is written anew, without its comments.

    Raises:
        PolicyError: the text is no valid profile.
    """
    before = parse_policy(text)
    wanted = before.model_copy(update={"version": version})
    changed, count = _VERSION_LINE.subn(f"version: {version}", text)
    if count == 1 and parse_policy(changed) == wanted:
        return changed
    return yaml.safe_dump(wanted.pinned(), allow_unicode=True, sort_keys=False, width=120)


def submission_faults(policy: Policy, newest: int | None) -> list[str]:
    """What forbids a profile to be the next version, each as `path: what was expected`."""
    faults = []
    if _NAMABLE.fullmatch(policy.id) is None:
        expected_id = "two letters, a hyphen, 2 to 16 lower-case letters, digits or hyphens"
        faults.append(f"id: expected a name like us-fda ({expected_id}), got {policy.id!r}")
    expected = (newest or 0) + 1
    if policy.version != expected:
        what = "the next one" if newest else "the first one"
        faults.append(f"version: expected {expected} ({what} of {policy.id}), got {policy.version}")
    return faults


__all__ = [
    "SHIPPED",
    "Dated",
    "VersionState",
    "renumbered",
    "same_person",
    "standing",
    "submission_faults",
]
