"""Kinds of notices: each has one folder of templates, and is a step of the ladder or said beside it."""

from enum import StrEnum
from typing import Final


class NoticeKind(StrEnum):
    """Which message: a step of the ladder, or what is said when a running recall changes; one folder each."""

    INITIAL = "initial"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    """To another contact or over another channel, after silence."""
    QUANTITIES = "quantities"
    """To whoever has acknowledged and still owes its quantities."""
    ACTION = "action"
    """To whoever has stated quantities of which some are not set aside yet."""
    AMENDMENT = "amendment"
    """First message of a changed recall to whoever was told before: what changed, and the whole instructions again."""
    RETRACTION = "retraction"
    """The recipient's lots are no longer under recall; sent once, nothing is asked."""
    CLOSURE = "closure"
    """The recall has ended: thanks, and what stays to be done."""
    SUB_RECALL = "sub_recall"
    """To a distributor: recall from your own customers and name them (21 CFR 7.49(d))."""
    REGULATOR = "regulator"
    """For an authority's information, beside the reports that law prescribes."""
    PATIENT = "patient"
    """A letter that hospitals hand to patients; it names no patient."""


LADDER_KINDS: Final = (
    NoticeKind.INITIAL,
    NoticeKind.REMINDER,
    NoticeKind.ESCALATION,
    NoticeKind.QUANTITIES,
    NoticeKind.ACTION,
)
"""Bodies a ladder needs, whatever the version of the notice."""

LETTER_KINDS: Final = (NoticeKind.CLOSURE, NoticeKind.SUB_RECALL, NoticeKind.REGULATOR, NoticeKind.PATIENT)
"""Letters beside the ladder: drafted and approved with the notice, sent by nobody but a person. The
closure is drafted once more at the end, as a notice of its own."""

SENT_ONCE: Final = frozenset({NoticeKind.RETRACTION, NoticeKind.CLOSURE})
"""Kinds with a campaign of their own that chases nobody."""

ASKS_NOTHING: Final = frozenset({NoticeKind.RETRACTION, NoticeKind.CLOSURE, NoticeKind.REGULATOR, NoticeKind.PATIENT})
"""Kinds whose recipient owes no answer."""

__all__ = ["ASKS_NOTHING", "LADDER_KINDS", "LETTER_KINDS", "SENT_ONCE", "NoticeKind"]
