"""E-mail: real SMTP conversations with the catcher and with servers that misbehave."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.messaging.base import ErrorKind, SendError
from adapters.messaging.smtp_email import SmtpConfig, SmtpEmailAdapter
from tests.messaging.builders import DELIVERY, mail
from tests.messaging.conftest import Catcher, free_port

FROM = "Product Safety 产品安全 <recall@firm.example>"


@asynccontextmanager
async def adapter_to(port: int, **options: object) -> AsyncIterator[SmtpEmailAdapter]:
    config = SmtpConfig(host="127.0.0.1", port=port, mail_from=FROM, **options)  # type: ignore[arg-type]
    adapter = SmtpEmailAdapter(config)
    try:
        yield adapter
    finally:
        await adapter.close()


async def refused_by(port: int, **changes: object) -> SendError:
    async with adapter_to(port, timeout_seconds=2) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(mail(**changes))
    return caught.value


async def test_a_notice_arrives_with_both_bodies_and_its_identity(catcher: Catcher) -> None:
    async with adapter_to(catcher.smtp_port) as adapter:
        result = await adapter.send(mail())
    (caught,) = await catcher.messages(to="stores@hospital.example")
    assert result.provider_id == caught["message_id"] == f"<{DELIVERY}@firm.example>"
    assert caught["subject"] == "URGENT: MEDICAL DEVICE RECALL RC-2026-000012"
    assert caught["text"] == "Stop using lot A1.\nhttp://127.0.0.1:8080/r/abc\n"
    assert "<b>A1</b>" in str(caught["html"])
    assert caught["links"] == ["http://127.0.0.1:8080/r/abc"]
    headers = caught["headers"]
    assert isinstance(headers, dict)
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["X-Recall-Delivery"] == str(DELIVERY)
    assert headers["Importance"] == "high"
    assert headers["From"] == FROM


async def test_chinese_survives_the_round_trip_in_subject_and_bodies(catcher: Catcher) -> None:
    text = "紧急：医疗器械召回\n请立即停止使用批号 甲-1 的产品，并隔离库存。\n" + "长" * 2000 + "\n"
    async with adapter_to(catcher.smtp_port) as adapter:
        await adapter.send(mail(subject="紧急医疗器械召回 " * 8, text=text, html=f"<p>{text}</p>", language="zh-CN"))
    (caught,) = await catcher.messages()
    assert caught["subject"] == ("紧急医疗器械召回 " * 8).strip()
    assert caught["text"] == text
    assert caught["html"] == f"<p>{text}</p>\n" or caught["html"] == f"<p>{text}</p>"


async def test_lines_that_begin_with_dots_arrive_as_they_were(catcher: Catcher) -> None:
    text = ".\n..\n.hidden\nend.\n.\n"
    async with adapter_to(catcher.smtp_port) as adapter:
        await adapter.send(mail(text=text, html=None))
        await adapter.send(mail(delivery_id=uuid4(), text=".first", html=f"<p>\n.{'产品' * 400}\n..x</p>"))
    first, second = await catcher.messages()
    assert first["text"] == text
    assert second["text"] == ".first"
    assert str(second["html"]).rstrip("\n") == f"<p>\n.{'产品' * 400}\n..x</p>"


async def test_a_resend_keeps_its_message_id_and_is_told_as_a_repeat(catcher: Catcher) -> None:
    async with adapter_to(catcher.smtp_port) as adapter:
        first, second = await adapter.send(mail()), await adapter.send(mail())
        await adapter.send(mail(delivery_id=uuid4()))
        assert await adapter.find_sent(mail(), datetime.now(UTC)) is None
    assert first == second
    caught = await catcher.messages()
    assert [message["duplicate_of"] for message in caught] == [None, caught[0]["id"], None]
    stats = (await catcher.http.get("/stats")).json()
    assert stats == {"messages": 3, "duplicates": 1, "refused": 0}


async def test_a_bouncing_address_is_permanent_for_the_contact_and_keeps_the_connection(catcher: Catcher) -> None:
    async with adapter_to(catcher.smtp_port, connections=1) as adapter:
        await adapter.send(mail())
        with pytest.raises(SendError) as caught:
            await adapter.send(mail(to="bounce.me@hospital.example"))
        await adapter.send(mail(delivery_id=uuid4()))
    assert caught.value.kind is ErrorKind.PERMANENT_CONTACT
    assert caught.value.code == "smtp:550/5.1.1"
    assert "bounce.me" not in str(caught.value)
    assert not caught.value.maybe_sent
    assert (await catcher.http.get("/stats")).json() == {"messages": 2, "duplicates": 0, "refused": 1}


@pytest.mark.parametrize(
    "address",
    [
        "nobody",
        "a b@x.example",
        "x@x.example\r\nBcc: all@x.example",
        "x@x.example>\r\nDATA",
        "@x.example",
        "x@[1",
        "用户@x.example",
    ],
)
async def test_a_malformed_address_never_reaches_the_wire(catcher: Catcher, address: str) -> None:
    error = await refused_by(catcher.smtp_port, to=address)
    assert (error.kind, error.code) == (ErrorKind.PERMANENT_CONTACT, "smtp:address")
    assert await catcher.messages() == []


async def test_an_internationalised_domain_is_sent_in_its_ascii_form(catcher: Catcher) -> None:
    async with adapter_to(catcher.smtp_port) as adapter:
        await adapter.send(mail(to="stores@bücher.example"))
    (caught,) = await catcher.messages()
    assert caught["to"] == "stores@xn--bcher-kva.example"


async def test_a_line_break_in_the_subject_adds_no_header(catcher: Catcher) -> None:
    async with adapter_to(catcher.smtp_port) as adapter:
        await adapter.send(mail(subject="Recall\r\nBcc: everyone@x.example"))
    (caught,) = await catcher.messages()
    assert caught["subject"] == "Recall Bcc: everyone@x.example"
    assert "Bcc" not in caught["headers"]  # type: ignore[operator]


async def test_two_hundred_notices_share_few_connections(catcher: Catcher) -> None:
    opened = 0

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", catcher.smtp_port)
        await asyncio.gather(_copy(reader, up_writer), _copy(up_reader, writer))

    async with serving(relay) as port, adapter_to(port, connections=5) as adapter:
        ids = [uuid4() for _ in range(200)]
        await asyncio.gather(*(adapter.send(mail(delivery_id=one)) for one in ids))
    caught = await catcher.messages()
    assert sorted(str(message["message_id"]) for message in caught) == sorted(f"<{one}@firm.example>" for one in ids)
    assert 1 <= opened <= 5


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def scripted(
    answers: dict[str, str], *, hang_up_after: str | None = None, silent_after: str = "", scans: float = 0.0
) -> Handler:
    """A server that answers each verb as told; `body` is what it says after the final dot, `scans` seconds later."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.get("greeting", "220 ready").encode() + b"\r\n")
        in_body = False
        while line := await reader.readline():
            verb = "body" if in_body else line.split()[0].decode().upper()
            if in_body and line != b".\r\n":
                continue
            if verb == hang_up_after:
                break
            if verb == silent_after:
                continue
            if verb == "body":
                await asyncio.sleep(scans)
            default = {"EHLO": "250 me", "DATA": "354 go", "QUIT": "221 bye"}.get(verb, "250 ok")
            in_body = verb == "DATA" and verb not in answers
            writer.write(answers.get(verb, default).encode() + b"\r\n")
        writer.close()

    return handle


