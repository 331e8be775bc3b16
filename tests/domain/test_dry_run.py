"""Dry runs: who would be asked what and when, the strictest limit of several laws, every report, and two versions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.policies import PolicyStore
from domain.dry_run_asks import Ask, DryRun, differences
from domain.dry_run_case import CaseError, parse_case
from domain.dry_run_inputs import run_case
from domain.dry_run_steps import EVENTS
from domain.policy import Policy, PolicyError, common_ladder, parse_policy
from domain.policy_tasks import HumanStep
from domain.supplier_request import Stage

pytestmark = pytest.mark.unit
FOLDER = Path(__file__).parents[2] / "policies"
TEXTS = {file.stem: file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.yaml"))}
POLICIES = {name: parse_policy(text) for name, text in TEXTS.items()}
CALENDARS = PolicyStore.load(FOLDER).calendar
THREE = ("us-fda", "eu-mdr", "cn-nmpa")
CASE = """
schema: recall-case/1
title: Pump stops without alarm
jurisdictions: [us-fda, eu-mdr, cn-nmpa]
facts: {consignees: 40}
lines:
  pumps:
    - at: 2026-11-19 15:00 America/New_York
      levels: {us-fda: I, eu-mdr: "1", cn-nmpa: "1"}
      actions: {us-fda: removal, eu-mdr: fsca, cn-nmpa: removal}
clocks:
  awareness: 2026-11-18 09:00 America/New_York
  first_communication: 2026-11-20 09:00 America/New_York
