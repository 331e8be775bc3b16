"""The difference between two versions of a profile names every changed value, and nothing else."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import policy_diff as differ
from domain.policy import Policy, parse_policy
from domain.policy_diff import Change, policy_diff
from domain.policy_words import ORDER, value_words

pytestmark = pytest.mark.unit
FOLDER = Path(__file__).parents[2] / "policies"
POLICIES = [parse_policy(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.yaml"))]
Path_ = tuple[str, ...]


def us_fda() -> Policy:
    return next(policy for policy in POLICIES if policy.id == "us-fda")


def changed(policy: Policy, edit: dict[str, Any]) -> Policy:
    """The profile with values set at dotted paths of its data (numbers index lists)."""
    data = policy.pinned()
    for dotted, value in edit.items():
        *way, last = dotted.split(".")
        at: Any = data
        for key in way:
            at = at[int(key)] if isinstance(at, list) else at[key]
        at[int(last) if isinstance(at, list) else last] = value
    return Policy.from_pinned(data)


class Raw:
    """Data that stands where a profile does, so that any value at all may be changed, valid or not."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def pinned(self) -> dict[str, Any]:
        return self._data


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where every value stands; a list of plain values is one value."""
    if isinstance(data, dict):
        return [leaf for key, each in data.items() for leaf in leaves(each, (*path, key))]
    if isinstance(data, list) and any(isinstance(each, dict) for each in data):
        return [leaf for number, each in enumerate(data) for leaf in leaves(each, (*path, number))]
    return [path]


PLACES = [
    (number, leaf)
    for number, policy in enumerate(POLICIES)
    for leaf in leaves(policy.pinned())
    if leaf[-1] not in ("id", "valid_from")
]
"""Every value of every profile, by the profile's number; ids and first days name entries, so they are no values."""


def at(data: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def raw_diff(old: dict[str, Any], new: dict[str, Any]) -> tuple[Change, ...]:
    return policy_diff(Raw(old), Raw(new))  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: str(policy.id))
def test_equal_profiles_have_no_difference(policy: Policy) -> None:
    assert policy_diff(policy, Policy.from_pinned(policy.pinned())) == ()


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(PLACES), after=st.sampled_from(["changed beyond doubt", 987654, ["one", "two"]]))
def test_any_changed_value_is_named_with_both_values(place: tuple[int, Any], after: Any) -> None:
    number, path = place
    old = POLICIES[number].pinned()
    new = copy.deepcopy(old)
    before = at(old, path)
    at(new, path[:-1])[path[-1]] = after
    found = raw_diff(old, new)
    named = [each for each in found if each.before == before and each.after == after]
    assert len(found) == len(named) == 1
    assert named[0].path.split(".")[-1] == str(path[-1])
    for text in (named[0].en, named[0].zh):
        assert "changed beyond doubt" in text or "987654" in text or "one" in text
    assert value_words(before).en in named[0].en


@settings(max_examples=100, deadline=None)
@given(place=st.sampled_from(PLACES))
def test_any_removed_value_is_named_and_its_return_is_named_as_added(place: tuple[int, Any]) -> None:
    number, path = place
    old = POLICIES[number].pinned()
    new = copy.deepcopy(old)
    value = at(old, path)
    del at(new, path[:-1])[path[-1]]
    (gone,) = raw_diff(old, new)
    (back,) = raw_diff(new, old)
    assert (gone.kind, gone.before, back.kind, back.after) == ("removed", value, "added", value)
    assert value_words(value).en in gone.en
    assert value_words(value).en in back.en


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: str(policy.id))
@pytest.mark.parametrize("name", ["gates", "decision_table", "obligations", "branches", "approvals"])
def test_a_whole_entry_that_is_gone_is_one_line_with_everything_in_it(policy: Policy, name: str) -> None:
    old = policy.pinned()
    ids = [each["id"] for each in old.get(name, [])]
    for number in [place for place, each in enumerate(ids) if ids.count(each) == 1]:
        new = copy.deepcopy(old)
        entry = new[name].pop(number)
        (gone,) = raw_diff(old, new)
        (back,) = raw_diff(new, old)
        assert (gone.kind, back.kind) == ("removed", "added")
        for leaf in leaves(entry):
            assert value_words(at(entry, leaf)).en in gone.en
            assert value_words(at(entry, leaf)).zh in back.zh


def test_entries_in_another_order_are_a_difference() -> None:
    old = us_fda().pinned()
    new = copy.deepcopy(old)
    new["decision_table"][0], new["decision_table"][1] = new["decision_table"][1], new["decision_table"][0]
    (change,) = raw_diff(old, new)
    assert change.path == f"decision_table.{ORDER}"
    assert "order" in change.en


def test_a_shorter_notice_reads_as_a_quality_manager_would_say_it() -> None:
    old = us_fda()
    new = changed(old, {"levels.I.notify.due": "12 h"})
    (change,) = policy_diff(old, new)
    before = str(old.levels["I"].notify.due)
    assert change.path == "levels.I.notify.due"
    assert change.en == f"Class I: first notice to every consignee: due {before} -> 12 h (house rule)"
    assert change.zh == f"I 级：首次通知每个收货单位：时限 {before} -> 12 h（内部规定）"


def test_a_figure_of_law_shows_its_source_and_a_task_its_step() -> None:
    old = us_fda()
    task = changed(old, {"tasks.approval.role": "head_of_quality"})
    (change,) = policy_diff(old, task)
    assert change.en.startswith("Task approval: role approver -> head_of_quality")
    number = next(
        place for place, item in enumerate(old.levels["I"].obligations) if item.basis == "law" and item.due.amount
    )
    (change,) = policy_diff(old, changed(old, {f"levels.I.obligations.{number}.due": "1 wd"}))
    assert "(law: " in change.en
    assert "（法规：" in change.zh


def test_keys_of_lists_survive_two_entries_with_one_id() -> None:
    twice = [{"id": "a", "due": 1}, {"id": "a", "due": 2, "valid_from": "2027-01-01"}, {"id": "a", "due": 3}]
    assert len(differ.keyed(twice)) == 3 + 1
    (change,) = raw_diff({"obligations": twice}, {"obligations": [*twice[:2], {"id": "a", "due": 4}]})
    assert (change.before, change.after) == (3, 4)
