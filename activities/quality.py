"""The look at quality's files: each file with something due is turned in a transaction of its own."""

from temporalio import activity

from db.engine import SessionFactory
from db.repositories import files, quality_turn, recurrence, task_turns
from models.messages_quality import QualityTurned, TurnQuality, WaitingMessages


class QualityActivities:
    """Looks that may be repeated: a file that was turned has nothing due any more."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def turn_quality(self, look: TurnQuality) -> QualityTurned:
        """Remind, hand over and escalate what is due at `look.now`; says when to look again and what to send."""
        async with self._sessions() as session:
            due = await quality_turn.due(session, look.now)
        for number, keys in due:
            async with self._sessions.begin() as session:
                file = await files.get(session, number)
                await task_turns.turn(session, file, keys, look.now)
        asked = 0
        async with self._sessions() as session:
            closed = await recurrence.watched(session, look.now)
        for capa_id in closed:
            async with self._sessions.begin() as session:
                asked += await recurrence.look(session, capa_id, look.now)
        async with self._sessions() as session:
            next_at = await quality_turn.next_due(session, look.now)
            waiting = await quality_turn.waiting(session)
        return QualityTurned(
            turned=sum(len(keys) for _, keys in due) + asked,
            next_at=look.now if len(due) == quality_turn.MOST else next_at,
            waiting=tuple(WaitingMessages(number=number, channel=channel) for number, channel in waiting),
        )


__all__ = ["QualityActivities"]
