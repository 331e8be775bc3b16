"""What the product and the sinks say about one recall, read over HTTP and kept as plain values."""

import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from demo.waiting import POLL_S

_REST_S = 30.0
LotKey = tuple[str, str, str]
"""Product code, lot number, manufacturing site: the number alone is never unique."""
_MESSAGE_ID = re.compile(r"<([0-9a-f-]{36})@[^>]+>")


@dataclass
class Facts:
    """Everything the checker compares with."""

    detail: dict[str, Any]
    lots: list[dict[str, Any]]
    sites: list[dict[str, Any]]
    gaps_total: int
    consignees: list[dict[str, Any]]
    holds: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]
    replies: list[dict[str, Any]]
    deadlines: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    audit: list[dict[str, Any]]
    audit_verified: dict[str, Any]
    mails: list[dict[str, Any]]
    mail_stats: dict[str, int]
    texts: list[dict[str, Any]] = field(default_factory=list)
    """Every text message at the stand-in, both directions."""

    def code_of(self, consignee_id: int) -> str:
        """Partner code of a consignee; its id where the list of consignees does not have it."""
        codes = {each["id"]: str(each["partner_code"]) for each in self.consignees}
        return codes.get(consignee_id, f"consignee {consignee_id}")

    def name_of(self, code: str) -> str:
        """A partner's name; its code where nobody has this code."""
        names = {each["partner_code"]: str(each["partner_name"]) for each in self.consignees}
        return names.get(code, code)

    def lot_of(self, record: dict[str, Any]) -> LotKey:
        """The lot a record names by its id; what the record itself says where the trace does not have it."""
        for lot in self.lots:
            if lot["lot_id"] == record["lot_id"]:
                return lot["product_code"], lot["number"], lot["site_code"] or ""
        return record.get("product_code", "?"), record.get("lot_number", "?"), "not in the trace"

    def received(self, *, stated: bool) -> dict[tuple[str, LotKey], Decimal]:
        """(partner code, lot) -> quantity, from shipment records or from statements."""
        return {
            (each["partner_code"], self.lot_of(lot)): Decimal(lot["shipped"])
            for each in self.consignees
            for lot in each["lots"]
            if lot["stated"] is stated
        }

    def on_record(self) -> set[str]:
        """Codes of consignees that received something by the records of shipment."""
        return {code for code, _ in self.received(stated=False)}

    def out(self, channel: str) -> list[dict[str, Any]]:
        """Deliveries that a provider accepted on this channel."""
        return [d for d in self.deliveries if d["channel"] == channel and d["state"] in {"submitted", "delivered"}]

    def mail_deliveries(self) -> list[str]:
        """Delivery id in the Message-ID of each caught mail; the whole Message-ID where it is not one of ours."""
        found = []
        for mail in self.mails:
            match = _MESSAGE_ID.fullmatch(mail["message_id"].strip())
            found.append(match.group(1) if match else mail["message_id"])
        return found

    def unsent(self) -> list[dict[str, Any]]:
        """Deliveries that wait to be sent, or whose provider has not been heard yet."""
        return [each for each in self.deliveries if each["state"] in {"pending", "submitting"}]

    def first_sent_at(self) -> datetime | None:
        """When the first message was handed to a provider."""
        sent = [datetime.fromisoformat(d["submitted_at"]) for d in self.deliveries if d["submitted_at"]]
        return min(sent, default=None)


class Reader:
    """Reads facts with one person's token."""

    def __init__(self, api: str, token: str, inbox: str, sms: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._api = httpx.Client(base_url=api, headers=headers, timeout=60, trust_env=False)
        self._sinks = httpx.Client(timeout=60, trust_env=False)
        self._inbox, self._sms = inbox, sms

    def read(self, number: str) -> Facts:
        """Everything about one recall at one moment: a running recall writes to people while it is read.

        What is sent or recorded meanwhile has it read again, for at most `_REST_S`; then the last reading counts.

        Raises:
            httpx.HTTPError: the product or a sink did not answer as it should.
        """
        end = time.monotonic() + _REST_S
        while True:
            before = self._happened(number)
            facts = self._read(number)
            if (before == self._happened(number) and not facts.unsent()) or time.monotonic() >= end:
                return facts
            time.sleep(POLL_S)

    def _happened(self, number: str) -> tuple[Any, ...]:
        """What grows with every message and every entry of the record."""
        texts = self._sink(f"{self._sms}/messages", limit=100_000)
        audit = self._get(f"/v1/recalls/{number}/audit/verify")
        return audit, self._sink(f"{self._inbox}/stats"), [text["sid"] for text in texts]

    def _read(self, number: str) -> Facts:
        base = f"/v1/recalls/{number}"
        lots, trace = self._trace(f"{base}/trace")
        notices = [self._get(f"{base}/notices/{each['id']}") for each in self._get(f"{base}/notices")]
        return Facts(
            detail=self._get(base),
            lots=lots,
            sites=trace["sites"],
            gaps_total=trace["gaps_total"],
            consignees=self._all(f"{base}/consignees"),
            holds=self._all(f"{base}/holds"),
            deliveries=self._all(f"{base}/deliveries"),
            replies=self._all(f"{base}/replies"),
            deadlines=self._get(f"{base}/deadlines"),
            notices=notices,
            evidence=self._get(f"{base}/evidence"),
            audit=self._all(f"{base}/audit"),
            audit_verified=self._get(f"{base}/audit/verify"),
            mails=self._mails(),
            mail_stats=self._sink(f"{self._inbox}/stats"),
            texts=self._sink(f"{self._sms}/messages", limit=100_000),
        )

    def _trace(self, path: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        first = page = self._get(path)
        lots = list(page["lots"]["items"])
        while page["lots"]["next_cursor"]:
            page = self._get(path, cursor=page["lots"]["next_cursor"])
            lots += page["lots"]["items"]
        return lots, first

    def _all(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self._get(path, **({"cursor": cursor} if cursor else {}))
            if isinstance(page, list):
                return page
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def _mails(self) -> list[dict[str, Any]]:
        mails: list[dict[str, Any]] = []
        while True:
            page = self._sink(f"{self._inbox}/messages", after=mails[-1]["id"] if mails else 0, limit=500)
            mails += page
            if len(page) < 500:
                return mails

    def _get(self, path: str, **query: Any) -> Any:
        response = self._api.get(path, params=query)
        response.raise_for_status()
        return response.json()

    def _sink(self, url: str, **query: Any) -> Any:
        response = self._sinks.get(url, params=query)
        response.raise_for_status()
        return response.json()
