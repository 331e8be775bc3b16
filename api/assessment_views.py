"""The level assessment as it is shown: market action, questions, and our class, the approver's, the authority's."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from api.suggestion_views import stored_out
from api.views import both_times
from db.repositories import assessment, expert_reviews, market_actions, recalls, recalls_read, suggestions
from models.assessment import ExpertReview, ExpertState, MarketActionRecord, MarketActionReview
from models.recall import ClassDecision, HazardEvaluationRecord, Recall
from models.schemas_assessment import (
    AssessmentOut,
    ClassFactOut,
    JustificationReviewOut,
    LineAssessmentOut,
    MarketActionOut,
)
from models.schemas_experts import ExpertReviewOut

_DECIDED = ("approved", "overridden")


async def market_action_history(session: AsyncSession, number: str) -> list[MarketActionOut]:
    """Every market action ever decided, oldest first, with the last review of each."""
    in_force = {row.id for row in await market_actions.latest(session, number)}
    reviewed = await market_actions.reviews(session, number)
    return [
        _action(row, reviewed.get(row.id or 0), in_force=row.id in in_force)
        for row in await market_actions.every(session, number)
    ]


async def assessment_of(session: AsyncSession, recall: Recall, now: datetime) -> AssessmentOut:
    """Everything of the assessment, per product line and jurisdiction, in a stable order."""
    number = recall.number
    rows = await recalls_read.class_decisions(session, number)
    evaluations = {row.product_line: row for row in await assessment.latest_evaluations(session, number)}
    actions = {(row.product_line, row.jurisdiction): row for row in await market_actions.latest(session, number)}
    reviewed = await market_actions.reviews(session, number)
    lines = {line.key for line in await recalls.product_lines(session, number, recall.scope_version)}
    pairs = {(line, law) for line in lines for law in recall.jurisdictions}
    experts = [expert_review_out(row, recall, now) for row in await expert_reviews.list_of(session, number)]
    pairs |= {(row.product_line, row.jurisdiction) for row in rows} | set(actions)
    return AssessmentOut(
        number=number,
        geographic_scope=recall.geographic_scope,
        recall_class=recall.recall_class,
        lines=[
            _line(
                pair,
                evaluations.get(pair[0]),
                _shown(actions.get(pair), reviewed),
                [row for row in rows if (row.product_line, row.jurisdiction) == pair],
                [each for each in experts if each.product_line == pair[0]],
            )
            for pair in sorted(pairs)
        ],
        suggestions=[stored_out(row) for row in await suggestions.latest(session, number)],
    )


def expert_review_out(row: ExpertReview, recall: Recall, now: datetime) -> ExpertReviewOut:
    """A request as staff see it; the address stays in the record."""
    shown = set(ExpertReviewOut.model_fields) - {"due", "overdue"}
    late = row.state == ExpertState.asked.value and row.due_at < now
    facts = row.model_dump(include=shown) | {"due": both_times(recall, row.due_at), "overdue": late}
    return ExpertReviewOut.model_validate(facts)


def _line(
    pair: tuple[str, str],
    evaluation: HazardEvaluationRecord | None,
    action: MarketActionOut | None,
    rows: Sequence[ClassDecision],
    experts: list[ExpertReviewOut],
) -> LineAssessmentOut:
    proposed, decided = _last(rows, ("proposed",)), _last(rows, _DECIDED)
    authority = _last(rows, ("authority",))
    return LineAssessmentOut(
        product_line=pair[0],
        jurisdiction=pair[1],
        assessor=evaluation.assessor if evaluation else None,
        evaluated_at=evaluation.recorded_at if evaluation else None,
        market_action=action,
        proposed=_fact(proposed),
        decided=_fact(decided),
        authority=_fact(authority),
        in_force=_in_force(decided, authority),
        questions=[
            str(each["reason"]) for each in (proposed.reasons if proposed else ()) if each.get("id") == "review"
        ],
        experts=experts,
    )


def _in_force(decided: ClassDecision | None, authority: ClassDecision | None) -> Literal["decided", "authority"] | None:
    """The later of the two, as `assessment.classes_in_force` reads it."""
    if authority is None:
        return "decided" if decided else None
    if decided is None or (authority.decided_at, authority.id or 0) > (decided.decided_at, decided.id or 0):
        return "authority"
    return "decided"


def _last(rows: Iterable[ClassDecision], kinds: Sequence[str]) -> ClassDecision | None:
    return max((row for row in rows if row.kind in kinds), key=lambda row: (row.decided_at, row.id or 0), default=None)


def _fact(row: ClassDecision | None) -> ClassFactOut | None:
    return ClassFactOut.model_validate(row, from_attributes=True) if row else None


def _shown(row: MarketActionRecord | None, reviewed: dict[int, MarketActionReview]) -> MarketActionOut | None:
    return _action(row, reviewed.get(row.id or 0), in_force=True) if row else None


def _action(row: MarketActionRecord, review: MarketActionReview | None, *, in_force: bool) -> MarketActionOut:
    shown = JustificationReviewOut.model_validate(review, from_attributes=True) if review else None
    facts = row.model_dump(include=set(MarketActionOut.model_fields) - {"in_force", "review"})
    return MarketActionOut.model_validate(facts | {"in_force": in_force, "review": shown})


__all__ = ["assessment_of", "expert_review_out", "market_action_history"]
