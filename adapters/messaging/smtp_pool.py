"""A small pool of SMTP connections that survive from one message to the next.

Opening a connection costs several round trips (and TLS); a campaign of 100,000 notices cannot pay that per
notice. Connections are opened on demand up to a limit, handed out one sender at a time, reset after a refused
recipient and thrown away after any doubt about their state.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from adapters.messaging.turns import Turns

_IDLE_LIMIT_SECONDS = 60.0
"""Older idle connections are not trusted: servers and firewalls drop them silently."""


class SmtpPool:
    """At most `size` connections, each used by one coroutine at a time."""

    def __init__(self, connect: Callable[[], aiosmtplib.SMTP], size: int) -> None:
        self._new_client = connect
        self._turns = Turns(size)
        self._idle: list[tuple[float, aiosmtplib.SMTP]] = []
        self._closed = False

    @asynccontextmanager
    async def connection(self, priority: int) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connected client, the most urgent first. After a refusal it is reset and kept; after any other exception
        discarded, because an answer that comes late would be taken for the answer to the next command.

        Raises:
            SMTPException, OSError: no connection could be opened.
        """
        if self._closed:
            raise RuntimeError("the SMTP adapter is closed")
        async with self._turns.one(priority):
            client = await self._take()
            try:
                yield client
            except SMTPResponseException as refusal:
                await self._reset_or_drop(client, refusal.code)
                raise
            except BaseException:
                # Cancelled, timed out or broken in mid-command: what the server expects next is unknown.
                client.close()
                raise
            self._put(client)

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        self._closed = True
        while self._idle:
            _, client = self._idle.pop()
            with suppress(SMTPException, OSError):
                await client.quit(timeout=2)
            client.close()

    async def _take(self) -> aiosmtplib.SMTP:
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, client = self._idle.pop()
            if client.is_connected and now - since < _IDLE_LIMIT_SECONDS:
                return client
            client.close()
        client = self._new_client()
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        return client

    def _put(self, client: aiosmtplib.SMTP) -> None:
        if self._closed or not client.is_connected:
            client.close()
            return
        self._idle.append((asyncio.get_running_loop().time(), client))

    async def _reset_or_drop(self, client: aiosmtplib.SMTP, code: int) -> None:
        try:
            if client.is_connected and 400 <= code < 600:
                await client.rset(timeout=5)
                self._put(client)
                return
        except (SMTPException, OSError):
            pass
        client.close()
