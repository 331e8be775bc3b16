"""Builds the calendars of working days: from the library `holidays`, and for China from its yearly table.

The library is right for US federal holidays as observed (days closed only by executive order stay working
days), for nationwide holidays in Europe, for the days off of Canada's federal public service, for the public
holidays of the Australian Capital Territory (seat of the TGA) and for the bank holidays of England and Wales
(seat of the MHRA). Of Canada's days off it leaves out Easter Monday and the Civic Holiday of
August: they count as working days here, so that a limit ends too early rather than too late. For a Chinese year
whose notice it does not know it would estimate without make-up weekends; so China comes from the State Council's
table, kept as data in `policies/calendars/` and read by the caller.

Used from activities and the API, not from workflow code.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import holidays
from pydantic import ValidationError

from domain.policy import EEA_STATES, CalendarRule, WorkingCalendar
from domain.policy_text import PolicyError, load_mapping
from domain.working_days import CalendarError, WorkingDays

_SEATS: Final[Mapping[WorkingCalendar, tuple[str, str | None, tuple[str, ...]]]] = MappingProxyType(
    {
        WorkingCalendar.US_FEDERAL: ("US", None, ("public",)),
        # The statutory holidays of Canada in general leave out days on which Health Canada is closed.
        WorkingCalendar.CA_FEDERAL: ("CA", None, ("public", "government")),
        WorkingCalendar.AU_ACT: ("AU", "ACT", ("public",)),
        WorkingCalendar.GB_ENGLAND: ("GB", "ENG", ("public",)),
    }
)
"""Calendars without a choice of state: country, its part where the authority sits, kinds of days off."""


@lru_cache(maxsize=64)
def _from_library(
    name: str, country: str, wanted: frozenset[int], part: str | None = None, kinds: tuple[str, ...] = ("public",)
) -> WorkingDays:
    # A holiday of 1 January can be observed on 31 December before, so one more year is asked for.
    table = holidays.country_holidays(country, subdiv=part, categories=kinds, years=[*wanted, max(wanted) + 1])
    where = f"{country}-{part}" if part else country
    return WorkingDays(
        name=name,
        source=f"Python library holidays, {' and '.join(kinds)} holidays of {where}",
        years=wanted,
        days_off=frozenset(day for day in table if day.year in wanted),
    )


def us_federal(years: Iterable[int]) -> WorkingDays:
    """US federal holidays as observed, for `years`."""
    return at_seat(WorkingCalendar.US_FEDERAL, years)


def at_seat(calendar: WorkingCalendar, years: Iterable[int]) -> WorkingDays:
    """The working days where the authority sits, for `years`; a holiday's substitute day counts as observed.

    Raises:
        CalendarError: for a calendar that needs a state or a table.
    """
    if calendar not in _SEATS:
        raise CalendarError(f"calendar {calendar} has no seat; expected one of {', '.join(_SEATS)}")
    country, part, kinds = _SEATS[calendar]
    return _from_library(calendar, country, frozenset(years), part, kinds)


def member_state(state: str, years: Iterable[int]) -> WorkingDays:
    """Nationwide public holidays of a state that applies the MDR (Regulation 1182/71).

    Raises:
        CalendarError: when `state` is no code of such a state.
    """
    if state not in EEA_STATES:
        raise CalendarError(f"{state!r} does not apply the MDR; expected one of {', '.join(sorted(EEA_STATES))}")
    return _from_library(f"{WorkingCalendar.EU_MEMBER_STATE}:{state}", state, frozenset(years))


@lru_cache(maxsize=8)
def parse_calendar_table(text: str) -> WorkingDays:
    """A calendar from its YAML table (`schema: working-days/1`, one entry per year).

    Raises:
        PolicyError: with one line per fault.
    """
    data = load_mapping(text)
    faults: list[str] = []
    if data.get("schema") != "working-days/1":
        faults.append(f"schema: expected working-days/1, got {data.get('schema')!r}")
    years = data.get("years")
    if not isinstance(years, dict) or not years:
        raise PolicyError([*faults, "years: expected one entry per year"])
    days_off, worked = set[date](), set[date]()
    for year, entry in years.items():
        days_off |= _days(year, entry, "days_off", faults)
        worked |= _days(year, entry, "working_weekends", faults)
        if not isinstance(entry, dict) or not entry.get("source"):
            faults.append(f"years.{year}.source: expected the notice the table was taken from")
    if faults:
        raise PolicyError(faults)
    try:
        return WorkingDays(
            name=str(data.get("name")),
            source=str(data.get("source")),
            years=frozenset(years),
            days_off=frozenset(days_off),
            working_weekends=frozenset(worked),
        )
    except ValidationError as error:
        messages = [str(item["msg"]).removeprefix("Value error, ") for item in error.errors()]
        raise PolicyError([f"years: {message}" for message in messages]) from error


def _days(year: Any, entry: Any, field: str, faults: list[str]) -> set[date]:
    path = f"years.{year}.{field}"
    if isinstance(year, bool) or not isinstance(year, int):
        faults.append(f"years.{year}: expected a year like 2026")
        return set()
    listed = entry.get(field, []) if isinstance(entry, dict) else None
    if not isinstance(listed, list):
        faults.append(f"{path}: expected a list of dates")
        return set()
    wrong = [day for day in listed if type(day) is not date or day.year != year]
    faults.extend(f"{path}: expected a date of {year} like {year}-01-31, got {day!r}" for day in wrong)
    return {day for day in listed if day not in wrong}


def calendar_for(rule: CalendarRule, years: Iterable[int], table_text: str | None = None) -> WorkingDays:
    """The calendar a policy names, for `years`.

    Args:
        rule: the policy's calendar.
        years: years a deadline may reach; the year of the clock start and the next will do.
        table_text: text of the yearly table, needed for `cn-state-council`.

    Raises:
        CalendarError: when the table is needed and missing, or the state is unknown.
        PolicyError: when the table has faults.
    """
    match rule.working_days:
        case WorkingCalendar.EU_MEMBER_STATE:
            return member_state(str(rule.state), years)
        case WorkingCalendar.CN_STATE_COUNCIL:
            if table_text is None:
                raise CalendarError("calendar cn-state-council needs the table of the State Council's notices")
            return parse_calendar_table(table_text)
        case _:
            return at_seat(rule.working_days, years)
