"""Which deadlines an obligation gives rise to: once, per fact, in a row."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.limits import Limit
from domain.obligations import RunningClock, base_name, nth_limit, owed, recurring, series_name, series_of
from domain.policy import Policy
from domain.policy_parts import Basis, Obligation, Trigger

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def obligation(due: str = "5 cd", clock: str = "decision", **changes: object) -> Obligation:
    """A house obligation."""
    facts = {"id": "report", "title": "Report", "title_zh": "报告", "due": due, "clock": clock}
    facts |= {"basis": Basis.HOUSE, "source": "house rule", "valid_from": "2020-01-01"}
    return Obligation.model_validate(facts | changes)


def clock(name: str, days: float = 0, scope_version: int = 1) -> RunningClock:
    return RunningClock(name, scope_version, NOW + timedelta(days=days))


def test_an_obligation_is_owed_once_from_the_first_start_of_its_clock() -> None:
    found = owed(obligation(), [clock("decision"), clock("decision", 3, 2), clock("awareness")])
    assert [(each.name, each.clock.at) for each in found] == [("report", NOW)]


def test_a_clock_that_starts_anew_owes_its_report_anew() -> None:
    item = obligation("10 cd after completion", "completion")
    found = owed(item, [clock("completion"), clock("completion:2", 9)])
    assert [each.name for each in found] == ["report", "report:2"]


def test_harm_is_reported_per_complaint_and_an_extension_per_extension() -> None:
    harm = obligation(clock="harm_awareness", trigger=Trigger.ON_HARM)
    found = owed(harm, [clock("harm_awareness:1"), clock("harm_awareness:7")])
    assert [(each.name, each.fact) for each in found] == [("report:1", 1), ("report:7", 7)]
    extension = obligation(clock="extension_communication", trigger=Trigger.ON_EXTENSION)
    found = owed(extension, [clock("extension_communication", 0, 2), clock("extension_communication", 0, 3)])
    assert [each.name for each in found] == ["report:2", "report:3"]


def test_what_the_authority_has_to_ask_for_or_has_no_instant_is_not_owed_by_itself() -> None:
    assert owed(obligation(trigger=Trigger.IF_ASKED), [clock("decision")]) == []
    assert owed(obligation("before start"), [clock("decision")]) == []
    assert owed(obligation("none", record_instead="why not"), [clock("decision")]) == []
    assert owed(obligation(), []) == []


def test_names_of_a_series_are_read_back() -> None:
    for number in (1, 2, 17):
        assert series_of(series_name("status_report", number)) == ("status_report", number)
    assert base_name("mdr_30_day:4") == "mdr_30_day"
    assert base_name("status_report#12") == "status_report"
    assert base_name("closure:2#3") == "closure"


def test_a_report_in_a_row_is_counted_from_the_clock() -> None:
    assert str(nth_limit(Limit.parse("14 cd"), Limit.parse("14 cd"), 3)) == "42 cd"
    assert str(nth_limit(Limit.parse("3 cd"), Limit.parse("7 cd"), 2)) == "10 cd"
    assert nth_limit(Limit.parse("24 h"), Limit.parse("7 cd"), 2) is None


def test_of_several_levels_the_shortest_interval_counts(policies: dict[str, Policy]) -> None:
    us = policies["us-fda"]
    assert str(recurring(us, ["II", "I"])["status_report"].every) == "14 cd"
    assert str(recurring(us, ["II"])["status_report"].every) == "28 cd"
    # At class III FDA has to ask for it.
    assert "status_report" not in recurring(us, ["III"])


def test_outcomes_belong_to_reports_on_harm_only() -> None:
    with pytest.raises(ValueError, match="outcomes"):
        obligation(outcomes=["death"])
