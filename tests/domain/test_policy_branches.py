"""Branches of a policy: they add and shorten, never loosen, and what two of them change is the stricter of both."""

import json
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.limits import Limit
from domain.policy import Policy, PolicyError, parse_policy, policy_hash, signers
from domain.policy_approvals import ApprovalStep
from domain.policy_branches import Applied, applied, no_longer
from domain.policy_facts import PolicyFacts
from domain.roles import Role
from tests.domain.factories import POLICY_IDS, policy_text

pytestmark = pytest.mark.unit

HOUSE = {"basis": "house", "source": "house rule"}


def dumped(data: dict[str, Any]) -> str:
    """YAML without aliases, which a profile may not have: JSON is YAML."""
    return json.dumps(data, default=str, ensure_ascii=False)


def with_branch(*branches: dict[str, Any], policy_id: str = "us-fda") -> Policy:
    data = yaml.safe_load(policy_text(policy_id))
    data["branches"] = [
        {"id": f"b{number}", "title": "B", "title_zh": "分支", "when": "sterile"} | HOUSE | branch
        for number, branch in enumerate(branches)
    ]
    return parse_policy(dumped(data))


def faults(branch: dict[str, Any], policy_id: str = "us-fda") -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        with_branch(branch, policy_id=policy_id)
    return caught.value.faults


STERILE = PolicyFacts(sterile=True)


def test_a_branch_that_does_not_fire_leaves_the_policy_as_written() -> None:
    policy = with_branch({"notify": {"due": "12 h"}})
    result = applied(policy, PolicyFacts())
    assert result.fired == ()
    assert result.policy == policy.model_copy(update={"branches": ()})


def test_a_fired_branch_shortens_what_is_longer_and_leaves_what_is_shorter() -> None:
    policy = with_branch(
        {
            "notify": {"due": "48 h"},
            "ladder": {"first_reminder": "2 cd", "escalation": "4 cd", "phone": "6 cd"},
            "effectiveness": {"level": "B", "percent": 60},
            "tasks": {"gate": {"due": "4 h", "remind": "2 h", "role": "head_of_regulatory"}},
        }
    )
    result = applied(policy, STERILE)
    assert result.fired == ("b0",)
    levels = result.policy.levels
    assert [str(levels[code].notify.due) for code in ("I", "II", "III")] == ["24 h", "48 h", "48 h"]
    assert [str(levels[code].ladder.phone.after) for code in ("I", "II", "III")] == ["72 h", "6 cd", "6 cd"]
    assert [levels[code].effectiveness.percent for code in ("I", "II", "III")] == [100, 60, 60]
    gate = result.policy.tasks[next(step for step in policy.tasks if step == "gate")]
    assert (str(gate.due), str(gate.remind), gate.role) == ("4 h", "2 h", Role.HEAD_OF_REGULATORY)
    assert policy.levels["III"].notify.due == Limit.parse("7 cd"), "the policy itself is not changed"


def test_of_two_branches_the_shorter_limit_counts_and_the_first_named_person_does_it() -> None:
    first = {"tasks": {"visit": {"due": "3 cd", "remind": "2 cd", "role": "regulatory"}}}
    second = {"tasks": {"visit": {"due": "2 cd", "remind": "1 cd", "role": "head_of_quality", "stand_in": "qa"}}}
    visit = applied(with_branch(first, second), STERILE).policy.tasks
    rule = next(rule for step, rule in visit.items() if step == "visit")
    assert (str(rule.due), str(rule.remind), rule.role, rule.stand_in) == ("2 cd", "1 cd", Role.REGULATORY, Role.QA)


EXTRA = {"id": "x", "title": "X", "title_zh": "甲", "role": "qa", "stand_in": "approver", "due": "8 h", "remind": "4 h"}
REPORT = {"id": "extra_report", "title": "R", "title_zh": "报告", "due": "3 cd", "clock": "decision"} | HOUSE
GATE = {
    "id": "new_gate",
    "title": "G",
    "title_zh": "关",
    "role": "regulatory",
    "waivable": False,
    "due": "immediately",
} | HOUSE


def test_a_fired_branch_adds_tasks_reports_gates_and_signatures() -> None:
    policy = with_branch(
        {
            "extra_tasks": [EXTRA | {"phase": "strategy"}],
            "obligations": [REPORT],
            "gates": [GATE | {"clock": "decision", "actions": ["removal"], "settles": ["extra_report"]}],
            "approvals": [{"id": "a", "step": "notice", "signers": ["regulatory", "approver"]} | HOUSE],
        }
    )
    result = applied(policy, STERILE).policy
    assert [task.id for task in result.extra_tasks] == ["x"]
    assert all("extra_report" in {item.id for item in result.obligations_for(code)} for code in result.levels)
    assert "new_gate" in {gate.id for gate in result.gates}
    assert signers(result, "notice", STERILE) == (Role.REGULATORY, Role.APPROVER)
    assert signers(policy, "notice", STERILE) == (Role.APPROVER,), "a branch's rules count through the applied policy"


