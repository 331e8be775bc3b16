"""Builds the evidence store of a process from its settings: the state folder, or a bucket when one is named."""

from urllib.parse import urlsplit

from adapters.evidence.base import EvidenceStore
from adapters.evidence.folder import FolderEvidence
from settings import Settings


def build_evidence_store(settings: Settings) -> EvidenceStore:
    """The store this installation keeps its evidence in; nothing is contacted yet.

    Raises:
        ValueError: the bucket is configured by half or wrongly; the message names the variable.
    """
    endpoint, prefix = settings.evidence_s3_endpoint or None, settings.evidence_s3_prefix.strip("/")
    if not settings.evidence_s3_bucket:
        if endpoint or prefix:
            raise ValueError("RECALL_EVIDENCE_S3_BUCKET: expected a bucket because an endpoint or prefix is set")
        return FolderEvidence(settings.state_dir / "evidence")
    if endpoint and (urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname):
        raise ValueError("RECALL_EVIDENCE_S3_ENDPOINT: expected an http:// or https:// address")
    from adapters.evidence.s3 import S3Config, S3Evidence  # noqa: PLC0415 - boto3 loads slowly, only where it is used

    return S3Evidence(S3Config(bucket=settings.evidence_s3_bucket, endpoint=endpoint, prefix=prefix))


__all__ = ["build_evidence_store"]
