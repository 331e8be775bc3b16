"""The activity by which a recall takes up reports of harm: their clocks' deadlines, their tasks, and the product lines
whose hazard has to be evaluated again (21 CFR 803, MDR Art 87, design §2a)."""

from temporalio import activity

from activities.limits import DeadlineWriter
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import complaint_followup, recalls, staff_messages
from models.messages import ComplaintFigures, RecallRef


class ComplaintActivities:
    """Reads and moves complaints in the record."""

    def __init__(self, sessions: SessionFactory, policies: PolicyStore) -> None:
        self._sessions = sessions
        self._policies = policies

    @activity.defn
    async def take_up_complaints(self, ref: RecallRef) -> ComplaintFigures:
        """Take up what was reported since the last look; a repeat after a crash finds nothing new.

        A repeat whose first answer was lost still names the lines: they are those taken up at this very instant.
        """
        async with self._sessions.begin() as session:
            # Before the reports: whoever has it goes on to deadlines, and those name reports.
            recall = await recalls.get(session, ref.number, lock=True)
            for complaint in await complaint_followup.new_ones(session, ref.number):
                await complaint_followup.take_up(session, recall, complaint, ref.now)
            taken = await complaint_followup.taken_up_at(session, ref.number, ref.now)
            lines = {line for each in taken for line in await complaint_followup.lines_of(session, recall, each)}
            if taken:
                await DeadlineWriter(session, self._policies, recall, ref.now).put()
            await complaint_followup.mark_evaluated(session, recall)
            return ComplaintFigures(
                lines=tuple(sorted(lines)),
                taken_up=len(taken),
                open=await complaint_followup.open_count(session, ref.number),
                channels=await staff_messages.waiting_channels(session, ref.number),
            )


__all__ = ["ComplaintActivities"]
