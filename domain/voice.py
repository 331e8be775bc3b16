"""A call that reads a notice: which key means what, how a call's end is reported.

A call counts as heard when it was answered by anything that is not a machine. A mailbox is not a person: what was left
there acknowledges nothing and is no live contact, so the next address is tried. A pressed key proves a person whatever
the provider's detection says.
"""

from enum import StrEnum
from typing import Final


class Key(StrEnum):
    """The keys that the spoken menu names."""

    ACKNOWLEDGE = "1"
    AGAIN = "2"
    CALL_BACK = "3"
    HARM = "4"
    OPT_OUT = "9"


HEARD: Final = "key_pressed"
"""Report of a call in which somebody pressed a key."""
MACHINE: Final = "answered_by_machine"
"""Report of a call that reached a mailbox or a fax."""
ENDED: Final = "ended"
"""Report of the end of a call that was known to have reached a machine; changes nothing."""

_MACHINES: Final = ("machine", "fax")


def is_machine(answered_by: str) -> bool:
    """Whether Twilio's `AnsweredBy` (human, unknown, fax, machine_start, machine_end_beep, ...) names a machine."""
    return answered_by.strip().lower().startswith(_MACHINES)


def report_of(status: str, answered_by: str, *, machine_known: bool) -> str:
    """The report that a call's status stands for.

    Args:
        status: Twilio's `CallStatus`.
        answered_by: Twilio's `AnsweredBy`, empty where the report does not say.
        machine_known: an earlier report of this call named a machine.
    """
    if status not in {"in-progress", "answered", "completed"}:
        return status
    if is_machine(answered_by):
        return MACHINE
    return ENDED if machine_known and status == "completed" else status


__all__ = ["ENDED", "HEARD", "MACHINE", "Key", "is_machine", "report_of"]
