"""Addresses that are more than one line: a recipient's system with its format and key, a contact's browsers.

The record hands them over as JSON in `OutgoingMessage.to` (`db.repositories.reach_sql.ADDRESS`).
"""

from typing import Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError

T = TypeVar("T")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WebhookTarget(_Frozen):
    """Where a recipient's system takes notices, and how."""

    url: str
    format: Literal["json", "fhir"]
    key: str
    """Name of the key in the settings."""


class PushTarget(_Frozen):
    """One browser (RFC 8030, RFC 8291)."""

    endpoint: str
    p256dh: str
    auth: str


_WEBHOOK = TypeAdapter(WebhookTarget)
_PUSH = TypeAdapter(tuple[PushTarget, ...])


def webhook_target(message: OutgoingMessage) -> WebhookTarget:
    """The system a message goes to.

    Raises:
        SendError: there is none any more.
    """
    return _read(_WEBHOOK, message, "webhook")


def push_targets(message: OutgoingMessage) -> tuple[PushTarget, ...]:
    """The browsers a message goes to, newest first, at least one.

    Raises:
        SendError: there is none any more.
    """
    return _read(_PUSH, message, "push") or _gone("push")


def _read(adapter: TypeAdapter[T], message: OutgoingMessage, channel: str) -> T:
    # Null where the contact lost its address after the message was planned.
    try:
        return adapter.validate_json(message.to or "null")
    except ValidationError:
        return _gone(channel)


def _gone(channel: str) -> NoReturn:
    raise SendError(ErrorKind.PERMANENT_CONTACT, f"{channel}:no-address", "the contact has no such address any more")


__all__ = ["PushTarget", "WebhookTarget", "push_targets", "webhook_target"]
