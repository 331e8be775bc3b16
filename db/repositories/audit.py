"""The audit chain: appending locks the stream's head, so the events of one stream form one unbroken line.

`append` must run in the same transaction as the change it speaks of. A stream is a recall number or `system`.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.audit_chain import GENESIS, link_hash, normalise, verify
from models.audit import AuditEvent, AuditHead
from models.recall import Recall

SYSTEM = "system"
_PAGE = 1000
_APPEND = """
INSERT INTO audit_event (stream, seq, at, actor, role, action, reason, data, prev_hash, hash)
SELECT stream, seq, at, actor, role, action, reason, data, prev_hash, hash
FROM jsonb_to_recordset(CAST(:events AS jsonb)) AS e(stream text, seq integer, at timestamptz, actor text, role text,
     action text, reason text, data jsonb, prev_hash text, hash text) ORDER BY seq
"""
_STEP = "UPDATE audit_head SET seq = :seq, hash = :hash WHERE stream = :stream"
"""The database lets the head move with its events only: after them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened: an event before it has its place in the chain."""

    actor: str
    role: str
    action: str
    at: datetime
    reason: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


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
    signature: str | UUID | None = None,
) -> int:
    """Add one event and return its sequence number (1, 2, ...) in the stream.

    `at` is the instant the sender's clock gave (`workflow.now()` in workflows), never the database's; `signature` the
    electronic signature under the act, where it is a signed one.

    Raises:
        domain.audit_chain.AuditValueError: `data` holds a value without a canonical form.
    """
    bound = {"signature": signature} if signature is not None else {}
    return await append_all(session, stream, [Entry(actor, role, action, at, reason, {**(data or {}), **bound})])


async def append_all(session: AsyncSession, stream: str, entries: Sequence[Entry]) -> int:
    """Add events in their order, as `append` does; returns the sequence number of the last."""
    await session.exec(
        insert(AuditHead).values(stream=stream, seq=0, hash=GENESIS).on_conflict_do_nothing(index_elements=["stream"])
    )
    locked = select(AuditHead.seq, AuditHead.hash).where(col(AuditHead.stream) == stream).with_for_update()
    seq, last = (await session.exec(locked)).one()
    first, events = last, []
    for entry in entries:
        seq += 1
        content = normalise(
            {
                "stream": stream,
                "seq": seq,
                "at": entry.at,
                "actor": entry.actor,
                "role": entry.role,
                "action": entry.action,
                "reason": entry.reason,
                "data": entry.data,
            }
        )
        last, before = link_hash(last, content), last
        events.append(content | {"prev_hash": before, "hash": last})
    # What the change itself still had to write goes first.
    await session.flush()
    if last != first:
        await run(session, _APPEND, {"events": json.dumps(events, ensure_ascii=False)})
        await run(session, _STEP, {"stream": stream, "seq": seq, "hash": last})
    return seq


def as_mapping(event: AuditEvent) -> dict[str, Any]:
    """An event as the chain hashes and verifies it."""
    return {
        "stream": event.stream,
        "seq": event.seq,
        "at": event.at,
        "actor": event.actor,
        "role": event.role,
        "action": event.action,
        "reason": event.reason,
        "data": event.data,
        "prev_hash": event.prev_hash,
        "hash": event.hash,
    }


async def read(session: AsyncSession, stream: str, *, after: int = 0, limit: int = _PAGE) -> list[AuditEvent]:
    """Events of a stream in order, from the one after sequence number `after`."""
    query = (
        select(AuditEvent)
        .where(col(AuditEvent.stream) == stream, col(AuditEvent.seq) > after)
        .order_by(col(AuditEvent.seq))
        .limit(limit)
    )
    return list((await session.exec(query)).all())


async def read_all(session: AsyncSession, stream: str) -> AsyncIterator[AuditEvent]:
    """All events of a stream in order, page by page."""
    after = 0
    while page := await read(session, stream, after=after):
        for event in page:
            yield event
        after = page[-1].seq


async def first_broken_link(session: AsyncSession, stream: str) -> int | None:
    """Sequence number of the first event that does not fit the chain, None when all do.

    The head row says how many events there must be and which hash the last one has, so a chain cut off at its end is
    found too; a head or a whole chain that is gone is a break after the last event there is. Events that are appended
    while the chain is read are no break: the head has moved with them.
    """
    head = (await session.exec(select(AuditHead.seq, AuditHead.hash).where(col(AuditHead.stream) == stream))).first()
    events = [as_mapping(event) async for event in read_all(session, stream)]
    broken = verify(events)
    if broken is not None:
        return broken
    if head is None:
        return len(events) + 1 if events or await session.get(Recall, stream) is not None else None
    seq, last = head
    if len(events) < seq:
        return len(events) + 1
    if last != (events[seq - 1]["hash"] if seq else GENESIS):
        return max(seq, 1)
    if len(events) > seq:
        moved_to = (await session.exec(select(AuditHead.seq).where(col(AuditHead.stream) == stream))).first()
        return seq + 1 if moved_to is None or moved_to < len(events) else None
    return None
