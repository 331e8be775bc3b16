"""Answers that no Twilio gives: what stands before it (a proxy, a portal), or a fault there, may give them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.messaging import twilio_connection
from adapters.messaging.base import ErrorKind, MessagingAdapter, OutgoingMessage, SendError
from adapters.messaging.twilio_connection import LARGEST_ANSWER, TwilioConfig
from adapters.messaging.twilio_sms import TwilioSmsAdapter
from adapters.messaging.twilio_voice import TwilioVoiceAdapter
from tests.messaging.builders import sms
from tests.messaging.conftest import ACCOUNT_SID, AUTH_TOKEN

CALL = replace(sms(), call_script="https://recall.firm.example/call")
Body = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def adapters(body: Body, *, seconds: float = 2) -> AsyncIterator[tuple[MessagingAdapter, MessagingAdapter]]:
    """Texts and calls through a server that takes each request and lets `body` answer it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await body(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    config = TwilioConfig(ACCOUNT_SID, AUTH_TOKEN, "+12025550100", base_url=url, timeout_seconds=seconds)
    made = TwilioSmsAdapter(config), TwilioVoiceAdapter(config)
    try:
        yield made
    finally:
        for each in made:
            await each.close()
        server.close()


async def refused(adapter: MessagingAdapter, message: OutgoingMessage) -> SendError:
    with pytest.raises(SendError) as caught:
        await adapter.send(message)
    return caught.value


def saying(document: str, status: str = "201 Created") -> Body:
    async def body(writer: asyncio.StreamWriter) -> None:
        sent = document.encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n".encode())
        writer.write(f"Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
        await writer.drain()

    return body


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        "[]",
        "null",
        "7",
        '{"status": "ok"}',
        '{"sid": null}',
        '{"sid": ""}',
        '{"sid": 7}',
        '{"sid": "SM\\u0000"}',
        '{"sid": "None"}',
    ],
)
async def test_an_answer_without_an_id_is_no_acceptance(document: str) -> None:
    async with adapters(saying(document)) as (texts, calls):
        for error in (await refused(texts, sms()), await refused(calls, CALL)):
            assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "twilio:unknown:answer")
            assert error.maybe_sent, "whoever answered so may have passed it on"


@pytest.mark.parametrize("code", ['"<html>\\u0000"', "[1]", '{"a": 1}', "true", "1e400"])
async def test_a_code_that_is_no_number_is_left_out(code: str) -> None:
    async with adapters(saying(f'{{"code": {code}, "message": "m"}}', "400 Bad Request")) as (texts, _):
        error = await refused(texts, sms())
    assert (error.kind, error.code, error.maybe_sent) == (ErrorKind.TRANSIENT, "twilio:unknown:http-400", False)


async def test_an_answer_that_drips_is_given_up() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with asyncio.timeout(20), adapters(drip, seconds=0.3) as (texts, _):
        error = await refused(texts, sms())
    assert (error.code, error.maybe_sent, error.outage) == ("twilio:timeout", True, False)


async def test_a_text_that_gets_no_connection_because_others_hold_them_is_not_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        held.set()
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    monkeypatch.setattr(twilio_connection, "CONNECTIONS", 1)
    async with asyncio.timeout(20), adapters(drip, seconds=1) as (texts, _):
        asking = asyncio.create_task(texts.find_sent(sms(), datetime.now(UTC)))
        await held.wait()
        error = await refused(texts, sms())
        assert (error.code, error.maybe_sent) == ("twilio:connection", False)
        with pytest.raises(SendError):
            await asking


async def test_an_answer_without_end_is_not_kept() -> None:
    written = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n")
        while written < 8 * LARGEST_ANSWER:
            writer.write(b" " * 65_536)
            await writer.drain()
            written += 65_536

    async with asyncio.timeout(50), adapters(flood, seconds=10) as (texts, _):
        error = await refused(texts, sms())
    assert (error.kind, error.maybe_sent) == (ErrorKind.TRANSIENT, True)
    assert written < 3 * LARGEST_ANSWER
