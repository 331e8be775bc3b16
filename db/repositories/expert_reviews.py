"""Experts outside the firm: asked for a review of one product line's evaluation, reminded, answered once.

Name and address stay in this table; tasks, audit and workflows know the request by its number. Writing here never
decides anything: the answer is shown to the approver beside the proposal.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, audit, staff_messages, tasks
from domain.phases import Phase, is_final
from domain.policy_tasks import HumanStep
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.assessment import ExpertReview, ExpertState
from models.recall import ClassDecision, HazardEvaluationRecord, Recall
from models.staff import MessageKind

OUTSIDE: Final = "outside expert"
"""Actor and role of an answer in the audit; the name stays in the review."""


class NothingToReview(ValueError):  # noqa: N818 - a term of the API
    """There is no proposal for the product line yet."""


class NotAsked(ValueError):  # noqa: N818 - a term of the API
    """The request was answered or withdrawn before, or the recall has ended."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What an expert is asked."""

    product_line: str
    question: str
    name: str
    email: str
    language: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ExpertAnswer:
    """What an expert says."""

    agrees: bool
    recall_class: str | None
    rationale: str
    name: str
    qualification: str


@dataclass(frozen=True, slots=True)
class ReviewFile:
    """A request with the facts its page shows."""

    review: ExpertReview
    recall: Recall
    evaluation: HazardEvaluationRecord
    proposed: tuple[ClassDecision, ...]


def task_key(review_id: int) -> str:
    """Key of the task to get the answer."""
    return f"expert:{review_id}"


async def ask(session: AsyncSession, recall: Recall, given: Ask, *, by: str, role: str, now: datetime) -> ExpertReview:
    """Record the request, its task with the due time, and the message with the link; audited.

    Raises:
        NothingToReview: no class is proposed for the product line.
    """
    proposal = await assessment.latest_proposal(session, recall.number)
    rows = await assessment.class_decisions(session, recall.number, proposal, ("proposed",))
    if given.product_line not in {row.product_line for row in rows}:
        raise NothingToReview(f"no class is proposed for {given.product_line}")
    review = ExpertReview(
        recall_number=recall.number,
        product_line=given.product_line,
        proposal_id=proposal,
        question=given.question,
        name=given.name,
        email=given.email,
        language=given.language,
        asked_by=by,
        asked_at=now,
        due_at=given.due_at,
        state=ExpertState.asked.value,
    )
    session.add(review)
    await session.flush()
    assert review.id is not None  # noqa: S101 - flushed
    await tasks.offer(
        session,
        recall,
        key=task_key(review.id),
        step=HumanStep.ASSESSMENT,
        what=f"Answer of the outside expert {review.id} on {given.product_line}",
        owner=recall_id(recall.number),
        now=now,
        role=Role(role),
        due_at=given.due_at,
        assignee=by,
    )
    await staff_messages.tell_expert(session, recall, review, MessageKind.expert_request, now)
    facts = {"review": review.id, "product_line": given.product_line, "proposal": proposal, "due_at": given.due_at}
    await _note(session, review, "expert_review.asked", by, role, now, facts | {"language": given.language})
    return review


async def find(session: AsyncSession, review_id: int, *, lock: bool = False) -> ExpertReview | None:
    """One request, locked where it is to be changed."""
    query = select(ExpertReview).where(col(ExpertReview.id) == review_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.exec(query)).one_or_none()


async def list_of(session: AsyncSession, number: str) -> list[ExpertReview]:
    """Requests of one recall, oldest first."""
    query = select(ExpertReview).where(col(ExpertReview.recall_number) == number).order_by(col(ExpertReview.id))
    return list((await session.exec(query)).all())


async def file_of(session: AsyncSession, review: ExpertReview) -> ReviewFile | None:
    """The facts the expert reads; None once the recall has ended."""
    recall = await session.get(Recall, review.recall_number)
    if recall is None or is_final(Phase(recall.phase)):
        return None
    rows = await assessment.class_decisions(session, recall.number, review.proposal_id, ("proposed",))
    evaluation = await assessment.evaluation_of_proposal(
        session, recall.number, review.product_line, review.proposal_id
    )
    if evaluation is None:
        return None
    return ReviewFile(review, recall, evaluation, tuple(row for row in rows if row.product_line == review.product_line))


async def answer(session: AsyncSession, review_id: int, given: ExpertAnswer, *, now: datetime) -> ExpertReview:
    """Take the one answer of a request; its task is done.

    Raises:
        NotAsked: there is nothing to answer any more.
    """
    review = await find(session, review_id, lock=True)
    if review is None or review.state != ExpertState.asked.value or await file_of(session, review) is None:
        raise NotAsked("the request takes no answer any more")
    review.state = ExpertState.answered.value
    review.agrees, review.recall_class = given.agrees, None if given.agrees else given.recall_class
    review.rationale, review.answered_name = given.rationale, given.name
    review.qualification, review.answered_at = given.qualification, now
    session.add(review)
    await tasks.close(session, review.recall_number, task_key(review_id), outcome="answered", done_by=OUTSIDE, now=now)
    facts = {"review": review_id, "agrees": given.agrees, "recall_class": review.recall_class}
    await _note(session, review, "expert_review.answered", OUTSIDE, "none", now, facts)
    return review


async def withdraw(
    session: AsyncSession, number: str, review_id: int, *, reason: str, by: str, role: str, now: datetime
) -> ExpertReview:
    """Take a request back; its link is dead from now on.

    Raises:
        LookupError: the recall has no such request.
        NotAsked: it was answered or withdrawn before.
    """
    review = await find(session, review_id, lock=True)
    if review is None or review.recall_number != number:
        raise LookupError(f"{number} has no expert review {review_id}")
    if review.state != ExpertState.asked.value:
        raise NotAsked(f"the request is {review.state} already")
    review.state, review.withdrawn_by, review.withdrawn_reason = ExpertState.withdrawn.value, by, reason
    session.add(review)
    await tasks.cancel(session, number, task_key(review_id), outcome="withdrawn", done_by=by, now=now)
    await _note(session, review, "expert_review.withdrawn", by, role, now, {"review": review_id}, reason=reason)
    return review


async def _note(
    session: AsyncSession,
    review: ExpertReview,
    action: str,
    actor: str,
    role: str,
    now: datetime,
    data: dict[str, Any],
    *,
    reason: str | None = None,
) -> None:
    await audit.append(
        session, review.recall_number, actor=actor, role=role, action=action, at=now, reason=reason, data=data
    )


__all__ = [
    "Ask",
    "ExpertAnswer",
    "NotAsked",
    "NothingToReview",
    "ReviewFile",
    "answer",
    "ask",
    "file_of",
    "find",
    "list_of",
    "task_key",
    "withdraw",
]
