"""Around every request: an id, security headers, and one JSON log line without personal data.

Pure ASGI, because Starlette's `BaseHTTPMiddleware` copies bodies and hides the real exception. The log
names the route's template (`/r/{token}`), never the path as sent, which may carry a secret link, and the caller's
token by its id, never the person.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import MEDIA_TYPE, Problem, problem_document

PageFor = Callable[[Scope], Response | None]

access_log = logging.getLogger("api.access")

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Defaults; a route that serves HTML sets a policy of its own."""


class RequestContext:
    """Gives each request its id, adds the headers and writes the log line when the answer is out."""

    def __init__(self, app: ASGIApp, *, https: bool, too_large_page: PageFor | None = None) -> None:
        """`too_large_page`: what is read in a browser instead of a problem document, for the paths it answers for."""
        self.app = app
        self.https = https
        self.too_large_page = too_large_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                self._complete(headers, request_id)
                if _is_plain_413(status, headers):
                    answer = (self.too_large_page and self.too_large_page(scope)) or _too_large(request_id)
                    headers.update(answer.headers)
                    state["body"] = bytes(answer.body)
            elif "body" in state:
                message = {"type": "http.response.body", "body": state.pop("body")}
            await send(message)

        try:
            await self.app(scope, receive, with_headers)
        finally:
            _write_line(scope, status, time.perf_counter() - started)

    def _complete(self, headers: MutableHeaders, request_id: str) -> None:
        headers["X-Request-ID"] = request_id
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if self.https:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")


def _is_plain_413(status: int, headers: Headers) -> bool:
    """The framework's own body limit answers outside our error handlers."""
    return status == 413 and headers.get("content-type", "").startswith("text/plain")


def _too_large(request_id: str) -> Response:
    document = problem_document(Problem("too_large", "The body is larger than this route accepts."), request_id)
    return JSONResponse(document, 413, media_type=MEDIA_TYPE)


def _write_line(scope: Scope, status: int, seconds: float) -> None:
    state = scope["state"]
    route = scope.get("route")
    access_log.info(
        json.dumps(
            {
                "event": "request",
                "request_id": state["request_id"],
                "method": scope["method"],
                "route": getattr(route, "path", None),
                "status": status,
                "ms": round(seconds * 1000, 1),
                "token": state.get("token_id"),
                "recall": scope.get("path_params", {}).get("number"),
            }
        )
    )


__all__ = ["SECURITY_HEADERS", "RequestContext"]
