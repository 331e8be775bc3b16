"""The product's HTTP API as its users see it: one token per person, one Idempotency-Key per wish.

A 503 or a lost connection is answered as the API asks for it: the same request again with the same key. A decision
counts when its status says done.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo.waiting import Deadline, DemoError

_AGAIN = frozenset({425, 429, 502, 503, 504})
_REQUEST_S = 30.0


@dataclass(frozen=True)
class Answer:
    """Status and JSON body of an answer that may be a refusal."""

    status: int
    body: Any

    def __str__(self) -> str:
        detail = self.body.get("detail") or self.body.get("title") if isinstance(self.body, dict) else self.body
        return f"{self.status} {detail}"


class Person:
    """One person with a token; only what this token permits can be done."""

    def __init__(self, api: str, role: str, principal: str, token: str, password: str, deadline: Deadline) -> None:
        self.role, self.principal, self._password = role, principal, password
        self._deadline = deadline
        self._http = httpx.Client(
            base_url=api, headers={"Authorization": f"Bearer {token}"}, timeout=_REQUEST_S, trust_env=False
        )

    def get(self, path: str, **query: Any) -> Any:
        """JSON of a resource.

        Raises:
            DemoError: anything but success.
        """
        answer = self._until_answered("GET", path, params=query)
        if answer.status != 200:
            raise DemoError(f"GET {path}: {answer}")
        return answer.body

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """Every item of a list, be it keyset-paginated or whole."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            if isinstance(page, list):
                yield from page
                return
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def try_post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """POST and return whatever is answered, refusals included; asked for a signature, give the password."""
        key = _key()
        answer = self._until_answered("POST", path, json=body, headers=key)
        if answer.status == 401 and "signature-required" in str(answer.body):
            self._sign_in()
            answer = self._until_answered("POST", path, json=body, headers=key)
        return answer

    def _sign_in(self) -> None:
        answer = self._until_answered("POST", "/v1/me/signing-session", json={"password": self._password})
        if answer.status != 201:
            raise DemoError(f"{self.principal} ({self.role}) cannot sign: {answer}")

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST that must succeed; a decision is waited for until it is done.

        Raises:
            DemoError: refused, or the decision did not come to its end.
        """
        answer = self.try_post(path, body)
        if answer.status not in {200, 201, 202}:
            raise DemoError(f"POST {path} as {self.principal} ({self.role}): {answer}\n{answer.body}")
        if isinstance(answer.body, dict) and answer.body.get("state") == "accepted":
            return self._finished(answer.body["status_url"])
        return answer.body

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """PUT that must succeed.

        Raises:
            DemoError: refused.
        """
        answer = self._until_answered("PUT", path, json=body, headers=_key())
        if answer.status not in {200, 201}:
            raise DemoError(f"PUT {path} as {self.principal} ({self.role}): {answer}\n{answer.body}")
        return answer.body

    def upload(self, path: str, name: str, content: bytes, content_type: str) -> Any:
        """Upload one file.

        Raises:
            DemoError: refused.
        """
        files = {"file": (name, content, content_type)}
        answer = self._until_answered("POST", path, files=files, headers=_key())
        if answer.status not in {200, 201}:
            raise DemoError(f"POST {path}: {answer}")
        return answer.body

    def _finished(self, status_url: str) -> Any:
        def done() -> Any:
            answer = self._until_answered("GET", status_url)
            if answer.status != 200:
                raise DemoError(f"GET {status_url}: {answer}")
            return answer.body if answer.body["state"] == "done" else None

        return self._deadline.wait_for("the decision to be carried out", done, 120)

    def _until_answered(self, method: str, path: str, **options: Any) -> Answer:
        last = "no answer"

        def ask() -> Answer | None:
            nonlocal last
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError as error:
                last = repr(error)
                return None
            answer = Answer(response.status_code, _body(response))
            last = str(answer)
            in_progress = answer.status == 409 and "request-in-progress" in str(answer.body)
            return None if answer.status in _AGAIN or in_progress else answer

        try:
            return self._deadline.wait_for(f"an answer to {method} {path}", ask, 120)
        except DemoError as error:
            raise DemoError(f"{error}; last: {last}") from None


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def _body(response: httpx.Response) -> Any:
    return response.json() if "json" in response.headers.get("Content-Type", "") else response.text


def people(api: str, tokens: Mapping[str, Mapping[str, str]], deadline: Deadline) -> dict[str, Person]:
    """One person per role, from the development tokens."""
    return {
        role: Person(api, role, entry["principal"], entry["token"], entry["password"], deadline)
        for role, entry in tokens.items()
    }


def evidence_file(folder: Path) -> tuple[str, bytes, str]:
    """The lab report that accompanies the alarm, written here as a real file."""
    text = (
        "Laboratory report LR-2026-1107\n\nRetained samples of the rapid test were run against a panel of 60 weakly"
        "\nreactive specimens. 4 of 60 read negative. Repeat with fresh buffer: 4 of 60.\n"
    )
    path = folder / "laboratory-report.txt"
    path.write_text(text)
    return path.name, path.read_bytes(), "text/plain"
