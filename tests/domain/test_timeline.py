"""The engine for time as properties: nothing open becomes later, nothing depends on how an instant is written."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.deadlines import compute_due
from domain.dry_run_facts import is_raised
from domain.levels import MarketAction
from domain.limits import Limit, Unit
from domain.obligations import RunningClock
from domain.policy import Policy
from domain.policy_figures import Roll
from domain.timeline import UNREPORTED, duties
from domain.timeline_facts import Duty, Facts, GateOutcome, Standing
from domain.working_days import WorkingDays
from tests.domain.test_timelines import policies, store

pytestmark = pytest.mark.unit
LAWS = ["us-fda", "eu-mdr", "cn-nmpa", "ca-hc", "au-tga", "gb-mhra"]
START = datetime(2025, 2, 1, tzinfo=UTC)
hours = st.integers(0, 24 * 300)
instants = st.integers(0, 60 * 24 * 400).map(lambda minutes: START + timedelta(minutes=minutes))


def calendar(law: str) -> tuple[WorkingDays, ZoneInfo]:
    """A law's working days around the instants tested, and its zone."""
    policy = policies()[law]
    return store().calendar(policy, date(2025, 1, 1)), ZoneInfo(policy.zone.zone)


def standings(policy: Policy, changes: Sequence[tuple[datetime, str]], now: datetime) -> list[Standing]:
    """What was decided on one line by `now`, as the record gives it."""
    known = [each for each in sorted(changes, key=lambda change: change[0]) if each[0] <= now]
    found = []
    for place, (at, level) in enumerate(known):
        later = known[place + 1][0] if place + 1 < len(known) else None
        raised = place > 0 and is_raised(policy, known[place - 1][1], level)
        found.append(
            Standing(
                policy,
                level,
                "pumps",
                None,
                at,
                later,
                decision=RunningClock(f"new_decision:{place + 1}", 1, at) if raised else None,
                new_facts=RunningClock(f"new_facts:{place + 1}", 1, at - timedelta(hours=5)) if raised else None,
            )
        )
    return found


def said(found: Sequence[Duty]) -> dict[str, datetime | None]:
    return {f"{each.jurisdiction} {each.name}": each.due_at for each in found}


@settings(deadline=None)  # the first example reads every profile
@given(st.sampled_from(LAWS), st.data())
def test_whatever_happens_next_no_limit_becomes_later_and_none_disappears(law: str, data: st.DataObject) -> None:
    policy = policies()[law]
    levels = st.sampled_from(list(policy.levels))
    decided = data.draw(instants)
    changes = [(decided, data.draw(levels))]
    steps = data.draw(st.lists(st.tuples(st.integers(1, 24 * 40), levels), max_size=4, unique_by=lambda step: step[0]))
    changes += [(decided + timedelta(hours=after), level) for after, level in steps]
    clocks = [
        RunningClock("awareness", 1, decided - timedelta(hours=data.draw(st.integers(0, 200)))),
        RunningClock("decision", 1, decided),
        RunningClock("first_communication", 1, decided + timedelta(hours=data.draw(st.integers(0, 400)))),
        RunningClock("harm_awareness:1", 1, decided + timedelta(hours=data.draw(st.integers(0, 400)))),
        RunningClock("decision", 2, decided + timedelta(hours=data.draw(st.integers(1, 400)))),
        RunningClock("extension_communication", 2, decided + timedelta(hours=data.draw(st.integers(1, 400)))),
    ]
    moments = sorted({at for at, _ in changes} | {clock.at for clock in clocks if clock.at >= decided})
    before: dict[str, datetime | None] = {}
    for now in moments:
        facts = Facts(
            tuple(standings(policy, changes, now)), tuple(each for each in clocks if each.at <= now), {1: "serious"}
        )
        after = said(duties(facts, store().calendar))
        assert set(before) <= set(after)
        for name, due in before.items():
            new = after[name]
            assert due is None or (new is not None and new <= due), name
        before = after


