"""What left the product: the mail catcher's inbox and the text messages of the Twilio stand-in, read over HTTP."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

_PAGE = 500
_PATIENCE = 60


class Sinks:
    """Both sinks; messages are given once, in the order they arrived."""

    def __init__(self, inbox: str, sms: str) -> None:
        self.inbox, self.sms = inbox, sms
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._mail_seen = 0
        self._sms_seen = 0

    def new_mail(self) -> Iterator[dict[str, Any]]:
        """Mails that arrived since the last look."""
        while True:
            listed = self._json(f"{self.inbox}/messages", after=self._mail_seen, limit=_PAGE)
            for message in listed:
                self._mail_seen = message["id"]
                yield message
            if len(listed) < _PAGE:
                return

    def new_sms(self) -> Iterator[dict[str, Any]]:
        """Text messages to phones that arrived since the last look."""
        for message in self._json(f"{self.sms}/messages", limit=100_000):
            if message["id"] > self._sms_seen:
                self._sms_seen = message["id"]
                if message["direction"] == "outbound-api":
                    yield message

    def answer_sms(self, phone: str, number: str, body: str) -> dict[str, Any]:
        """A phone answers a text message; when nobody takes it, it is written again. Returns the webhook's answer."""
        result: dict[str, Any] = {}
        for _ in range(_PATIENCE):
            response = self._http.post(f"{self.sms}/simulate/reply", json={"from": phone, "to": number, "body": body})
            result = response.json()
            if result["webhook_status"] and result["webhook_status"] < 500:
                break
            time.sleep(1.0)
        return result

    def _json(self, url: str, **query: Any) -> Any:
        for attempt in range(_PATIENCE):
            try:
                response = self._http.get(url, params=query)
                response.raise_for_status()
                return response.json()
            except httpx.TransportError:
                if attempt == _PATIENCE - 1:
                    raise
                time.sleep(1.0)
        raise AssertionError("unreachable")
