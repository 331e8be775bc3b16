"""Regulation profiles: the shipped ones hold the law's figures, broken ones give clear lines."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from domain.ladder import ContactRule, StepKind
from domain.levels import Jurisdiction, MarketAction, RecallClass
from domain.limits import Clock
from domain.policy import Policy, common_ladder, parse_policy, policy_hash
from domain.policy_parts import Basis, HumanStep, Sourced, Trigger
from domain.stages import Owed
from tests.domain.factories import POLICY_IDS, policy_text

pytestmark = pytest.mark.unit

HOURS = timedelta(hours=1)


def owed(policy: Policy, level: str, obligation: str) -> tuple[str, Clock | None, Basis]:
    found = next(item for item in policy.obligations_for(level) if item.id == obligation)
    return str(found.due), found.runs_from, found.basis


def test_there_is_a_profile_for_every_jurisdiction(policies: dict[str, Policy]) -> None:
    assert set(policies) == set(Jurisdiction)
    assert all(policy.id == name for name, policy in policies.items())


@pytest.mark.parametrize(
    ("policy_id", "level", "obligation", "expected"),
    [
        ("us-fda", "I", "regulator_report", ("10 wd", Clock.FIRST_COMMUNICATION, Basis.LAW)),
        ("us-fda", "II", "regulator_report", ("10 wd", Clock.FIRST_COMMUNICATION, Basis.LAW)),
        ("us-fda", "III", "regulator_report", ("none", None, Basis.LAW)),
        ("us-fda", "I", "scope_extension_report", ("10 wd", Clock.EXTENSION_COMMUNICATION, Basis.LAW)),
        ("us-fda", "I", "public_warning", ("24 h", Clock.AUTHORITY_ORDER, Basis.GUIDANCE)),
        ("us-fda", "I", "status_report", ("14 cd", Clock.FIRST_COMMUNICATION, Basis.GUIDANCE)),
        ("us-fda", "I", "closure", ("10 wd after completion", Clock.COMPLETION, Basis.HOUSE)),
        ("us-fda", "II", "closure", ("20 wd after completion", Clock.COMPLETION, Basis.HOUSE)),
        ("eu-mdr", "1", "incident_report", ("2 cd", Clock.AWARENESS, Basis.LAW)),
        ("eu-mdr", "2", "incident_report", ("10 cd", Clock.AWARENESS, Basis.LAW)),
        ("eu-mdr", "3", "incident_report", ("15 cd", Clock.AWARENESS, Basis.LAW)),
        ("eu-mdr", "4", "incident_report", ("none", None, Basis.LAW)),
        ("eu-mdr", "1", "fsca_initial", ("before start", None, Basis.LAW)),
        ("cn-nmpa", "1", "event_form", ("immediately", Clock.DECISION, Basis.LAW)),
        ("cn-nmpa", "3", "assessment_and_plan", ("5 wd", Clock.DECISION, Basis.LAW)),
        ("cn-nmpa", "2", "closure", ("10 wd after completion", Clock.COMPLETION, Basis.LAW)),
        ("ca-hc", "I", "recall_notification", ("24 h", Clock.DECISION, Basis.LAW)),
        ("ca-hc", "II", "recall_report", ("before start", None, Basis.LAW)),
        ("ca-hc", "II", "closure", ("30 cd after completion", Clock.COMPLETION, Basis.LAW)),
        ("ca-hc", "III", "recall_report", ("none", None, Basis.LAW)),
        ("au-tga", "I", "interim_report", ("42 cd", Clock.FIRST_COMMUNICATION, Basis.GUIDANCE)),
        ("au-tga", "III", "closure", ("84 cd", Clock.FIRST_COMMUNICATION, Basis.GUIDANCE)),
        ("gb-mhra", "1", "incident_report", ("2 cd", Clock.AWARENESS, Basis.LAW)),
        ("gb-mhra", "2", "incident_report", ("10 cd", Clock.AWARENESS, Basis.LAW)),
        ("gb-mhra", "3", "incident_report", ("15 cd", Clock.AWARENESS, Basis.LAW)),
        ("gb-mhra", "4", "fsca_initial", ("before start", None, Basis.LAW)),
    ],
)
def test_the_profiles_hold_the_figures_of_the_law(
    policies: dict[str, Policy],
    policy_id: str,
    level: str,
    obligation: str,
    expected: tuple[str, Clock | None, Basis],
) -> None:
    assert owed(policies[policy_id], level, obligation) == expected


@pytest.mark.parametrize(
    ("where", "notify", "hours", "percent"),
    [
        (("us-fda", "I"), "24 h", [0, 24, 36, 48, 72], 100),
        (("us-fda", "II"), "72 h", [0, 72, 120, 168, 240], 50),
        (("us-fda", "III"), "7 cd", [0, 168, 240, 336, 504], 10),
        (("eu-mdr", "1"), "24 h", [0, 24, 36, 48, 72], 100),
        (("eu-mdr", "2"), "24 h", [0, 24, 48, 72, 96], 100),
        (("eu-mdr", "3"), "72 h", [0, 120, 168, 240, 336], 50),
        (("eu-mdr", "4"), "7 cd", [0, 168, 240, 336, 504], 10),
        (("cn-nmpa", "1"), "1 cd", [0, 12, 18, 24, 36], 100),
        (("cn-nmpa", "2"), "3 cd", [0, 24, 48, 72, 120], 50),
        (("cn-nmpa", "3"), "7 cd", [0, 72, 120, 168, 240], 10),
        (("ca-hc", "I"), "24 h", [0, 24, 36, 48, 72], 100),
        (("au-tga", "II"), "8 wd", [0, 72, 120, 168, 240], 50),
        (("gb-mhra", "4"), "7 cd", [0, 168, 240, 336, 504], 10),
    ],
)
def test_each_level_has_its_notice_limit_ladder_and_effectiveness_share(
    policies: dict[str, Policy], where: tuple[str, str], notify: str, hours: list[int], percent: int
) -> None:
    rules = policies[where[0]].level(where[1])
    assert (str(rules.notify.due), rules.notify.clock) == (notify, Clock.DECISION)
    ladder = rules.ladder.build()
    assert [offset / HOURS for offset in ladder.offsets()] == hours
    first, reminder, escalation, phone = StepKind
    assert [step.kind for step in ladder.steps] == [first, reminder, escalation, escalation, phone]
    assert [step.contact for step in ladder.steps[2:4]] == [ContactRule.NEXT_CONTACT, ContactRule.OTHER_CHANNEL]
    assert [stage.owed for stage in ladder.stages] == list(Owed), "each stage has deadlines of its own"
    assert rules.effectiveness.percent == percent


def test_only_eu_incident_reports_roll_to_a_working_day(policies: dict[str, Policy]) -> None:
    rolling = {
        (policy.id, item.id)
        for policy in policies.values()
        for level in policy.levels
        for item in policy.obligations_for(level)
        if item.roll != "none"
    }
    assert rolling == {("eu-mdr", name) for name in ("incident_report", "harm_report_death", "harm_report_serious")}


def test_gates_apply_to_recalls_and_name_the_exception_a_waiver_rests_on(
    policies: dict[str, Policy],
) -> None:
    us, eu = policies["us-fda"], policies["eu-mdr"]
    assert [gate.id for gate in us.gates_for(MarketAction.REMOVAL)] == ["fda_informed"]
    assert us.gates_for(MarketAction.MARKET_WITHDRAWAL) == ()
    assert [gate.id for gate in eu.gates_for(MarketAction.FSCA)] == ["fsca_report", "fsn_comments"]
    comments = eu.gates_for(MarketAction.FSCA)[1]
    assert comments.comment_window is not None
    assert comments.comment_window.as_timedelta() == 48 * HOURS
    assert comments.window_on_weekdays_only
    canada = policies["ca-hc"]
    assert [gate.id for gate in canada.gates_for(MarketAction.REMOVAL, "I")] == ["hc_notified", "hc_report"]
    assert canada.gates_for(MarketAction.REMOVAL, "III") == ()
    unwaivable = {(policy.id, gate.id) for policy in policies.values() for gate in policy.gates if not gate.waivable}
    assert unwaivable == {("ca-hc", "hc_report")}


def test_every_human_step_has_a_due_time_a_role_and_a_stand_in(policies: dict[str, Policy]) -> None:
    for policy in policies.values():
        assert set(policy.tasks) == set(HumanStep)


def test_every_figure_names_its_source_and_its_first_day(policies: dict[str, Policy]) -> None:
    def figures(value: Any) -> list[Sourced]:
        if isinstance(value, Sourced):
            return [value]
        if isinstance(value, dict):
            return [item for part in value.values() for item in figures(part)]
        if isinstance(value, tuple | list):
            return [item for part in value for item in figures(part)]
        return figures(dict(value)) if hasattr(value, "model_fields_set") else []

    for policy in policies.values():
        found = figures(dict(policy))
        assert len(found) > 30
        assert all(figure.source and figure.valid_from for figure in found)


def test_a_level_is_found_by_its_own_code_or_by_our_class(policies: dict[str, Policy]) -> None:
    eu, us = policies["eu-mdr"], policies["us-fda"]
    assert eu.level("3").term == "Bucket 3, other serious incident"
    assert eu.level(RecallClass.II) is eu.levels["3"]
    assert eu.level_for(RecallClass.III) == "4"
    assert us.level("II") is us.level(RecallClass.II)
    with pytest.raises(KeyError, match="no level '5'"):
        eu.level("5")


def test_several_jurisdictions_share_the_strictest_ladder(policies: dict[str, Policy]) -> None:
    ladder = common_ladder([(policies["us-fda"], "I"), (policies["eu-mdr"], "2"), (policies["cn-nmpa"], "1")])
    assert [offset / HOURS for offset in ladder.offsets()] == [0, 12, 18, 24, 36]


def test_a_profile_is_in_force_between_its_dates(policies: dict[str, Policy]) -> None:
    us = policies["us-fda"]
    assert us.in_force(us.valid_from)
    assert not us.in_force(us.valid_from - timedelta(days=1))
    ended = us.model_copy(update={"valid_to": date(2026, 12, 31)})
    assert not ended.in_force(date(2027, 1, 1))


@pytest.mark.parametrize("policy_id", POLICY_IDS)
def test_a_pinned_profile_survives_json_with_the_same_hash(policies: dict[str, Policy], policy_id: str) -> None:
    policy = policies[policy_id]
    kept = json.loads(json.dumps(policy.pinned()))
    again = Policy.from_pinned(kept)
    assert again == policy
    assert policy_hash(again) == policy_hash(policy)
    assert len(json.dumps(kept).encode()) < 64 * 1024


def test_what_a_recall_keeps_is_read_once_and_anything_else_as_it_is(policies: dict[str, Policy]) -> None:
    kept = json.dumps(policies["us-fda"].pinned())
    first = Policy.from_pinned(json.loads(kept))
    changed = json.loads(kept)
    changed["levels"]["I"]["notify"]["due"] = "47 h"
    other = Policy.from_pinned(changed)
    assert str(other.level("I").notify.due) == "47 h" != str(first.level("I").notify.due)
    assert Policy.from_pinned(json.loads(kept)) is first


@pytest.mark.parametrize("by_alias", [True, False])
def test_a_profile_survives_the_journey_through_a_workflow_payload(policies: dict[str, Policy], by_alias: bool) -> None:
    for policy in policies.values():
        assert Policy.model_validate_json(policy.model_dump_json(by_alias=by_alias)) == policy


def test_comments_do_not_change_the_hash_and_a_figure_does() -> None:
    text = policy_text("us-fda")
    original = policy_hash(parse_policy(text))
    assert policy_hash(parse_policy("# a note\n" + text)) == original
    changed = text.replace("notify: {due: 72 h", "notify: {due: 71 h")
    assert changed != text
    assert policy_hash(parse_policy(changed)) != original


def test_triggers_tell_what_is_owed_only_on_an_event(policies: dict[str, Policy]) -> None:
    us = {item.id: item.trigger for item in policies["us-fda"].obligations_for("I")}
    assert us["mdr_30_day"] == Trigger.ON_HARM
    assert us["scope_extension_report"] == Trigger.ON_EXTENSION
    assert us["regulator_report"] == Trigger.ALWAYS
