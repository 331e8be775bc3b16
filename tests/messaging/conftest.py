"""The real catcher and the real stand-in, each on a free port, inside the test's own loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack import mail_catcher, twilio_standin
from stack.small_server import HttpServer, bind

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "token-of-the-stand-in"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_up(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            try:
                await client.get(url)
            except httpx.TransportError:
                await asyncio.sleep(0.02)
            else:
                return
    raise AssertionError(f"{url} did not come up")


@asynccontextmanager
async def running(serve: Callable[[asyncio.Event], Awaitable[None]], url: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(serve(stop))
    try:
        await until_up(url)
        yield
    finally:
        stop.set()
        await task


@dataclass(frozen=True)
class Catcher:
    smtp_port: int
    url: str
    http: httpx.AsyncClient

    async def messages(self, **query: str) -> list[dict[str, object]]:
        answer = await self.http.get("/messages", params=query)
        answer.raise_for_status()
        found: list[dict[str, object]] = answer.json()
        return found


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    smtp, http = free_port(), free_port()
    environment = {
        "RECALL_SMTP_PORT": str(smtp),
        "RECALL_INBOX_PORT": str(http),
        "RECALL_STATE_DIR": str(tmp_path),
    }
    url = f"http://127.0.0.1:{http}"
    async with (
        running(lambda stop: mail_catcher.serve(stop, environment), url),
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield Catcher(smtp, url, client)


@dataclass
class Webhooks:
    """Our side of Twilio's callbacks: keeps what arrives (URL, form, signature), answers as told."""

    url: str
    received: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    answer: str = "<Response/>"
    arrival: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.received.append((self.url + path, form, request.headers["X-Twilio-Signature"]))
        self.arrival.set()
        return Response(self.answer, media_type="text/xml")

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.received) < count:
                self.arrival.clear()
                await self.arrival.wait()


@asynccontextmanager
async def webhooks_on(port: int) -> AsyncIterator[Webhooks]:
    hooks = Webhooks(f"http://127.0.0.1:{port}")
    routes = [
        Route("/{rest:path}", hooks.receive, methods=["POST"]),
        Route("/", lambda _: Response()),
    ]
    server = HttpServer(Starlette(routes=routes))
    async with running(lambda stop: server.run(bind(port, "test"), stop), hooks.url):
        yield hooks


@pytest.fixture
async def webhooks() -> AsyncIterator[Webhooks]:
    async with webhooks_on(free_port()) as hooks:
        yield hooks


@dataclass(frozen=True)
class Standin:
    url: str
    http: httpx.AsyncClient


@pytest.fixture
async def standin(tmp_path: Path, webhooks: Webhooks) -> AsyncIterator[Standin]:
    port = free_port()
    environment = {
        "RECALL_SMS_PORT": str(port),
        "RECALL_STATE_DIR": str(tmp_path),
        "RECALL_CALL_SECONDS": "0.5",
        "RECALL_SMS_WEBHOOK_URL": webhooks.url + "/v1/webhooks/twilio/inbound",
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    }
    url = f"http://127.0.0.1:{port}"
    async with (
        running(lambda stop: twilio_standin.serve(stop, environment), url),
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield Standin(url, client)
