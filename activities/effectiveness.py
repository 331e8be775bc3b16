"""Effectiveness checks as the recall turns them: each look is one transaction, a repeat finds nothing to do."""

from temporalio import activity

from db.engine import SessionFactory
from db.repositories import effectiveness, mass_balance, recalls, unaccounted
from models.messages import EffectivenessFigures, EffectivenessTurn


class EffectivenessActivities:
    """Draws, judges and widens rounds of checks."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def effectiveness_turn(self, turn: EffectivenessTurn) -> EffectivenessFigures:
        """Do whatever is due for the checks at `turn.now`, then say where they stand.

        Once the level is met, what is left unaccounted for is no longer the consignees' to explain: beyond the
        policy's share the head of quality gets the task to search and sign.
        """
        async with self._sessions.begin() as session:
            figures = await effectiveness.turn(session, turn.number, turn.now)
            if figures.passed:
                lots = (await mass_balance.balance(session, turn.number)).unsigned
                await unaccounted.follow(session, await recalls.get(session, turn.number), lots, turn.now)
            return figures


__all__ = ["EffectivenessActivities"]
