"""A TCP proxy that cuts connections and loses the answers of requests the server has already taken.

It stands between the product and a provider. What the provider accepted stays accepted; the product only never hears
of it, as when a network fails between a 250 and its reader.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

_CHUNK = 65_536
_DATA_ENDS = b"\r\n.\r\n"


@dataclass
class Faults:
    """How often what happens, and how often it did."""

    lose: float = 0.0
    """Share of accepted requests whose answer is lost."""
    lost: int = 0
    cut: int = 0


@dataclass
class Proxy:
    """One listening port in front of one server port; its event loop runs in a thread of its own."""

    target: int
    seed: int = 0
    port: int = 0
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._chance = random.Random(self.seed)  # noqa: S311 - which answers are lost is no secret
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Proxy":
        """Listen on a free port of the loopback interface."""
        self._thread.start()
        self._ready.wait(10)
        return self

    def cut_all(self) -> None:
        """Reset every connection that is open now."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def stop(self) -> None:
        """Close everything and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            self._abort_all()
            pending = asyncio.all_tasks(self._loop)
            for task in pending:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            self._loop.close()

    def _abort_all(self) -> None:
        for writer in list(self._open):
            self.faults.cut += 1
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, sink = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        accepted = asyncio.Event()
        self._open.add(writer)
        try:
            forward = asyncio.create_task(self._forward(reader, sink, accepted))
            back = asyncio.create_task(self._back(upstream, writer, accepted))
            _, left = await asyncio.wait({forward, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(forward, back, return_exceptions=True)
        finally:
            self._open.discard(writer)
            for each in (writer, sink):
                each.close()

    async def _forward(self, reader: asyncio.StreamReader, sink: asyncio.StreamWriter, armed: asyncio.Event) -> None:
        tail = b""
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                # The end of an SMTP message, or a request that makes something: what answers it may be lost.
                taken = _DATA_ENDS in tail + data or data.startswith(b"POST ")
                if taken and self._chance.random() < self.faults.lose:
                    armed.set()
                tail = data[-len(_DATA_ENDS) :]
                sink.write(data)
                await sink.drain()

    async def _back(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, armed: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await upstream.read(_CHUNK):
                if armed.is_set():
                    self.faults.lost += 1
                    writer.transport.abort()
                    return
                writer.write(data)
                await writer.drain()


@contextlib.contextmanager
def proxied(target: int, seed: int, lose: float) -> Iterator[Proxy]:
    """A running proxy in front of `target`, gone afterwards."""
    proxy = Proxy(target, seed, faults=Faults(lose=lose)).start()
    try:
        yield proxy
    finally:
        proxy.stop()
