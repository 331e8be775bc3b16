"""What happened to a deadline, from the audit chain: computed, made earlier and why, met or stopped by whom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.audit import AuditEvent
from models.recall import Deadline

_ACTIONS: Final = (
    "deadlines.computed",
    "deadline.worked_out",
    "obligation.submitted",
    "obligation.stopped",
    "gate.passed",
    "notice.all_first_sent",
    "notice.lots_added_sent",
)
_SAID: Final = {
    "deadline.worked_out": "worked_out",
    "obligation.submitted": "submitted",
    "obligation.stopped": "stopped",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """One event about one deadline."""

    what: str
    at: datetime
    actor: str
    role: str
    due_at: datetime | None = None
    was: datetime | None = None
    why: str | None = None


async def history(session: AsyncSession, number: str, deadline: Deadline) -> list[Happened]:
    """Every event about a deadline, oldest first."""
    query = select(AuditEvent).where(col(AuditEvent.stream) == number, col(AuditEvent.action).in_(_ACTIONS))
    events = (await session.exec(query.order_by(col(AuditEvent.seq)))).all()
    return [each for event in events for each in _about(event, deadline)]


def _about(event: AuditEvent, deadline: Deadline) -> Iterator[Happened]:
    who: dict[str, Any] = {"at": event.at, "actor": event.actor, "role": event.role}
    for what in ("new", "earlier"):
        for entry in _of(event.data.get(what), deadline):
            said = "computed" if what == "new" else "earlier"
            was = _instant(entry.get("was"))
            yield Happened(said, due_at=_instant(entry.get("due_at")), was=was, why=entry.get("why"), **who)
    met = event.data.get("met") or (event.data.get("body") or {}).get("met")
    for entry in _of(met, deadline):
        reference = event.data.get("reference")
        yield Happened("met", due_at=_instant(entry.get("due_at")), why=reference or event.action, **who)
    if event.action in _SAID and list(_of([event.data], deadline)):
        reason = event.reason or event.data.get("reference")
        yield Happened(_SAID[event.action], due_at=_instant(event.data.get("due_at")), why=reason, **who)


def _of(entries: Sequence[dict[str, Any]] | None, deadline: Deadline) -> Iterator[dict[str, Any]]:
    for entry in entries or ():
        if (entry.get("name"), entry.get("jurisdiction")) == (deadline.name, deadline.jurisdiction):
            yield entry


def _instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


__all__ = ["Happened", "history"]
