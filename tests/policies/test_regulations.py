"""The shipped profiles hold every figure of the project's fact sheet (`../shared/regulations.md`), element by element.

The fact sheet lies beside the repository, not in it; without it the comparison is skipped, and the figures of its prose
(`test_regulations_prose.py`) still count. A key of the sheet that this test does not know fails it, so nothing is left
out in silence.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.limits import Limit
from domain.policy import Policy
from domain.policy_figures import DueFigure, Sourced
from domain.policy_parts import LevelRules, Obligation, Trigger
from tests.domain.factories import POLICY_IDS, load_policy

pytestmark = pytest.mark.unit
SHEET = Path(__file__).resolve().parents[3] / "shared" / "regulations.md"
POLICIES = {policy_id: load_policy(policy_id) for policy_id in POLICY_IDS}
LEVELS = {"us-fda": {"1": "I", "2": "II", "3": "III"}}


def sheet() -> dict[str, Any]:
    if not SHEET.exists():
        pytest.skip(f"{SHEET} is not here")
    block = re.search(r"^## 8\..*?```yaml\n(.*?)```", SHEET.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None
    return dict(yaml.safe_load(block.group(1)))


def citations(text: str | None) -> set[str]:
    """The paragraphs a text cites: 7.49(a), 89(8)."""
    return {found.rstrip(".") for found in re.findall(r"\d[\d.]*(?:\([a-z0-9]+\))*", text or "")}


def same_figure(figure: Sourced, said: dict[str, Any]) -> None:
    """Basis, source, wording of the law and doubt are those of the sheet."""
    if "basis" in said:
        assert figure.basis == said["basis"]
    if "source" in said:
        plain = said["source"].replace("[GK]", "")
        ours = f"{figure.source} {figure.note or ''}"
        assert citations(plain) <= citations(ours), (plain, ours)
        assert "[GK]" not in said["source"] or figure.unverified
    if "law_text" in said:
        assert figure.law_text == said["law_text"].replace("_", " ")


def limit(text: str) -> str:
    """A limit of the sheet in the profile's words."""
    return "before start" if text == "before_start_without_undue_delay" else str(Limit.parse(text))


def obligation(policy: Policy, level: str, name: str) -> Obligation:
    (found,) = (item for item in policy.obligations_for(level) if item.id == name)
    return found


def same_due(figure: DueFigure, said: dict[str, Any]) -> None:
    assert str(figure.due) == limit(said["due"])
    same_figure(figure, said)


def same_step(step: Any, said: dict[str, Any]) -> None:
    assert step.after == Limit.parse(said["after"])
    same_figure(step, said)


def same_escalation(rules: LevelRules, said: dict[str, Any]) -> None:
    same_step(rules.ladder.escalation, said)
    to = said.get("to", [])
    if "phone" in to:
        assert rules.ladder.phone.role == "qa"
    if "site_visit_72h" in to:
        assert rules.ladder.phone.after == Limit.parse("72 h")


def same_effectiveness(rules: LevelRules, said: dict[str, Any]) -> None:
    assert (rules.effectiveness.level, rules.effectiveness.percent) == (said["level"], said["percent"])
    same_figure(rules.effectiveness, said)


PROGRESS = {"us-fda": "status_report", "eu-mdr": "fsca_follow_up", "cn-nmpa": "progress"}


def same_level(policy: Policy, code: str, said: dict[str, Any]) -> None:
    rules = policy.levels[code]
    for key, value in said.items():
        match key:
            case "notify":
                same_due(rules.notify, value)
                assert rules.notify.clock == "decision"
            case "first_reminder":
                same_step(rules.ladder.first_reminder, value)
            case "escalation":
                same_escalation(rules, value)
            case "effectiveness":
                same_effectiveness(rules, value)
            case "progress":
                same_progress(obligation(policy, code, PROGRESS[policy.id]), value)
            case "publish":
                published = obligation(policy, code, "publication")
                assert citations(value["source"]) <= citations(published.source)
                for where in value["where"]:
                    assert (
                        where.replace("central_main_media", "media").split("_")[0] in str(published.recipient).lower()
                    )
            case "regulator_report" if policy.id == "cn-nmpa":
                assert value["first"] == "immediately"
                assert str(obligation(policy, code, "event_form").due) == "immediately"
                same_due(obligation(policy, code, "assessment_and_plan"), value)
            case "regulator_report" | "incident_report" | "regulator_first_contact" | "closure":
                same_report(obligation(policy, code, key), value)
            case _:
                pytest.fail(f"{policy.id} level {code}: the sheet has {key}, the test does not compare it")


def same_progress(item: Obligation, said: dict[str, Any]) -> None:
    every, _, asked = said["every"].partition(" if ")
    assert str(item.every) == str(item.due) == every
    assert (item.trigger == Trigger.IF_ASKED) == bool(asked)
    assert said.get("type", item.id) == item.id
    same_figure(item, said)


def same_report(item: Obligation, said: dict[str, Any]) -> None:
    same_due(item, said)
    if "record_instead" in said:
        assert said["record_instead"] in str(item.record_instead)
    if "watch" in said:
        assert "reform proposal" in str(item.note)


@pytest.mark.parametrize("policy_id", ["us-fda", "eu-mdr", "cn-nmpa"])
def test_each_level_of_the_sheet_is_in_the_profile_figure_by_figure(policy_id: str) -> None:
    policy = POLICIES[policy_id]
    classes = sheet()["profiles"][policy_id]["classes"]
    assert {LEVELS.get(policy_id, {}).get(code, code) for code in classes} == set(policy.levels)
    for code, said in classes.items():
        same_level(policy, LEVELS.get(policy_id, {}).get(code, code), said)


