"""What an attempt's end means for the delivery's record: accepted, refused, to be tried again, or unknown.

The error table of the adapter says what kind of error it was (design §6); here that becomes a next step and a time.
Unknown errors count as transient, with a cap after which another address or a person takes over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.clock import ActivityClock
from adapters.messaging.base import ErrorKind, SendError
from db.repositories.deliveries import Claimed, Outcome, Result

_CODE_LENGTH = 40


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
    """Longest provider call; nothing is sent with less than this left of its lease."""
    ask_again: timedelta = timedelta(seconds=15)
    """When a delivery of unknown fate is looked for: time for a callback to arrive."""
    first_retry: timedelta = timedelta(seconds=2)
    longest_retry: timedelta = timedelta(hours=1)
    attempts: int = 12
    """Transient errors in a row (about an hour) after which another address or a person takes over."""
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
        """Nobody knows whether it was sent: look for it later, give up after the cap."""
        kind = ErrorKind.TRANSIENT.value
        if row.attempt >= self._limits.attempts:
            return self.failed(row, kind, code)
        until = self._clock.now() + self._limits.ask_again
        return self._make(row, "unsure", until=until, error_kind=kind, error_code=code)

    def refused(self, row: Claimed, error: SendError) -> Outcome:
        """The adapter's error, read by its kind."""
        kind = error.kind
        if kind is ErrorKind.PERMANENT_CONTACT:
            return self.failed(row, kind.value, error.code)
        if error.maybe_sent:
            return self.unsure(row, error.code)
        if kind is ErrorKind.PERMANENT_CAMPAIGN:
            wait = self._limits.stopped_row
        elif row.attempt >= self._limits.attempts:
            return self.failed(row, kind.value, error.code)
        else:
            wait = min(self._limits.first_retry * (1 << min(row.attempt - 1, 30)), self._limits.longest_retry)
        until = self._clock.now() + wait
        return self._make(row, "retry", until=until, error_kind=kind.value, error_code=error.code)

    def _make(
        self,
        row: Claimed,
        result: Result,
        *,
        provider_id: str | None = None,
        error_kind: str | None = None,
        error_code: str | None = None,
        until: datetime | None = None,
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
        )
