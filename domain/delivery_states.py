"""What a provider's report means for a delivery, and why a late report never takes anything back.

Reports repeat and arrive in any order. Each state has a rank; a delivery's state only rises, and `delivered` wins
over everything else that is said of the same message (design §6).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

RANK: Final[Mapping[str, int]] = MappingProxyType(
    {"pending": 0, "cancelled": 0, "submitting": 1, "submitted": 2, "failed": 3, "delivered": 4}
)
"""`cancelled` is low on purpose: if the provider says a message went out after all, the record has to say so."""

_REPORTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "accepted": "submitted",
        "scheduled": "submitted",
        "queued": "submitted",
        "sending": "submitted",
        "sent": "submitted",
        "delivered": "delivered",
        "read": "delivered",
        # Some segments arrived: nobody can say that the notice was received.
        "partially_delivered": "failed",
        "undelivered": "failed",
        "failed": "failed",
        "canceled": "failed",
        # calls
        "initiated": "submitted",
        "ringing": "submitted",
        "answered": "submitted",
        "in-progress": "submitted",
        "completed": "delivered",
        "key_pressed": "delivered",
        "answered_by_machine": "failed",
        "busy": "failed",
        "no-answer": "failed",
        # reports of mail systems
        "delayed": "submitted",
        "handed_on": "submitted",
        "dead": "failed",
        "not_delivered": "failed",
    }
)


_TRY_LATER: Final = frozenset({"busy", "no-answer", "answered_by_machine"})


def failure_kind(status: str) -> str:
    """What a report of failure says of the address: `transient` (nobody there now), `undelivered` or no such address.

    The first rules the address out for its step of the ladder, the second for the campaign, the third for good.
    """
    if status == "dead":
        return "permanent_contact"
    return "transient" if status in _TRY_LATER else "undelivered"


def state_of_report(status: str) -> str | None:
    """The delivery state a provider's status stands for; None for one nobody knows, which changes nothing."""
    return _REPORTS.get(status.strip().lower())


def rises(current: str, reported: str) -> bool:
    """Whether a report may change a delivery that is in `current`."""
    return RANK[reported] > RANK[current]