@pytest.mark.parametrize(
    ("answers", "kind", "code"),
    [
        ({"RCPT": "450 4.2.1 busy"}, ErrorKind.TRANSIENT, "smtp:450/4.2.1"),
        ({"RCPT": "550 who?"}, ErrorKind.PERMANENT_CONTACT, "smtp:550"),
        ({"RCPT": "554 5.7.1 relaying denied"}, ErrorKind.TRANSIENT, "smtp:554/5.7.1"),
        ({"RCPT": "599 what"}, ErrorKind.TRANSIENT, "smtp:unknown:599"),
        ({"MAIL": "550 5.1.7 you again"}, ErrorKind.PERMANENT_CAMPAIGN, "smtp:550/5.1.7"),
        ({"MAIL": "530 5.7.0 log in first"}, ErrorKind.PERMANENT_CAMPAIGN, "smtp:530/5.7.0"),
        ({"body": "552 5.2.2 full"}, ErrorKind.PERMANENT_CONTACT, "smtp:552/5.2.2"),
        ({"body": "550 spam"}, ErrorKind.TRANSIENT, "smtp:550"),
        ({"body": "554 5.7.26 unauthenticated"}, ErrorKind.PERMANENT_CAMPAIGN, "smtp:554/5.7.26"),
        ({"greeting": "421 too busy"}, ErrorKind.TRANSIENT, "smtp:421"),
        ({"greeting": "554 go away"}, ErrorKind.PERMANENT_CAMPAIGN, "smtp:554"),
    ],
)
async def test_replies_are_classified_by_the_table(answers: dict[str, str], kind: ErrorKind, code: str) -> None:
    async with serving(scripted(answers)) as port:
        error = await refused_by(port)
    assert (error.kind, error.code, error.maybe_sent) == (kind, code, False)


