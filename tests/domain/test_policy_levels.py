"""Which own level a class means: a serious public health threat is named, never concluded from class I alone."""

import pytest

from domain.levels import RecallClass
from domain.policy_levels import level_fault
from domain.policy_places import place_faults
from tests.domain.test_timelines import policies

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("law", ["eu-mdr", "gb-mhra"])
def test_class_i_alone_is_the_bucket_of_death_and_serious_deterioration(law: str) -> None:
    policy = policies()[law]
    assert policy.level("1").named_only
    assert policy.level_for(RecallClass.I) == "2"
    assert policy.level_for(RecallClass.II) == "3"
    assert level_fault(policy, RecallClass.I, "1") is None, "a person may name it"


@pytest.mark.parametrize("law", ["us-fda", "cn-nmpa", "ca-hc", "au-tga"])
def test_where_each_class_has_one_level_it_is_that_level(law: str) -> None:
    policy = policies()[law]
    assert [policy.level_for(each) for each in RecallClass] == list(policy.levels)


def test_a_level_that_does_not_cover_the_class_is_refused_with_those_that_do() -> None:
    fault = level_fault(policies()["eu-mdr"], RecallClass.II, "1")
    assert fault == "level 1 of eu-mdr does not cover class II; expected one of 3, 4"
    assert level_fault(policies()["us-fda"], RecallClass.I, "9") == (
        "level 9 of us-fda does not cover class I; expected one of I"
    )


def test_a_place_is_refused_by_its_field() -> None:
    assert place_faults(policies()["eu-mdr"], "FR", "Europe/Paris") == []
    [(field, words)] = place_faults(policies()["us-fda"], "FR", None)
    assert (field, words) == ("state", "us-fda does not count by the holidays of a member state")
