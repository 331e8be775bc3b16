"""Whether a notice may be released as far as its content goes: a check before the release is sent to the workflow."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from api.problems import Problem
from api.state import ApiState
from db.repositories import notice_checks
from db.repositories.notice_checks import Standing
from models.messages import ApproveNotice
from models.recall import Recall

_MOST: Final = 200


def content_fits(state: ApiState, decision: ApproveNotice) -> Callable[[Recall], Awaitable[None]]:
    """A check to run before a notice is released.

    What is not about content is the workflow's to refuse: an unknown notice, another hash, another person.

    Raises (when run):
        Problem: 409 `notice_refused` with `elements`, each refused one by name; 409 `review_needed` with `passages`
            that no reviewer has confirmed.
    """

    async def check(recall: Recall) -> None:
        async with state.sessions() as session:
            found = await notice_checks.standing(session, recall.number, decision.notice_id)
        if found is None or found.notice.sha256 != decision.sha256 or found.notice.approved_at is not None:
            return
        _refuse(found)

    return check


def _refuse(found: Standing) -> None:
    if found.check is None or not found.covers:
        raise Problem(
            "notice_refused",
            "No content check of exactly these bodies is on record; correct the texts (even unchanged) to have the "
            "notice drafted and checked again.",
            elements=[],
        )
    if found.check.refusals:
        names = ", ".join(dict.fromkeys(str(each["element"]) for each in found.check.refusals))
        elements: list[dict[str, Any]] = found.check.refusals[:_MOST]
        raise Problem("notice_refused", f"The content check refuses: {names}.", elements=elements)
    if waiting := found.unconfirmed:
        passages = [{name: each[name] for name in ("id", "language", "field", "why", "why_zh")} for each in waiting]
        raise Problem(
            "review_needed",
            f"{len(waiting)} passages have to be confirmed by a named reviewer who did not write them.",
            passages=passages,
        )


__all__ = ["content_fits"]
