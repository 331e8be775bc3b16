"""What the Temporal Web UI shows of a consignee's case: reasons, steps and due times, never who the consignee is."""

from datetime import datetime
from typing import Final

from models.messages import CaseInput, CaseLook

_REASONS: Final = {
    "silence": "no answer",
    "bounce": "no working address",
    "refusal": "refusal",
    "statement": "statement that cannot be",
    "help": "asks for a call",
    "out_of_business": "out of business",
    "effectiveness": "effectiveness check failed",
    "patients": "patient counts owed",
}


def waiting_for(look: CaseLook) -> str:
    """For example `no answer: call:12, visit:12`."""
    reasons = ", ".join(_REASONS.get(reason, reason) for reason in look.reasons)
    return f"{reasons}: {', '.join(look.keys)}" if look.tasks else reasons or "nothing"


def details(start: CaseInput, look: CaseLook, now: datetime) -> str:
    """Current details: a Markdown table of what an operator asks first."""
    rows = [
        ("Recall", start.number + (" (drill)" if start.drill else "")),
        ("Open", f"{look.open} ({', '.join(_REASONS.get(reason, reason) for reason in look.reasons) or 'nothing'})"),
        ("Tasks", ", ".join(look.keys) or "none"),
        ("Looked at", f"{now:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    if look.next_due_at is not None:
        rows.append(("Next due", f"{look.next_due_at:%Y-%m-%d %H:%M:%S} UTC" + (", overdue" if look.overdue else "")))
    if start.pace != 1:
        rows.append(("Pace", f"{start.pace:g} seconds of policy time pass in one second"))
    lines = [f"### Case of consignee {start.consignee_id} under {start.number}", "", "| | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])
