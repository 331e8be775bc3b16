"""A ladder with stages, as the shipped profiles have them: two messages and a call for each stage."""

from datetime import timedelta

from domain.ladder import ContactRule, Ladder, LadderStep, StageLadder, StepKind
from domain.stages import Owed
from tests.campaign.world import DAY

HOUR = timedelta(hours=1)


def _stage(owed: Owed, days: int) -> StageLadder:
    return StageLadder(
        owed=owed,
        steps=(
            LadderStep(kind=StepKind.REMINDER, after=days * DAY),
            LadderStep(kind=StepKind.ESCALATION, after=days * DAY, contact=ContactRule.OTHER_CHANNEL),
            LadderStep(kind=StepKind.PHONE, after=days * DAY, contact=ContactRule.NEXT_CONTACT),
        ),
    )


STAGED = Ladder(
    steps=(
        LadderStep(kind=StepKind.FIRST, after=timedelta(0)),
        LadderStep(kind=StepKind.REMINDER, after=DAY),
        LadderStep(kind=StepKind.PHONE, after=DAY),
    ),
    stages=(_stage(Owed.QUANTITIES, 1), _stage(Owed.ACTION, 3)),
)
"""Reminder a day after each notice; the quantities a day apart, the action three days apart."""
