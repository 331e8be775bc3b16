"""Parts of a regulation profile: ladder, effectiveness, obligations, gates, channels, closing, retention.

Each is a figure, or is made of figures, with basis, source and validity (`domain.policy_figures`).
"""

import re
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from domain.channels import Channel
from domain.levels import MarketAction, RecallClass
from domain.limits import Clock, ElapsedText, LimitText, Unit
from domain.policy_figures import Basis, DueFigure, Name, Part, Roll, Sourced, Text
from domain.policy_ladder import LadderRules, StageRules, Step
from domain.policy_tasks import HumanStep, TaskRule
from domain.quiet_hours import Hours
from domain.roles import Role

__all__ = [
    "Basis",
    "Channels",
    "Closing",
    "DueFigure",
    "Effectiveness",
    "EffectivenessLevel",
    "Gate",
    "HoldWatch",
    "HumanStep",
    "LadderRules",
    "LevelRules",
    "MassBalanceRule",
    "Name",
    "Obligation",
    "Part",
    "QuietHours",
    "Retention",
    "Roll",
    "Sourced",
    "StageRules",
    "Step",
    "TaskRule",
    "Text",
    "Trigger",
    "check_share",
]


_HOUR: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:00)?")


class EffectivenessLevel(StrEnum):
    """Share of consignees to check, 21 CFR 7.42(b)(3)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


def check_share(level: EffectivenessLevel, percent: int) -> None:
    """Refuse a share that is not the level's (21 CFR 7.42(b)(3)).

    Raises:
        ValueError: naming the share the level has.
    """
    fixed = {"A": 100, "C": 10, "D": 2, "E": 0}.get(level)
    if fixed is None and not 10 < percent < 100:
        raise ValueError(f"level B is more than 10 and less than 100 percent, got {percent}")
    if fixed is not None and percent != fixed:
        raise ValueError(f"level {level} is {fixed} percent, got {percent}")


class Effectiveness(Sourced):
    """Effectiveness checks: the level and its share in percent."""

    level: EffectivenessLevel
    percent: int = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _matches_the_level(self) -> "Effectiveness":
        check_share(self.level, self.percent)
        return self


class Trigger(StrEnum):
    """What makes an obligation owed."""

    ALWAYS = "always"
    IF_ASKED = "if_asked"
    ON_HARM = "on_harm"
    ON_EXTENSION = "on_extension"
    ON_AUTHORITY_ORDER = "on_authority_order"


class Obligation(DueFigure):
    """A document or act owed to an authority or the public."""

    id: Name
    title: Text
    title_zh: Text
    role: Role = Role.REGULATORY
    recipient: Text | None = None
    trigger: Trigger = Trigger.ALWAYS
    every: LimitText | None = None
    """For recurring reports: the interval, counted from the clock and then from the last due time."""
    record_instead: Text | None = None
    """The record owed where `due` is none."""
    outcomes: tuple[Literal["death", "serious", "other", "unknown"], ...] = ()
    """Worst reported outcomes (`models.complaint.HarmSeverity`) for which an `on_harm` report is owed; none = all."""

    @model_validator(mode="after")
    def _is_owed_somehow(self) -> "Obligation":
        if self.outcomes and self.trigger != Trigger.ON_HARM:
            raise ValueError("outcomes: only a report triggered on_harm depends on them")
        if self.due.unit == Unit.NONE and not self.record_instead:
            raise ValueError("due none needs record_instead: the record that is owed")
        if self.every and self.every.unit not in (Unit.HOUR, Unit.CALENDAR_DAY, Unit.WORKING_DAY):
            raise ValueError(f"every: expected hours or days, got {str(self.every)!r}")
        return self


class Gate(Sourced):
    """An authority step that must come before the notice; done, or waived for urgency and signed."""

    id: Name
    title: Text
    title_zh: Text
    role: Role
    waivable: bool
    waiver_text: Text | None = None
    """The exception in law a waiver rests on."""
    due: LimitText
    clock: Clock
    actions: tuple[MarketAction, ...] = Field(min_length=1)
    """Market actions the gate applies to."""
    levels: tuple[str, ...] = ()
    """Own levels the gate applies to; none named = every level."""
    settles: tuple[Name, ...] = ()
    """Obligations that are met by passing the gate: telling the authority is one act, owed under two headings."""
    comment_window: ElapsedText | None = None
    """Time the authority gets to comment before the notice may go out."""
    window_on_weekdays_only: bool = False

    @model_validator(mode="after")
    def _names_the_exception(self) -> "Gate":
        if self.waivable and not self.waiver_text:
            raise ValueError("a waivable gate needs waiver_text: the exception the waiver rests on")
        return self


class HoldWatch(Sourced):
    """How often open hold requests are asked again, and when a person is told."""

    watch_every: ElapsedText
    """How soon an unconfirmed hold is asked for again."""
    overdue_after: ElapsedText
    """When a person is told that holds are unconfirmed."""
    look_again_every: ElapsedText
    """How often a recall whose holds are all confirmed looks for stock that appeared since."""

    @model_validator(mode="after")
    def _watches(self) -> "HoldWatch":
        if not timedelta(0) < self.watch_every.as_timedelta() <= self.overdue_after.as_timedelta():
            raise ValueError("watch_every must be more than zero and no longer than overdue_after")
        return self


class MassBalanceRule(Sourced):
    """How much may stay unaccounted for before the head of quality must sign a documented search (design §7)."""

    unaccounted_share: Decimal = Field(ge=0, le=100, max_digits=7, decimal_places=4)
    """Percent, per lot; what lies above it needs the signature."""


class Channels(Sourced):
    """By which channels notices may go out; a strategy chooses from them."""

    order: tuple[Channel, ...] = Field(min_length=1)
    """Channels allowed. Which one a recipient gets first is its own order's."""
    by_class: dict[RecallClass, tuple[Channel, ...]] = Field(default_factory=dict)
    """First choice first, before the recipients' own order: for a class that needs it."""

    @model_validator(mode="after")
    def _names_each_once(self) -> "Channels":
        for name, order in (
            ("order", self.order),
            *((f"by_class {item}", each) for item, each in self.by_class.items()),
        ):
            if not order or len(set(order)) != len(order):
                raise ValueError(f"{name}: expected each channel once, at least one of {', '.join(Channel)}")
        return self

    def all_named(self) -> tuple[Channel, ...]:
        """Every channel the policy allows, in the order named."""
        return tuple(dict.fromkeys((*self.order, *(each for order in self.by_class.values() for each in order))))


