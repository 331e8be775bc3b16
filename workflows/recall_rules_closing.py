"""What must be true before a recall is signed as complete, answered by an authority, reopened, cancelled or extended.

Each rule raises an `ApplicationError` whose type the API maps to a problem; a refused update writes nothing. What the
completion checklist of design §7 says is read by the handler, because a validator cannot ask the record.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from domain.phases import Phase
from domain.roles import Permission
from models.messages import (
    AnnounceClosure,
    CancelRecall,
    ChecklistItem,
    Complete,
    ExtendDeadline,
    RecordAuthorityAnswer,
    Reopen,
    TaskExtended,
)
from workflows.recall_rules import in_phase
from workflows.recall_state import RecallState
from workflows.rules import need_reason, other_person, permit, refuse

_COMPLETE_AS: Final = {
    "quality": Permission.COMPLETE_QUALITY,
    "regulatory": Permission.COMPLETE_REGULATORY,
}
_LONGEST_EXTENSION: Final = timedelta(days=3660)
"""Of policy time. A date beyond the calendar (year 9999) can never be recorded: the update would block the recall."""
_AFTER: Final = (Phase.COMPLETED, Phase.AWAITING_AUTHORITY)
_BEFORE_COMPLETION: Final = (
    Phase.INTAKE,
    Phase.ASSESSMENT,
    Phase.STRATEGY,
    Phase.GATES,
    Phase.NOTIFICATION,
    Phase.RESOLUTION,
)


def check_completion(state: RecallState, decision: Complete) -> None:
    """Quality and regulatory affairs, two persons, sign the completed recall."""
    permit(decision.actor, _COMPLETE_AS[decision.capacity])
    in_phase(state, Phase.RESOLUTION)
    if decision.capacity in state.completion_signers:
        refuse("AlreadyDecided", f"the completion is already signed for {decision.capacity}")
    for capacity, signer in state.completion_signers.items():
        other_person(decision.actor, signer, f"signed the completion for {capacity}")


def refuse_incomplete(items: Sequence[ChecklistItem]) -> None:
    """Refuse a completion while checklist items are open, naming each; nothing when none is."""
    if items:
        named = "; ".join(f"{item.title}: {item.total} open" for item in items)
        refuse("NotComplete", f"the recall is not complete: {named}", [item.model_dump(mode="json") for item in items])


def check_answer(state: RecallState, jurisdictions: Sequence[str], decision: RecordAuthorityAnswer) -> None:
    """Each jurisdiction is answered once per completion; an order of more may come before the reports are in."""
    permit(decision.actor, Permission.RECORD_AUTHORITY_ANSWER)
    if decision.answer == "more_ordered":
        in_phase(state, *_AFTER)
    else:
        in_phase(state, Phase.AWAITING_AUTHORITY)
    if decision.jurisdiction not in jurisdictions:
        known = ", ".join(jurisdictions)
        refuse("InvalidInput", f"{decision.jurisdiction} is no jurisdiction of this recall; it has {known}")
    if decision.jurisdiction in state.answers:
        refuse(
            "AlreadyDecided", f"{decision.jurisdiction} has already answered: {state.answers[decision.jurisdiction]}"
        )
    if decision.answer != "terminated":
        need_reason(decision.reason, f"the answer {decision.answer}")
    if decision.answer != "no_authority" and not (decision.reference or "").strip():
        refuse("InvalidInput", f"the answer {decision.answer} needs the reference of the authority's letter")


def check_reopening(state: RecallState, decision: Reopen) -> None:
    """Quality finds that a closed question is open."""
    permit(decision.actor, Permission.COMPLETE_QUALITY)
    in_phase(state, *_AFTER)
    need_reason(decision.reason, "a reopening")


def check_announcement(state: RecallState, decision: AnnounceClosure) -> None:
    """Whoever drafts notices says whether the end is told, while the recall is completed and not yet terminated."""
    permit(decision.actor, Permission.DRAFT_NOTICE)
    in_phase(state, *_AFTER)
    if decision.wanted == state.closure_wanted and state.closure_said:
        refuse("AlreadyDecided", f"the end is {'to be' if state.closure_wanted else 'not to be'} told already")
    if not decision.wanted:
        need_reason(decision.reason, "telling nobody after all")


def check_cancellation(state: RecallState, started_by: str, decision: CancelRecall) -> None:
    """An approver who did not start the recall ends it, as long as it is not completed."""
    permit(decision.actor, Permission.CANCEL_RECALL)
    in_phase(state, *_BEFORE_COMPLETION)
    need_reason(decision.reason, "a cancellation")
    other_person(decision.actor, started_by, "started this recall")


def check_extension(state: RecallState, now: datetime, pace: float, decision: ExtendDeadline) -> None:
    """More time for a person, with a reason; what it refers to is checked against the record by the activity."""
    permit(decision.actor, Permission.REASSIGN_TASKS)
    need_reason(decision.reason, "more time")
    if decision.due_at <= now:
        refuse("InvalidInput", f"the new due time {decision.due_at.isoformat()} has passed")
    latest = now + _LONGEST_EXTENSION / pace
    if decision.due_at > latest:
        refuse("InvalidInput", f"the new due time lies after {latest.isoformat()}, ten years of policy time from now")


def check_extended(decision: ExtendDeadline, found: TaskExtended) -> None:
    """Refuse what the record says cannot be extended."""
    if found.outcome == "unknown":
        refuse("UnknownTask", f"the recall has no open task {decision.key!r}")
    if found.outcome == "legal":
        refuse("LegalLimit", f"{decision.key} is due by law, at {_instant(found)}; a legal limit cannot be extended")
    if found.outcome == "not_later":
        refuse("InvalidInput", f"{decision.key} is due at {_instant(found)}; more time means a later instant")


def _instant(found: TaskExtended) -> str:
    return found.due_at.isoformat() if found.due_at else "no time"


__all__ = [
    "check_announcement",
    "check_answer",
    "check_cancellation",
    "check_completion",
    "check_extended",
    "check_extension",
    "check_reopening",
    "refuse_incomplete",
]
