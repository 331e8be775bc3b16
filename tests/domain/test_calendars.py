"""Calendars: official days, two sources for China that must agree, and tables that are refused."""

from datetime import date, timedelta

import holidays
import pytest

from domain.calendars import at_seat, calendar_for, member_state, parse_calendar_table, us_federal
from domain.policy import EEA_STATES, CalendarRule, WorkingCalendar
from domain.policy_text import PolicyError
from domain.working_days import CalendarError, CalendarYearMissingError, WorkingDays
from tests.domain.factories import ROOT

pytestmark = pytest.mark.unit

TABLE = (ROOT / "policies/calendars/cn-state-council.yaml").read_text(encoding="utf-8")


def test_us_federal_holidays_are_taken_as_observed() -> None:
    # Office of Personnel Management, 2026: Independence Day is observed on Friday 3 July.
    off = {day for day in us_federal([2026]).days_off if day.weekday() < 5}
    assert off == {
        date(2026, 1, 1),
        date(2026, 1, 19),
        date(2026, 2, 16),
        date(2026, 5, 25),
        date(2026, 6, 19),
        date(2026, 7, 3),
        date(2026, 9, 7),
        date(2026, 10, 12),
        date(2026, 11, 11),
        date(2026, 11, 26),
        date(2026, 12, 25),
    }


def test_a_new_year_observed_in_december_belongs_to_the_december_year() -> None:
    assert not us_federal([2021]).is_working_day(date(2021, 12, 31))


def test_a_day_closed_only_by_executive_order_stays_a_working_day() -> None:
    assert us_federal([2025]).is_working_day(date(2025, 1, 9))
    assert us_federal([2025]).is_working_day(date(2025, 12, 24))


def test_the_chinese_table_equals_the_library_on_every_day_of_every_year_it_has() -> None:
    table = parse_calendar_table(TABLE)
    library = holidays.country_holidays("CN", years=sorted(table.years))
    day = date(min(table.years), 1, 1)
    while day.year <= max(table.years):
        assert table.is_working_day(day) == library.is_working_day(day), day
        day += timedelta(days=1)


def test_a_make_up_saturday_is_a_working_day_and_a_bridge_day_is_not() -> None:
    table = parse_calendar_table(TABLE)
    assert table.is_working_day(date(2026, 2, 14))
    assert not table.is_working_day(date(2026, 2, 20))


def test_a_calendar_is_written_in_order_and_read_back() -> None:
    table = parse_calendar_table(TABLE)
    written = table.model_dump(mode="json")
    assert written["days_off"] == sorted(written["days_off"])
    assert WorkingDays.model_validate_json(table.model_dump_json()) == table


def test_a_year_that_is_missing_is_named_with_what_to_do() -> None:
    with pytest.raises(CalendarYearMissingError, match=r"no table for 2031 .* add that year's table"):
        parse_calendar_table(TABLE).is_working_day(date(2031, 1, 4))


def test_every_state_that_applies_the_mdr_has_a_calendar_with_new_year_off() -> None:
    assert len(EEA_STATES) == 30
    for state in sorted(EEA_STATES):
        assert not member_state(state, [2026]).is_working_day(date(2026, 1, 1)), state


def test_a_state_outside_the_mdr_is_refused() -> None:
    with pytest.raises(CalendarError, match="'US' does not apply the MDR"):
        member_state("US", [2026])


def test_a_policy_gets_the_calendar_it_names() -> None:
    years = [2026]
    assert calendar_for(CalendarRule(working_days=WorkingCalendar.US_FEDERAL), years).name == "us-federal"
    france = CalendarRule(working_days=WorkingCalendar.EU_MEMBER_STATE, state="FR")
    assert not calendar_for(france, years).is_working_day(date(2026, 7, 14))
    china = CalendarRule(working_days=WorkingCalendar.CN_STATE_COUNCIL)
    assert calendar_for(china, years, TABLE).name == "cn-state-council"
    with pytest.raises(CalendarError, match="needs the table"):
        calendar_for(china, years)


HEAD = "schema: working-days/1\nname: t\nsource: s\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("schema: other\nyears: {2026: {source: s}}", "schema: expected working-days/1"),
        (HEAD, "years: expected one entry per year"),
        (HEAD + "years: {x: {source: s}}", "years.x: expected a year like 2026"),
        (HEAD + "years: {2026: {days_off: [2027-01-01], source: s}}", "years.2026.days_off: expected a date of 2026"),
        (HEAD + "years: {2026: {days_off: [[1]], source: s}}", "years.2026.days_off: expected a date of 2026"),
        (HEAD + "years: {2026: {days_off: no, source: s}}", "years.2026.days_off: expected a list of dates"),
        (HEAD + "years: {2026: 5}", "years.2026.days_off: expected a list of dates"),
        (HEAD + "years: {2026: {days_off: []}}", "years.2026.source: expected the notice"),
        (HEAD + "years: {2026: {working_weekends: [2026-02-13], source: s}}", "years: t: make-up day 2026-02-13"),
    ],
)
def test_a_table_with_a_fault_is_refused_with_its_path(text: str, line: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_calendar_table(text)
    assert any(fault.startswith(line) for fault in caught.value.faults), caught.value.faults


def test_canada_counts_the_days_off_of_its_federal_public_service() -> None:
    # Treasury Board, 2026: Remembrance Day and the Day for Truth and Reconciliation are off; Family Day is Ontario's.
    canada = at_seat(WorkingCalendar.CA_FEDERAL, [2026])
    assert not any(map(canada.is_working_day, (date(2026, 9, 30), date(2026, 10, 12), date(2026, 11, 11))))
    assert not canada.is_working_day(date(2026, 12, 28))
    assert canada.is_working_day(date(2026, 2, 16))


def test_australia_counts_the_public_holidays_at_the_seat_of_the_tga() -> None:
    # ACT Government, 2026: Canberra Day, Reconciliation Day; ANZAC Day falls on a Saturday and has a substitute.
    canberra = at_seat(WorkingCalendar.AU_ACT, [2026])
    assert not any(map(canberra.is_working_day, (date(2026, 3, 9), date(2026, 6, 1), date(2026, 4, 27))))
    assert canberra.is_working_day(date(2026, 11, 3))  # Melbourne Cup Day is Victoria's


def test_great_britain_counts_the_bank_holidays_of_england_and_wales() -> None:
    # gov.uk/bank-holidays, 2026: Easter Monday, 31 August, and 28 December for Boxing Day on a Saturday.
    london = at_seat(WorkingCalendar.GB_ENGLAND, [2026])
    assert not any(map(london.is_working_day, (date(2026, 4, 6), date(2026, 8, 31), date(2026, 12, 28))))
    assert london.is_working_day(date(2026, 1, 2))  # a bank holiday in Scotland only
    assert london.is_working_day(date(2026, 8, 3))


def test_a_calendar_that_needs_a_state_has_no_seat() -> None:
    with pytest.raises(CalendarError, match="has no seat; expected one of us-federal, ca-federal"):
        at_seat(WorkingCalendar.EU_MEMBER_STATE, [2026])
