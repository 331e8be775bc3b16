"""What the Temporal Web UI shows of a campaign: the names of its timers and its current details."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from models.messages import CampaignInput, CampaignProgress

_NAMES: Final = {"first": "first notice", "reminder": "reminder", "escalation": "escalation", "phone": "telephone call"}

_OWED: Final = {"quantities": "the quantities they owe", "action": "the units they have not set aside"}
_STAGES: Final = {
    "open": "open",
    "acknowledged": "acknowledged",
    "quantities_stated": "quantities stated",
    "action_done": "action done",
    "documented": "documented",
}


def summary_of_wait(progress: CampaignProgress, wake: datetime, stopped: Mapping[str, str]) -> str:
    """Name of the timer, for example `Round 2: reminder to 17 silent consignees, due 2026-11-22 14:00 UTC`."""
    due = f"due {wake:%Y-%m-%d %H:%M} UTC"
    if stopped and wake != progress.next_due_at:
        return f"Probe of {', '.join(sorted(stopped))}, {due}, after: {'; '.join(stopped.values())}"
    if wake != progress.next_due_at:
        waiting = f"{progress.outstanding} outstanding" if progress.outstanding else "late answers"
        return f"Look again for {waiting}, {due}"
    if progress.next_kind == "retry":
        return f"Retry of {progress.next_count} deliveries, {due}"
    if progress.next_kind in _OWED:
        return f"Ask {progress.next_count} consignees for {_OWED[progress.next_kind]}, {due}"
    name = _NAMES.get(progress.next_kind or "", progress.next_kind)
    return f"Round {progress.next_round}: {name} to {progress.next_count} silent consignees, {due}"


def details(
    start: CampaignInput, progress: CampaignProgress, looks: int, stopped: Mapping[str, str], now: datetime
) -> str:
    """Current details: a Markdown table of what an operator asks first."""
    rows = [
        ("Recall", start.number + (" (drill)" if start.drill else "")),
        ("Consignees", str(progress.consignees)),
        ("Answered", f"{progress.answered}, quantities stated by {progress.stated}"),
        ("Outstanding", f"{progress.outstanding}, not notified yet {progress.not_notified}"),
        ("Stages", _stages(progress)),
        ("To send now", ", ".join(f"{n} by {channel}" for channel, n in sorted(progress.pending.items())) or "nothing"),
        ("Looked at", f"{looks} times, last {now:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    if progress.next_due_at is not None:
        step = f"round {progress.next_round}, " if progress.next_round else ""
        due = f"{progress.next_due_at:%Y-%m-%d %H:%M:%S} UTC"
        rows.append(("Next", f"{step}{progress.next_kind} for {progress.next_count}, {due}"))
    rows += [("Stopped", f"{channel}: {reason}") for channel, reason in sorted(stopped.items())]
    if start.pace != 1:
        rows.append(("Pace", f"{start.pace:g} seconds of policy time pass in one second"))
    lines = [f"### Notice {start.sequence} of {start.number}", "", "| | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)])


def _stages(progress: CampaignProgress) -> str:
    """For example `open 3, acknowledged 2, quantities stated 1`."""
    counted = [f"{name} {progress.stages[stage]}" for stage, name in _STAGES.items() if progress.stages.get(stage)]
    return ", ".join(counted) or "nobody"
