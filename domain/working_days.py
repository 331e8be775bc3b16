"""A calendar of working days as a value: the weekdays off and the weekend days worked, per year.

It knows only the years it was built for. A day of any other year is an error, not a guess: China's
days off cannot be derived from a rule, and a deadline over an unknown year would be wrong in silence.
"""

from datetime import date, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, model_validator


class CalendarError(ValueError):
    """A calendar that contradicts itself or cannot answer."""


class CalendarYearMissingError(CalendarError):
    """The calendar has no table for the year asked about; the message says what to add."""


# Sets have no order; written sorted, the same calendar is always the same text.
Days = Annotated[frozenset[date], PlainSerializer(sorted, return_type=list[date])]
Years = Annotated[frozenset[int], PlainSerializer(sorted, return_type=list[int])]


class WorkingDays(BaseModel):
    """Which days are working days, for the years listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    years: Years = Field(min_length=1)
    days_off: Days = frozenset()
    """Holidays; those on a weekend may be listed, they change nothing."""
    working_weekends: Days = frozenset()
    """Saturdays and Sundays worked to make up for a bridge day."""

    @model_validator(mode="after")
    def _is_consistent(self) -> "WorkingDays":
        for day in sorted(self.days_off | self.working_weekends):
            if day.year not in self.years:
                raise CalendarError(f"{self.name}: {day} lies outside the years listed")
        for day in sorted(self.working_weekends):
            if day.weekday() < 5:
                raise CalendarError(f"{self.name}: make-up day {day} is no Saturday or Sunday")
            if day in self.days_off:
                raise CalendarError(f"{self.name}: {day} is both a day off and a make-up day")
        return self

    def is_working_day(self, day: date) -> bool:
        """Whether `day` is a working day.

        Raises:
            CalendarYearMissingError: when the calendar has no table for the year of `day`.
        """
        if day.year not in self.years:
            known = f"{min(self.years)} to {max(self.years)}"
            raise CalendarYearMissingError(
                f"calendar {self.name} has no table for {day.year} (it has {known}); add that year's table"
            )
        if day.weekday() >= 5:
            return day in self.working_weekends
        return day not in self.days_off

    def on_or_after(self, day: date) -> date:
        """The first working day on or after `day`."""
        while not self.is_working_day(day):
            day += timedelta(days=1)
        return day

    def add(self, day: date, count: int) -> date:
        """The `count`-th working day after `day`; `day` itself is never counted (21 CFR 810.3)."""
        if count < 1:
            raise CalendarError(f"expected at least 1 working day, got {count}")
        while count:
            day += timedelta(days=1)
            count -= self.is_working_day(day)
        return day
