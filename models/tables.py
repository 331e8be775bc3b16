"""Every table, imported once so that `SQLModel.metadata` is complete (migrations, tests)."""

from models import (
    access,
    audit,
    capa,
    case,
    chain,
    closing,
    complaint,
    disposition,
    effectiveness,
    evidence,
    hold,
    master,
    notice,
    recall,
    staff,
    task,
)

__all__ = [
    "access",
    "audit",
    "capa",
    "case",
    "chain",
    "closing",
    "complaint",
    "disposition",
    "effectiveness",
    "evidence",
    "hold",
    "master",
    "notice",
    "recall",
    "staff",
    "task",
]
