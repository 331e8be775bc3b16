"""Whether an authority's time to comment is over, as a check before its gate is passed."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from api.problems import Problem
from api.state import ApiState
from db.repositories import comment_windows
from models.messages import PassGate
from models.recall import Recall
from models.schemas_common import FieldProblem

Check = Callable[[Recall], Awaitable[None]]


def window_over(state: ApiState, decision: PassGate) -> Check:
    """A check to run before a gate is passed: its comment window has ended, or the authority's answer is evidence.

    A gate whose draft was sent in another way is passed on the evidence named; a waiver never comes here.

    Raises (when run):
        Problem: 409 with the end of the window, any conflict with the notice limit and how to settle it; 422
            `evidence_required` where the answer is stated within the window and nothing shows it.
    """

    async def check(recall: Recall) -> None:
        now = state.now()
        async with state.sessions() as session:
            found = await comment_windows.windows(session, recall)
        window = next((each for each in found if f"{each.jurisdiction}:{each.gate}" == decision.gate), None)
        if window is None or not window.is_open(now) or window.ends_at is None:
            return
        if decision.answered:
            _shown(decision, window.ends_at)
            return
        conflict = f" {window.conflict}" if window.conflict else ""
        raise Problem(
            "comment_window_open",
            f"The authority may comment until {window.ends_at:%Y-%m-%d %H:%M} UTC ({window.source}); "
            f"state `answered` with its answer as evidence when it has.{conflict}",
            ends_at=window.ends_at.isoformat(),
        )

    return check


def _shown(decision: PassGate, ends_at: datetime) -> None:
    """Refuse an answer within the window that no file shows."""
    if not decision.evidence_ids:
        fault = FieldProblem(pointer="#/evidence_ids", detail="expected the authority's answer, at least one file")
        raise Problem(
            "evidence_required",
            f"The authority may comment until {ends_at:%Y-%m-%d %H:%M} UTC; that it has is shown by its answer.",
            errors=[fault],
        )


def both(first: Check, second: Check) -> Check:
    """Two checks, one after the other."""

    async def check(recall: Recall) -> None:
        await first(recall)
        await second(recall)

    return check


__all__ = ["both", "window_over"]