def test_a_branch_replaces_a_report_by_one_that_is_due_earlier() -> None:
    data = yaml.safe_load(policy_text("us-fda"))
    status = next(item for item in data["levels"]["II"]["obligations"] if item["id"] == "status_report")
    policy = with_branch({"obligations": [status | {"due": "7 cd", "every": "7 cd"}]})
    result = applied(policy, STERILE).policy
    every = {
        code: str(item.every)
        for code in ("I", "II")
        for item in result.obligations_for(code)
        if item.id == "status_report"
    }
    assert every == {"I": "7 cd", "II": "7 cd"}
    assert all(len([i for i in result.obligations_for(code) if i.id == "status_report"]) == 1 for code in result.levels)


@pytest.mark.parametrize(
    ("branch", "line"),
    [
        ({}, "branches[0]: the branch changes nothing"),
        ({"when": "sterile_", "notify": {"due": "1 h"}}, "branches[0].when: unknown fact 'sterile_'"),
        (
            {"when": 'disposition == "destroy"', "notify": {"due": "1 h"}},
            "branches[0].when: disposition is known for approvals only; expected a fact of the whole recall",
        ),
        ({"tasks": {"gate": {}}}, "branches[0].tasks.gate: expected at least one of due, remind, role, stand_in"),
        ({"tasks": {"gates": {"due": "1 h"}}}, "branches[0].tasks.gates"),
        ({"tasks": {"gate": {"due": "13 h"}}}, "branches[0].tasks.gate.due: expected no more than 12 h, the profile's"),
        (
            {"tasks": {"gate": {"due": "4 h"}}},
            "branches[0].tasks.gate: remind 6 h must lie before due 4 h; give remind",
        ),
        ({"tasks": {"gate": {"remind": "8 h"}}}, "branches[0].tasks.gate.remind: expected no more than 6 h"),
        ({"tasks": {"gate": {"role": "auditor"}}}, "branches[0].tasks.gate: auditor works on no recall"),
        (
            {"notify": {"due": "8 cd"}},
            "branches[0].notify.due: expected less than one of 24 h, 72 h, 7 cd; 8 cd shortens",
        ),
        ({"notify": {"due": "3 cd"}}, "branches[0].notify.due: 3 cd and 72 h of level II have no order"),
        ({"notify": {"due": "none"}}, "branches[0].notify.due: expected less than"),
        (
            {"ladder": {"first_reminder": "30 cd", "escalation": "31 cd", "phone": "32 cd"}},
            "branches[0].ladder.first_reminder: expected no more than one of 24 h, 3 cd, 7 cd",
        ),
        (
            {"ladder": {"first_reminder": "2 h", "escalation": "2 h", "phone": "3 h"}},
            "branches[0].ladder: expected first_reminder before escalation before phone",
        ),
        (
            {"effectiveness": {"level": "D", "percent": 2}},
            "branches[0].effectiveness.percent: expected more than one of",
        ),
        ({"effectiveness": {"level": "A", "percent": 99}}, "branches[0].effectiveness: level A is 100 percent, got 99"),
        ({"obligations": [REPORT | {"id": "closure"}]}, "branches[0].obligations[0].clock: expected completion"),
        (
            {
                "obligations": [
                    REPORT | {"id": "mdr_30_day", "due": "31 cd", "clock": "harm_awareness", "trigger": "on_harm"}
                ]
            },
            "branches[0].obligations[0].due: expected no more than 30 cd",
        ),
        (
            {"gates": [GATE | {"clock": "decision", "actions": ["fsca"]}]},
            "branches[0].gates[0].actions: expected one of the policy's actions removal, correction",
        ),
        (
            {"gates": [GATE | {"id": "fda_informed", "clock": "decision", "actions": ["removal"]}]},
            "branches[0].gates[0].id: fda_informed is a gate of the policy already",
        ),
        (
            {"gates": [GATE | {"clock": "decision", "actions": ["removal"], "levels": ["IV"]}]},
            "branches[0].gates[0].levels: level 'IV' is none of I, II, III",
        ),
        (
            {"approvals": [{"id": "a", "step": "notice", "signers": ["admin"]} | HOUSE]},
            "branches[0].approvals[0].signers: admin works on no recall",
        ),
        (
            {"approvals": [{"id": "large-value", "step": "notice", "signers": ["approver"]} | HOUSE]},
            "approvals (branches included): id large-value is used twice",
        ),
        (
            {"extra_tasks": [EXTRA | {"phase": "strategy"}, EXTRA | {"phase": "gates"}]},
            "extra_tasks (branches included): id x is used twice",
        ),
        ({"extra_tasks": [EXTRA | {"phase": "soon"}]}, "branches[0].extra_tasks[0].phase: Input should be"),
        (
            {"extra_tasks": [EXTRA | {"phase": "gates", "remind": "9 h"}]},
            "branches[0].extra_tasks[0]: remind 9 h must lie",
        ),
    ],
)
def test_a_branch_that_loosens_or_does_nothing_is_a_fault_with_its_path(branch: dict[str, Any], line: str) -> None:
    found = faults(branch)
    assert any(fault.startswith(line) for fault in found), found


