"""What the Web UI shows of a CAPA: where it stands and what it waits for; never what somebody wrote."""

from datetime import datetime
from typing import Final

from domain.capa import CapaState
from models.messages import CapaInput
from models.messages_capa import CapaFigures

_WAITS: Final[dict[str, str]] = {
    CapaState.planning: "the plan of actions",
    CapaState.effective: "the sign-off by another person",
    CapaState.closed: "nobody",
    CapaState.merged: "the CAPA that answers for it",
}


def waiting_for(figures: CapaFigures) -> str:
    """What the CAPA waits for, in plain words."""
    if figures.state == CapaState.investigation:
        return "the cause" if figures.investigated else "the investigation"
    if figures.state == CapaState.planning and figures.plan_written:
        return f"the approval of plan {figures.plan_version}"
    if figures.state == CapaState.implementation:
        open_actions = sum(not each.done for each in figures.actions)
        return f"{open_actions} of {len(figures.actions)} actions"
    if figures.state == CapaState.verification:
        day = f" from {figures.verify_due_at:%Y-%m-%d %H:%M} UTC on" if figures.verify_due_at else ""
        return f"the verification of effect{day}"
    return _WAITS.get(figures.state, "its record")


def details(start: CapaInput, figures: CapaFigures, ahead: tuple[datetime, str] | None) -> str:
    """Current details as a Markdown table."""
    done = sum(each.done for each in figures.actions)
    due = f"{ahead[1]}, {ahead[0]:%Y-%m-%d %H:%M} UTC" if ahead else "nothing"
    actions = f"{done} of {len(figures.actions)}"
    return "\n".join(
        (
            f"**CAPA {start.sequence} of {start.number}**{' · drill' if start.drill else ''}",
            "",
            "| State | Waits for | Actions done | Reopened | Next due |",
            "|---|---|---|---|---|",
            f"| {figures.state} | {waiting_for(figures)} | {actions} | {figures.reopened} | {due} |",
        )
    )


__all__ = ["details", "waiting_for"]
