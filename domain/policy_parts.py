"""The building blocks of a regulation profile: figures with their basis and source, gates, ladders.

Every figure says whether it is law, guidance or a house rule and, unless it is a house rule, where
it is written. `unverified` marks what was taken from general knowledge and must be confirmed by
regulatory staff before the profile is used in earnest.
"""

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from domain.ladder import ContactRule, Ladder, LadderStep, StepKind
from domain.levels import MarketAction, RecallClass
from domain.limits import Clock, ElapsedText, LimitText, Unit
from domain.roles import Role

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
    """A figure with its basis; law and guidance must name their source."""

    basis: Basis
    source: Text | None = None
    law_text: Text | None = None
    """What the law says where the figure is only our reading ("promptly", "without delay")."""
    note: Text | None = None
    unverified: bool = False
    valid_from: date | None = None
    valid_to: date | None = None

    @model_validator(mode="after")
    def _names_its_source(self) -> "Sourced":
        if self.basis != Basis.HOUSE and self.source is None:
            raise ValueError(f"basis {self.basis} needs a source")
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        return self


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


class Step(Sourced):
    """A step of the ladder, `after` counted from the first notice (as the sources state it)."""

    after: ElapsedText
    contact: ContactRule = ContactRule.SAME
    role: Role | None = None
    """Who does it, for the steps a person does."""


class LadderRules(Part):
    """Reminder, escalation and telephone call after the first notice."""

    first_reminder: Step
    escalation: Step
    phone: Step

    @model_validator(mode="after")
    def _rises(self) -> "LadderRules":
        times = [step.after.as_timedelta() for step in (self.first_reminder, self.escalation, self.phone)]
        if not timedelta(0) < times[0] < times[1] < times[2]:
            raise ValueError("expected first_reminder before escalation before phone, all after the notice")
        return self

    def build(self) -> Ladder:
        """The ladder with each step counted from the one before."""
        previous = timedelta(0)
        steps = [LadderStep(kind=StepKind.FIRST, after=previous)]
        for kind, rule in (
            (StepKind.REMINDER, self.first_reminder),
            (StepKind.ESCALATION, self.escalation),
            (StepKind.PHONE, self.phone),
        ):
            offset = rule.after.as_timedelta()
            steps.append(LadderStep(kind=kind, after=offset - previous, contact=rule.contact))
            previous = offset
        return Ladder(steps=tuple(steps))


class EffectivenessLevel(StrEnum):
    """Share of consignees to check, 21 CFR 7.42(b)(3)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


class Effectiveness(Sourced):
    """Effectiveness checks: the level and its share in percent."""

    level: EffectivenessLevel
    percent: int = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _matches_the_level(self) -> "Effectiveness":
        fixed = {"A": 100, "C": 10, "D": 2, "E": 0}.get(self.level)
        if fixed is None and not 10 < self.percent < 100:
            raise ValueError(f"level B is more than 10 and less than 100 percent, got {self.percent}")
        if fixed is not None and self.percent != fixed:
            raise ValueError(f"level {self.level} is {fixed} percent, got {self.percent}")
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


class HumanStep(StrEnum):
    """Steps of a recall that wait for a person; every policy gives each a task rule."""

    EVALUATION = "evaluation"
    ASSESSMENT = "assessment"
    APPROVAL = "approval"
    STRATEGY = "strategy"
    GATE = "gate"
    NOTICE_APPROVAL = "notice_approval"
    HOLD_CONFIRMATION = "hold_confirmation"
    PHONE_CALL = "phone_call"
    QUERY = "query"
    VISIT = "visit"
    SETTLE_QUERY = "settle_query"
    EFFECTIVENESS_CHECK = "effectiveness_check"
    INVESTIGATION = "investigation"
    CAUSE = "cause"
    CAPA_PLAN = "capa_plan"
    PLAN_APPROVAL = "plan_approval"
    ACTION = "action"
    VERIFICATION = "verification"
    CAPA_SIGN_OFF = "capa_sign_off"
    DISPOSITION = "disposition"
    DISPOSITION_APPROVAL = "disposition_approval"
    EXECUTION = "execution"
    ALLOCATION = "allocation"
    REPLACEMENT = "replacement"
    PATIENTS = "patients"
    COMPLAINT = "complaint"
    COMPLETION = "completion"
    OBLIGATION = "obligation"
    AUTHORITY_ANSWER = "authority_answer"
    UNACCOUNTED = "unaccounted"


class TaskRule(Sourced):
    """How long a person has for a step, counted from the moment it is offered."""

    due: ElapsedText
    remind: ElapsedText
    """When the assignee is reminded, counted from the offer; before `due`."""
    role: Role
    stand_in: Role
    """Who gets the task when it is overdue. A task of this step that is offered to another function than `role` goes to
    that function's head, and so does one whose stand-in is the head."""

    @model_validator(mode="after")
    def _reminds_first(self) -> "TaskRule":
        if not timedelta(0) < self.remind.as_timedelta() < self.due.as_timedelta():
            raise ValueError(f"remind {self.remind} must lie before due {self.due}")
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
    notify: DueFigure
    ladder: LadderRules
    effectiveness: Effectiveness
    obligations: tuple[Obligation, ...] = ()