def test_in_china_destruction_is_agreed_with_the_regulator_who_supervises_it() -> None:
    policy = parse_policy(policy_text("cn-nmpa"))
    assert applied(policy, PolicyFacts(dispositions=("release",))).fired == ()
    result = applied(policy, PolicyFacts(dispositions=("destroy", "release")))
    assert result.fired == ("destruction",)
    (task,) = result.policy.extra_tasks
    assert (task.role, task.phase, task.evidence_required) == (Role.REGULATORY, "resolution", True)


def test_two_branches_that_add_one_report_must_mean_the_same_report() -> None:
    same = applied(with_branch({"obligations": [REPORT]}, {"obligations": [REPORT]}), STERILE).policy
    assert [item.id for item in same.obligations].count("extra_report") == 1
    with pytest.raises(PolicyError, match=r"branches\[1\]\.obligations: extra_report is written differently"):
        with_branch({"obligations": [REPORT]}, {"obligations": [REPORT | {"due": "4 cd"}]})


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ("24 h", "1 cd", False),  # on the day summer time begins one calendar day can be 23 hours
        ("23 h", "1 cd", True),
        ("30 h", "1 cd", False),
        ("60 min", "1 h", True),
        ("5 cd", "5 wd", True),
        ("6 cd", "5 wd", False),
        ("5 wd", "6 cd", False),
        ("immediately", "1 h", True),
        ("1 h", "immediately", False),
        ("1 h", "none", True),
        ("none", "1 h", False),
        ("before start", "before start", True),
        ("1 h", "before start", False),
    ],
)
def test_a_limit_counts_as_no_longer_only_where_that_holds_on_every_day(new: str, old: str, expected: bool) -> None:
    assert no_longer(Limit.parse(new), Limit.parse(old)) is expected


flags = st.fixed_dictionaries(
    {name: st.booleans() for name in ("implantable", "sterile", "in_transit", "death_reported")}
)
some_facts = st.builds(
    lambda given, value, countries: PolicyFacts(**given, value=Decimal(value), countries=countries),
    flags,
    st.sampled_from([0, 99_999, 100_000]),
    st.sampled_from([(), ("CN",), ("CN", "US")]),
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(POLICY_IDS), some_facts)
def test_applying_the_shipped_branches_only_makes_a_profile_stricter(policy_id: str, facts: PolicyFacts) -> None:
    policy = parse_policy(policy_text(policy_id))
    result = applied(policy, facts)
    after = result.policy
    assert Policy.from_pinned(after.pinned()) == after, "the result is a valid policy of its own"
    assert applied(after, facts) == Applied(after, ())
    for code, rules in policy.levels.items():
        new = after.levels[code]
        assert no_longer(new.notify.due, rules.notify.due)
        for before, offset in zip(rules.ladder.build().offsets(), new.ladder.build().offsets(), strict=True):
            assert offset <= before
        assert new.effectiveness.percent >= rules.effectiveness.percent
        assert {item.id for item in after.obligations_for(code)} >= {item.id for item in policy.obligations_for(code)}
    for step, rule in policy.tasks.items():
        assert after.tasks[step].due.as_timedelta() <= rule.due.as_timedelta()
    assert {gate.id for gate in after.gates} >= {gate.id for gate in policy.gates}
    for signed in ApprovalStep:
        assert set(signers(after, signed, facts)) >= set(signers(policy, signed, PolicyFacts()))


def test_the_order_in_which_branches_are_written_never_changes_a_limit() -> None:
    data = yaml.safe_load(policy_text("us-fda"))
    everything = PolicyFacts(
        implantable=True, sterile=True, in_transit=True, death_reported=True, countries=("CN", "US")
    )
    as_written = applied(parse_policy(dumped(data)), everything)
    data["branches"].reverse()
    reversed_ = applied(parse_policy(dumped(data)), everything)
    assert as_written.fired == tuple(reversed(reversed_.fired))
    assert as_written.policy.levels == reversed_.policy.levels
    assert {step: rule.due for step, rule in as_written.policy.tasks.items()} == {
        step: rule.due for step, rule in reversed_.policy.tasks.items()
    }


def test_a_branch_changes_the_hash_of_its_policy() -> None:
    assert policy_hash(with_branch({"notify": {"due": "12 h"}})) != policy_hash(
        with_branch({"notify": {"due": "11 h"}})
    )
