"""The firm's people and the recipients, played over HTTP against running servers.

Whoever acts here behaves as the API asks its callers to: a 503 or a lost connection is answered with the same
request and the same Idempotency-Key again, until there is an answer.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from demo.html_form import Page, read_page
from tests.e2e.chain import Group
from tests.support.stack import wait_for

LINK = re.compile(r"https?://\S+/r/[A-Za-z0-9_-]+")
_AGAIN = frozenset({429, 502, 503, 504})
"""A 500 is not repeated: whatever is down, the product has to say so, and never to fall over."""
_EVALUATION: Mapping[str, Any] = {
    "occurred": {"rationale": "one injury", "serious_injuries": 1, "malfunction_in_use": True},
    "existing_conditions": {"rationale": "weak patients", "aggravating": True},
    "population": {"rationale": "everybody", "groups": ["general"]},
    "seriousness": {"rationale": "missed infection", "degree": "serious"},
    "likelihood": {"rationale": "seen twice", "degree": "probable"},
    "consequences": {"rationale": "late treatment", "immediate": "serious", "long_range": "serious"},
    "detectability": {"rationale": "invisible", "degree": "not_detectable"},
}
_STRATEGY: Mapping[str, Any] = {"depth": "user_facility", "effectiveness_level": "A", "public_warning": False}
_POLL_S = 0.15
GATE = "us-fda:fda_informed"

_RECORDED = re.compile("your answer is recorded|您的回复已记录")
"""What the page says in the recipient's language once the answer is stored."""


