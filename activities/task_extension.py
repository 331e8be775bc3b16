"""More time for a person: a signed decision that moves a task's due time, never a limit of law."""

from temporalio import activity

from db.engine import SessionFactory
from db.repositories import audit, closing, recalls
from domain.roles import Permission, acting_role
from models.messages import ExtendDeadline, RecordDecision, TaskExtended


class TaskExtensionActivities:
    """Runs again after a crash and then changes nothing."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def extend_task(self, record: RecordDecision) -> TaskExtended:
        """Move the due time of an open task to a later one, and its reminder and escalation with it."""
        decision = ExtendDeadline.model_validate(record.decision)
        actor = decision.actor
        async with self._sessions.begin() as session:
            recall = await recalls.get(session, record.number)
            task = await closing.task_of(session, record.number, decision.key)
            if task is None:
                return TaskExtended(outcome="unknown")
            if task.step in closing.LEGAL_STEPS:
                return TaskExtended(outcome="legal", owner=task.owner, due_at=task.due_at)
            if task.due_at == decision.due_at:
                return TaskExtended(outcome="moved", owner=task.owner, due_at=task.due_at)
            if decision.due_at <= max(record.now, task.due_at or record.now):
                return TaskExtended(outcome="not_later", owner=task.owner, due_at=task.due_at)
            before = task.due_at
            closing.give_more_time(recall, task, decision.due_at)
            session.add(task)
            await audit.append(
                session,
                record.number,
                actor=actor.principal,
                role=acting_role(actor.roles, Permission.REASSIGN_TASKS),
                action="task.extended",
                at=record.now,
                reason=decision.reason,
                data={"key": decision.key, "from": before, "to": decision.due_at},
                signature=actor.signature,
            )
            return TaskExtended(outcome="moved", owner=task.owner, due_at=task.due_at)


__all__ = ["TaskExtensionActivities"]
