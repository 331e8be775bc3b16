"""The activities by which a campaign's workflow walks the ladder and ends; all of it is SQL in one transaction each."""

from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeats import beating
from adapters.messaging.turns import Turns
from db.engine import SessionFactory
from db.repositories import campaign, campaign_pauses, campaign_stops
from models.messages import AdvanceCampaign, CampaignProgress, CampaignStop, EndCampaign
from models.messages_pausing import CampaignDecided, RecordCampaignDecision

_AT_ONCE: Final = 4
"""Looks under way together: each is a statement over all consignees of a recall, and many at once slow each other so
far that class I would wait for all of them."""


class CampaignActivities:
    """Reads and moves campaigns in the record."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self._turns = Turns(_AT_ONCE)

    @activity.defn
    async def advance_campaign(self, request: AdvanceCampaign) -> CampaignProgress:
        """Take every due step, then say where the campaign stands. A repeat takes nothing twice."""
        async with beating(), self._turns.one(request.priority):
            return await self._advance(request)

    async def _advance(self, request: AdvanceCampaign) -> CampaignProgress:
        try:
            async with self._sessions.begin() as session:
                done = await campaign.advance(session, request)
                found = await campaign.progress(
                    session, request.number, request.campaign_id, request.ladder, request.now
                )
        except campaign.CampaignError as error:
            # Retried for ever: the fault shows in the Web UI and goes on when mended; a failed campaign tells nobody.
            raise ApplicationError(str(error), type="CampaignIncomplete") from error
        return found.model_copy(update={"new_tasks": done.called})

    @activity.defn
    async def end_campaign(self, request: EndCampaign) -> int:
        """Cancel what is not sent yet; returns how many messages were cancelled."""
        async with self._sessions.begin() as session:
            return await campaign.end(session, request)

    @activity.defn
    async def note_campaign_stop(self, stop: CampaignStop) -> None:
        """Call a person because a channel was stopped by an account-level error, or close that task."""
        async with self._sessions.begin() as session:
            await campaign_stops.note(session, stop)

    @activity.defn
    async def record_campaign_decision(self, decision: RecordCampaignDecision) -> CampaignDecided:
        """Write down that people paused, resumed or aborted it; says whom an abort leaves behind."""
        async with self._sessions.begin() as session:
            return await campaign_pauses.record(session, decision)
