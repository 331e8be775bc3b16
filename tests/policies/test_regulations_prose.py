"""Figures in the prose of the fact sheet (sections 1 to 4) stand in the shipped profiles, with their doubts marked."""

import pytest

from domain.policy import Policy
from tests.domain.factories import POLICY_IDS, load_policy

pytestmark = pytest.mark.unit
POLICIES = {policy_id: load_policy(policy_id) for policy_id in POLICY_IDS}


def figure_of(policy: Policy, name: str) -> str:
    """The limits under one id at all levels, without repetition."""
    branches = [item for branch in policy.branches for item in branch.obligations]
    every = [item for rules in policy.levels.values() for item in rules.obligations]
    found = dict.fromkeys(str(item.due) for item in (*policy.obligations, *every, *branches) if item.id == name)
    assert found, f"{policy.id} has no {name}"
    return ", ".join(found)


@pytest.mark.parametrize(
    ("policy_id", "name", "expected"),
    [
        # 1.2 to 1.7: United States
        ("us-fda", "regulator_report", "10 wd, none"),
        ("us-fda", "scope_extension_report", "10 wd"),
        ("us-fda", "mdr_30_day", "30 cd"),
        ("us-fda", "mdr_5_day", "5 wd"),
        ("us-fda", "public_warning", "24 h"),
        ("us-fda", "status_report", "14 cd, 28 cd"),
        ("us-fda", "tracked_not_with_patient", "3 wd"),
        ("us-fda", "tracked_with_patient", "10 wd"),
        # 2: European Union
        ("eu-mdr", "incident_report", "2 cd, 10 cd, 15 cd, none"),
        ("eu-mdr", "harm_report_death", "10 cd"),
        ("eu-mdr", "harm_report_serious", "15 cd"),
        ("eu-mdr", "fsca_initial", "before start"),
        # 3: China
        ("cn-nmpa", "event_form", "immediately"),
        ("cn-nmpa", "assessment_and_plan", "5 wd"),
        ("cn-nmpa", "closure", "10 wd after completion"),
        ("cn-nmpa", "harm_report_death", "7 cd"),
        ("cn-nmpa", "harm_report_serious", "20 cd"),
        # 4: Canada, Australia, Great Britain
        ("ca-hc", "recall_notification", "24 h"),
        ("ca-hc", "recall_report", "before start, none"),
        ("ca-hc", "closure", "30 cd after completion, 20 wd after completion"),
        ("au-tga", "interim_report", f"{6 * 7} cd"),
        ("au-tga", "closure", f"{12 * 7} cd"),
        ("gb-mhra", "incident_report", "2 cd, 10 cd, 15 cd, none"),
        ("gb-mhra", "fsca_initial", "before start"),
    ],
)
def test_the_figures_of_the_sheets_prose_are_in_the_profiles(policy_id: str, name: str, expected: str) -> None:
    assert figure_of(POLICIES[policy_id], name) == expected


def test_what_the_sheet_marks_as_general_knowledge_is_marked_in_the_new_profiles() -> None:
    def marked(policy_id: str) -> set[str]:
        policy = POLICIES[policy_id]
        every = [item for rules in policy.levels.values() for item in rules.obligations]
        return {item.id for item in (*policy.obligations, *every) if item.unverified}

    assert {"incident_report", "harm_report_death", "harm_report_serious"} <= marked("gb-mhra")
    assert {"incident_report_10_day", "incident_report_30_day"} <= marked("ca-hc")
    assert {"adverse_event_10_day", "adverse_event_30_day"} <= marked("au-tga")
    assert "recall_report" not in marked("ca-hc"), "section 64 was read"


def test_only_reportable_canadian_recalls_pass_health_canadas_gates() -> None:
    canada = POLICIES["ca-hc"]
    assert [[gate.id for gate in canada.gates_for(canada.actions[0], code)] for code in canada.levels] == [
        ["hc_notified", "hc_report"],
        ["hc_notified", "hc_report"],
        [],
    ]


def test_a_notice_in_australia_may_wait_for_the_agreement_except_where_lives_are_at_risk() -> None:
    # 7 business days for the agreement and the letter on the next; class I is warned at once, on the gate's waiver.
    australia = POLICIES["au-tga"]
    assert [str(rules.notify.due) for rules in australia.levels.values()] == ["24 h", "8 wd", "8 wd"]
    agreement = next(gate for gate in australia.gates if gate.id == "tga_agreement")
    assert agreement.waivable
    assert str(agreement.due) == "before start"
