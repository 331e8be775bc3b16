"""States of versions by day, who is whom, and a profile under another number."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from domain.policy import parse_policy
from domain.policy_versions import VersionState, renumbered, same_person, standing, submission_faults

pytestmark = pytest.mark.unit
FILES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
DAY = date(2026, 12, 1)


@dataclass
class Row:
    state: str
    in_force_from: date | None = None
    superseded_from: date | None = None


def test_a_version_counts_from_its_day_until_the_day_of_the_next() -> None:
    old, new = Row("superseded", date(2026, 2, 2), DAY), Row("in_force", DAY)
    before = DAY - timedelta(days=1)
    assert (standing(old, before), standing(new, before)) == (VersionState.IN_FORCE, VersionState.APPROVED)
    assert (standing(old, DAY), standing(new, DAY)) == (VersionState.SUPERSEDED, VersionState.IN_FORCE)
    assert standing(Row("draft"), DAY) == VersionState.DRAFT


def test_a_person_is_the_same_whatever_the_spelling_and_nobody_is_everybody() -> None:
    assert same_person(" ana ", ["Ben", "Ana"])
    assert same_person("", ["Ben"])
    assert not same_person("Ana", ["Ben", None])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_profile_under_another_number_is_the_same_with_its_comments(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    changed = renumbered(text, 7)
    assert parse_policy(changed) == parse_policy(text).model_copy(update={"version": 7})
    assert [line for line in changed.splitlines() if "#" in line] == [line for line in text.splitlines() if "#" in line]


def test_a_profile_written_in_one_line_is_renumbered_too() -> None:
    policy = parse_policy(FILES[0].read_text(encoding="utf-8"))
    text = yaml.safe_dump(policy.pinned(), default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**6)
    assert parse_policy(renumbered(text, 7)) == policy.model_copy(update={"version": 7})


def test_the_next_version_and_an_id_a_recall_can_name_are_asked_for() -> None:
    policy = parse_policy(FILES[0].read_text(encoding="utf-8"))
    assert submission_faults(policy, policy.version - 1 or None) == []
    (fault,) = submission_faults(policy, policy.version)
    assert fault.startswith(f"version: expected {policy.version + 1}")
    (fault,) = submission_faults(policy.model_copy(update={"id": "lab"}), policy.version - 1 or None)
    assert fault.startswith("id: expected a name like us-fda")
