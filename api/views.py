"""From records to what the API shows: pure mapping, with both times where a time is waited for."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from db.repositories.files import File
from db.repositories.recalls_read import Progress, ScopeCounts
from db.repositories.staff import is_absent
from db.repositories.task_list import DECIDED, is_late
from domain.pace import policy_instant
from domain.phases import Phase, is_final
from models.evidence import Evidence
from models.recall import ClassDecision, ClockStart, Deadline, Recall
from models.schemas_recall import (
    BothTimes,
    ClassDecisionOut,
    ClockOut,
    Counters,
    DeadlineOut,
    HoldSummary,
    Links,
    NextDeadline,
    RecallItem,
    ScopeOut,
    WaitingOut,
)
from models.schemas_records import EvidenceOut
from models.schemas_tasks import StaffOut, TaskOut
from models.staff import Staff
from models.task import Task


def recall_url(number: str) -> str:
    """Path of a recall; also the status URL of its start."""
    return f"/v1/recalls/{number}"


def etag(recall: Recall) -> str:
    """The entity tag of a recall: its version."""
    return f'"{recall.version}"'


def both_times(recall: File, at: datetime) -> BothTimes:
    """A real instant of this recall and the policy time it stands for."""
    try:
        policy_at = policy_instant(at, recall.created_at, recall.pace)
    except ValueError:  # an extreme pace long after the start; the real time still holds
        policy_at = at
    return BothTimes(at=at, policy_at=policy_at)


def recall_facts(recall: Recall, now: datetime) -> dict[str, Any]:
    """The fields of a list item."""
    return {
        "number": recall.number,
        "title": recall.title,
        "phase": recall.phase,
        "phase_since": recall.phase_since,
        "recall_class": recall.recall_class,
        "geographic_scope": recall.geographic_scope,
        "jurisdictions": recall.jurisdictions,
        "owner": recall.owner,
        "started_by": recall.started_by,
        "drill": recall.drill,
        "pace": recall.pace,
        "awareness_at": recall.awareness_at,
        "created_at": recall.created_at,
        "waiting_for": recall.waiting_for,
        "next_deadline": _next_deadline(recall, now),
        "version": recall.version,
    }


def recall_item(recall: Recall, now: datetime) -> RecallItem:
    """One recall in a list."""
    return RecallItem(**recall_facts(recall, now))


def _next_deadline(recall: Recall, now: datetime) -> NextDeadline | None:
    if recall.next_deadline_at is None:
        return None
    times = both_times(recall, recall.next_deadline_at)
    late = recall.next_deadline_at < now and not is_final(Phase(recall.phase))
    return NextDeadline(**times.model_dump(), name=recall.next_deadline_name or "", overdue=late)


def scope_out(recall: Recall, counts: ScopeCounts) -> ScopeOut:
    """The recall's scope in figures."""
    return ScopeOut(
        criteria=recall.suspect,
        version=recall.scope_version,
        lots=counts.lots,
        consignees=counts.consignees,
        quantity_shipped=recall.quantity_shipped or Decimal(0),
        gaps=counts.gaps,
    )


def class_decision_out(row: ClassDecision) -> ClassDecisionOut:
    """One class decision."""
    return ClassDecisionOut.model_validate(row, from_attributes=True)


def clock_out(row: ClockStart) -> ClockOut:
    """One clock start."""
    return ClockOut.model_validate(row, from_attributes=True)


def deadline_out(row: Deadline, now: datetime) -> DeadlineOut:
    """One limit with both of its times as recorded."""
    return DeadlineOut(
        name=row.name,
        jurisdiction=row.jurisdiction,
        clock=row.clock,
        limit=row.limit_text,
        basis=row.basis,
        source=row.source,
        due=BothTimes(at=row.due_at, policy_at=row.policy_due_at),
        met_at=row.met_at,
        overdue=row.met_at is None and row.due_at < now,
    )


def _task_due(task: Task, recall: File) -> BothTimes | None:
    if task.due_at is None:
        return None
    computed = both_times(recall, task.due_at)
    return BothTimes(at=task.due_at, policy_at=task.policy_due_at or computed.policy_at)


def staff_out(person: Staff, now: datetime) -> StaffOut:
    """One member of staff."""
    return StaffOut(**person.model_dump(), absent=is_absent(person, now))


def waiting_out(task: Task, recall: Recall, now: datetime) -> WaitingOut:
    """What the recall waits for, from an open task."""
    return WaitingOut(
        task_id=task.id or 0,
        what=task.what,
        role=task.role,
        assignee=task.assignee,
        due=_task_due(task, recall),
        overdue=is_late(task, now),
    )


def task_out(task: Task, recall: File, now: datetime) -> TaskOut:
    """One task."""
    facts = task.model_dump(include=set(TaskOut.model_fields))
    return TaskOut(
        **facts,
        due=_task_due(task, recall),
        overdue=is_late(task, now),
        ends_by_decision=task.key.startswith(DECIDED),
    )


def hold_summary(progress: Progress) -> HoldSummary:
    """Holds by state."""
    return HoldSummary(positions=progress.hold_positions, quantities=progress.hold_quantities, late=progress.late_holds)


def counters(progress: Progress) -> Counters:
    """Notices and answers in figures."""
    total = sum(progress.consignees.values())
    heard_of = total - progress.consignees.get("open", 0)
    return Counters(
        consignees=progress.consignees,
        deliveries=progress.deliveries,
        replies=progress.replies,
        outstanding=total - heard_of,
        response_percent=heard_of * 100 // total if total else None,
        open_tasks=progress.open_tasks,
    )


def links(number: str) -> Links:
    """Where to read on."""
    base = recall_url(number)
    named = {name: f"{base}/{name}" for name in Links.model_fields}
    return Links(**named | {"sign_offs": f"{base}/sign-offs"})


def evidence_out(evidence: Evidence) -> EvidenceOut:
    """An evidence record with the address of its content."""
    return EvidenceOut(**evidence.model_dump(), url=f"/v1/evidence/{evidence.id}")


__all__ = [
    "both_times",
    "class_decision_out",
    "clock_out",
    "counters",
    "deadline_out",
    "etag",
    "evidence_out",
    "hold_summary",
    "links",
    "recall_facts",
    "recall_item",
    "recall_url",
    "scope_out",
    "staff_out",
    "task_out",
    "waiting_out",
]
