"""Whether an authority's time to comment is over, as a check before its gate is passed."""

from collections.abc import Awaitable, Callable

from api.problems import Problem
from api.state import ApiState
from db.repositories import comment_windows
from models.recall import Recall

Check = Callable[[Recall], Awaitable[None]]


def window_over(state: ApiState, gate: str, *, answered: bool) -> Check:
    """A check to run before a gate is passed: its comment window has ended, or the authority has answered.

    A gate whose draft was sent in another way is passed on the evidence named; a waiver never comes here.

    Raises (when run):
        Problem: 409 with the end of the window, any conflict with the notice limit and how to settle it.
    """

    async def check(recall: Recall) -> None:
        now = state.now()
        async with state.sessions() as session:
            found = await comment_windows.windows(session, recall)
        window = next((each for each in found if f"{each.jurisdiction}:{each.gate}" == gate), None)
        if window is None or answered or not window.is_open(now) or window.ends_at is None:
            return
        conflict = f" {window.conflict}" if window.conflict else ""
        raise Problem(
            "comment_window_open",
            f"The authority may comment until {window.ends_at:%Y-%m-%d %H:%M} UTC ({window.source}); "
            f"state `answered` when it has.{conflict}",
            ends_at=window.ends_at.isoformat(),
        )

    return check


def both(first: Check, second: Check) -> Check:
    """Two checks, one after the other."""

    async def check(recall: Recall) -> None:
        await first(recall)
        await second(recall)

    return check


__all__ = ["both", "window_over"]
