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
    signature: str | None = None,
) -> None:
    """Audit that somebody tried what their roles, four eyes, training or the state of the record forbid.

    `signature` is the one already given for it: it stays on record as an attempt without an act.
    """
    stream = await _stream(session, number)
    await audit.append(
        session,
        stream,
        actor=principal,
        role=role,
        action="decision.refused",
        at=now,
        data={"operation": operation, "refusal": refusal, "recall": number}
        | ({"unused_signature": signature} if signature else {}),
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
