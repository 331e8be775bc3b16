"""A real HTTP server that speaks S3: moto in a process of its own, its authentication switched on and off by tests."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from tests.support.servers import free_port
from tests.support.stack import wait_for

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests"}


@dataclass(frozen=True)
class S3Server:
    """The server's address, and what a test does to it from outside."""

    url: str

    def client(self) -> Any:
        """A plain S3 client, apart from ours."""
        session = boto3.session.Session(*KEYS.values(), region_name="us-east-1")
        return session.client("s3", endpoint_url=self.url)

    def iam(self) -> Any:
        """Users and keys of the server."""
        session = boto3.session.Session(*KEYS.values(), region_name="us-east-1")
        return session.client("iam", endpoint_url=self.url)

    def empty(self) -> None:
        """Forget everything, ask for no credentials."""
        httpx.post(f"{self.url}/moto-api/reset").raise_for_status()
        self.check_credentials(after="inf")

    def check_credentials(self, after: str = "0") -> None:
        """From now on (or after so many requests) credentials and rights are checked."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content=after).raise_for_status()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The running server."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
            env=environment,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for("moto answers", lambda: _answers(process, url), within_s=30)
            yield S3Server(url)
        finally:
            process.terminate()
            process.wait(10)


def _answers(process: "subprocess.Popen[bytes]", url: str) -> bool:
    assert process.poll() is None, f"moto_server ended with {process.returncode}"
    try:
        return httpx.get(f"{url}/moto-api/data.json").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server with one empty bucket `recall-evidence`, and credentials in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    s3_server.empty()
    s3_server.client().create_bucket(Bucket="recall-evidence")
    return s3_server
