"""What left the product, as the mail catcher and the Twilio stand-in hold it; and answers from telephones."""

import threading
from collections.abc import Mapping
from typing import Any

import httpx

from tests.e2e.chain import Group
from tests.support.stack import wait_for

_POLL_S = 0.15
_PAGE = 500
_MAIL_FACTS = ("id", "to", "subject", "message_id", "text")


class Sinks:
    """The mail catcher's inbox and the Twilio stand-in, read over HTTP; what was read once is kept here."""

    def __init__(self, inbox: str, sms: str) -> None:
        self._inbox, self._sms = inbox, sms
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._lock = threading.Lock()
        self._mails: list[dict[str, Any]] = []
        self._texts: dict[int, dict[str, Any]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def mails(self, group: Group, after: int = 0) -> list[dict[str, Any]]:
        """Mails to consignees of a group, oldest first."""
        with self._lock:
            while True:
                last = self._mails[-1]["id"] if self._mails else 0
                page = self._json(f"{self._inbox}/messages", after=last, limit=_PAGE)
                self._mails += [{name: mail[name] for name in _MAIL_FACTS} for mail in page]
                if len(page) < _PAGE:
                    break
            return [m for m in self._mails if m["id"] > after and f"@{group.brand.lower()}-" in m["to"]]

    def texts(self, group: Group) -> list[dict[str, Any]]:
        """Text messages the product sent to consignees of a group; automatic answers are left out."""
        phones = {each.phone for each in group.by_sms}
        with self._lock:
            newest = max((text["created_at"] for text in self._texts.values()), default="")
            listed = self._json(f"{self._sms}/messages", limit=100_000, **({"since": newest} if newest else {}))
            self._texts |= {text["id"]: text for text in listed}
            known = list(self._texts.values())
        return [text for text in known if text["direction"] == "outbound-api" and text["to"] in phones]

    def answer_text(self, text: Mapping[str, Any], body: str, patience_s: float = 90) -> Any:
        """A phone answers, again and again until the product took it."""

        def ask() -> Any:
            said = {"from": text["to"], "to": text["from"], "body": body}
            try:
                answer = self._http.post(f"{self._sms}/simulate/reply", json=said)
            except httpx.TransportError:
                return None
            return answer.json() if answer.status_code == 200 and answer.json()["webhook_status"] == 200 else None

        return wait_for(f"the answer of {text['to']} to be taken", ask, patience_s, _POLL_S)

    def _json(self, url: str, **query: Any) -> Any:
        def ask() -> httpx.Response | None:
            try:
                response = self._http.get(url, params=query)
            except httpx.TransportError:
                return None
            return response if response.status_code == 200 else None

        return wait_for(f"{url} to answer", ask, 60, _POLL_S).json()
