"""Evidence in an S3-compatible bucket: one object per content, named by its SHA-256.

The server checks the content against the SHA-256 we send with it; every read checks it again here. Credentials come
from where every S3 tool finds them (`AWS_ACCESS_KEY_ID`, profile, instance role). The bucket needs GetObject and
PutObject, and DeleteObject where files are deleted after their retention date; versioning and an object lock in
compliance mode are the operator's, and advised.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from adapters.evidence.base import EvidenceDamaged, EvidenceUnavailable, checked_hash

T = TypeVar("T")
_FALLBACK_REGION: Final = "us-east-1"
"""Signed into requests where none is configured; S3-compatible servers accept it."""
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_WHY: Final = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "these credentials may not use it (GetObject, PutObject, for deletion DeleteObject are needed)",
    "403": "these credentials may not use it (GetObject, PutObject, for deletion DeleteObject are needed)",
    "InvalidAccessKeyId": "the access key is not known there; see AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong; see AWS_SECRET_ACCESS_KEY",
    "InvalidClientTokenId": "the access key is not known there; see AWS_ACCESS_KEY_ID",
    "ExpiredToken": "the credentials have expired",
    "BadDigest": "the content arrived changed",
    "XAmzContentChecksumMismatch": "the content arrived changed",
}
_WHY_NOT_ASKED: Final = {
    "NoCredentialsError": "no credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "PartialCredentialsError": "half of the credentials is missing",
    "EndpointConnectionError": "nothing answers there",
    "ConnectTimeoutError": "nothing answers there in time",
    "ReadTimeoutError": "it does not answer in time",
    "ConnectionClosedError": "the connection was closed",
    "SSLError": "its certificate is not trusted",
}


@dataclass(frozen=True, slots=True)
class S3Config:
    """Where the bucket is."""

    bucket: str
    endpoint: str | None = None
    """URL of an S3-compatible server; None is AWS itself."""
    prefix: str = ""
    """Begins every key; without slash at its ends."""
    region: str | None = None
    attempts: int = 4
    """Tries of one request before the store counts as unavailable."""


class S3Evidence:
    """`{prefix}/ab/{sha256}` in one bucket."""

    def __init__(self, config: S3Config) -> None:
        self._config = config
        # A server other than AWS rarely has a name per bucket, so its path names the bucket.
        style = {"addressing_style": "path" if config.endpoint else "auto"}
        session = boto3.session.Session()
        self._client: Any = session.client(
            "s3",
            endpoint_url=config.endpoint,
            region_name=config.region or session.region_name or _FALLBACK_REGION,
            config=Config(
                signature_version="s3v4",
                s3=style,
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "total_max_attempts": config.attempts},
                # Our own hash is what counts; other servers stumble over checksums nobody asked for.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def key_of(self, sha256: str) -> str:
        """Name of the object with this hash."""
        name = f"{checked_hash(sha256)[:2]}/{sha256}"
        return f"{self._config.prefix}/{name}" if self._config.prefix else name

    async def store(self, content: bytes) -> str:
        """Put the content unless an intact object of its hash is there."""
        return await asyncio.to_thread(self._store, content)

    def _store(self, content: bytes) -> str:
        digest = hashlib.sha256(content)
        sha256 = digest.hexdigest()
        if not self._intact(sha256):
            self._ask(
                lambda: self._client.put_object(
                    Bucket=self._config.bucket,
                    Key=self.key_of(sha256),
                    Body=content,
                    ContentType="application/octet-stream",
                    ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
                )
            )
        return sha256

    def _intact(self, sha256: str) -> bool:
        try:
            self._read(sha256)
        except EvidenceDamaged:
            return False
        except EvidenceUnavailable:
            # Without the right to list, S3 answers "denied" for what is not there; the PUT tells which it is.
            return False
        return True

    async def read(self, sha256: str) -> bytes:
        """The content, checked against its hash."""
        return await asyncio.to_thread(self._read, sha256)

    def _read(self, sha256: str) -> bytes:
        key = self.key_of(sha256)

        def get() -> bytes:
            with self._client.get_object(Bucket=self._config.bucket, Key=key)["Body"] as body:
                return bytes(body.read())

        content = self._ask(get, missing=f"evidence {sha256} cannot be read: no such object")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise EvidenceDamaged(f"evidence {sha256} no longer has its hash")
        return content

    async def exists(self, sha256: str) -> bool:
        """Whether there is an object of this hash."""
        return await asyncio.to_thread(self._exists, sha256)

    def _exists(self, sha256: str) -> bool:
        key = self.key_of(sha256)
        try:
            # One byte of it instead of HEAD, whose 404 does not say whether the object or the bucket is missing.
            self._ask(lambda: self._client.get_object(Bucket=self._config.bucket, Key=key, Range="bytes=0-0"), key)
        except EvidenceDamaged:
            return False
        return True

    async def remove(self, sha256: str) -> None:
        """Remove the object of this hash; S3 does not say whether it was there."""
        key = self.key_of(sha256)
        with suppress(EvidenceDamaged):
            await asyncio.to_thread(
                self._ask, lambda: self._client.delete_object(Bucket=self._config.bucket, Key=key), key
            )

    async def close(self) -> None:
        """Give back the connections."""
        await asyncio.to_thread(self._client.close)

    def _ask(self, request: Callable[[], T], missing: str = "no such object") -> T:
        """One request; whatever goes wrong is one line without secrets.

        Raises:
            EvidenceDamaged: the object does not exist.
            EvidenceUnavailable: anything else.
        """
        try:
            return request()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _MISSING:
                raise EvidenceDamaged(missing) from None
            raise self._unavailable(_WHY.get(code, f"it answered {code or 'with an error'}")) from None
        except BotoCoreError as error:
            name = type(error).__name__
            raise self._unavailable(_WHY_NOT_ASKED.get(name, f"the request failed ({name})")) from None

    def _unavailable(self, why: str) -> EvidenceUnavailable:
        where = f" at {self._config.endpoint}" if self._config.endpoint else ""
        return EvidenceUnavailable(f"evidence bucket {self._config.bucket}{where}: {why}")


__all__ = ["S3Config", "S3Evidence"]
