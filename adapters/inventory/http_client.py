"""Calls to a keeper's HTTP interface: signed or with a token, repeated within a bound, never faster than allowed.

Every operation of the contract may be repeated, so a lost answer is simply asked for again with the same
Idempotency-Key. What can never succeed (a refusal, a redirect, an answer beyond the bound) is not repeated. All ends
in `InventoryError`; neither credential nor address is ever in its text.
"""

import asyncio
import json
import random
import socket
import ssl
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import httpx

from adapters.inventory.base import InventoryError
from adapters.inventory.routing import Pace
from adapters.messaging.base import read_retry_after
from domain.keepers import KeeperAuth, KeeperRecord
from domain.web_addresses import WebAddressError, checked_url
from domain.webhook_signature import key_bytes, signed_headers

ANSWER_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of an answer that are taken."""
MOST_TRIES: Final = 5
CONNECTIONS: Final = 20
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_CONNECT_SECONDS: Final = 10.0
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same request is sent again."""
_AGENT: Final = "recall-orchestrator/1"
_KEEP_ALIVE: Final = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]
"""A firewall between us and a warehouse forgets silent connections; a dead one must not look like a slow one."""


class Refused(InventoryError):  # noqa: N818 - what the keeper did
    """The keeper answered and said no; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Again(Exception):  # noqa: N818 - what to do
    """The attempt brought nothing; another may."""

    def __init__(self, why: str, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer."""

    status: int
    body: dict[str, Any]


