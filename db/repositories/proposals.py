"""Ids of proposals: one content, one id, so whoever signs a proposal's id signs what is stored under it.

Ids of proposals and of hazard evaluations come from one sequence. A proposal rests on the evaluations with an id up to
its own, and the id of a later evaluation is always higher than those of the proposals before it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment
from models.recall import ClassDecision


async def number_rows(
    session: AsyncSession, number: str, rows: Sequence[ClassDecision], evaluations: Iterable[int]
) -> int:
    """Give the proposed rows their proposal's id and return it.

    The newest proposal keeps its id when it says the same and no evaluation came after it. Otherwise the id is new:
    that of the newest evaluation, or, when facts changed without one (scope, products, market actions, trace), the
    sequence's next. The caller holds the recall's lock.
    """
    newest = max(evaluations)
    latest = await assessment.latest_proposal(session, number)
    proposal_id = newest
    if latest >= newest:
        stored = await assessment.class_decisions(session, number, latest, ("proposed",))
        same = sorted(map(_content, stored), key=_place) == sorted(map(_content, rows), key=_place)
        proposal_id = latest if same else await _next(session)
    for row in rows:
        row.proposal_id = proposal_id
    return proposal_id


async def _next(session: AsyncSession) -> int:
    query = select(func.nextval(func.pg_get_serial_sequence("hazard_evaluation", "id")))
    return int((await session.exec(query)).one())


def _content(row: ClassDecision) -> dict[str, Any]:
    """What a proposal says of one product line under one law, in every field an approver reads."""
    fields = ("product_line", "jurisdiction", "recall_class", "level", "local_term", "market_action", "reasons")
    return {name: getattr(row, name) for name in fields}


def _place(content: dict[str, Any]) -> tuple[str, str]:
    return content["product_line"], content["jurisdiction"]


__all__ = ["number_rows"]
