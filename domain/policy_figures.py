"""A figure of a policy: a value with its basis in law, guidance or house rule, its source and the time it is valid.

Every figure names a source: a house rule says so and says what the law asks for. The days a figure is valid are its
own or the whole profile's; `Policy` writes the profile's into every figure that has none.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from domain.limits import Clock, LimitText, Unit

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Basis(StrEnum):
    """Where a figure comes from."""

    LAW = "law"
    GUIDANCE = "guidance"
    HOUSE = "house"


class Part(BaseModel):
    """Base of every part: frozen, and an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Sourced(Part):
    """A figure with its basis, its source and the days it is valid."""

    basis: Basis
    source: Text
    """Where it is written; for a house rule that it is one, and what the law says."""
    law_text: Text | None = None
    """What the law says where the figure is only our reading ("promptly", "without delay")."""
    note: Text | None = None
    unverified: bool = False
    """Taken from general knowledge; regulatory staff must confirm it before the profile is used in earnest."""
    valid_from: date
    """First day of the figure (inclusive); the profile's, unless the figure has its own."""
    valid_to: date | None = None
    """Last day of the figure (inclusive); None: as long as the profile."""

    @model_validator(mode="after")
    def _has_days(self) -> "Sourced":
        if self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self

    def valid_on(self, day: date) -> bool:
        """Whether the figure counts on `day` (the local day of its clock start)."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class Roll(StrEnum):
    """What happens when the last day is no working day."""

    NONE = "none"
    NEXT_WORKING_DAY = "next_working_day"


class DueFigure(Sourced):
    """A time limit with the clock it runs from."""

    due: LimitText
    clock: Clock | None = None
    roll: Roll = Roll.NONE

    @model_validator(mode="after")
    def _names_its_clock(self) -> "DueFigure":
        if self.due.after and self.clock and self.due.after != self.clock:
            raise ValueError(f"due says after {self.due.after}, clock says {self.clock}")
        if self.due.unit not in (Unit.NONE, Unit.BEFORE_START) and self.runs_from is None:
            raise ValueError(f"due {str(self.due)!r} needs a clock")
        return self

    @property
    def runs_from(self) -> Clock | None:
        """The clock, whether named in the limit's text or beside it."""
        return self.due.after or self.clock


FigureT = TypeVar("FigureT", bound=Sourced)


def valid_figures(figures: Iterable[FigureT], day: date | None) -> tuple[FigureT, ...]:
    """The figures that count on `day`; all of them when no day is asked about."""
    return tuple(figure for figure in figures if day is None or figure.valid_on(day))


def overlapping(figures: Sequence[Sourced]) -> bool:
    """Whether two of `figures`, which share one id, are valid on one day."""
    ordered = sorted(figures, key=lambda figure: figure.valid_from)
    return any(before.valid_to is None or before.valid_to >= after.valid_from for before, after in pairwise(ordered))
