"""Checks of a class decision before it is sent: levels named must cover their class, new facts lie in the past."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from api.desk import Desk
from api.problems import Problem
from db.repositories import recalls
from domain.levels import RecallClass
from domain.policy_levels import level_fault
from models.recall import Recall
from models.schemas_changes import AuthorityClassIn
from models.schemas_common import FieldProblem
from models.schemas_decisions import ClassOverrideIn


def levels_fit(
    desk: Desk,
    overrides: Sequence[ClassOverrideIn],
    facts_known_at: datetime | None = None,
    authority: Sequence[AuthorityClassIn] = (),
) -> Callable[[Recall], Awaitable[None]]:
    """A check to run before a decision on classes.

    Raises (when run):
        Problem: 422 with one error per level that does not cover its class, or for facts from the future.
    """

    async def check(recall: Recall) -> None:
        faults = []
        if facts_known_at is not None and facts_known_at > desk.state.now():
            faults.append(FieldProblem(pointer="#/facts_known_at", detail="expected an instant that has passed"))
        named: list[tuple[str, ClassOverrideIn | AuthorityClassIn]] = [
            *((f"#/overrides/{index}/level", each) for index, each in enumerate(overrides)),
            *((f"#/authority/{index}/level", each) for index, each in enumerate(authority)),
        ]
        if any(each.level for _, each in named):
            async with desk.state.sessions() as session:
                policies = {policy.id: policy for policy in await recalls.pinned(session, recall.number)}
            for pointer, each in named:
                policy = policies.get(each.jurisdiction)
                if policy is None or each.level is None:
                    continue
                fault = level_fault(policy, RecallClass(each.recall_class), each.level)
                if fault is not None:
                    faults.append(FieldProblem(pointer=pointer, detail=fault))
        if faults:
            raise Problem("invalid", "The decision does not fit the policies; see `errors`.", errors=faults)

    return check


__all__ = ["levels_fit"]
