"""A recipient's system and a push service, as real servers: they keep every request and answer as told."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with `status` (or the next of `statuses`); `silent`: takes the request and cuts the line."""

    url: str = ""
    status: int = 202
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    silent: bool = False
    by_path: dict[str, int] = field(default_factory=dict)
    """What it answers on a path, whenever it is asked there."""
    together: asyncio.Barrier | None = None
    """No request is answered before so many are there."""
    seconds: float = 0.0
    """How long it thinks about each request."""
    got: list[Request] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.StreamResponse:
        found = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Request(request.path_qs, found, await request.read()))
        if self.silent:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
        await asyncio.sleep(self.seconds)
        if self.together is not None:
            await self.together.wait()
        if request.path in self.by_path:
            return web.Response(status=self.by_path[request.path], headers=self.headers)
        status = self.statuses.pop(0) if self.statuses else self.status
        return web.Response(status=status, headers=self.headers, body=self.body)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=10 * 1024 * 1024)
    app.router.add_route("*", "/{rest:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def certificates(folder: Path, *, host: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for the host: the file to trust, and the server's side."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver of the tests")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / f"{host}.pem", folder / f"{host}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, secret)
    return pem, server
