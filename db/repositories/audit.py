"""The audit chain: appending locks the stream's head, so events of one stream form one unbroken line.

`append` must run in the same transaction as the change it speaks of. A stream is a recall number or `system`.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.audit_chain import GENESIS, chain_hash, verify
from models.audit import AuditEvent, AuditHead

SYSTEM = "system"


async def append(
    session: AsyncSession,
    stream: str,
    *,
    actor: str,
    role: str,
    action: str,
    at: datetime,
    reason: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> int:
    """Add one event and return its sequence number (1, 2, ...) in the stream.

    `at` is the instant the sender's clock gave (`workflow.now()` in workflows), never the database's.
    """
    await session.exec(
        insert(AuditHead).values(stream=stream, seq=0, hash=GENESIS).on_conflict_do_nothing(index_elements=["stream"])
    )
    head = (
        await session.exec(select(AuditHead).where(col(AuditHead.stream) == stream).with_for_update())
    ).scalar_one()
    await session.refresh(head)
    event = AuditEvent(
        stream=stream,
        seq=head.seq + 1,
        at=at,
        actor=actor,
        role=role,
        action=action,
        reason=reason,
        data=dict(data or {}),
        prev_hash=head.hash,
        hash="",
    )
    event.hash = chain_hash(head.hash, content(event))
    session.add(event)
    head.seq, head.hash = event.seq, event.hash
    session.add(head)
    await session.flush()
    return event.seq


def content(event: AuditEvent) -> dict[str, Any]:
    """What the hash covers: everything but the hashes themselves."""
    return {
        "stream": event.stream,
        "seq": event.seq,
        "at": event.at,
        "actor": event.actor,
        "role": event.role,
        "action": event.action,
        "reason": event.reason,
        "data": event.data,
    }
