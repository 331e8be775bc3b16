"""Intake: pin the policies, start the awareness clock, trace the suspect lots into scope version 1."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import audit, branch_facts, recalls, scope_versions
from domain.branch_state import BranchState, DueExtraTask, effective, extra_tasks, needed_signers
from domain.firm import Firm
from domain.policy import Policy
from domain.policy_approvals import ApprovalStep
from domain.policy_parts import HumanStep
from domain.scope import UnknownScope
from domain.task_times import strictest_limit
from models.messages import (
    BeginIntake,
    ExtraTaskFigures,
    FiredFigures,
    PolicyFigures,
    RecallScopeRef,
    ScopeFigures,
    StepLimit,
)

SYSTEM_ROLE = "system"
_GROWN, _CHANGED = "scope.consignees_added", "scope.changed"


def policy_figures(policies: Sequence[Policy], written: Sequence[Policy], state: BranchState) -> PolicyFigures:
    """The strictest figure of several policies for each human step and for the hold watch.

    Args:
        policies: as they count in `state`.
        written: the same as they are pinned, with the branches that ask for extra tasks and signatures.
    """
    return PolicyFigures(
        policies=tuple(f"{policy.id}@{policy.version}" for policy in policies),
        step_limits=tuple(_step_limit(step, policies) for step in HumanStep),
        hold_watch=_least(policy.hold.look_again_every.as_timedelta() for policy in policies),
        hold_retry=_least(policy.hold.watch_every.as_timedelta() for policy in policies),
        extra_tasks=tuple(_extra_task(each) for each in extra_tasks(written, state)),
        fired=tuple(
            FiredFigures(policy=each.policy, branch=each.branch, title=each.title[:200], since=each.since)
            for each in state.holding()
        ),
        signers={
            step.value: tuple(role.value for role in needed_signers(written, state, step)) for step in ApprovalStep
        },
    )


def _extra_task(due: DueExtraTask) -> ExtraTaskFigures:
    task = due.task
    return ExtraTaskFigures(
        key=due.key,
        title=task.title[:300],
        phase=task.phase.value,
        role=task.role.value,
        stand_in=task.stand_in.value,
        limit=task.due.as_timedelta(),
        remind=task.remind.as_timedelta(),
        evidence_required=task.evidence_required,
    )


def _step_limit(step: HumanStep, policies: Sequence[Policy]) -> StepLimit:
    rule = strictest_limit([policy.tasks[step] for policy in policies])
    return StepLimit(step=step.value, limit=rule.limit, remind=rule.remind, role=rule.role, stand_in=rule.stand_in)


def _least(limits: Iterable[timedelta]) -> timedelta:
    return min(limits)


class IntakeActivities:
    """First activities of a recall; each may run again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory, policies: PolicyStore, firm: Firm) -> None:
        self._sessions = sessions
        self._policies = policies
        self._firm = firm

    @activity.defn
    async def begin_intake(self, begin: BeginIntake) -> PolicyFigures:
        """Pin the policies in force for the recall's jurisdictions and record when we became aware.

        Raises:
            ApplicationError: `PolicyFault` when a jurisdiction has no policy in force that day.
        """
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, begin.number, lock=True)
            if await recalls.pins(session, begin.number):
                return await self._figures(session, begin.number)
            policies = [await self._in_force(session, each, begin) for each in sorted(set(recall.jurisdictions))]
            await recalls.pin(session, begin.number, policies, begin.now)
            await recalls.start_clock(
                session,
                begin.number,
                "awareness",
                recall.awareness_at,
                source=f"intake: {recall.trigger_source}",
                author=recall.started_by,
                now=begin.now,
            )
            pinned = [f"{policy.id}@{policy.version}" for policy in policies]
            await audit.append(
                session,
                begin.number,
                actor=SYSTEM_ROLE,
                role=SYSTEM_ROLE,
                action="intake.policies_pinned",
                at=begin.now,
                data={"policies": pinned, "awareness_at": recall.awareness_at},
            )
            # What the alarm itself says (a drill, its trigger) may start a branch before anything is traced.
            await branch_facts.refresh(session, begin.number, begin.now, self._firm)
            return await self._figures(session, begin.number)

    async def _figures(self, session: AsyncSession, number: str) -> PolicyFigures:
        written = await recalls.pinned_as_written(session, number)
        state = await branch_facts.state_of(session, number)
        return policy_figures([effective(policy, state) for policy in written], written, state)

    async def _in_force(self, session: AsyncSession, policy_id: str, begin: BeginIntake) -> Policy:
        policy = await self._policies.in_force(session, policy_id, begin.now)
        if policy is None:
            raise ApplicationError(f"no policy {policy_id} is in force on {begin.now.date()}", type="PolicyFault")
        return policy

    @activity.defn
    async def resolve_scope(self, ref: RecallScopeRef) -> ScopeFigures:
        """Trace the scope version in force into lots, consignees and gaps; again when records have arrived.

        Raises:
            ApplicationError: `UnknownScope` when the criteria name nothing on record, `InvalidInput` for a version
                that nobody has decided.
        """
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, ref.number, lock=True)
            try:
                traced = await scope_versions.resolve(session, recall, ref.scope_version, ref.now)
            except UnknownScope as error:
                raise ApplicationError(str(error), type="UnknownScope") from error
            except scope_versions.NoSuchVersion as error:
                raise ApplicationError(str(error), type="InvalidInput") from error
            found, figures = traced.summary, traced.figures
            if traced.first or found.added_consignees or found.changes or found.run:
                await audit.append(
                    session,
                    ref.number,
                    actor=SYSTEM_ROLE,
                    role=SYSTEM_ROLE,
                    action="scope.traced" if traced.first else _GROWN if found.added_consignees else _CHANGED,
                    at=ref.now,
                    data=figures.model_dump(mode="json")
                    | {
                        "gaps_by_kind": found.gaps,
                        "added_consignees": found.added_consignees,
                        "changes": found.changes,
                    }
                    | traced.frozen,
                )
            move = await branch_facts.look(session, ref.number, ref.now, self._firm)
            return figures.model_copy(update={"branches_move": move})
