"""Contracts about branches of policies: which hold, and the extra tasks they ask for."""

from datetime import timedelta

from pydantic import AwareDatetime

from models.message_base import Message


class FiredFigures(Message):
    """A branch that holds, in the words of its policy."""

    policy: str
    branch: str
    title: str
    since: AwareDatetime


class ExtraTaskFigures(Message):
    """A task beside the fixed steps, as the policies ask for it now."""

    key: str
    """Key of its record."""
    title: str
    phase: str
    """Phase at whose start it is offered, and whose end waits for it; in resolution the checklist does."""
    role: str
    stand_in: str
    limit: timedelta
    """Policy time."""
    remind: timedelta
    evidence_required: bool = False


__all__ = ["ExtraTaskFigures", "FiredFigures"]
