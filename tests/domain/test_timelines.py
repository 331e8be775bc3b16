"""Timelines worked by hand (tests/timelines/*.yaml): the engine gives exactly these duties, each to the second.

Nothing in those files was computed by this project: the counting is written out beside each instant.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from activities.policies import PolicyStore
from domain.dry_run_case import DryRunCase
from domain.dry_run_facts import facts_of, placed
from domain.policy import Policy, parse_policy
from domain.timeline import Duty, duties
from tests.domain.factories import ROOT

pytestmark = pytest.mark.unit
FILES = sorted((ROOT / "tests" / "timelines").glob("*.yaml"))
TIMELINES: list[dict[str, Any]] = [item for file in FILES for item in yaml.safe_load(file.read_text(encoding="utf-8"))]


@cache
def policies() -> dict[str, Policy]:
    """The shipped profiles."""
    texts = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "policies").glob("*.yaml"))]
    return {policy.id: policy for policy in map(parse_policy, texts)}


@cache
def store() -> PolicyStore:
    return PolicyStore.load(ROOT / "policies")


def engine(item: Mapping[str, Any]) -> tuple[list[Duty], dict[str, Policy]]:
    """What the engine says, and the policies at the case's places."""
    case = DryRunCase.model_validate(item["case"])
    used = placed(case, policies())
    return duties(facts_of(case, used), store().calendar, until=case.until), used


def instants(given: Mapping[str, Mapping[str, datetime]], used: Mapping[str, Policy]) -> dict[str, datetime]:
    """`{jurisdiction}:{name}` -> instant; the file's are local to the law's zone."""
    return {
        f"{law} {name}": at.replace(tzinfo=ZoneInfo(used[law].zone.zone)).astimezone(UTC)
        for law, names in given.items()
        for name, at in names.items()
    }


def titles(item: Mapping[str, Any]) -> str:
    return str(item["case"]["title"])


def test_there_are_at_least_thirty_timelines_and_no_two_are_the_same() -> None:
    assert len(TIMELINES) >= 30
    assert len({titles(item) for item in TIMELINES}) == len(TIMELINES)


@pytest.mark.parametrize("item", TIMELINES, ids=titles)
def test_every_due_instant_is_the_one_worked_by_hand(item: dict[str, Any]) -> None:
    found, used = engine(item)
    said = {f"{each.jurisdiction} {each.name}": each.due_at for each in found if each.due_at is not None}
    assert said == instants(item["due"], used)
    by_hand: dict[str, dict[str, str]] = {each.jurisdiction: {} for each in found if each.uncomputed}
    for each in found:
        if each.uncomputed:
            by_hand[each.jurisdiction][each.name] = each.uncomputed
    expected = item.get("by_hand", {})
    assert {law: set(names) for law, names in by_hand.items()} == {law: set(names) for law, names in expected.items()}
    for law, names in expected.items():
        for name, words in names.items():
            assert words in by_hand[law][name]


@pytest.mark.parametrize("item", [item for item in TIMELINES if "unrolled" in item], ids=titles)
def test_the_internal_date_without_the_roll_is_the_one_worked_by_hand(item: dict[str, Any]) -> None:
    found, used = engine(item)
    unrolled = {f"{each.jurisdiction} {each.name}": each.due.unrolled for each in found if each.due}
    for key, at in instants(item["unrolled"], used).items():
        assert unrolled[key] == at
