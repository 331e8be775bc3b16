"""A file that goes with a message, whatever carries it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attachment:
    """Name, type and bytes of one file."""

    name: str
    """ASCII, without a path."""
    content_type: str
    content: bytes
    content_id: str | None = None
    """Set for a picture that the HTML shows as `cid:...`; it stands beside the HTML and not among the files."""


__all__ = ["Attachment"]
