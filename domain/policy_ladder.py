"""Ladders of a regulation profile: how silent consignees are asked again, and those that owe a later stage.

Times are written as the sources state them, from the first notice or from the start of a stage; `build` counts each
step from the one before.
"""

from collections.abc import Iterable
from datetime import timedelta

from pydantic import model_validator

from domain.ladder import ContactRule, Ladder, LadderStep, StageLadder, StepKind
from domain.limits import ElapsedText
from domain.policy_figures import Part, Sourced
from domain.roles import Role
from domain.stages import Owed


class Step(Sourced):
    """A step of the ladder, `after` counted from the first notice (as the sources state it)."""

    after: ElapsedText
    contact: ContactRule = ContactRule.SAME
    role: Role | None = None
    """Who does it, for the steps a person does."""


class StageRules(Part):
    """How whoever owes a stage of its answer is asked, `after` counted from the start of the stage."""

    reminder: Step
    escalation: Step
    phone: Step
    """The end of the messages: a person calls, and the consignee becomes a case."""

    @model_validator(mode="after")
    def _rises(self) -> "StageRules":
        times = [step.after.as_timedelta() for step in (self.reminder, self.escalation, self.phone)]
        if not timedelta(0) < times[0] < times[1] < times[2]:
            raise ValueError("expected reminder before escalation before phone, all after the stage began")
        return self

    def build(self, owed: Owed) -> StageLadder:
        """The ladder of the stage, each step counted from the one before."""
        rules = (
            (StepKind.REMINDER, self.reminder),
            (StepKind.ESCALATION, self.escalation),
            (StepKind.PHONE, self.phone),
        )
        return StageLadder(owed=owed, steps=_steps(rules))


class LadderRules(Part):
    """Reminder, deputy, escalation and telephone call after the first notice; then the stages of the answer."""

    first_reminder: Step
    deputy: Step | None = None
    """The next contact is told too, before another channel is tried; none: the escalation does both."""
    escalation: Step
    phone: Step
    quantities: StageRules | None = None
    """From the acknowledgement to the quantities; none: a call after as long as a silent consignee is chased."""
    action: StageRules | None = None
    """From the quantities until what the notice asks for is done; none: nobody is asked by message."""

    @model_validator(mode="after")
    def _rises(self) -> "LadderRules":
        times = [step.after.as_timedelta() for step in (self.first_reminder, self.escalation, self.phone)]
        if not timedelta(0) < times[0] < times[1] < times[2]:
            raise ValueError("expected first_reminder before escalation before phone, all after the notice")
        if self.deputy and not times[0] < self.deputy.after.as_timedelta() < times[1]:
            raise ValueError("deputy: expected after first_reminder and before escalation")
        return self

    def build(self) -> Ladder:
        """The ladder with each step counted from the one before."""
        rules = [(StepKind.REMINDER, self.first_reminder), (StepKind.ESCALATION, self.escalation)]
        # A branch may have made the escalation earlier than the deputy, who is told by it then.
        if self.deputy and self.deputy.after.as_timedelta() < self.escalation.after.as_timedelta():
            rules.insert(1, (StepKind.ESCALATION, self.deputy))
        stages = ((Owed.QUANTITIES, self.quantities), (Owed.ACTION, self.action))
        return Ladder(
            steps=(
                LadderStep(kind=StepKind.FIRST, after=timedelta(0)),
                *_steps((*rules, (StepKind.PHONE, self.phone))),
            ),
            stages=tuple(rule.build(owed) for owed, rule in stages if rule is not None),
        )


def _steps(rules: Iterable[tuple[StepKind, Step]]) -> tuple[LadderStep, ...]:
    previous, steps = timedelta(0), []
    for kind, rule in rules:
        offset = rule.after.as_timedelta()
        steps.append(LadderStep(kind=kind, after=offset - previous, contact=rule.contact))
        previous = offset
    return tuple(steps)


__all__ = ["LadderRules", "StageRules", "Step"]
