"""What the records of a recall demand of an assessment before it is sent: actions its laws know, items they want."""

from collections.abc import Awaitable, Callable, Sequence

from api.desk import Desk
from api.problems import Problem
from db.repositories import recalls
from domain.hazard import HazardEvaluation
from domain.hazard_rules import missing_items
from domain.levels import MarketAction
from models.recall import Recall
from models.schemas_common import FieldProblem

Check = Callable[[Recall], Awaitable[None]]


def actions_fit(desk: Desk, named: Sequence[tuple[str, str, MarketAction]]) -> Check:
    """A check to run before a decision: each law knows the action named for it.

    Args:
        named: (JSON pointer, jurisdiction, action).

    Raises (when run):
        Problem: 422 with one error per action.
    """

    async def check(recall: Recall) -> None:
        async with desk.state.sessions() as session:
            known = {policy.id: policy.actions for policy in await recalls.pinned(session, recall.number)}
        faults = [
            FieldProblem(pointer=pointer, detail=f"{law} knows {', '.join(known[law])}, not {action.value}")
            for pointer, law, action in named
            if law in known and action not in known[law]
        ]
        if faults:
            raise Problem("invalid", "A market action is not one of its law; see `errors`.", errors=faults)

    return check


def form_fits(desk: Desk, evaluation: HazardEvaluation, named: Sequence[tuple[str, str, MarketAction]]) -> Check:
    """A check to run before an evaluation: the form has what the recall's laws want, and the actions are theirs.

    Raises (when run):
        Problem: 422 with one error per missing item or unknown action.
    """
    actions = actions_fit(desk, named)

    async def check(recall: Recall) -> None:
        faults = [
            FieldProblem(pointer=f"#/evaluation/{item.field}", detail=f"required: {item.why}")
            for item in missing_items(evaluation, recall.jurisdictions)
        ]
        if faults:
            raise Problem("invalid", "The form lacks what a law of this recall wants; see `errors`.", errors=faults)
        await actions(recall)

    return check


__all__ = ["actions_fit", "form_fits"]
