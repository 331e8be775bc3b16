"""Prism between our adapters and the stand-in: it checks every request, and every answer, against Twilio's description.

The description is Twilio's own OpenAPI file from beside the checkout. Prism lets pass what the description does not
name, so a recorder in front of it keeps the names of all parameters for the test to look up.
"""

import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.small_server import HttpServer, bind
from tests.messaging.conftest import Standin, free_port, running, standin, webhooks

__all__ = ["Prism", "Sent", "described", "prism", "standin", "webhooks"]
SPEC = Path(__file__).parents[3] / "shared" / "data" / "twilio" / "twilio_api_v2010.json.gz"
PRISM = Path(__file__).parent / "node_modules" / ".bin" / "prism"
_PARTS = ("/Messages", "/Calls")


@dataclass(frozen=True)
class Sent:
    """A request as our code made it."""

    method: str
    path: str
    names: frozenset[str]
    """Of the parameters in the address and in the body."""


@dataclass
class Prism:
    """A running Prism with the recorder in front of it."""

    behind: str
    """Prism's own address."""
    log: list[str]
    """Prism's output."""
    url: str = ""
    """Where requests go."""
    sent: list[Sent] = field(default_factory=list)

    async def forward(self, request: Request) -> Response:
        """Keep the names of a request and hand it on as it is."""
        body = await request.body()
        pairs = parse_qsl(body.decode()) + parse_qsl(request.url.query)
        self.sent.append(Sent(request.method, request.url.path, frozenset(name for name, _ in pairs)))
        query = f"?{request.url.query}" if request.url.query else ""
        kept = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            answer = await client.request(
                request.method, f"{self.behind}{request.url.path}{query}", content=body, headers=kept
            )
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))


@lru_cache(maxsize=1)
def described() -> dict[str, Any]:
    """Twilio's paths for messages and calls.

    Two things are put straight that Twilio's own examples contradict or Prism does not take for granted: the addresses
    of pages are paths, not whole URIs, and a list in a form is a repeated field (the default of OpenAPI).
    """
    spec: dict[str, Any] = json.loads(gzip.decompress(SPEC.read_bytes()))
    spec["paths"] = {path: item for path, item in spec["paths"].items() if any(part in path for part in _PARTS)}
    for item in spec["paths"].values():
        for media in item.get("post", {}).get("requestBody", {}).get("content", {}).values():
            lists = [name for name, one in media["schema"].get("properties", {}).items() if one.get("type") == "array"]
            media["encoding"] = {name: {"style": "form", "explode": True} for name in lists}
        pages = item.get("get", {}).get("responses", {}).get("200", {}).get("content", {}).values()
        for name, one in ((name, one) for page in pages for name, one in page["schema"].get("properties", {}).items()):
            if name.endswith("uri"):
                one.pop("format", None)
    return spec


def _description(folder: Path) -> Path:
    written = folder / "twilio.json"
    written.write_text(json.dumps(described()))
    return written


def _skip_where_it_cannot_run() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed, so Prism cannot run")
    if not SPEC.exists():
        pytest.skip(f"Twilio's OpenAPI description is not at {SPEC}")
    if not PRISM.exists():
        pytest.skip("Prism is not installed: run `make contract`")


@asynccontextmanager
async def _running(*arguments: str) -> AsyncIterator[Prism]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(str(PRISM), *arguments, "--errors", "-h", "127.0.0.1", "-p", str(port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    lines: list[str] = []
    listening = asyncio.Event()

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            lines.append(line.decode(errors="replace"))
            if "is listening" in lines[-1]:
                listening.set()
        listening.set()

    reader = asyncio.create_task(read())
    try:
        async with asyncio.timeout(60):
            await listening.wait()
        assert process.returncode is None, "".join(lines)
        yield Prism(f"http://127.0.0.1:{port}", lines)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reader


@pytest.fixture
async def prism(standin: Standin, tmp_path: Path) -> AsyncIterator[Prism]:
    """Prism as a proxy in front of the stand-in."""
    _skip_where_it_cannot_run()
    async with _running("proxy", str(_description(tmp_path)), standin.url) as proxy:
        port = free_port()
        proxy.url = f"http://127.0.0.1:{port}"
        routes = [Route("/", lambda _: Response()), Route("/{rest:path}", proxy.forward, methods=["GET", "POST"])]
        server = HttpServer(Starlette(routes=routes))
        async with running(lambda stop: server.run(bind(port, "test"), stop), proxy.url):
            yield proxy
