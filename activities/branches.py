"""The activity by which a recall looks at the facts its policies branch on, and takes up what follows from them.

One transaction: facts and branches, open tasks that are due earlier, extra tasks that are not asked for any more, and
the deadlines of what is owed now. The workflows whose tasks moved are told after the commit; a repeat after a crash
tells them again and changes nothing else.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from activities.class_rows import figures_in_force
from activities.intake import policy_figures
from activities.nudging import has_ended
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import branch_facts, branch_tasks, recalls
from domain.branch_state import effective, extra_tasks
from domain.firm import Firm
from domain.workflow_ids import recall_id
from models.messages import BranchFigures, DecisionFigures, RecallRef
from models.recall import Recall

Tell = Callable[[str, str], Awaitable[None]]
"""Tell a workflow (id) that a task of its own (key) moved."""
TASK_MOVED: Final = "task_moved"


def teller(client: Client) -> Tell:
    """Tell by signal; a workflow that has ended has no timers to correct."""

    async def tell(workflow_id: str, key: str) -> None:
        handle: Any = client.get_workflow_handle(workflow_id)
        try:
            await handle.signal(TASK_MOVED, key)
        except RPCError as error:
            if not has_ended(error):
                raise  # away: the activity is tried again

    return tell


class BranchActivities:
    """Reads the facts of a recall and turns its branches; may run again after a crash."""

    def __init__(self, sessions: SessionFactory, policies: PolicyStore, firm: Firm, tell: Tell) -> None:
        self._sessions = sessions
        self._policies = policies
        self._firm = firm
        self._tell = tell

    @activity.defn
    async def turn_branches(self, ref: RecallRef) -> BranchFigures:
        """Bring facts and branches up to date and say what the policies ask for now."""
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, ref.number, lock=True)
            written = await recalls.pinned_as_written(session, ref.number)
            before = await branch_facts.state_of(session, ref.number)
            found = await branch_facts.refresh(session, ref.number, ref.now, self._firm)
            after = [effective(policy, found.state) for policy in written]
            owners: list[branch_tasks.Owner] = []
            if found.fired or found.ended:
                old = [effective(policy, before) for policy in written]
                owners += await branch_tasks.pull(session, recall, old, after, ref.now)
            wanted = frozenset(each.key for each in extra_tasks(written, found.state))
            owners += await branch_tasks.cancel_ended(session, recall, wanted, found.ended, ref.now)
            figures = policy_figures(after, written, found.state)
            # A repeat whose first answer was lost finds nothing new: the instant says that it was this look.
            moved = found.state.changed_at == ref.now
            decided = await self._decided(session, recall, ref) if moved or found.facts else None
            if moved and not owners:
                owners = await branch_tasks.owners(session, ref.number)
        for workflow_id, key in dict(owners).items():
            # The recall that asked reads its own tasks again by itself.
            if workflow_id != recall_id(ref.number):
                await self._tell(workflow_id, key)
        return BranchFigures(figures=figures, decided=decided, moved=moved)

    async def _decided(self, session: AsyncSession, recall: Recall, ref: RecallRef) -> DecisionFigures | None:
        """What follows from the classes in force under the policies as they count now; None before the decision."""
        if recall.recall_class is None:
            return None
        return await figures_in_force(session, self._policies, recall, ref.now)


__all__ = ["TASK_MOVED", "BranchActivities", "Tell", "teller"]
