"""The completion checklist for the recall's workflow: what stands in the way of its two signatures."""

from temporalio import activity

from db.engine import SessionFactory
from db.repositories import checklist
from domain.checklist import still_open
from models.messages import ChecklistFigures, RecallRef


class ChecklistActivities:
    """Reads the checklist; it changes nothing."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def read_checklist(self, ref: RecallRef) -> ChecklistFigures:
        """The open items at `ref.now`, long lists cut to what a payload may carry."""
        async with self._sessions() as session:
            items = await checklist.checklist(session, ref.number, ref.now)
        return ChecklistFigures(open=tuple(item.cut() for item in still_open(items)))


__all__ = ["ChecklistActivities"]
