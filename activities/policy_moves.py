"""The activity that moves a running recall to other versions of its profiles, in one transaction.

The preview is computed anew: a move whose preview has changed since it was read is refused and writes nothing. New pins
beside the old ones, branches under the new conditions, deadlines and open tasks that become earlier, never later; the
workflows whose tasks moved are told after the commit.
"""

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.branches import Tell
from activities.class_rows import figures_in_force
from activities.intake import policy_figures
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import assessment, audit, branch_facts, branch_tasks, policy_moves, recalls
from db.repositories.policy_moves import MoveRefused, Preview
from domain.branch_state import effective, extra_tasks
from domain.firm import Firm
from domain.policy import Policy
from domain.roles import Permission, acting_role
from domain.workflow_ids import recall_id
from models.messages import BranchFigures, MovePolicies, RecordDecision
from models.recall import Recall

STEP = "policies"
_MEANING = "this recall is held to other versions of its policies from now on"


class PolicyMoveActivities:
    """Runs again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory, policies: PolicyStore, firm: Firm, tell: Tell) -> None:
        self._sessions = sessions
        self._policies = policies
        self._firm = firm
        self._tell = tell

    @activity.defn
    async def record_policy_move(self, record: RecordDecision) -> BranchFigures:
        """Pin the new versions and say what they ask for now.

        Raises:
            ApplicationError: `HashMismatch` when the preview has changed, `InvalidInput` or `WrongState` for versions
                that cannot be moved to.
        """
        decision = MovePolicies.model_validate(record.decision)
        targets = {each.policy: each.version for each in decision.targets}
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, record.number, lock=True)
            if await policy_moves.was_moved(session, record.number, targets, record.now):
                owners = await branch_tasks.owners(session, record.number)
            else:
                found = await self._previewed(session, recall, decision, targets, record)
                owners = await self._move(session, recall, decision, found, record)
            figures = await self._figures(session, recall, record)
        for workflow_id, key in dict(owners).items():
            # The recall that asked reads its own tasks again by itself.
            if workflow_id != recall_id(record.number):
                await self._tell(workflow_id, key)
        return figures

    async def _previewed(
        self,
        session: AsyncSession,
        recall: Recall,
        decision: MovePolicies,
        targets: dict[str, int],
        record: RecordDecision,
    ) -> Preview:
        try:
            found = await policy_moves.preview(session, recall, targets, self._policies.calendar, record.now)
        except MoveRefused as error:
            raise ApplicationError(str(error), type=error.kind, non_retryable=True) from error
        if found.sha256 != decision.preview_sha256:
            text = f"what the move changes is not what was read; its preview has the hash {found.sha256} now"
            raise ApplicationError(text, type="HashMismatch", non_retryable=True)
        return found

    async def _move(
        self, session: AsyncSession, recall: Recall, decision: MovePolicies, found: Preview, record: RecordDecision
    ) -> list[branch_tasks.Owner]:
        number, now = record.number, record.now
        before = await self._effective(session, number)
        await policy_moves.repin(session, recall, found.moves, decision.actor.principal, now)
        await _sign(session, decision, found, record)
        looked = await branch_facts.refresh(session, number, now, self._firm)
        owners = await branch_tasks.pull(session, recall, before, await self._effective(session, number), now)
        written = await recalls.pinned_as_written(session, number)
        wanted = frozenset(each.key for each in extra_tasks(written, looked.state))
        return owners + await branch_tasks.cancel_ended(session, recall, wanted, looked.ended, now)

    async def _effective(self, session: AsyncSession, number: str) -> list[Policy]:
        return await recalls.pinned(session, number)

    async def _figures(self, session: AsyncSession, recall: Recall, record: RecordDecision) -> BranchFigures:
        state = await branch_facts.state_of(session, record.number)
        written = await recalls.pinned_as_written(session, record.number)
        figures = policy_figures([effective(policy, state) for policy in written], written, state)
        decided = None
        if recall.recall_class is not None:
            decided = await figures_in_force(session, self._policies, recall, record.now)
        return BranchFigures(figures=figures, decided=decided, moved=True)


async def _sign(session: AsyncSession, decision: MovePolicies, found: Preview, record: RecordDecision) -> None:
    actor = decision.actor
    role = acting_role(actor.roles, Permission.MOVE_POLICIES)
    body = {"moves": [move.said() for move in found.moves], "preview_sha256": found.sha256}
    sign_off = assessment.sign_off(
        record.number,
        STEP,
        "signed",
        actor=actor.principal,
        role=role,
        meaning=_MEANING,
        at=record.now,
        reason=decision.reason,
        body=body,
        signature=actor.signature,
    )
    await assessment.sign(session, sign_off)
    await audit.append(
        session,
        record.number,
        actor=actor.principal,
        role=role,
        action="policies.moved",
        at=record.now,
        reason=decision.reason,
        data={**body, "deadlines": [change.said() for change in found.deadlines]},
        signature=actor.signature,
    )


__all__ = ["STEP", "PolicyMoveActivities"]
