"""The activities by which a campaign's workflow walks the ladder and ends; all of it is SQL in one transaction each."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from db.engine import SessionFactory
from db.repositories import campaign, campaign_stops
from models.messages import AdvanceCampaign, CampaignProgress, CampaignStop, EndCampaign


class CampaignActivities:
    """Reads and moves campaigns in the record."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    @activity.defn
    async def advance_campaign(self, request: AdvanceCampaign) -> CampaignProgress:
        """Take every due step, then say where the campaign stands. A repeat takes nothing twice."""
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
