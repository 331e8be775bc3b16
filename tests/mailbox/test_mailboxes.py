"""The two mailboxes: real files, and a real IMAP conversation with a small server."""

import asyncio
import datetime as dt
import ipaddress
import mailbox
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.mailbox.base import HEAD_BYTES, MailboxUnavailable
from adapters.mailbox.factory import build_mailbox
from adapters.mailbox.imap import ImapConfig, ImapMailbox
from adapters.mailbox.maildir import MaildirMailbox
from settings import Settings
from tests.mailbox.imap_server import ImapServer, serving
from tests.messaging.conftest import free_port

LIMIT = 100_000


@asynccontextmanager
async def client(server: ImapServer, *, tls: bool = False, password: str | None = None,
                 context: ssl.SSLContext | None = None) -> AsyncIterator[ImapMailbox]:  # fmt: skip
    box = ImapMailbox(
        ImapConfig(
            "127.0.0.1",
            server.port,
            "bounces",
            password or server.password,
            done_folder="Read mail",
            tls=tls,
            timeout_seconds=3,
            tls_context=context,
        )
    )
    try:
        yield box
    finally:
        await box.close()


# ---------------------------------------------------------------------- Maildir


def deliver(path: Path, raw: bytes, *, age: float = 0) -> str:
    for name in ("tmp", "new", "cur"):
        (path / name).mkdir(parents=True, exist_ok=True)
    key = mailbox.Maildir(path).add(raw)
    file = next((path / "new").glob(f"{key}*"))
    when = file.stat().st_mtime - age
    os.utime(file, (when, when))
    return key


async def test_mail_in_a_maildir_is_listed_oldest_first_and_moved_when_done(tmp_path: Path) -> None:
    box = MaildirMailbox(tmp_path / "in")
    assert await box.list_new(10) == []
    deliver(tmp_path / "in", b"Subject: second\n\n2")
    deliver(tmp_path / "in", b"Subject: first\n\n1", age=60)
    keys = await box.list_new(10)
    first = await box.fetch(keys[0], LIMIT)
    assert first is not None
    assert (first.raw, first.complete) == (b"Subject: first\n\n1", True)
    assert dt.datetime.now(dt.UTC) - first.arrived_at >= dt.timedelta(seconds=59)
    await box.mark_done(keys[0])
    await box.mark_done(keys[0])
    assert await box.list_new(10) == [keys[1]]
    assert await box.fetch(keys[0], LIMIT) is None
    (done,) = (tmp_path / "in" / ".Processed" / "cur").iterdir()
    assert done.read_bytes() == b"Subject: first\n\n1"


async def test_a_mail_that_somebody_has_looked_at_is_still_new_to_us(tmp_path: Path) -> None:
    deliver(tmp_path, b"Subject: seen\n\n1")
    box = MaildirMailbox(tmp_path)
    (key,) = await box.list_new(10)
    (file,) = (tmp_path / "new").iterdir()
    file.rename(tmp_path / "cur" / f"{file.name}:2,S")
    assert await box.fetch(key, LIMIT) is not None
    assert len(await box.list_new(10)) == 1
    await box.mark_done(key)
    assert await box.list_new(10) == []


async def test_of_a_mail_over_the_limit_the_beginning_is_read(tmp_path: Path) -> None:
    deliver(tmp_path, b"Subject: big\n\n" + b"x" * (HEAD_BYTES + 100_000))
    box = MaildirMailbox(tmp_path)
    (key,) = await box.list_new(1)
    found = await box.fetch(key, HEAD_BYTES + 1000)
    assert found is not None
    assert (len(found.raw), found.complete) == (HEAD_BYTES, False)


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "", "."])
async def test_a_key_cannot_leave_the_maildir(tmp_path: Path, key: str) -> None:
    deliver(tmp_path / "in", b"x")
    assert await MaildirMailbox(tmp_path / "in").fetch(key, LIMIT) is None


async def test_a_maildir_that_is_away_says_so(tmp_path: Path) -> None:
    with pytest.raises(MailboxUnavailable, match="the Maildir cannot be used"):
        await MaildirMailbox(tmp_path / "no" / "such").list_new(10)


# ---------------------------------------------------------------------- IMAP


@pytest.mark.parametrize(("move", "uidplus"), [(True, True), (False, True), (False, False)])
async def test_mail_is_fetched_and_moved_over_imap(move: bool, uidplus: bool) -> None:
    raw = b"Subject: \xe4\r\n\r\n" + b"x" * 50_000 + b"\r\n)\r\n* 1 FETCH (UID 9)\r\n"
    async with serving(ImapServer(move=move, uidplus=uidplus)) as server, client(server) as box:
        server.deliver(raw)
        server.deliver(b"second")
        keys = await box.list_new(10)
        assert keys == ["77/101", "77/102"]
        found = await box.fetch(keys[0], LIMIT)
        assert found is not None
        assert (found.raw, found.complete) == (raw, True)
        assert found.arrived_at == dt.datetime(2026, 11, 21, 12, 10, tzinfo=dt.UTC)
        await box.mark_done(keys[0])
        await box.mark_done(keys[0])
        assert [each.raw for each in server.folders["Read mail"]][:1] == [raw]
        assert await box.list_new(10) == ["77/102"]
        assert await box.fetch("77/999", LIMIT) is None
        assert not any("(\\Seen)" in command for command in server.commands)


