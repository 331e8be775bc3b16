"""Check of a strategy before it is signed: it uses only channels that a policy of the recall names."""

from collections.abc import Awaitable, Callable

from api.desk import Desk
from api.problems import Problem
from db.repositories import recalls
from models.messages_decisions import Strategy
from models.recall import Recall
from models.schemas_common import FieldProblem


def channels_fit(desk: Desk, strategy: Strategy) -> Callable[[Recall], Awaitable[None]]:
    """A check to run before a strategy is signed.

    Raises (when run):
        Problem: 422 with one error per channel that no policy of the recall allows.
    """

    async def check(recall: Recall) -> None:
        async with desk.state.sessions() as session:
            policies = await recalls.pinned(session, recall.number)
        allowed = dict.fromkeys(channel.value for policy in policies for channel in policy.channels.all_named())
        if not allowed:
            return  # before the policies are pinned there is no strategy to sign; the workflow says so
        expected = f"expected one of {', '.join(allowed)}, the channels of the recall's policies"
        faults = [
            FieldProblem(pointer=f"#/strategy/channels/{index}", detail=expected)
            for index, channel in enumerate(strategy.channels)
            if channel not in allowed
        ]
        if faults:
            raise Problem("invalid", "The strategy does not fit the policies; see `errors`.", errors=faults)

    return check


__all__ = ["channels_fit"]