async def test_rejected_credentials_stop_the_campaign() -> None:
    answers = {"EHLO": "250-me\r\n250 AUTH PLAIN", "AUTH": "535 5.7.8 no"}
    async with serving(scripted(answers)) as port, adapter_to(port, username="u", password="p") as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(mail())
    assert (caught.value.kind, caught.value.code) == (ErrorKind.PERMANENT_CAMPAIGN, "smtp:535/5.7.8")


async def test_required_starttls_that_is_not_offered_stops_the_campaign() -> None:
    async with serving(scripted({})) as port, adapter_to(port, starttls=True) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(mail())
    assert (caught.value.kind, caught.value.code) == (ErrorKind.PERMANENT_CAMPAIGN, "smtp:tls")


@pytest.mark.parametrize(("verb", "maybe"), [("MAIL", False), ("RCPT", False), ("body", True)])
async def test_only_a_break_after_the_body_leaves_it_open_whether_it_was_sent(verb: str, maybe: bool) -> None:
    async with serving(scripted({}, hang_up_after=verb)) as port:
        error = await refused_by(port)
    assert (error.kind, error.code, error.maybe_sent) == (ErrorKind.TRANSIENT, "smtp:connection", maybe)


async def test_a_server_that_never_answers_is_given_up_in_time() -> None:
    async with serving(scripted({}, silent_after="body")) as port, adapter_to(port, timeout_seconds=0.3) as adapter:
        with pytest.raises(SendError) as caught:
            await adapter.send(mail())
    assert (caught.value.code, caught.value.maybe_sent) == ("smtp:timeout", True)


async def test_a_server_that_scans_before_it_accepts_gets_the_message_once() -> None:
    async with serving(scripted({}, scans=0.8)) as port, adapter_to(port, timeout_seconds=0.4) as adapter:
        assert (await adapter.send(mail())).provider_id == f"<{DELIVERY}@firm.example>"


async def test_an_unreadable_answer_after_the_body_is_no_refusal() -> None:
    async with serving(scripted({"body": "???"})) as port:
        error = await refused_by(port)
    assert (error.kind, error.code, error.maybe_sent) == (ErrorKind.TRANSIENT, "smtp:unknown:answer", True)


async def test_nobody_listening_is_transient() -> None:
    error = await refused_by(free_port())
    assert (error.kind, error.code, error.maybe_sent) == (ErrorKind.TRANSIENT, "smtp:connection", False)


def test_the_message_reads_back_with_a_strict_parser() -> None:
    adapter = SmtpEmailAdapter(SmtpConfig(host="h", port=25, mail_from=FROM))
    raw = adapter.build(mail(text="ä" * 3000))
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed.defects == []
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_a_sender_without_a_domain_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="RECALL_MAIL_FROM"):
        SmtpEmailAdapter(SmtpConfig(host="h", port=25, mail_from="Recall team"))
