"""HTTP contracts of campaigns: where each stands, decisions on it, whom an aborted one left behind."""

from datetime import datetime
from typing import Literal

from models.schemas_common import Out


class CampaignOut(Out):
    """One sending of one notice version."""

    sequence: int
    kind: str
    """initial, amendment, retraction or closure."""
    notice_version: int
    state: Literal["running", "paused", "aborted", "ended"]
    """Paused: nothing is sent; deadlines and tasks keep running."""
    started_at: datetime
    ended_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None
    """Who paused it last; another person has to abort it."""
    pause_reason: str | None
    aborted_at: datetime | None
    aborted_by: str | None
    abort_reason: str | None
    doubtful: int
    """Messages whose fate nobody knew for a while, after a crash or a lost answer: asked for, or sent again."""
    repeated_at_most: int
    """E-mails among them that went out again under the same Message-ID, because a mail server cannot be asked."""


class CampaignDecisionOut(Out):
    """Receipt of a decision on a campaign; `accepted` while it is still being carried out: repeat with the same key."""

    decision_id: str
    decision: Literal["accepted", "done"]
    number: str
    sequence: int
    state: Literal["running", "paused", "aborted"] | None = None
    accepted_at: datetime | None = None
    detail: str | None = None


class RemainderOut(Out):
    """A consignee that an aborted campaign left without an answer."""

    consignee_id: int
    partner_code: str
    partner_name: str
    country: str
    told: bool
    """Whether it had been told of the recall before."""
    state: str
    """Where it stands now."""


__all__ = ["CampaignDecisionOut", "CampaignOut", "RemainderOut"]