@settings(deadline=None)
@given(st.permutations(range(5)), st.integers(0, 2**32), st.integers(-14, 14))
def test_neither_the_order_of_facts_nor_the_zone_an_instant_is_written_in_matters(
    order: list[int], seed: int, offset: int
) -> None:
    decided = datetime(2026, 9, 24, 20, 30, tzinfo=UTC)
    clocks = [
        RunningClock("awareness", 1, decided - timedelta(days=2)),
        RunningClock("decision", 1, decided),
        RunningClock("first_communication", 1, decided + timedelta(hours=7)),
        RunningClock("harm_awareness:1", 1, decided + timedelta(days=3)),
        RunningClock("completion", 1, decided + timedelta(days=40)),
    ]
    strictest = {law: next(iter(policies()[law].levels)) for law in LAWS}
    levels = [Standing(policies()[law], level, since=decided) for law, level in strictest.items()]
    expected = said(duties(Facts(tuple(levels), tuple(clocks), {1: "death"}), store().calendar))
    zone = timezone(timedelta(hours=offset))
    elsewhere = [RunningClock(each.name, 1, each.at.astimezone(zone)) for each in clocks]
    random.Random(seed).shuffle(levels)  # noqa: S311 - hypothesis gives the seed
    facts = Facts(tuple(levels), tuple(elsewhere[place] for place in order), {1: "death"})
    assert said(duties(facts, store().calendar)) == expected


@settings(deadline=None)
@given(st.sampled_from(LAWS), instants, st.integers(1, 40))
def test_counting_the_working_days_back_gives_the_limit_under_every_calendar(
    law: str, start: datetime, amount: int
) -> None:
    days, zone = calendar(law)
    due = compute_due(start, Limit(Unit.WORKING_DAY, amount), days, zone.key)
    assert due is not None
    first, last = start.astimezone(zone).date(), due.due.astimezone(zone).date()
    counted = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert sum(map(days.is_working_day, counted)) == amount
    assert days.is_working_day(last)
    assert due.due.astimezone(zone).time() == time(23, 59, 59)


@settings(deadline=None)
@given(st.sampled_from(LAWS), instants, instants, st.integers(1, 40), st.sampled_from(list(Unit)[:4]), st.booleans())
def test_an_earlier_clock_or_a_shorter_limit_is_never_due_later_under_every_calendar(
    law: str, one: datetime, other: datetime, amount: int, unit: Unit, rolls: bool
) -> None:
    days, zone = calendar(law)
    roll = Roll.NEXT_WORKING_DAY if rolls else Roll.NONE
    early, late = sorted((one, other))
    dues = [
        compute_due(at, Limit(unit, count), days, zone.key, roll)
        for at, count in ((early, amount), (late, amount), (late, amount + 1))
    ]
    found = [due.due for due in dues if due is not None]
    assert found == sorted(found)
    assert all(due.due >= due.unrolled for due in dues if due is not None)
    assert len(found) == 3


@settings(deadline=None)
@given(instants, st.sampled_from(LAWS))
def test_a_calendar_day_lasts_23_24_or_25_hours_and_hours_do_not_care(start: datetime, law: str) -> None:
    _, zone = calendar(law)
    one = compute_due(start, Limit(Unit.CALENDAR_DAY, 1), None, zone.key)
    two = compute_due(start, Limit(Unit.CALENDAR_DAY, 2), None, zone.key)
    assert one is not None
    assert two is not None
    assert two.due - one.due in {timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)}
    elapsed = compute_due(start, Limit(Unit.HOUR, 24), None, zone.key)
    assert elapsed is not None
    assert elapsed.due - start == timedelta(hours=24)


