"""Regulation profiles: the shipped ones hold the law's figures, broken ones give clear lines."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ladder import ContactRule, StepKind
from domain.levels import Jurisdiction, MarketAction, RecallClass
from domain.limits import Clock
from domain.policy import Policy, PolicyError, common_ladder, parse_policy, policy_hash
from domain.policy_parts import Basis, HumanStep, Sourced, Trigger
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
        (("us-fda", "I"), "24 h", [0, 24, 48, 72], 100),
        (("us-fda", "II"), "72 h", [0, 72, 168, 240], 50),
        (("us-fda", "III"), "7 cd", [0, 168, 336, 504], 10),
        (("eu-mdr", "1"), "24 h", [0, 24, 48, 72], 100),
        (("eu-mdr", "2"), "24 h", [0, 24, 72, 96], 100),
        (("eu-mdr", "3"), "72 h", [0, 120, 240, 336], 50),
        (("eu-mdr", "4"), "7 cd", [0, 168, 336, 504], 10),
        (("cn-nmpa", "1"), "1 cd", [0, 12, 24, 36], 100),
        (("cn-nmpa", "2"), "3 cd", [0, 24, 72, 120], 50),
        (("cn-nmpa", "3"), "7 cd", [0, 72, 168, 240], 10),
    ],
)
def test_each_level_has_its_notice_limit_ladder_and_effectiveness_share(
    policies: dict[str, Policy], where: tuple[str, str], notify: str, hours: list[int], percent: int
) -> None:
    rules = policies[where[0]].level(where[1])
    assert (str(rules.notify.due), rules.notify.clock) == (notify, Clock.DECISION)
    ladder = rules.ladder.build()
    assert [offset / HOURS for offset in ladder.offsets()] == hours
    assert [step.kind for step in ladder.steps] == list(StepKind)
    assert ladder.steps[2].contact == ContactRule.OTHER_CHANNEL
    assert rules.effectiveness.percent == percent


def test_only_eu_incident_reports_roll_to_a_working_day(policies: dict[str, Policy]) -> None:
    rolling = {
        (policy.id, item.id)
        for policy in policies.values()
        for level in policy.levels
        for item in policy.obligations_for(level)
        if item.roll != "none"
    }
    assert rolling == {("eu-mdr", "incident_report")}


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
    assert all(gate.waiver_text for policy in policies.values() for gate in policy.gates)


def test_every_human_step_has_a_due_time_a_role_and_a_stand_in(policies: dict[str, Policy]) -> None:
    for policy in policies.values():
        assert set(policy.tasks) == set(HumanStep)


def test_every_figure_of_law_or_guidance_names_its_source(policies: dict[str, Policy]) -> None:
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
        assert all(figure.source for figure in found if figure.basis != Basis.HOUSE)


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
    assert [offset / HOURS for offset in ladder.offsets()] == [0, 12, 24, 36]


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
    assert len(json.dumps(kept).encode()) < 32 * 1024


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


def broken(change: Callable[[dict[str, Any]], None]) -> tuple[str, ...]:
    data = yaml.safe_load(policy_text("us-fda"))
    change(data)
    with pytest.raises(PolicyError) as caught:
        parse_policy(yaml.safe_dump(data, allow_unicode=True))
    return caught.value.faults


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda d: d["levels"]["I"]["notify"].update(due="soon"), "levels.I.notify.due: 'soon' is not a limit"),
        (lambda d: d["levels"]["I"]["notify"].pop("clock"), "levels.I.notify: due '24 h' needs a clock"),
        (lambda d: d["levels"]["I"].update(colour="red"), "levels.I.colour: Extra inputs are not permitted"),
        (lambda d: d["gates"][0].pop("source"), "gates.0: basis guidance needs a source"),
        (lambda d: d["gates"][0].pop("waiver_text"), "gates.0: a waivable gate needs waiver_text"),
        (lambda d: d["tasks"].pop("phone_call"), "tasks: no task rule for phone_call"),
        (lambda d: d["tasks"]["gate"].update(remind="13 h"), "tasks.gate: remind 13 h must lie before due 12 h"),
        (lambda d: d["decision_table"].pop(), "policy: decision_table: the last rule must have no condition"),
        (
            lambda d: d["decision_table"][0].update(level="IV"),
            "policy: decision_table us-death-occurred: level 'IV' is none of I, II, III",
        ),
        (
            lambda d: d["decision_table"][0].update(when={"deaths": True}),
            "decision_table.0.when: unknown fact 'deaths'; expected one of",
        ),
        (
            lambda d: d["decision_table"][2].update(when={"likelihood": {"at_least": "often"}}),
            "decision_table.2.when: likelihood: 'often' is not one of remote, unlikely",
        ),
        (
            lambda d: d["decision_table"][2].update(when={"likelihood": 3}),
            "decision_table.2.when: likelihood: expected true or false, a word, a list of words",
        ),
        (lambda d: d["levels"]["I"]["effectiveness"].update(percent=90), "levels.I.effectiveness: level A is 100"),
        (
            lambda d: d["levels"]["I"]["ladder"]["phone"].update(after="40 h"),
            "levels.I.ladder: expected first_reminder before escalation before phone",
        ),
        (lambda d: d["levels"]["I"]["ladder"]["phone"].update(after="3 wd"), "levels.I.ladder.phone.after: '3 wd'"),
        (lambda d: d["zone"].update(zone="Mars/Base"), "zone.zone: 'Mars/Base' is no time zone"),
        (lambda d: d["zone"].update(zone="../etc"), "zone.zone: '../etc' is no time zone"),
        (lambda d: d.update(schema="recall-policy/9"), "schema: Input should be 'recall-policy/1'"),
        (lambda d: d["levels"].pop("II"), "levels: no level covers class II"),
        (lambda d: d["obligations"].append(dict(d["obligations"][0])), "policy: obligations of level I: id"),
        (lambda d: d["calendar"].update(state="DE"), "calendar: state is needed for eu-member-state"),
        (
            lambda d: d["levels"]["III"]["obligations"][1].pop("record_instead"),
            "levels.III.obligations.1: due none needs record_instead",
        ),
        (lambda d: d.update(valid_to="2020-01-01"), "policy: valid_to lies before valid_from"),
        (lambda d: d.update(version=0), "version: Input should be greater than or equal to 1, got 0"),
    ],
)
def test_a_fault_is_one_line_with_its_path(change: Callable[[dict[str, Any]], None], line: str) -> None:
    faults = broken(change)
    assert any(fault.startswith(line) for fault in faults), faults
    assert all("\n" not in fault for fault in faults)


def test_all_faults_are_reported_at_once() -> None:
    def change(data: dict[str, Any]) -> None:
        data["version"] = "x"
        data["levels"]["I"]["notify"]["due"] = "soon"
        data["gates"][0]["role"] = "boss"

    assert len(broken(change)) == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "file: expected a mapping of keys, got NoneType"),
        ("- a", "file: expected a mapping of keys, got list"),
        ("a: 1\na: 2", "line 2, column 1: key 'a' is given twice"),
        ("a: &x 1\nb: *x", "line 2, column 4: aliases (*name) are not allowed"),
        ("a: [", "line 1"),
        ("a: !!python/object:os.system x", "line 1, column 4"),
        ("? [a]\n: 1", "line 1, column 3: a key must be plain text"),
        ("[" * 60, "line 1, column 25: nested deeper than 24 levels"),
        ("a: \x00", "file: not valid YAML"),
        ("a: 2026-13-45", "file: not valid YAML"),
        ("x" * 600_000, "file: expected at most 524288 characters"),
    ],
)
def test_a_text_that_is_no_plain_yaml_mapping_gives_its_place(text: str, line: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert caught.value.faults[0].startswith(line), caught.value.faults


@given(st.text(max_size=200))
def test_any_text_at_all_gives_only_policy_errors(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(text)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, item in items for path in paths(item, (*prefix, key)))]


BASE = yaml.safe_load(policy_text("eu-mdr"))
junk = st.none() | st.integers() | st.booleans() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)


@settings(max_examples=40, deadline=None)  # each example writes and reads a whole profile
@given(st.sampled_from(paths(BASE)[1:]), junk)
def test_a_profile_with_any_value_replaced_is_parsed_or_refused_line_by_line(path: tuple[Any, ...], value: Any) -> None:
    data = yaml.safe_load(yaml.safe_dump(BASE))
    target = data
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    try:
        policy = parse_policy(yaml.safe_dump(data, allow_unicode=True))
    except PolicyError as error:
        lines = error.faults
        assert lines
        assert all(": " in line for line in lines)
    else:
        assert policy_hash(policy)


def test_triggers_tell_what_is_owed_only_on_an_event(policies: dict[str, Policy]) -> None:
    us = {item.id: item.trigger for item in policies["us-fda"].obligations_for("I")}
    assert us["mdr_30_day"] == Trigger.ON_HARM
    assert us["scope_extension_report"] == Trigger.ON_EXTENSION
    assert us["regulator_report"] == Trigger.ALWAYS
