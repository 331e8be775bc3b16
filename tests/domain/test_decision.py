"""Level proposals: the law's definitions, the safety floor, and reasons for everything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.decision import Rule, strictest_level
from domain.hazard import Detectability, Likelihood, PopulationGroup, Seriousness
from domain.hazard_rules import contradictions, facts, harm_possible, rank, worst_seriousness
from domain.levels import RecallClass, strictness
from domain.policy import Policy
from tests.domain.factories import POLICY_IDS, evaluation, flags, load_policy

pytestmark = pytest.mark.unit

POLICIES = {policy_id: load_policy(policy_id) for policy_id in POLICY_IDS}
cases = st.builds(
    evaluation,
    deaths=st.integers(0, 2),
    serious_injuries=st.integers(0, 2),
    other_injuries=st.integers(0, 2),
    malfunction_in_use=st.booleans(),
    unanticipated=st.booleans(),
    aggravating=st.booleans(),
    groups=st.lists(st.sampled_from(PopulationGroup), min_size=1, max_size=3, unique=True),
    seriousness=st.sampled_from(Seriousness),
    likelihood=st.sampled_from(Likelihood),
    immediate=st.sampled_from(Seriousness),
    long_range=st.sampled_from(Seriousness),
    detectability=st.sampled_from(Detectability),
    public_threat=st.booleans(),
)
devices = st.builds(flags, implantable=st.booleans(), life_supporting=st.booleans(), sterile=st.booleans())
everywhere = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICY_IDS)


@everywhere
@given(case=cases, device=devices)
def test_an_implantable_or_life_supporting_device_that_can_harm_is_never_class_three(
    policy: Policy, case: Any, device: Any
) -> None:
    proposal = policy.propose(case, device)
    if (device.implantable or device.life_supporting) and harm_possible(case):
        assert proposal.recall_class != RecallClass.III
    assert proposal.recall_class in policy.levels[proposal.level].classes


@everywhere
@given(case=cases, device=devices)
def test_a_death_or_a_serious_injury_is_always_class_one(policy: Policy, case: Any, device: Any) -> None:
    if case.occurred.deaths or case.occurred.serious_injuries:
        assert policy.propose(case, device).recall_class == RecallClass.I


@everywhere
@given(case=cases, device=devices)
def test_a_worse_or_likelier_harm_never_lowers_the_class(policy: Policy, case: Any, device: Any) -> None:
    before = strictness(policy.propose(case, device).recall_class)
    for factor, scale in (("seriousness", Seriousness), ("likelihood", Likelihood)):
        members = list(scale)
        place = members.index(getattr(case, factor).degree)
        for worse in members[place + 1 :]:
            changed = getattr(case, factor).model_copy(update={"degree": worse})
            raised = case.model_copy(update={factor: changed})
            assert strictness(policy.propose(raised, device).recall_class) >= before


@everywhere
@given(case=cases, device=devices)
def test_every_proposal_names_one_deciding_rule_first_and_every_other_that_fired(
    policy: Policy, case: Any, device: Any
) -> None:
    proposal = policy.propose(case, device)
    assert [rule.decided for rule in proposal.fired] == [True] + [False] * (len(proposal.fired) - 1)
    given_facts = facts(case, device)
    assert [rule.id for rule in proposal.fired] == [
        rule.id for rule in policy.decision_table if rule.applies(given_facts)
    ]
    assert all(rule.reason and rule.reason_zh and rule.source for rule in proposal.fired)


@pytest.mark.parametrize(
    ("case", "level"),
    [
        ({"seriousness": "death", "likelihood": "probable"}, "I"),
        ({"seriousness": "serious", "likelihood": "possible"}, "I"),
        ({"seriousness": "serious", "likelihood": "remote"}, "II"),
        ({"seriousness": "temporary_or_reversible", "likelihood": "remote"}, "II"),
        ({"seriousness": "temporary_or_reversible", "likelihood": "certain"}, "II"),
        ({"seriousness": "minor_reversible", "likelihood": "probable"}, "II"),
        ({"seriousness": "minor_reversible", "likelihood": "unlikely"}, "III"),
        ({"seriousness": "minor_reversible", "likelihood": "unlikely", "other_injuries": 1}, "II"),
        ({"seriousness": "none", "likelihood": "certain"}, "III"),
        ({"seriousness": "none", "long_range": "serious", "likelihood": "possible"}, "I"),
    ],
)
def test_us_classes_follow_the_definitions_of_21_cfr_7_3(
    policies: dict[str, Policy], case: dict[str, Any], level: str
) -> None:
    assert policies["us-fda"].propose(evaluation(**case), flags()).level == level


def test_serious_harm_that_one_safeguard_holds_off_is_raised_to_a_person(
    policies: dict[str, Policy],
) -> None:
    case = evaluation(
        seriousness="serious",
        likelihood="unlikely",
        detectability="not_detectable",
        groups=("newborns",),
        immediate="serious",
        long_range="serious",
    )
    proposal = policies["us-fda"].propose(case, flags())
    assert proposal.recall_class == RecallClass.II
    assert len(proposal.review) == 1
    assert proposal.review[0].endswith("?")


@pytest.mark.parametrize(
    ("case", "bucket"),
    [
        ({"public_threat": True}, "1"),
        ({"deaths": 1, "malfunction_in_use": True}, "2"),
        ({"serious_injuries": 1, "unanticipated": True, "malfunction_in_use": True}, "2"),
        ({"serious_injuries": 1, "malfunction_in_use": True}, "3"),
        ({"seriousness": "serious", "likelihood": "possible", "malfunction_in_use": True}, "3"),
        ({"seriousness": "serious", "likelihood": "unlikely"}, "4"),
        ({"seriousness": "temporary_or_reversible", "likelihood": "certain"}, "4"),
        ({}, "4"),
    ],
)
def test_eu_buckets_follow_article_87(policies: dict[str, Policy], case: dict[str, Any], bucket: str) -> None:
    assert policies["eu-mdr"].propose(evaluation(**case), flags()).level == bucket


@pytest.mark.parametrize(
    ("case", "level", "term"),
    [
        ({"seriousness": "serious", "likelihood": "possible"}, "1", "一级召回"),
        ({"seriousness": "temporary_or_reversible", "likelihood": "possible"}, "2", "二级召回"),
        ({}, "3", "三级召回"),
    ],
)
def test_chinese_levels_follow_article_13(
    policies: dict[str, Policy], case: dict[str, Any], level: str, term: str
) -> None:
    policy = policies["cn-nmpa"]
    proposal = policy.propose(evaluation(**case), flags())
    assert (proposal.level, policy.level(proposal.level).term_zh) == (level, term)


def test_the_floor_says_why_it_raised_the_class(policies: dict[str, Policy]) -> None:
    case = evaluation(seriousness="minor_reversible", likelihood="remote")
    proposal = policies["cn-nmpa"].propose(case, flags(implantable=True, life_supporting=True))
    assert (proposal.level, proposal.recall_class) == ("2", RecallClass.II)
    assert proposal.floor is not None
    assert "implantable and life-supporting" in proposal.floor


def test_the_floor_leaves_a_level_alone_that_covers_class_two(policies: dict[str, Policy]) -> None:
    case = evaluation(seriousness="minor_reversible", likelihood="remote")
    proposal = policies["eu-mdr"].propose(case, flags(implantable=True))
    assert (proposal.level, proposal.recall_class) == ("4", RecallClass.II)


@given(cases)
def test_the_worst_seriousness_is_at_least_every_statement_and_every_fact(case: Any) -> None:
    worst = rank(worst_seriousness(case))
    assert worst >= rank(case.seriousness.degree)
    assert worst >= rank(case.consequences.long_range)
    assert worst == 4 or not case.occurred.deaths


def test_statements_that_do_not_fit_together_are_shown() -> None:
    case = evaluation(seriousness="none", other_injuries=2, likelihood="remote", unanticipated=True)
    shown = contradictions(case)
    assert len(shown) == 3
    assert "minor_reversible" in shown[0]
    assert "2 people" in shown[1]


def test_a_factor_without_a_rationale_is_refused() -> None:
    data = evaluation().model_dump()
    data["likelihood"]["rationale"] = "  "
    with pytest.raises(ValidationError, match=r"likelihood\.rationale"):
        type(evaluation()).model_validate(data)


@given(cases, devices)
def test_every_fact_that_a_rule_may_test_exists(case: Any, device: Any) -> None:
    known = facts(case, device)
    for name, condition in (
        *((name, True) for name, value in known.items() if isinstance(value, bool)),
        ("seriousness", "death"),
        ("groups", "newborns"),
        ("device_class", "III"),
    ):
        rule = Rule.model_validate(
            {"id": "r", "level": "1", "class": "I", "reason": "r", "reason_zh": "r", "source": "s"}
            | {"when": {name: condition}}
        )
        held = known[name]
        expected = condition in held if isinstance(held, tuple) else held == condition
        assert rule.applies(known) is expected


def test_where_no_level_covers_a_class_the_next_stricter_one_counts() -> None:
    levels = {"1": (RecallClass.I,), "2": (RecallClass.II,)}
    assert strictest_level(levels, RecallClass.III) == "2"
    assert strictest_level({"1": (RecallClass.II,)}, RecallClass.I) == "1"
