"""The servers that benchmarks measure against: a PostgreSQL that syncs, and the product's parts as processes.

A benchmark on the tests' PostgreSQL would compare with a disk that is never waited for.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import httpx

from db.migrate import upgrade
from stack.temporal_server import temporal_binary
from tests.messaging.conftest import free_port
from tests.support.servers import PostgresForTests, ThrowAwayPostgres


class DurablePostgres(ThrowAwayPostgres):
    """A throw-away server that syncs its commits like the one of `recall up`."""

    def start(self) -> None:
        """As the tests' server, with durability."""
        admin, owner, app = self._passwords
        self.cluster.initialise(admin)
        with (self.state_dir / "logs" / "postgres.log").open("ab") as log:
            command = self.cluster.command(durable=True)
            process = subprocess.Popen(command, stdout=log, stderr=log, **self.cluster.spawn_options())
        self.process = process
        self.cluster.wait_until_ready(admin, lambda: process.poll() is None)
        self.cluster.ensure_roles(admin, owner, app)


@contextmanager
def migrated_postgres() -> Iterator[PostgresForTests]:
    """Addresses of a durable server with our tables, gone afterwards."""
    server = DurablePostgres()
    try:
        server.start()
        addresses = server.addresses()
        upgrade(addresses.owner_url)
        yield addresses
    finally:
        server.stop()


@asynccontextmanager
async def process(module: str, url: str, **environment: str) -> AsyncIterator[None]:
    """`python -m module` with this environment, once `url` answers; ended afterwards."""
    command = [sys.executable, "-m", module]
    async with _child(command, os.environ | environment) as child, httpx.AsyncClient(trust_env=False) as client:
        for _ in range(600):
            try:
                await client.get(url)
                break
            except httpx.TransportError:
                if child.poll() is not None:
                    raise SystemExit(f"{module} ended with {child.returncode}") from None
                await asyncio.sleep(0.05)
        else:
            raise SystemExit(f"{module} does not answer at {url}")
        yield


@asynccontextmanager
async def temporal() -> AsyncIterator[str]:
    """Address of an empty Temporal server in memory."""
    port = free_port()
    command = [str(temporal_binary()), "server", "start-dev", "--headless", "--port", str(port)]
    async with _child([*command, "--log-level", "never"], os.environ):
        for _ in range(600):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        else:
            raise SystemExit("temporal does not answer")
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def _child(
    command: Sequence[str], environment: "os._Environ[str] | dict[str, str]"
) -> AsyncIterator["subprocess.Popen[bytes]"]:
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs while a server starts
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.terminate()
        child.wait(30)


__all__ = ["migrated_postgres", "process", "temporal"]
