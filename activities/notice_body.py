"""Approved bodies as activities know them; they live in `domain.notice_body`, because the API reads one aloud, too."""

from domain.notice_body import (
    CLOSE,
    OPEN,
    ApprovedBody,
    BodyError,
    Rendered,
    combined_sha256,
    escape_markers,
    fill,
)

__all__ = [
    "CLOSE",
    "OPEN",
    "ApprovedBody",
    "BodyError",
    "Rendered",
    "combined_sha256",
    "escape_markers",
    "fill",
]
