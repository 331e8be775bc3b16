"""Refused attempts: decisions a person may not take (audited), and links or webhooks that do not verify."""

from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from models.notice import RefusedAccess
from models.recall import Recall


async def _stream(session: AsyncSession, number: str | None) -> str:
    """The recall's audit stream if it exists: a claim about an unknown recall belongs to the system's."""
    if number is None:
        return audit.SYSTEM
    known = (await session.exec(select(Recall.number).where(col(Recall.number) == number))).first()
    return known or audit.SYSTEM


async def record_refused_decision(
    session: AsyncSession,
    number: str | None,
    *,
    principal: str,
    role: str,
    refusal: str,
    operation: str,
    now: datetime,
) -> None:
    """Audit that somebody tried what four eyes or their roles forbid."""
    stream = await _stream(session, number)
    await audit.append(
        session,
        stream,
        actor=principal,
        role=role,
        action="decision.refused",
        at=now,
        data={"operation": operation, "refusal": refusal, "recall": number},
    )


async def record_refused_access(
    session: AsyncSession, kind: str, *, number: str | None, detail: dict[str, Any], now: datetime
) -> None:
    """Keep a refused link, form or webhook, and audit it. `detail` never holds the secret itself."""
    stream = await _stream(session, number)
    session.add(RefusedAccess(kind=kind, recall_number=number if stream == number else None, detail=detail, at=now))
    await audit.append(
        session,
        stream,
        actor="anonymous",
        role="none",
        action="access.refused",
        at=now,
        data={"kind": kind, "recall": number} | detail,
    )


__all__ = ["record_refused_access", "record_refused_decision"]