def _us(policy: Policy) -> dict[str, Callable[[Any], None]]:
    def calendar(said: Any) -> None:
        assert policy.calendar.working_days == said["working_days"]
        assert said["day_zero_excluded"] is True  # counting rule of domain.deadlines, tested there

    def clocks(said: Any) -> None:
        assert said["regulator_report"] == "recall_initiated"
        assert said["initiated"] == "first_communication_to_accounts_or_public"
        assert obligation(policy, "I", "regulator_report").clock == "first_communication"

    return {
        "calendar": calendar,
        "clock_start": clocks,
        "retention": lambda said: same_retention(policy, said),
        "scope_extension_report": lambda said: same_due(obligation(policy, "II", "scope_extension_report"), said),
        "public_warning": lambda said: _public_warning(policy, said["class_1"]),
    }


def _public_warning(policy: Policy, said: dict[str, Any]) -> None:
    item = obligation(policy, "I", "public_warning")
    assert said["due"].startswith(str(item.due))
    assert (item.trigger, item.clock) == (Trigger.ON_AUTHORITY_ORDER, "authority_order")
    assert item.basis == said["basis"]
    assert "2019" in item.source


def same_retention(policy: Policy, said: dict[str, Any]) -> None:
    assert policy.retention.years == said["years"]
    assert policy.retention.implantable_years == said.get("implantable_years")
    assert citations(said["source"].replace("[GK]", "")) <= citations(policy.retention.source)
    assert "[GK]" not in said["source"] or policy.retention.unverified
    if "class_I_device_years" in said:
        assert f"Class I devices {said['class_I_device_years']} years" in policy.retention.after


def _eu(policy: Policy) -> dict[str, Callable[[Any], None]]:
    def calendar(said: Any) -> None:
        item = obligation(policy, "1", "incident_report")
        assert (item.clock, item.roll) == (said["day_zero"], said["roll_if_weekend_or_holiday"])
        assert said["internal_due_without_roll"] is True  # Due.unrolled of domain.deadlines, tested there
        assert said["type"] == "calendar"
        assert item.due.unit == "cd"

    def clocks(said: Any) -> None:
        assert said["incident_report"] == "manufacturer_awareness"
        assert said["fsca_report"] == "decision"
        assert next(gate for gate in policy.gates if gate.id == "fsca_report").clock == "decision"

    def window(said: Any) -> None:
        gate = next(gate for gate in policy.gates if gate.id == "fsn_comments")
        assert str(gate.comment_window) == said["value"]
        assert gate.window_on_weekdays_only
        assert gate.waivable
        assert (said["exception"], said["weekdays"]) == ("urgency", 2)
        assert "urgency" in str(gate.waiver_text)
        same_figure(gate, {"basis": said["basis"], "source": said["source"]})

    def report(said: Any) -> None:
        same_due(obligation(policy, "3", "fsca_initial"), said)
        gate = next(gate for gate in policy.gates if gate.id == "fsca_report")
        assert said["exception"] == "urgency"
        assert "urgency" in str(gate.waiver_text)

    return {
        "calendar": calendar,
        "clock_start": clocks,
        "retention": lambda said: same_retention(policy, said),
        "fsca_report": report,
        "fsn_draft_comment_window": window,
        "fsn_required": lambda said: None if len(said) == 7 else pytest.fail("the notice's own tests hold its content"),
    }


def _cn(policy: Policy) -> dict[str, Callable[[Any], None]]:
    def calendar(said: Any) -> None:
        assert policy.calendar.working_days == said["working_days"].replace("-table", "")
        assert said["notify_unit"] == "calendar_day"
        assert all(rules.notify.due.unit == "cd" for rules in policy.levels.values())

    def clocks(said: Any) -> None:
        assert said == {"all": "recall_decision", "closure": "recall_completed"}
        assert obligation(policy, "1", "assessment_and_plan").clock == "decision"
        assert obligation(policy, "1", "closure").runs_from == "completion"

    def reports(said: Any) -> None:
        for name, value in said.items():
            if name == "destruction":
                branch = next(branch for branch in policy.branches if branch.id == "destruction")
                assert value["supervised_by_regulator"] is True
                assert "supervises" in branch.extra_tasks[0].title
                same_figure(branch, value)
            else:
                known = {
                    "event_form": "event_form",
                    "assessment_and_plan": "assessment_and_plan",
                    "summary_report": "closure",
                }
                same_due(obligation(policy, "2", known[name]), value)

    def recipients(said: Any) -> None:
        assert said == ["provincial_regulator_of_firm", "registration_or_filing_authority"]
        assert obligation(policy, "1", "event_form").recipient == (
            "provincial regulator of the firm and the registration or filing authority"
        )

    return {
        "calendar": calendar,
        "clock_start": clocks,
        "retention": lambda said: same_retention(policy, said),
        "recipients": recipients,
        "common_reports": reports,
    }


@pytest.mark.parametrize(("policy_id", "compare"), [("us-fda", _us), ("eu-mdr", _eu), ("cn-nmpa", _cn)])
def test_what_the_sheet_says_of_a_whole_profile_is_in_it(policy_id: str, compare: Any) -> None:
    known = compare(POLICIES[policy_id])
    said = {key: value for key, value in sheet()["profiles"][policy_id].items() if key != "classes"}
    assert set(said) == set(known), "a part of the sheet that the test does not compare"
    for key, value in said.items():
        known[key](value)


def test_the_defaults_of_the_sheet_are_in_every_profile() -> None:
    said = sheet()["defaults"]
    for policy in POLICIES.values():
        assert policy.closing.attempts == said["max_attempts_before_escalation"]
        assert (policy.closing.channels, policy.closing.live) == (2, 1)  # design §7
