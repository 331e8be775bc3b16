"""The messaging boundary: one Protocol, one message, one result, one error.

An adapter hands exactly one message to one provider and says what became of it. It keeps no state of its
own, never retries (the sending protocol owns retries, design §6) and never puts an address into an error,
because errors end up in logs and in workflow history.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from domain.attachment import Attachment
from domain.channels import Channel

_LONGEST_RETRY_AFTER: Final = timedelta(hours=1)


class ErrorKind(StrEnum):
    """What a failed send means for the next step (engineering §4)."""

    PERMANENT_CONTACT = "permanent_contact"
    """This address will never work: use the next contact or channel."""
    PERMANENT_CAMPAIGN = "permanent_campaign"
    """No message of this campaign can go out until a person repairs something: stop and alert."""
    TRANSIENT = "transient"
    """Try again later; the caller caps the attempts, after which a case is opened."""


class SendError(Exception):
    """A message was not accepted.

    Attributes:
        kind: what to do next.
        code: the provider's code with the channel as prefix (`smtp:550/5.1.1`, `twilio:21211`), or
            `<channel>:unknown...` for what no table row knows; safe for logs, metrics and records.
        detail: one line for people, never with an address, a body or a secret.
        maybe_sent: True when the provider may have accepted the message although no answer arrived. Such a
            row is *ambiguous*: it must be reconciled before it is sent again, never simply repeated.
        throttled: True when the provider did not take it because we send too fast or its queue is full. The channel
            is slowed for everybody and the message waits; it is no failed attempt.
        retry_after: the time the provider named before which it takes nothing, where it names one.
        outage: True when the provider as a whole could not be reached. That says nothing about the message, so it is
            tried until it is old rather than a number of times.
    """

    def __init__(
        self,
        kind: ErrorKind,
        code: str,
        detail: str,
        *,
        maybe_sent: bool = False,
        throttled: bool = False,
        retry_after: timedelta | None = None,
        outage: bool = False,
    ) -> None:
        super().__init__(f"{kind}: {code}: {detail}")
        self.kind = kind
        self.code = code
        self.detail = detail
        self.maybe_sent = maybe_sent
        self.throttled = throttled
        self.retry_after = retry_after
        self.outage = outage


def read_retry_after(value: str | None) -> timedelta | None:
    """The time named by the HTTP header Retry-After in seconds, at most an hour; None without a readable one.

    The form with a date is left out: it would be measured by a clock that is not ours.
    """
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return min(timedelta(seconds=int(value[:9])), _LONGEST_RETRY_AFTER)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One notice to one address, fully rendered: what was approved plus the recipient's own values."""

    delivery_id: UUID
    """Identity of the delivery row; the same on every attempt."""
    to: str
    """E-mail address, telephone number in E.164, or what `adapters.messaging.targets` reads."""
    subject: str | None
    """E-mail only."""
    text: str
    html: str | None
    """E-mail only; the text stands alone when absent."""
    message_id: str | None
    """Deterministic Message-ID of an e-mail (`message_id_for`); None lets the adapter derive the same one."""
    language: str
    """BCP 47 tag of the body, `en` or `zh-CN`."""
    priority: int
    """1 (class I) to 5; mapped to the channel's own notion of urgency."""
    status_callback: str | None = None
    """Signed URL the provider reports delivery to; only where the channel has one."""
    attachments: tuple[Attachment, ...] = ()
    """Files of an e-mail, in this order."""
    valid_until: datetime | None = None
    """When the recipient is chased next (real time): what is not delivered by then is out of date."""
    answer_counts: bool = True
    """Whether an answer by e-mail is one to a notice: then Reply-To names the delivery. Not so for our own people."""
    machine: bytes | None = None
    """The notice for machines (`domain.notice_machine.MachineNotice` as JSON): what a webhook carries."""
    call_script: str | None = None
    """Signed URL from which the provider fetches what a call says; only for voice."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The provider's acceptance."""

    provider_id: str
    """The provider's id of the message: Twilio's SID, the Message-ID of an e-mail, `blocked:...` in a drill."""


class MessagingAdapter(Protocol):
    """One channel to the outside world."""

    @property
    def channel(self) -> Channel:
        """The channel this adapter serves."""

    async def send(self, message: OutgoingMessage) -> SendResult:
        """Hand the message over once.

        Raises:
            SendError: it was not accepted, or nobody knows (`maybe_sent`).
        """

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """Ask the provider whether it accepted this message at or after `since` (an aware instant).

        None means "not found": for SMS the provider was asked and does not have it; an e-mail server cannot
        be asked, so there the answer is always None and the resend carries the same Message-ID.

        Raises:
            SendError: the provider could not be asked now (the row stays ambiguous).
        """

    async def close(self) -> None:
        """Release connections; the adapter is not used afterwards."""
