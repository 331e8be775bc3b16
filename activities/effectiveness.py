"""Effectiveness checks as the recall turns them: each look is one transaction, a repeat finds nothing to do."""

from temporalio import activity

from db.engine import SessionFactory
from db.repositories import effectiveness
from models.messages import EffectivenessFigures, EffectivenessTurn


class EffectivenessActivities:
    """Draws, judges and widens rounds of checks."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def effectiveness_turn(self, turn: EffectivenessTurn) -> EffectivenessFigures:
        """Do whatever is due for the checks at `turn.now`, then say where they stand."""
        async with self._sessions.begin() as session:
            return await effectiveness.turn(session, turn.number, turn.now)


__all__ = ["EffectivenessActivities"]