class KeeperClient:
    """One pool of connections to one keeper."""

    def __init__(
        self,
        record: KeeperRecord,
        credential: str,
        pace: Pace,
        *,
        ca_file: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        answer_limit: int = ANSWER_LIMIT,
    ) -> None:
        """Check the record; connections are made at the first call.

        Args:
            now: clock of signatures.

        Raises:
            ValueError: the address may not be called (no TLS beyond this machine), or the key is too short.
        """
        try:
            checked_url(record.base_url)
        except WebAddressError as error:
            raise ValueError(f"its address cannot be called: {error}") from None
        if urlsplit(record.base_url).query:
            raise ValueError("its address cannot be called: expected an address without a query")
        if record.auth is KeeperAuth.PASSWORD:
            raise ValueError("expected bearer or hmac as its way of authentication")
        self._key = key_bytes(credential) if record.auth is KeeperAuth.HMAC else None
        self._token = credential if self._key is None else None
        if self._token is not None and not (self._token.isascii() and self._token.isprintable()):
            raise ValueError("its token holds characters that no header can carry")
        self._record = record
        self._base = record.base_url.rstrip("/")
        self._pace = pace
        self._now = now
        self._limit = answer_limit
        # Read now: a missing file is a fault of the configuration, not of a call.
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(cafile=ca_file)
        self._http: httpx.AsyncClient | None = None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Reply:
        """GET, repeated within the bound.

        Raises:
            InventoryError: see `post`.
        """
        return await self._call("GET", path + (f"?{urlencode(query)}" if query else ""), b"", None)

    async def post(self, path: str, body: Mapping[str, Any], *, changes: bool = True) -> Reply:
        """POST JSON, repeated within the bound; what `changes` something has an Idempotency-Key of this one call.

        The same operation asked for later is another call: its answer must say how things stand then.

        Raises:
            Refused: the keeper said no.
            InventoryError: no answer that can be used came in time.
        """
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return await self._call("POST", path, content, str(uuid4()) if changes else None)

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _call(self, method: str, target: str, content: bytes, key: str | None) -> Reply:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._record.give_up_seconds
        why = "no turn came in time"
        try:
            async with asyncio.timeout_at(until):
                for attempt in range(MOST_TRIES):
                    await self._pace.turn(1, 1.0, self)
                    try:
                        return await self._once(method, target, content, key)
                    except _Again as again:
                        why, wait = str(again), again.wait
                    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt) * random.uniform(0.5, 1.5)  # noqa: S311
                    pause = max(pause, wait.total_seconds() if wait else 0.0)
                    if attempt + 1 == MOST_TRIES or loop.time() + pause >= until:
                        break
                    await asyncio.sleep(pause)
        except TimeoutError:
            why = f"{why}; gave up after {self._record.give_up_seconds:g} s"
        raise InventoryError(f"{self._record.code}: {why}")

    async def _once(self, method: str, target: str, content: bytes, key: str | None) -> Reply:
        try:
            async with asyncio.timeout(self._record.timeout_seconds):
                request = self._request(method, target, content, key)
                answer = await self._connected().send(request, stream=True)
                try:
                    return await self._read(answer)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise _Again(f"no answer within {self._record.timeout_seconds:g} s") from None
        except httpx.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error).upper():
                # Waiting repairs no certificate, and whoever answers now must not learn what is recalled.
                raise InventoryError(f"{self._record.code}: its certificate is not accepted") from None
            raise _Again("it cannot be reached") from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            raise _Again(f"the connection broke before an answer ({type(error).__name__})") from None

    def _request(self, method: str, target: str, content: bytes, key: str | None) -> httpx.Request:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": _AGENT}
        if method == "POST":
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        url = self._base + target
        if self._key is not None:
            path = httpx.URL(url).raw_path.decode("ascii")
            signed = f"{method} {path}\n".encode() + content
            headers |= signed_headers([self._key], str(uuid4()), self._now(), signed)
        else:
            headers["Authorization"] = f"Bearer {self._token}"
        return self._connected().build_request(method, url, content=content or None, headers=headers)

    async def _read(self, answer: httpx.Response) -> Reply:
        code, status = self._record.code, answer.status_code
        if answer.headers.get("Content-Encoding", "identity").casefold() != "identity":
            raise InventoryError(f"{code}: an answer was packed although none was asked for so")
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > self._limit:
                raise InventoryError(f"{code}: an answer is larger than {self._limit} bytes")
        if 300 <= status < 400:
            raise Refused(f"{code}: redirects are not followed (HTTP {status})", status)
        if status in _AGAIN:
            wait = read_retry_after(answer.headers.get("Retry-After"))
            if status == 429:
                await self._pace.too_fast(wait)
            raise _Again(_problem(bytes(body), status), wait)
        if status >= 400 or status < 200:
            if status in {401, 403}:
                raise Refused(f"{code}: our credential is refused (HTTP {status})", status)
            raise Refused(f"{code}: {_problem(bytes(body), status)}", status)
        return Reply(status, _decoded(bytes(body)))

    def _connected(self) -> httpx.AsyncClient:
        if self._http is None:
            limits = httpx.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=60
            )
            transport = httpx.AsyncHTTPTransport(verify=self._tls, limits=limits, socket_options=_KEEP_ALIVE)
            timeout = httpx.Timeout(
                self._record.timeout_seconds, connect=min(_CONNECT_SECONDS, self._record.timeout_seconds)
            )
            # No proxy and no netrc of the process: what goes out is decided by the record alone.
            self._http = httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False)
        return self._http


def _decoded(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; anything else may be a proxy's page, so the request is sent again."""
    try:
        found = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise _Again("its answer is not JSON") from None
    if not isinstance(found, dict):
        raise _Again("its answer is not a JSON object")
    return found


def _problem(body: bytes, status: int) -> str:
    """What a problem document says, in one line; else the status."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    said = [found.get(name) for name in ("title", "detail")] if isinstance(found, dict) else []
    return ": ".join(one_line(part) for part in said if isinstance(part, str) and part) or f"HTTP {status}"


def one_line(said: str, longest: int = 300) -> str:
    """A keeper's words as one line without control characters."""
    plain = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in said[: 4 * longest])
    return " ".join(plain.split())[:longest]


__all__ = ["ANSWER_LIMIT", "CONNECTIONS", "MOST_TRIES", "KeeperClient", "Refused", "Reply", "one_line"]