async def test_a_storm_of_mail_is_listed_in_pages_oldest_first() -> None:
    async with serving(ImapServer()) as server, client(server) as box:
        for number in range(1200):
            server.deliver(str(number).encode())
        assert await box.list_new(700) == [f"77/{101 + number}" for number in range(700)]


async def test_only_the_beginning_of_a_huge_mail_crosses_the_wire() -> None:
    async with serving(ImapServer()) as server, client(server) as box:
        server.deliver(b"Subject: big\r\n\r\n" + b"x" * (HEAD_BYTES * 3))
        found = await box.fetch((await box.list_new(1))[0], LIMIT)
        assert found is not None
        assert (len(found.raw), found.complete) == (HEAD_BYTES, False)
        assert "UID FETCH 101 (BODY.PEEK[]<0.262144>)" in server.commands


async def test_after_a_mailbox_was_rebuilt_an_old_key_names_nothing() -> None:
    async with serving(ImapServer()) as server, client(server) as box:
        server.deliver(b"one")
        (key,) = await box.list_new(1)
        server.validity = 78
        assert await box.fetch(key, LIMIT) is None
        await box.mark_done(key)
        assert len(server.folders["INBOX"]) == 1


async def test_a_broken_connection_is_told_and_the_next_call_connects_anew() -> None:
    async with serving(ImapServer()) as server, client(server) as box:
        server.deliver(b"one")
        server.break_after = "FETCH"
        with pytest.raises(MailboxUnavailable, match="the connection to the mail server broke"):
            await box.list_new(10)
        assert await box.list_new(10) == ["77/101"]


async def test_a_refused_login_is_told_without_what_the_server_said() -> None:
    async with serving(ImapServer()) as server, client(server, password="wrong") as box:
        with pytest.raises(MailboxUnavailable) as caught:
            await box.list_new(10)
        assert "stores@hospital.example" not in str(caught.value)
        assert "refuses" in str(caught.value)


async def test_a_server_that_is_away_is_told() -> None:
    async with client(ImapServer(port=free_port())) as box:
        with pytest.raises(MailboxUnavailable, match="cannot be reached"):
            await box.list_new(10)


@pytest.mark.parametrize("greets", [False, True])
async def test_a_server_that_drips_is_given_up_and_keeps_no_thread(greets: bool) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(b"* OK ready\r\n" if greets else b"* OK")
            while True:
                writer.write(b"* OK Hang in there..\r\n" if greets else b".")
                await writer.drain()
                await asyncio.sleep(0.05)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    box = ImapMailbox(ImapConfig("127.0.0.1", port, "bounces", "secret", tls=False, timeout_seconds=0.3))
    for _ in range(3):
        async with asyncio.timeout(10):
            # Had the thread before it not ended, this one would wait for it and say so.
            with pytest.raises(MailboxUnavailable, match="does not answer in time"):
                await box.list_new(10)
    server.close()


async def test_without_tls_on_offer_no_password_leaves_us() -> None:
    async with serving(ImapServer()) as server, client(server, tls=True) as box:
        with pytest.raises(MailboxUnavailable):
            await box.list_new(10)
        assert "LOGIN" not in server.commands


async def test_over_starttls_the_certificate_must_be_one_that_we_trust(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    offered.load_cert_chain(certificate)
    async with serving(ImapServer(tls=offered)) as server:
        server.deliver(b"one")
        async with client(server, tls=True) as box:
            with pytest.raises(MailboxUnavailable, match="no acceptable TLS"):
                await box.list_new(10)
        assert "LOGIN" not in server.commands
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with client(server, tls=True, context=trusting) as box:
            assert await box.list_new(10) == ["77/101"]


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


# ---------------------------------------------------------------------- settings


def settings(**given: object) -> Settings:
    return Settings.model_validate({"imap_host": None, "mailbox_maildir": None, **given})


def test_the_mailbox_follows_from_the_settings(tmp_path: Path) -> None:
    assert build_mailbox(settings()) is None
    assert isinstance(build_mailbox(settings(mailbox_maildir=tmp_path)), MaildirMailbox)
    whole = {"imap_host": "imap.firm.example", "imap_username": "u", "imap_password": "p", "mailbox_maildir": tmp_path}
    assert isinstance(build_mailbox(settings(**whole)), ImapMailbox)


def test_a_password_never_goes_to_another_machine_without_tls() -> None:
    given = {"imap_username": "u", "imap_password": "p", "imap_tls": False}
    assert build_mailbox(settings(imap_host="127.0.0.1", **given)) is not None
    with pytest.raises(ValueError, match="IMAP_TLS: expected true"):
        build_mailbox(settings(imap_host="imap.firm.example", **given))


@pytest.mark.parametrize("missing", ["imap_username", "imap_password"])
def test_half_a_configuration_is_refused_by_the_name_of_what_is_missing(missing: str) -> None:
    given = {"imap_host": "h", "imap_username": "u", "imap_password": "p"} | {missing: None}
    with pytest.raises(ValueError, match=missing.upper()):
        build_mailbox(settings(**given))
