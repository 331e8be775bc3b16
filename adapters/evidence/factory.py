"""Builds the evidence store of a process from its settings: the state folder, or a bucket when one is named."""

from adapters.evidence.base import EvidenceStore
from adapters.evidence.folder import FolderEvidence
from settings import Settings


def build_evidence_store(settings: Settings) -> EvidenceStore:
    """The store this installation keeps its evidence in; nothing is contacted yet."""
    return FolderEvidence(settings.state_dir / "evidence")


__all__ = ["build_evidence_store"]
