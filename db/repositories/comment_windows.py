"""Comment windows of a recall's gates, from the record: when the draft was handed over, how the gate was settled."""

from datetime import datetime
from typing import Final

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import notices, recalls
from domain.comment_window import CommentWindow, window_of
from domain.levels import MarketAction
from models.recall import Recall, SignOff

_SENT: Final = """
SELECT min(e.at) FROM submission s JOIN submission_event e ON e.submission_id = s.id AND e.step = 'handed_over'
WHERE s.recall_number = :number AND s.subject = :subject
"""
_NOTICE: Final = "notify"


async def windows(session: AsyncSession, recall: Recall) -> list[CommentWindow]:
    """Every window that applies under the decided market actions."""
    signed = select(SignOff.step, SignOff.outcome).where(
        col(SignOff.recall_number) == recall.number, func.starts_with(SignOff.step, "gate:")
    )
    settled = dict((await session.exec(signed)).all())
    decided = await notices.approved_classes(session, recall.number)
    due = await recalls.earliest_deadline(session, recall.number, _NOTICE)
    found = []
    for policy in await recalls.pinned(session, recall.number):
        actions = {MarketAction(row.market_action) for row in decided if row.jurisdiction == policy.id}
        for gate in policy.gates:
            if gate.comment_window is None or not actions & set(gate.actions):
                continue
            subject = f"{policy.id}:{gate.id}"
            sent: datetime | None = (
                await run(session, _SENT, {"number": recall.number, "subject": subject})
            ).scalar_one()
            found.append(
                window_of(
                    policy,
                    gate,
                    sent_at=sent,
                    settled=settled.get(f"gate:{subject}"),
                    notice_due_at=due,
                    created_at=recall.created_at,
                    pace=recall.pace,
                )
            )
    return found


__all__ = ["windows"]