"""
DECISION = datetime(2026, 11, 19, 20, tzinfo=UTC)
FIRST = datetime(2026, 11, 20, 14, tzinfo=UTC)


def ran(text: str = CASE, **changed: Policy) -> DryRun:
    given = {name.replace("_", "-"): policy for name, policy in changed.items()}
    return run_case(parse_case(text), POLICIES | given, CALENDARS)


def only(*names: str) -> str:
    """The case under some of its jurisdictions."""
    levels = {"us-fda": "us-fda: I", "eu-mdr": 'eu-mdr: "1"', "cn-nmpa": 'cn-nmpa: "1"'}
    actions = {"us-fda": "us-fda: removal", "eu-mdr": "eu-mdr: fsca", "cn-nmpa": "cn-nmpa: removal"}
    return (
        CASE.replace(", ".join(THREE), ", ".join(names))
        .replace(", ".join(levels.values()), ", ".join(levels[name] for name in names))
        .replace(", ".join(actions.values()), ", ".join(actions[name] for name in names))
    )


def by_key(run: DryRun) -> dict[str, Ask]:
    asks = {ask.key: ask for ask in run.asks}
    assert len(asks) == len(run.asks), "keys are unique"
    return asks


def us(before: str, after: str) -> Policy:
    """The US profile with one text replaced where it comes first."""
    assert before in TEXTS["us-fda"], before
    return parse_policy(TEXTS["us-fda"].replace(before, after, 1))


def test_every_step_of_a_person_has_an_event() -> None:
    assert set(EVENTS) == set(HumanStep)


def test_under_three_laws_the_strictest_limit_of_each_task_counts() -> None:
    asks = by_key(ran())
    for step in HumanStep:
        least = min(POLICIES[name].tasks[step].due.as_timedelta() for name in THREE)
        remind = min(POLICIES[name].tasks[step].remind.as_timedelta() for name in THREE)
        found = [ask for key, ask in asks.items() if key == f"task:{step}"]
        shown = next(POLICIES[name] for name in THREE if POLICIES[name].tasks[step].due.as_timedelta() == least)
        assert [ask.limit.partition(" (")[0] for ask in found] == [str(shown.tasks[step].due)], step
        assert any(str(POLICIES[name].tasks[step].remind) in found[0].limit for name in THREE)
        assert remind <= least


def test_under_three_laws_every_report_stays_owed_as_under_each_alone() -> None:
    together = {key: ask for key, ask in by_key(ran()).items() if ask.kind in ("report", "notice")}
    alone: dict[str, Ask] = {}
    for name in THREE:
        alone |= {key: ask for key, ask in by_key(ran(only(name))).items() if ask.kind in ("report", "notice")}
    assert {ask.jurisdiction for ask in together.values()} == set(THREE)
    assert together == alone


def test_under_three_laws_the_ladder_takes_each_step_at_the_earliest_time() -> None:
    asks = by_key(ran())
    merged = common_ladder([(POLICIES["us-fda"], "I"), (POLICIES["eu-mdr"], "1"), (POLICIES["cn-nmpa"], "1")])
    keys = ["ladder:reminder", "ladder:escalation", "ladder:escalation:2", "ladder:phone"]
    assert asks["ladder:quantities:phone"].limit == "36 h"
    for index, (key, offset) in enumerate(zip(keys, merged.offsets()[1:], strict=True), 1):
        assert asks[key].due_at == FIRST + offset
        for name, level in (("us-fda", "I"), ("eu-mdr", "1"), ("cn-nmpa", "1")):
            own = POLICIES[name].level(level).ladder.build()
            assert offset <= own.offsets()[index]


def test_tasks_are_due_from_the_facts_that_set_them_off() -> None:
    asks = by_key(ran(only("us-fda")))
    strategy = asks["task:strategy"]
    assert (strategy.asked_at, strategy.who[0]) == (DECISION, "qa")
    assert strategy.due_at == DECISION + POLICIES["us-fda"].tasks[HumanStep.STRATEGY].due.as_timedelta()
    assert asks["task:query"].asked_at is None
    assert asks["task:query"].limit


def test_a_branch_that_holds_brings_its_tasks_signers_and_shorter_limits() -> None:
    plain, implant = ran(only("us-fda")), ran(only("us-fda").replace("{consignees: 40}", "{implantable: true}"))
    found = differences(plain, implant)
    kinds = {each.after.kind for each in found if each.after}
    assert {"branch", "extra_task", "task"} <= kinds
    assert all(each.kind != "removed" for each in found), "a branch only adds and shortens"
    for each in found:
        if each.before and each.after and each.before.due_at and each.after.due_at:
            assert each.after.due_at <= each.before.due_at


def test_two_versions_differ_exactly_in_what_was_edited() -> None:
    limit = str(POLICIES["us-fda"].levels["I"].notify.due)
    new = us(f"due: {limit}, clock: decision, basis: house", "due: 18 h, clock: decision, basis: house")
    found = differences(ran(), ran(us_fda=new))
    assert [(each.key, each.kind, each.fields) for each in found] == [
        ("notice:us-fda:notify", "changed", ("limit", "due_at"))
    ]
    assert found[0].after is not None
    assert found[0].after.due_at == DECISION + timedelta(hours=18)
    assert differences(ran(), ran()) == ()


def test_a_report_that_only_one_version_asks_for_is_added_or_removed() -> None:
    data: dict[str, Any] = POLICIES["us-fda"].pinned()
    reports = data["levels"]["I"]["obligations"]
    (gone,) = [each for each in reports if each["id"] == "status_report"]
    reports.remove(gone)
    without = ran(us_fda=Policy.from_pinned(data))
    (lost,) = differences(ran(), without)
    (back,) = differences(without, ran())
    assert (lost.kind, lost.key) == ("removed", "report:us-fda:status_report")
    assert (back.kind, back.after) == ("added", lost.before)


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ("{consignees: 40}", "{consignees: many}", "facts.consignees: "),
        ("{consignees: 40}", "{colour: red}", "facts.colour: "),
        ("us-fda: I,", "us-fda: IV,", "levels.us-fda: "),
        ("jurisdictions: [us-fda,", "jurisdictions: [jp-pmda, us-fda,", "jurisdictions: jp-pmda"),
        ("awareness: 2026-11-18 09:00 America/New_York", "awareness: yesterday", "clocks.awareness: "),
    ],
)
def test_a_fault_of_a_case_is_named_with_its_path(before: str, after: str, path: str) -> None:
    assert before in CASE
    with pytest.raises(CaseError) as caught:
        ran(CASE.replace(before, after))
    assert any(path in fault for fault in caught.value.faults), caught.value.faults


def test_a_case_at_the_end_of_time_is_a_fault_and_one_without_end_is_not_endless() -> None:
    last = CASE.replace("2026-11-20 09:00 America/New_York", "9999-12-31T20:00:00+00:00")
    with pytest.raises(CaseError, match="expected a year from 2 to 9998"):
        ran(last)
    with pytest.raises(CaseError, match="until"):
        ran(CASE + "until: 9999-01-01T00:00:00+00:00\n")


def test_the_case_in_the_documentation_runs() -> None:
    document = (FOLDER.parent / "docs" / "policies.md").read_text(encoding="utf-8")
    text = document.partition("```yaml\nschema: recall-case/1")[2].partition("```")[0]
    asks = by_key(ran(f"schema: recall-case/1{text}"))
    assert asks["report:us-fda:mdr_5_day:1"].due_at is not None
    assert any(ask.kind == "branch" for ask in asks.values())


def test_a_supplier_has_the_shortest_time_that_a_profile_gives_for_each_stage() -> None:
    shorter = TEXTS["eu-mdr"].replace("containment: 5 cd, cause: 30 cd", "containment: 72 h, cause: 40 cd")
    asks = by_key(ran(eu_mdr=parse_policy(shorter)))
    limits = {stage: asks[f"supplier:{stage}"].limit for stage in Stage}
    assert limits == {"acknowledge": "2 cd", "containment": "72 h", "cause": "30 cd", "verification": "120 cd"}
    assert asks["supplier:containment"].rule.startswith("eu-mdr@1, house: house rule; EN ISO 13485:2016 8.5.2")
    none = {name.replace("-", "_"): parse_policy(_without_suppliers(TEXTS[name])) for name in THREE}
    assert not [key for key in by_key(ran(CASE, **none)) if key.startswith("supplier:")]
    for wrong in ("containment: 1 cd, cause: 30 cd", "containment: immediately, cause: 30 cd"):
        with pytest.raises(PolicyError, match=r"supplier_answers.*containment: expected"):
            parse_policy(TEXTS["eu-mdr"].replace("containment: 5 cd, cause: 30 cd", wrong))


def _without_suppliers(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("supplier_answers:"))