class Office:
    """Everybody with a token, and one HTTP client."""

    def __init__(self, api: str, tokens: Mapping[str, Mapping[str, str]]) -> None:
        self.http = httpx.Client(base_url=api, timeout=30, trust_env=False)
        self._tokens = tokens

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def request(self, role: str, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        """One request as it is, whatever the answer."""
        headers = {"Authorization": f"Bearer {self._tokens[role]['token']}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.http.request(method, path, headers=headers, **options)

    def until_answered(self, role: str, method: str, path: str, **options: Any) -> httpx.Response:
        """The same request with the same key until it is answered, within a minute."""
        if method == "POST":
            options.setdefault("key", secrets.token_hex(8))

        def ask() -> httpx.Response | None:
            try:
                response = self.request(role, method, path, **options)
                if response.status_code == 401 and "signature-required" in response.text:
                    self.sign_in(role)
                    return None
            except httpx.TransportError:
                return None
            busy = response.status_code == 409 and "request-in-progress" in response.text
            return None if response.status_code in _AGAIN or busy else response

        answer: httpx.Response = wait_for(f"an answer to {method} {path}", ask, 60, _POLL_S)
        return answer

    def sign_in(self, role: str) -> None:
        """Begin a signing period: what follows within it is signed without the password."""
        body = {"password": self._tokens[role]["password"]}
        answer = self.request(role, "POST", "/v1/me/signing-session", json=body)
        assert answer.status_code == 201 or answer.status_code in _AGAIN, answer.text

    def get(self, path: str, role: str = "qa", **query: Any) -> Any:
        """JSON of a resource."""
        response = self.until_answered(role, "GET", path, params=query)
        assert response.status_code == 200, f"GET {path}: {response.status_code} {response.text[:500]}"
        return response.json()

    def all(self, path: str, role: str = "qa", **query: Any) -> list[dict[str, Any]]:
        """Every item of a keyset-paginated list."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, role, limit=200, **query, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def post(self, role: str, path: str, body: Any, *, key: str | None = None) -> Any:
        """POST that must succeed; an accepted decision is waited for."""
        options: dict[str, Any] = {"json": body} | ({"key": key} if key else {})
        response = self.until_answered(role, "POST", path, **options)
        assert response.status_code in {200, 201, 202}, f"POST {path}: {response.status_code} {response.text[:800]}"
        answer = response.json()
        if answer.get("state") == "accepted":
            wait_for("the decision", lambda: self.get(answer["status_url"])["state"] == "done", 60, _POLL_S)
        return answer


@dataclass
class RecallCase:
    """One recall on its way; each step waits until the recall is ready for it."""

    office: Office
    group: Group
    number: str = ""

    @property
    def base(self) -> str:
        """Path of the recall."""
        return f"/v1/recalls/{self.number}"

    def start(self, *, reminder_after_s: float | None = None, drill: bool = False) -> "RecallCase":
        """Start it; the policy's 24 hours until the reminder pass in `reminder_after_s` seconds."""
        body = {
            "title": f"{self.group.brand} recall",
            "reason": "Cracked connectors.",
            "hazard": "Leakage of medication.",
            "translations": {"zh-CN": {"reason": "接头开裂。", "hazard": "药液渗漏。"}},
            "trigger": {"source": "complaint", "reference": "C-1"},
            "awareness_at": (datetime.now(UTC) - timedelta(hours=2)).isoformat(),
            "jurisdictions": ["us-fda"],
            "scope": {"brands": [self.group.brand]},
            "owner": "Quinn",
            "drill": drill,
        }
        if reminder_after_s is not None:
            body["pace"] = 86_400 / reminder_after_s
        self.number = self.office.post("qa", "/v1/recalls", body)["number"]
        return self

    def read(self) -> Any:
        """The recall as its owner sees it."""
        return self.office.get(self.base)

    def live(self) -> Any:
        """The recall as its workflow sees it."""
        return self.office.get(f"{self.base}/live")

    def wait_phase(self, phase: str, within_s: float = 60) -> Any:
        """The recall once it is in this phase."""

        def look() -> Any:
            found = self.read()
            return found if found["phase"] == phase else None

        try:
            return wait_for(f"{self.number} to enter {phase}", look, within_s, _POLL_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; its workflow says {self.live()}") from error

    def wait_heard(self) -> None:
        """Until something was heard of everybody. Whoever only acknowledged still owes quantities: the phase stays."""
        wait_for(f"everybody to be heard of in {self.number}", lambda: self.live()["outstanding"] == 0, 60, _POLL_S)

    def evaluate(self) -> int:
        """Sign the hazard evaluation; returns the id of the proposal."""
        self.wait_phase("assessment")
        body = {
            "product_line": self.group.brand,
            "evaluation": _EVALUATION,
            "market_actions": {"us-fda": "removal"},
        }
        self.office.post("medical", f"{self.base}/evaluations", body)
        return int(self.live()["proposal"]["proposal_id"])

    def approve_class(self, proposal: int, key: str | None = None) -> None:
        """The approver approves what was proposed."""
        self.office.post("approver", f"{self.base}/assessment/approve", {"proposal_id": proposal}, key=key)

    def sign_strategy(self) -> None:
        """Quality and regulatory affairs sign."""
        self.wait_phase("strategy")
        for role, capacity in (("qa", "quality"), ("regulatory", "regulatory")):
            self.office.post(role, f"{self.base}/strategy/approve", {"capacity": capacity, "strategy": _STRATEGY})

    def pass_gates(self) -> None:
        """FDA was told."""
        self.wait_phase("gates")
        self.office.post("regulatory", f"{self.base}/gates/{GATE}/pass", {"reference": "call 12"})

    def to_notice(self) -> Any:
        """Everything up to the drafted notice, which is returned."""
        self.approve_class(self.evaluate())
        self.sign_strategy()
        self.pass_gates()
        self.wait_phase("notification")
        return self.draft()

    def draft(self) -> Any:
        """The first notice, once its workflow asks for the approval: the draft is on record a moment earlier."""
        wait_for("the drafted notice", lambda: self.live()["notice"], 60, _POLL_S)
        return self.office.get(f"{self.base}/notices")[0]

    def release(self, notice: Any) -> None:
        """The approver releases the notice as read; the campaign starts."""
        self.office.post("approver", f"{self.base}/notices/{notice['id']}/approve", {"sha256": notice["sha256"]})

    def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery on record."""
        return self.office.all(f"{self.base}/deliveries")

    def consignees(self) -> list[dict[str, Any]]:
        """Every consignee on record."""
        return self.office.all(f"{self.base}/consignees")


class Recipient:
    """Somebody with a mail and a browser without scripts, who tries again until the page is there."""

    def __init__(self, http: httpx.Client, mail: Mapping[str, Any], patience_s: float = 90) -> None:
        found = LINK.search(mail["text"])
        assert found, f"no link in the mail to {mail['to']}"
        self._http, self._link, self._patience_s = http, found.group(), patience_s

    def acknowledge(self) -> Page:
        """Open the page and confirm receipt; returns the page after it."""
        page = self._until_shown("GET", self._link)
        if not any("acknowledged" in button[:2] for form in page.forms for button in form.buttons):
            return page
        return self._submit(page, {}, "acknowledged")

    def state_quantities(self, quantity: int, passed_on: int = 0, receiver: Mapping[str, str] | None = None) -> Page:
        """Acknowledge, then say that everything is held but what was passed on; returns the last page.

        Args:
            quantity: what this consignee received of its one lot.
            passed_on: how much of it went on, to one receiver.
            receiver: its name and email.
        """
        page = self._submit(self.acknowledge(), {"affected": "yes"})
        left = quantity - passed_on
        told = {"on_hand": left, "used": 0, "held": left, "passed_on": passed_on}
        asked = [name for name in page.form().fields if name.partition("-")[0] in told and "-" in name]
        page = self._submit(page, {name: str(told[name.partition("-")[0]]) for name in asked})
        if receiver is not None:
            named = {f"to-0-{name}": value for name, value in receiver.items()}
            page = self._submit(page, named | {"to-0-quantity": str(passed_on)})
        page = self._submit(page, {"responder_name": "Robin Hayes", "responder_role": "stores"})
        assert _RECORDED.search(page.text), f"the answer was not taken: {page.text[:300]}"
        return page

    def state_used(self, quantity: int) -> Page:
        """Acknowledge, then say that everything was used; returns the last page."""
        page = self._submit(self.acknowledge(), {"affected": "yes"})
        told = {"on_hand": 0, "used": quantity, "held": 0, "passed_on": 0}
        asked = [name for name in page.form().fields if name.partition("-")[0] in told and "-" in name]
        page = self._submit(page, {name: str(told[name.partition("-")[0]]) for name in asked})
        page = self._submit(page, {"responder_name": "Robin Hayes", "responder_role": "stores"})
        assert _RECORDED.search(page.text), f"the answer was not taken: {page.text[:300]}"
        return page

    def _submit(self, page: Page, filled: dict[str, str], button: str | None = None) -> Page:
        form = page.form(button or next(iter(filled)))
        return self._until_shown("POST", self._link, data=form.data(filled, button))

    def _until_shown(self, method: str, url: str, **options: Any) -> Page:
        def look() -> httpx.Response | None:
            try:
                response = self._http.request(method, url, **options)
            except httpx.TransportError:
                return None
            return None if response.status_code in _AGAIN else response

        response: httpx.Response = wait_for("the recipient's page", look, self._patience_s, _POLL_S)
        page = read_page(url, response.status_code, response.text)
        assert page.status == 200, f"{page.status} {page.text[:300]}"
        return page
