"""The time an authority gets to comment on a draft notice before it may go out (MDR Art. 89(8), MDCG 2023-3 Q20).

It starts when the draft was sent, counts Monday to Friday in the authority's zone, and often ends after the house limit
of the notice. That conflict is shown from the first moment and has two ways out: the gate's signed urgency waiver, or
the later notice; the authority's answer ends the window early. Nothing waits for both rules at once.
"""

from dataclasses import dataclass
from datetime import datetime

from domain.deadlines import comment_window_end
from domain.pace import policy_instant, real_due
from domain.policy import Policy
from domain.policy_parts import Gate


@dataclass(frozen=True, slots=True)
class CommentWindow:
    """The window of one gate; instants are real, `policy_ends_at` is what the rule says."""

    jurisdiction: str
    gate: str
    title: str
    source: str
    sent_at: datetime | None
    """When the draft was handed over; None: it was not sent yet."""
    ends_at: datetime | None
    policy_ends_at: datetime | None
    notice_due_at: datetime | None
    """Earliest limit of the first notice."""
    settled: str | None
    """How the gate was settled (passed, waived); None: it is open."""
    waivable: bool
    waiver_text: str | None

    def is_open(self, now: datetime) -> bool:
        """Whether the authority may still comment."""
        return self.settled is None and self.ends_at is not None and now < self.ends_at

    @property
    def conflict(self) -> str | None:
        """What clashes, and how it is settled; None while nothing does."""
        if self.settled or self.ends_at is None or self.notice_due_at is None or self.ends_at <= self.notice_due_at:
            return None
        ways = ["send the notice after the window, late against the limit and recorded as such"]
        if self.waivable:
            ways.insert(0, f"waive the gate for urgency, signed ({self.waiver_text})")
        return (
            f"The window ends {self.ends_at:%Y-%m-%d %H:%M} UTC, after the notice limit "
            f"{self.notice_due_at:%Y-%m-%d %H:%M} UTC. Either {'; or '.join(ways)}."
        )


def window_of(
    policy: Policy,
    gate: Gate,
    *,
    sent_at: datetime | None,
    settled: str | None,
    notice_due_at: datetime | None,
    created_at: datetime,
    pace: float,
) -> CommentWindow:
    """The window of a gate that has one.

    Raises:
        ValueError: the gate has no comment window.
    """
    if gate.comment_window is None:
        raise ValueError(f"gate {gate.id} has no comment window")
    ends = policy_ends = None
    if sent_at is not None:
        start, length = policy_instant(sent_at, created_at, pace), gate.comment_window.as_timedelta()
        zone = policy.zone.zone
        policy_ends = comment_window_end(start, length, zone) if gate.window_on_weekdays_only else start + length
        ends = real_due(created_at, created_at, policy_ends, pace)
    return CommentWindow(
        jurisdiction=policy.id,
        gate=gate.id,
        title=gate.title,
        source=gate.source or "house rule",
        sent_at=sent_at,
        ends_at=ends,
        policy_ends_at=policy_ends,
        notice_due_at=notice_due_at,
        settled=settled,
        waivable=gate.waivable,
        waiver_text=gate.waiver_text,
    )


__all__ = ["CommentWindow", "window_of"]