class QuietHours(Sourced):
    """When recipients are not disturbed by notices that can wait; class I never waits."""

    opens: time
    """Local time of the recipient from which messages go out."""
    closes: time
    """Local time from which the rest waits for the next day."""
    working_days: bool = True
    """Whether weekends and public holidays of the recipient's country are quiet, too."""
    channels: tuple[Channel, ...] = Field(min_length=1)
    """Channels that disturb; the others go at any hour."""
    except_classes: tuple[RecallClass, ...] = (RecallClass.I,)

    @field_validator("opens", "closes", mode="before")
    @classmethod
    def _is_an_hour(cls, value: object) -> object:
        # YAML reads an unquoted 20:00 as the number 1200.
        if not isinstance(value, time) and not (isinstance(value, str) and _HOUR.fullmatch(value)):
            raise ValueError('expected a local time in quotes like "08:00"')
        return value

    @model_validator(mode="after")
    def _leaves_time(self) -> "QuietHours":
        if self.opens >= self.closes:
            raise ValueError("opens: expected an earlier hour than closes")
        if RecallClass.I not in self.except_classes:
            raise ValueError("except_classes: expected class I among them: it never waits for the morning")
        return self

    def hours(self) -> Hours:
        """The rule as it is computed with."""
        return Hours(self.opens, self.closes, self.working_days)


class Closing(Sourced):
    """When a silent consignee is documented and the recall may close without its answer; never less than design §7.

    Further conditions of closing are tasks of the phase resolution (`extra_tasks`): an open task keeps a recall open.
    """

    attempts: int = Field(ge=3, le=20)
    """Attempts to reach a consignee that never answered; a bounce is none."""
    channels: int = Field(ge=2, le=4)
    """How many different channels they must use (e-mail, SMS, telephone, visit)."""
    live: int = Field(ge=1, le=20)
    """How many of them must be by a human being, with person, number, time and outcome."""

    @model_validator(mode="after")
    def _can_be_met(self) -> "Closing":
        if self.channels > self.attempts or self.live > self.attempts:
            raise ValueError(f"channels and live must not exceed attempts {self.attempts}")
        return self


class Retention(Sourced):
    """How long the file is kept."""

    years: int = Field(ge=1, le=100)
    after: Text
    implantable_years: int | None = Field(default=None, ge=1, le=100)


class LevelRules(Part):
    """Everything that depends on the jurisdiction's own level."""

    term: Text
    term_zh: Text
    meaning: Text
    classes: tuple[RecallClass, ...] = Field(min_length=1)
    """Our classes that this level covers."""
    named_only: bool = False
    """A level with a finding of its own (a serious public health threat): the decision table or a person who names it
    gives it, a class alone does not."""
    notify: DueFigure
    ladder: LadderRules
    effectiveness: Effectiveness
    obligations: tuple[Obligation, ...] = Field(default=(), max_length=100)
