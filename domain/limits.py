"""A time limit as a law or a house rule states it: "24 h", "10 wd", "immediately", "before start".

A limit says how much time; the clock it runs from and the calendar it counts by belong to the
policy. `domain.deadlines.due_at` turns clock start and limit into an instant.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_AMOUNT: Final = re.compile(r"([1-9][0-9]{0,3}) (min|h|cd|wd)(?: after ([a-z_]+))?")
_EXPECTED: Final = (
    'expected "15 min", "24 h", "3 cd" (calendar days), "10 wd" (working days), '
    '"10 wd after completion", "immediately", "before start" or "none"'
)


class Unit(StrEnum):
    """What a limit counts; `IMMEDIATELY`, `BEFORE_START` and `NONE` carry no number."""

    MINUTE = "min"
    HOUR = "h"
    CALENDAR_DAY = "cd"
    WORKING_DAY = "wd"
    IMMEDIATELY = "immediately"
    BEFORE_START = "before start"
    NONE = "none"


class Clock(StrEnum):
    """The recorded fact a limit runs from (design §2a)."""

    AWARENESS = "awareness"
    DECISION = "decision"
    FIRST_COMMUNICATION = "first_communication"
    EXTENSION_COMMUNICATION = "extension_communication"
    COMPLETION = "completion"
    AUTHORITY_ORDER = "authority_order"
    HARM_AWARENESS = "harm_awareness"
    FIRST_NOTICE = "first_notice"
    """The first notice of the campaign to this consignee."""
    OFFERED = "offered"
    """The moment a task is offered to a person."""


class LimitError(ValueError):
    """A text that states no limit; the message shows the accepted forms."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A parsed limit; `str()` gives back its canonical text."""

    unit: Unit
    amount: int = 0
    after: Clock | None = None
    """The clock named in the text itself ("10 wd after completion"), if any."""

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """Read a limit.

        Raises:
            LimitError: when `text` is none of the accepted forms.
        """
        cleaned = " ".join(text.split()).lower()
        if cleaned in (Unit.IMMEDIATELY, Unit.BEFORE_START, Unit.NONE):
            return cls(Unit(cleaned))
        match = _AMOUNT.fullmatch(cleaned)
        if match is None:
            raise LimitError(f"{text[:40]!r} is not a limit: {_EXPECTED}")
        amount, unit, after = match.groups()
        if after is not None and after not in set(Clock):
            raise LimitError(f"{text[:60]!r}: {after!r} is no clock; expected one of {', '.join(Clock)}")
        return cls(Unit(unit), int(amount), Clock(after) if after else None)

    def __str__(self) -> str:
        if not self.amount:
            return str(self.unit)
        return f"{self.amount} {self.unit}" + (f" after {self.after}" if self.after else "")

    def as_timedelta(self) -> timedelta:
        """The limit as elapsed time, for ladders and watches; a calendar day is 24 hours here.

        Raises:
            LimitError: for working days, "before start" and "none", which need a calendar or a fact.
        """
        match self.unit:
            case Unit.MINUTE:
                return timedelta(minutes=self.amount)
            case Unit.HOUR:
                return timedelta(hours=self.amount)
            case Unit.CALENDAR_DAY:
                return timedelta(days=self.amount)
            case Unit.IMMEDIATELY:
                return timedelta(0)
            case _:
                raise LimitError(f"{str(self)!r} is no elapsed time; expected minutes, hours or calendar days")


def _to_limit(value: Any) -> Limit:
    if isinstance(value, Limit):
        return value
    if isinstance(value, str):
        return Limit.parse(value)
    raise LimitError(f"{value!r} is not a limit: {_EXPECTED}")


def _to_elapsed(value: Any) -> Limit:
    limit = _to_limit(value)
    limit.as_timedelta()
    return limit


_SCHEMA: Final = WithJsonSchema({"type": "string", "examples": ["24 h", "10 wd", "immediately"]})
LimitText = Annotated[Limit, BeforeValidator(_to_limit), PlainSerializer(str, return_type=str), _SCHEMA]
"""A `Limit` as a model field, written as its text."""
ElapsedText = Annotated[Limit, BeforeValidator(_to_elapsed), PlainSerializer(str, return_type=str), _SCHEMA]
"""A limit that is elapsed time: minutes, hours, calendar days or "immediately"."""
