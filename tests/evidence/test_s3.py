"""The bucket store against a real HTTP server: unchanged content, damage detected, every refusal one clear line."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.evidence.base import EvidenceDamaged, EvidenceStore, EvidenceUnavailable
from adapters.evidence.factory import build_evidence_store
from adapters.evidence.folder import FolderEvidence
from adapters.evidence.s3 import S3Config, S3Evidence
from settings import Settings
from tests.evidence.conftest import S3Server
from tests.support.servers import free_port

pytestmark = pytest.mark.unit
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
BUCKET = "recall-evidence"


def store_at(s3: S3Server, **changes: Any) -> EvidenceStore:
    """The store as the settings of an installation make it."""
    given = {"evidence_s3_bucket": BUCKET, "evidence_s3_endpoint": s3.url, "evidence_s3_prefix": "/plant-7/"}
    return build_evidence_store(Settings(**(given | changes)))


async def test_content_lies_under_its_hash_and_prefix_and_comes_back_unchanged(s3: S3Server) -> None:
    store = store_at(s3)
    big = bytes(range(256)) * 40_000
    for content in (PDF, big):
        sha256 = await store.store(content)
        assert sha256 == hashlib.sha256(content).hexdigest()
        assert await store.exists(sha256)
        assert await store.read(sha256) == content
        kept = s3.client().get_object(Bucket=BUCKET, Key=f"plant-7/{sha256[:2]}/{sha256}")["Body"].read()
        assert kept == content
    await store.close()


async def test_the_same_content_again_is_not_sent_again(s3: S3Server) -> None:
    store = store_at(s3)
    s3.client().put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    sha256 = await store.store(PDF)
    assert await store.store(PDF) == sha256
    assert len(s3.client().list_object_versions(Bucket=BUCKET)["Versions"]) == 1


async def test_damage_is_detected_and_healed_by_the_next_upload(s3: S3Server) -> None:
    store = store_at(s3)
    sha256 = await store.store(PDF)
    key = f"plant-7/{sha256[:2]}/{sha256}"
    s3.client().put_object(Bucket=BUCKET, Key=key, Body=PDF.replace(b"1.7", b"1.4"))
    with pytest.raises(EvidenceDamaged, match="no longer has its hash"):
        await store.read(sha256)
    await store.store(PDF)
    assert await store.read(sha256) == PDF
    s3.client().delete_object(Bucket=BUCKET, Key=key)
    assert not await store.exists(sha256)
    with pytest.raises(EvidenceDamaged, match="cannot be read: no such object"):
        await store.read(sha256)


async def test_a_missing_bucket_is_one_clear_line_for_every_request(s3: S3Server) -> None:
    store = store_at(s3, evidence_s3_bucket="elsewhere")
    for request in (store.store(PDF), store.read("0" * 64), store.exists("0" * 64)):
        with pytest.raises(EvidenceUnavailable) as refused:
            await request
        assert str(refused.value) == f"evidence bucket elsewhere at {s3.url}: there is no such bucket"


async def test_an_unknown_access_key_is_one_clear_line(s3: S3Server) -> None:
    s3.check_credentials()
    with pytest.raises(EvidenceUnavailable) as refused:
        await store_at(s3).store(PDF)
    assert str(refused.value).endswith(": the access key is not known there; see AWS_ACCESS_KEY_ID")
    assert "secret-of-the-tests" not in str(refused.value)


async def test_credentials_without_the_right_are_refused_and_with_it_they_do(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = s3.iam()
    iam.create_user(UserName="recall")
    key = iam.create_access_key(UserName="recall")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    s3.check_credentials()
    with pytest.raises(EvidenceUnavailable, match=r"these credentials may not use it \(GetObject, PutObject"):
        await store_at(s3).store(PDF)
    s3.check_credentials(after="inf")
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    iam.put_user_policy(
        UserName="recall",
        PolicyName="evidence",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    s3.check_credentials()
    sha256 = await store_at(s3).store(PDF)
    assert await store_at(s3).read(sha256) == PDF
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(EvidenceUnavailable, match="the secret key is wrong"):
        await store_at(s3).store(PDF + b"more")


async def test_no_credentials_and_no_server_are_one_clear_line_each(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(EvidenceUnavailable, match=rf"recall-evidence at {nowhere}: nothing answers there$"):
        await S3Evidence(S3Config(bucket=BUCKET, endpoint=nowhere, attempts=1)).read("0" * 64)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(EvidenceUnavailable, match="no credentials found; set AWS_ACCESS_KEY_ID"):
        await store_at(s3).store(PDF)


def test_a_store_configured_by_half_names_the_variable(tmp_path: Path) -> None:
    assert isinstance(build_evidence_store(Settings(state_dir=tmp_path)), FolderEvidence)
    with pytest.raises(ValueError, match="RECALL_EVIDENCE_S3_BUCKET"):
        build_evidence_store(Settings(evidence_s3_endpoint="http://127.0.0.1:9000"))
    with pytest.raises(ValueError, match="RECALL_EVIDENCE_S3_ENDPOINT"):
        build_evidence_store(Settings(evidence_s3_bucket=BUCKET, evidence_s3_endpoint="127.0.0.1:9000"))
    with pytest.raises(ValueError, match="evidence_s3_bucket"):
        Settings(evidence_s3_bucket="Not A Bucket")
