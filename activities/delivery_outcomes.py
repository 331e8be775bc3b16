"""What an attempt's end means for the delivery's record: accepted, refused, to be tried again, or unknown.

The error table of the adapter says what kind of error it was (design §6); here that becomes a next step and a time.
Unknown errors count as transient, with a cap after which another address or a person takes over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from activities.clock import ActivityClock
from adapters.messaging.base import ErrorKind, SendError
from db.repositories.deliveries import Claimed, Outcome, Result
from domain.channels import Channel

_CODE_LENGTH: Final = 40
_SEEN_TWICE: Final = frozenset({Channel.EMAIL.value})
"""Channels whose provider cannot be asked what it took, and whose every repeat the recipient gets. A recipient's system
and a browser cannot be asked either, but take a repeat as the same message."""
_UNDECIDED: Final = frozenset({"twilio:call-log"})
"""Codes of a provider that was asked, and does not know yet."""


@dataclass(frozen=True, slots=True)
class SendingLimits:
    """Sizes and times of the pipeline; the defaults are those measured in design §6."""

    claim_group: int = 100
    """Deliveries marked `submitting` in one commit."""
    record_group: int = 250
    record_every: timedelta = timedelta(milliseconds=250)
    """Outcomes are committed when a group is full or this old: the bound of duplicates after a crash."""
    concurrency: int = 20
    lease: timedelta = timedelta(seconds=60)
    renew_every: timedelta = timedelta(seconds=10)
    call_time: timedelta = timedelta(seconds=35)
    """Longest usual provider call; nothing is sent with less than this left of its lease. A longer one (a mail server
    that scans) is covered by the lease's renewal."""
    ask_again: timedelta = timedelta(seconds=15)
    """When a delivery of unknown fate is looked for: time for a callback to arrive; longer after each failure."""
    longest_question: timedelta = timedelta(minutes=10)
    """Longest pause between questions to a provider that cannot be asked now."""
    blind_attempts: int = 3
    """How often an e-mail is handed over whose acceptance is never heard of: the recipient may have each of them."""
    first_retry: timedelta = timedelta(seconds=2)
    longest_retry: timedelta = timedelta(hours=1)
    attempts: int = 12
    """Transient errors (about an hour) after which another address or a person takes over."""
    throttled_tries: int = 8
    """How often a batch offers a message that the provider does not take because we are too fast."""
    throttled_wait: timedelta = timedelta(minutes=1)
    """How long it then stands back, unless the provider names a longer time."""
    patience: timedelta = timedelta(days=3)
    """Age at which a message that is "too fast", or whose provider is away as a whole, is given up: its recipient is
    reached otherwise then."""
    longest: timedelta = timedelta(minutes=20)
    """A batch ends after this time, well before its activity would be given up; what is left waits for the next."""
    stopped_row: timedelta = timedelta(minutes=15)
    """How long the delivery that stopped the campaign stands back, so that a probe tries another one."""


class Outcomes:
    """Makes the outcomes of one batch, all on the batch's clock."""

    def __init__(self, limits: SendingLimits, clock: ActivityClock) -> None:
        self._limits = limits
        self._clock = clock

    def submitted(self, row: Claimed, provider_id: str) -> Outcome:
        """The provider has it."""
        return self._make(row, "submitted", provider_id=provider_id)

    def cancelled(self, row: Claimed) -> Outcome:
        """It was never sent, and its recipient has answered."""
        return self._make(row, "cancelled")

    def failed(self, row: Claimed, kind: str, code: str) -> Outcome:
        """It will not go out to this address at this step."""
        return self._make(row, "failed", error_kind=kind, error_code=code)

    def put_back(self, row: Claimed) -> Outcome:
        """Not sent by this batch after all; what may have been sent before stays under suspicion."""
        if row.was_submitting:
            return self._make(row, "unsure", until=self._clock.now())
        return self._make(row, "retry")

    def unsure(self, row: Claimed, code: str) -> Outcome:
        """Nobody knows whether it was sent: look for it later and ever more rarely, give up after the cap."""
        kind, blind = ErrorKind.TRANSIENT.value, row.channel in _SEEN_TWICE
        if self._is_last(row) or (blind and row.was_submitting and row.failures + 1 >= self._limits.blind_attempts):
            return self.failed(row, kind, code)
        growth = (8 if blind else 2) ** min(row.failures, 10)
        until = self._clock.now() + min(self._limits.ask_again * growth, self._limits.longest_retry)
        return self._make(row, "unsure", until=until, error_kind=kind, error_code=code, counted=True)

    def unanswered(self, row: Claimed, error: SendError) -> Outcome:
        """The provider cannot say now whether it was sent: no attempt at sending, so it is asked until it is old."""
        if error.code in _UNDECIDED:
            return self.unsure(row, error.code)
        kind = ErrorKind.TRANSIENT.value
        if self._is_old(row):
            return self.failed(row, kind, error.code)
        if error.kind is ErrorKind.PERMANENT_CAMPAIGN:
            wait = self._limits.stopped_row
        else:
            # The first question is the second attempt.
            asked = min(max(row.attempt - 2, 0), 10)
            wait = min(self._limits.ask_again * (1 << asked), self._limits.longest_question)
            wait = max(wait, error.retry_after or wait)
        return self._make(row, "unsure", until=self._clock.now() + wait, error_kind=kind, error_code=error.code)

    def throttled(self, row: Claimed, error: SendError) -> Outcome:
        """Not taken because we are too fast: it waits, and that is no failed attempt; given up only by its age."""
        now = self._clock.now()
        if self._is_old(row):
            return self.failed(row, error.kind.value, error.code)
        until = now + max(self._limits.throttled_wait, error.retry_after or timedelta(0))
        return self._make(row, "retry", until=until, error_kind=error.kind.value, error_code=error.code)

    def refused(self, row: Claimed, error: SendError) -> Outcome:
        """The adapter's error, read by its kind."""
        kind = error.kind
        if kind is ErrorKind.PERMANENT_CONTACT:
            return self.failed(row, kind.value, error.code)
        if error.maybe_sent:
            return self.unsure(row, error.code)
        stops = kind is ErrorKind.PERMANENT_CAMPAIGN
        # An outage is no failed attempt: else the first refusal after a long one would be the last.
        counted = not (stops or error.outage)
        if stops:
            wait = self._limits.stopped_row
        elif self._is_old(row) if error.outage else self._is_last(row):
            return self.failed(row, kind.value, error.code)
        else:
            before = row.attempt - 1 if error.outage else row.failures
            wait = min(self._limits.first_retry * (1 << min(before, 30)), self._limits.longest_retry)
            wait = max(wait, error.retry_after or wait)
        until = self._clock.now() + wait
        return self._make(row, "retry", until=until, error_kind=kind.value, error_code=error.code, counted=counted)

    def _is_old(self, row: Claimed) -> bool:
        return self._clock.now() - row.created_at > self._limits.patience

    def _is_last(self, row: Claimed) -> bool:
        return row.failures + 1 >= self._limits.attempts

    def _make(
        self,
        row: Claimed,
        result: Result,
        *,
        provider_id: str | None = None,
        error_kind: str | None = None,
        error_code: str | None = None,
        until: datetime | None = None,
        counted: bool = False,
    ) -> Outcome:
        return Outcome(
            id=row.id,
            attempt=row.attempt,
            result=result,
            at=self._clock.now(),
            provider_id=provider_id,
            error_kind=error_kind,
            error_code=error_code[:_CODE_LENGTH] if error_code else None,
            until=until,
            counted=counted,
        )