@settings(deadline=None)
@given(st.sampled_from(LAWS), instants, st.integers(1, 200))
def test_reports_of_a_series_are_one_interval_apart_to_the_day(law: str, start: datetime, days: int) -> None:
    policy = policies()[law]
    _, zone = calendar(law)
    level = next(iter(policy.levels))
    facts = Facts(
        (Standing(policy, level, since=start),),
        (RunningClock("decision", 1, start), RunningClock("first_communication", 1, start)),
    )
    found = duties(facts, store().calendar, until=start + timedelta(days=days))
    for first in [each for each in found if each.obligation and each.obligation.every and "#" not in each.name]:
        assert first.obligation is not None
        assert first.obligation.every is not None
        row = [each for each in found if each.name.partition("#")[0] == first.name]
        dates = [each.due_at.astimezone(zone).date() for each in row if each.due_at]
        gaps = {(after - before).days for before, after in pairwise(dates)}
        assert gaps <= {first.obligation.every.amount}


@pytest.mark.parametrize("action", sorted(UNREPORTED))
@pytest.mark.parametrize("law", LAWS)
def test_an_action_that_is_no_recall_owes_nothing_about_the_action(law: str, action: MarketAction) -> None:
    policy = policies()[law]
    clocks = [
        RunningClock(name, 1, START)
        for name in ("decision", "first_communication", "completion", "extension_communication", "authority_order")
    ]
    for level in policy.levels:
        found = duties(Facts((Standing(policy, level, action=action),), tuple(clocks)), store().calendar)
        assert {each.name for each in found} == {"notify"}


def test_an_authoritys_order_concerns_its_own_law_only() -> None:
    levels = tuple(Standing(policies()[law], next(iter(policies()[law].levels))) for law in LAWS)
    found = duties(Facts(levels, (RunningClock("authority_order@gb-mhra", 1, START),)), store().calendar)
    assert [(each.jurisdiction, each.name) for each in found] == [("gb-mhra", "mhra_request")]


def test_a_figure_counts_on_the_local_days_it_is_valid_and_the_first_one_before_them() -> None:
    eu = policies()["eu-mdr"]
    bucket = eu.level("3")
    report = next(item for item in bucket.obligations if item.id == "incident_report")
    old = report.model_copy(update={"valid_to": date(2026, 12, 31)})
    new = report.model_copy(update={"due": Limit.parse("30 cd"), "valid_from": date(2027, 1, 1)})
    rest = tuple(item for item in bucket.obligations if item.id != "incident_report")
    levels = eu.levels | {"3": bucket.model_copy(update={"obligations": (old, new, *rest)})}
    policy = eu.model_copy(update={"levels": levels})

    def days(awareness: datetime) -> str:
        facts = Facts((Standing(policy, "3"),), (RunningClock("awareness", 1, awareness),))
        [duty] = duties(facts, store().calendar)
        return str(duty.limit)

    assert days(datetime(2026, 12, 31, 22, 59, tzinfo=UTC)) == "15 cd", "one minute to midnight in Berlin"
    assert days(datetime(2026, 12, 31, 23, 0, tzinfo=UTC)) == "30 cd", "New Year in Berlin, still 2026 in London"
    assert days(datetime(2019, 5, 1, tzinfo=UTC)) == "15 cd", "a duty is not lost because our data begin later"


def test_a_waived_gate_makes_its_report_due_at_once_and_a_passed_one_does_not() -> None:
    eu = policies()["eu-mdr"]
    clock = RunningClock("decision", 1, START)
    for outcome, expected in (("waived", START), ("passed", None)):
        facts = Facts((Standing(eu, "1"),), (clock,), gates={("eu-mdr", "fsca_initial"): GateOutcome(outcome, START)})
        found = {each.name: each.due_at for each in duties(facts, store().calendar)}
        assert found.get("fsca_initial") == expected


def test_the_reason_names_limit_clock_level_and_source_and_how_many_clocks_there_were() -> None:
    us = policies()["us-fda"]
    levels = (Standing(us, "II", "pumps"), Standing(us, "I", "cassettes"))
    found = duties(Facts(levels, (RunningClock("decision", 1, START),)), store().calendar)
    notify = next(each for each in found if each.name == "notify")
    assert notify.why.startswith("24 h from decision (2025-02-01T00:00:00+00:00) at level I of cassettes: house, ")
    assert notify.why.endswith("earliest of 2 clocks")
    assert [str(each.limit) for each in notify.later] == ["72 h"]
