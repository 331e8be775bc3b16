"""Notices to systems of recipients: one signed POST of JSON or of a FHIR R4 bundle.

The receiver tells messages apart by the delivery's id, which is the same on every attempt with the same body, so a
resend after a lost answer is harmless and nobody has to be asked whether it arrived.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import ValidationError

from adapters.messaging.base import ErrorKind, OutgoingMessage, SendError, SendResult
from adapters.messaging.fhir_notice import FHIR_JSON, notice_bundle
from adapters.messaging.guarded_http import GuardedHttp, GuardedHttpConfig
from adapters.messaging.targets import WebhookTarget, webhook_target
from adapters.messaging.webhook_errors import classify_webhook
from domain.channels import Channel
from domain.notice_machine import MachineNotice
from domain.webhook_keys import WebhookKeys
from domain.webhook_signature import signed_headers

JSON = "application/json"
_AGENT = "recall-orchestrator/1"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class WebhookAdapter:
    """`MessagingAdapter` of recipients' systems."""

    def __init__(
        self,
        keys: WebhookKeys,
        config: GuardedHttpConfig,
        *,
        answer_url: str,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """`answer_url` is the public address below which answers are taken: `<answer_url>/<delivery id>`."""
        self._keys = keys
        self._http = GuardedHttp("webhook", config)
        self._answer_url = answer_url.rstrip("/")
        self._now = now

    @property
    def channel(self) -> Channel:
        """Webhook."""
        return Channel.WEBHOOK

    async def send(self, message: OutgoingMessage) -> SendResult:
        """POST the notice for machines in the format the recipient takes; see `MessagingAdapter.send`."""
        target = webhook_target(message)
        keys = self._keys.of(target.key)
        if not keys:
            raise SendError(ErrorKind.PERMANENT_CONTACT, "webhook:no-key", "no key of this name is configured")
        # The check of a bundle by its models takes two milliseconds per lot: not in the way of other messages.
        content_type, body = await asyncio.to_thread(self._content, target, message)
        delivery_id = str(message.delivery_id)
        async with self._http.turns.one(message.priority):
            headers = {
                "Content-Type": content_type,
                "Accept": content_type,
                "User-Agent": _AGENT,
                **signed_headers(keys, delivery_id, self._now(), body),
            }
            answer = await self._http.post(target.url, body, headers)
        refused = classify_webhook(answer.status, answer.retry_after)
        if refused is not None:
            raise refused
        return SendResult(f"webhook:{delivery_id}")

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        """None: the receiver takes the same delivery twice without harm, so it is sent again instead of asked."""
        return None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _content(self, target: WebhookTarget, message: OutgoingMessage) -> tuple[str, bytes]:
        try:
            notice = MachineNotice.model_validate_json(message.machine or b"")
        except ValidationError:
            # What was approved holds for everybody: without it nobody can be told by this channel.
            detail = "the notice has no document for machines"
            raise SendError(ErrorKind.PERMANENT_CAMPAIGN, "webhook:no-document", detail) from None
        if target.format == "json":
            return JSON, message.machine or b""
        answer_url = f"{self._answer_url}/{message.delivery_id}"
        bundle = notice_bundle(notice, attachments=message.attachments, answer_url=answer_url)
        return FHIR_JSON, bundle


__all__ = ["WebhookAdapter"]
