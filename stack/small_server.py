"""What the two local stand-ins share: a loopback socket, an HTTP app on it, and a clean end on SIGTERM."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping

import uvicorn
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp

from stack.errors import StackError

LOOPBACK = "127.0.0.1"


class StartError(StackError):
    """The process cannot start; the message is the one line a person sees."""


def loopback_only() -> list[Middleware]:
    """Refuses foreign Host headers, so that no web page elsewhere can reach in by DNS rebinding."""
    return [Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"])]


def env_port(name: str, default: int, environment: Mapping[str, str] = os.environ) -> int:
    """A port from the environment.

    Raises:
        StartError: it is no port number.
    """
    text = environment.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise StartError(f"{name}: expected a port number, got {text[:20]!r}")
    return int(text)


def bind(port: int, purpose: str) -> socket.socket:
    """A listening-to-be socket on the loopback interface.

    Raises:
        StartError: the port is taken or forbidden.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise StartError(f"{purpose}: port {port} of {LOOPBACK} cannot be used ({error.strerror})") from None
    return listener


class HttpServer(uvicorn.Server):
    """Uvicorn without its own signal handling, which would end the process before we have cleaned up."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3, lifespan="off")
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGINT and SIGTERM to `run_until_signal`."""
        yield

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:  # type: ignore[override]
        """Serve until `stop` is set."""
        serving = asyncio.create_task(self.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self.should_exit = True
        stopping.cancel()
        await serving


def run_until_signal(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run `main(stop)`; SIGINT and SIGTERM set `stop`. Exit status 0, or 1 with one line on stderr."""

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await main(stop)

    try:
        asyncio.run(run())
    except StartError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line a person at the terminal needs
        return 1
    return 0
