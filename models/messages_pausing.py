"""Contracts of pausing, resuming and aborting a campaign: decisions of people on its own workflow."""

from typing import Literal

from pydantic import AwareDatetime

from models.message_base import Actor, Message
from models.messages_decisions import Decision


class PauseCampaign(Decision):
    """Send nothing more for now; the reason is mandatory."""


class ResumeCampaign(Decision):
    """Go on where it was paused; the reason is mandatory."""


class AbortCampaign(Decision):
    """Never send the rest of a paused campaign; another person than who paused it signs, with a reason."""


class CampaignPause(Message):
    """Who stopped a campaign and when; the record has the reason."""

    by: str
    since: AwareDatetime


class CampaignReceipt(Message):
    """Answer to an accepted decision on a campaign."""

    number: str
    sequence: int
    state: Literal["running", "paused", "aborted"]
    accepted_at: AwareDatetime
    detail: str


class RecordCampaignDecision(Message):
    """A decision on a campaign handed to its activity, with the workflow's instant."""

    number: str
    sequence: int
    campaign_id: int
    operation: Literal["pause_campaign", "resume_campaign", "probe_channels", "abort_campaign"]
    actor: Actor
    reason: str
    now: AwareDatetime


class CampaignDecided(Message):
    """What the record made of it: consignees left without an answer by an abort."""

    untold: int = 0
    unanswered: int = 0
    """Told, and not done."""


__all__ = [
    "AbortCampaign",
    "CampaignDecided",
    "CampaignPause",
    "CampaignReceipt",
    "PauseCampaign",
    "RecordCampaignDecision",
    "ResumeCampaign",
]
