"""The activity by which the disposition workflow looks at the record; all of it is one transaction."""

from temporalio import activity

from db.engine import SessionFactory
from db.repositories import disposition_turn
from models.messages import DispositionLook, DispositionTurn


class DispositionActivities:
    """Reads what is left to dispose of, and keeps tasks, shortages and allocations in line with it."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def look_at_disposition(self, turn: DispositionTurn) -> DispositionLook:
        """Bring tasks, shortages and proposals up to date and count what is open; a repeat changes nothing."""
        async with self._sessions.begin() as session:
            return await disposition_turn.look(session, turn)


__all__ = ["DispositionActivities"]
