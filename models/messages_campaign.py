"""Contracts of a campaign: its start, each look at the record, each batch, and its reports to the recall."""

from pydantic import AwareDatetime, Field

from domain.ladder import Ladder
from models.message_base import Message
from models.messages_amendments import NoticeAs
from models.messages_pausing import CampaignPause


class CampaignReport(Message):
    """Signal `campaign_progress` from a campaign to its recall, and the result of its workflow."""

    campaign_id: int
    consignees: int
    outstanding: int
    next_due_at: AwareDatetime | None
    finished: bool = False
    """Nobody is outstanding (now: a late answer can name further consignees)."""
    stopped: str | None = None
    first_sent_at: AwareDatetime | None = None
    stated: int = 0
    not_notified: int = 0
    sequence: int = 1
    """Which campaign of the recall it is."""


class CampaignCarried(Message):
    """What a campaign's workflow takes over continue-as-new, so that nothing is reported twice."""

    reported: CampaignReport | None = None
    all_notified_reported: bool = False
    stop_reasons: dict[str, str] = Field(default_factory=dict)
    """Channel -> account-level error that stopped it."""
    probes: int = 0
    """Probes of a stopped channel made so far; sets the time to the next one."""
    paused: CampaignPause | None = None


class CampaignInput(Message):
    """Start of `recall:{number}:campaign:{sequence}`."""

    number: str
    sequence: int
    campaign_id: int
    notice_id: int
    ladder: Ladder
    """Step times in policy time, divided by `pace` when walked."""
    pace: float = 1.0
    drill: bool = False
    priority: int
    """1 = class I, 3 = II, 5 = III."""
    notify_due_at: AwareDatetime
    rounds_done: int = 0
    """Carried over continue-as-new: how often the ladder was looked at."""
    channels: tuple[str, ...] = ("email", "sms")
    """Channels the signed strategy allows."""
    stay_open: bool = True
    """Keep looking for late consignees (a corrected answer may name more) until the signal `stop`; otherwise the
    workflow ends when nobody is outstanding."""
    kind: NoticeAs = "initial"
    """A retraction or the notice that a recall has ended is sent once: the workflow ends by itself when every message
    was accepted or refused for good."""
    carried: CampaignCarried | None = None

    @property
    def sent_once(self) -> bool:
        """Whether it asks nothing, so that nobody is chased."""
        return self.kind in ("retraction", "closure")


class AdvanceCampaign(Message):
    """Take every ladder step that is due at `now`."""

    number: str
    campaign_id: int
    ladder: Ladder
    pace: float
    priority: int
    now: AwareDatetime
    channels: tuple[str, ...] = ("email", "sms")


class CampaignProgress(Message):
    """Where a campaign stands; the workflow waits until `next_due_at` or a nudge."""

    consignees: int
    answered: int
    """Consignees that acknowledged, answered or were documented by a person."""
    outstanding: int
    """Consignees still open: nothing at all was heard of them. An acknowledgement without quantities ends the
    chase for the acknowledgement; `stated` tells how many gave quantities."""
    stated: int = 0
    """Consignees with quantities stated, or documented."""
    stages: dict[str, int] = Field(default_factory=dict)
    """Consignees by the stage they have reached (`domain.stages.Stage`)."""
    not_notified: int
    """Open consignees without a first notice handed to a provider."""
    pending: dict[str, int]
    """Deliveries to send now, by channel."""
    unsent: int = 0
    """Deliveries that no provider has accepted or refused for good: due now, waiting for a retry, or under way."""
    next_due_at: AwareDatetime | None
    """Earliest next ladder step or retry; None when only people can move it on."""
    next_kind: str | None = None
    """What is due then: first, reminder, escalation, phone, retry, or a stage asked for (quantities, action)."""
    next_round: int = 0
    """Its place on the ladder, counted from 1; 0 for a retry."""
    next_count: int = 0
    """How many consignees (or deliveries) it concerns."""
    first_sent_at: AwareDatetime | None = None
    new_tasks: int = 0
    cases_to_start: int = 0
    """Consignees with an open case that their case workflow has not been told of."""


class EndCampaign(Message):
    """Stop a campaign: what has not been handed to a provider is cancelled."""

    number: str
    campaign_id: int
    reason: str
    now: AwareDatetime


class CampaignStop(Message):
    """A channel of a campaign was stopped by an account-level error, or (`reason` None) works again."""

    number: str
    campaign_id: int
    channel: str
    reason: str | None
    now: AwareDatetime


class SendBatch(Message):
    """Claim and send up to `limit` due deliveries of one channel (design §6)."""

    number: str
    campaign_id: int
    channel: str
    limit: int = 500
    drill: bool = False
    priority: int = 3
    """1 = class I: when a worker is full, less urgent batches make room."""
    now: AwareDatetime


class BatchResult(Message):
    """What one batch did."""

    claimed: int
    submitted: int
    failed: int
    deferred: int
    """Transient errors: tried again after a back-off."""
    ambiguous: int
    """Found in `submitting` after a crash and reconciled."""
    cancelled: int = 0
    """Reconciled as not sent to a recipient who has answered meanwhile."""
    resent: int = 0
    """Ambiguous and not found at the provider: sent again; for e-mail this may be a duplicate."""
    campaign_stop: str | None = None
    """Set when an account-level error forbids going on."""
