"""What a look at a campaign binds for each of its walks: over the notice's ladder, and over each stage's."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from db.repositories.stages_sql import OWING_STATE
from domain.ladder import LadderStep, StageLadder, StepKind, stages_of
from domain.stages import BASE
from models.messages import AdvanceCampaign

BODY_KIND: Final = {StepKind.FIRST: "initial", StepKind.REMINDER: "reminder", StepKind.ESCALATION: "escalation"}
"""Which approved body a ladder step sends; a telephone step sends none."""

_MOST_SLACK: Final = timedelta(minutes=10)


def figures_of(request: AdvanceCampaign, campaign: Any) -> list[dict[str, Any]]:
    """Parameters of `campaign_sql.ADVANCE`, one set per walk; the notice's own ladder first."""
    stages = (_stage_figures(request, campaign, each) for each in stages_of(request.ladder))
    return [_notice_figures(request, campaign), *stages]


def _notice_figures(request: AdvanceCampaign, campaign: Any) -> dict[str, Any]:
    """Of the walk over the ladder of the notice itself."""
    kinds = [BODY_KIND.get(step.kind, "") for step in request.ladder.steps]
    lane = {"state": "open", "base": 0, "owed": None, "amended": campaign.kind == "amendment"}
    return _figures(request, campaign, request.ladder.steps, kinds) | lane


def _stage_figures(request: AdvanceCampaign, campaign: Any, stage: StageLadder) -> dict[str, Any]:
    """Of the walk over the ladder of a stage; all its messages have the stage's own body."""
    kinds = ["" if step.kind is StepKind.PHONE else stage.owed.value for step in stage.steps]
    lane = {"state": OWING_STATE[stage.owed], "base": BASE[stage.owed], "owed": stage.owed.value, "amended": False}
    return _figures(request, campaign, stage.steps, kinds) | lane


def _figures(
    request: AdvanceCampaign, campaign: Any, steps: Sequence[LadderStep], body_kinds: Sequence[str]
) -> dict[str, Any]:
    """What the statement binds of the request, one list entry per ladder step."""
    waits = [step.after / request.pace for step in steps]
    return {
        "number": request.number,
        "campaign": request.campaign_id,
        "notice": campaign.notice_id,
        "sequence": campaign.sequence,
        "priority": request.priority,
        "channels": list(request.channels),
        "now": request.now,
        "kinds": [step.kind.value for step in steps],
        "body_kinds": list(body_kinds),
        "rules": [step.contact.value for step in steps],
        "waits": waits,
        "slacks": [slack(wait) for wait in waits],
        "steps": len(steps),
        "sending_steps": sum(step.kind is not StepKind.PHONE for step in steps),
    }


def slack(wait: timedelta) -> timedelta:
    """How much earlier than its instant a step may be taken, so that steps a few seconds apart are one walk.

    A fiftieth of the step's wait and at most ten minutes; at a fast pace up to one second (a quarter of the wait).
    """
    return min(_MOST_SLACK, max(wait / 50, min(wait / 4, timedelta(seconds=1))))


__all__ = ["BODY_KIND", "figures_of", "slack"]
