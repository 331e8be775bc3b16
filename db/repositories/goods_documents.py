"""Goods documents of our own ledger: read as they stand, stopped, cancelled and freed by key.

A block is a claim: each recall has its own, a document moves again when the last one is gone. What has moved already is
read from the movements under the document's number, so a document that was carried out is `done` whatever its source
says.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import goods_documents_sql, ledger_feed
from domain.inventory import Document, DocumentAnswer, DocumentKind, DocumentLine, DocumentState, LedgerRefused

_INBOUND = (DocumentKind.RECEIPT, DocumentKind.RETURN)


class DocumentRefused(LedgerRefused):
    """The ledger does not know the document, or the key belongs to another one."""


async def of_lots(session: AsyncSession, lot_ids: Sequence[int]) -> list[Document]:
    """Documents not yet done that name these lots, or their products where the lot is allocated later."""
    if not lot_ids:
        return []
    rows = await run(session, goods_documents_sql.OF_LOTS, {"lot_ids": sorted(set(lot_ids))})
    return [document_of(row) for row in rows]


def document_of(row: Any) -> Document:
    """A row of `goods_documents_sql.STANDING` as the adapters speak of it."""
    kind = DocumentKind(row.kind)
    here, other = row.from_location_id, row.to_location_id
    if kind in _INBOUND or here is None:
        here, other = other or here, here if other is not None else None
    lines = json.loads(row.lines) if isinstance(row.lines, str) else row.lines
    return Document(
        number=row.number,
        kind=kind,
        state=DocumentState(row.state),
        location_id=here,
        other_location_id=other,
        lines=tuple(DocumentLine(each["product"], each["lot"], Decimal(each["quantity"])) for each in lines or ()),
        source=row.source_system,
    )


async def block(
    session: AsyncSession, key: str, claimant: str, document: Document, now: datetime, *, cancel: bool
) -> DocumentAnswer:
    """Stop the document, or end it for good; the answer says how it stands now.

    Raises:
        DocumentRefused: no such document, or the key is another document's, another claimant's or ended.
    """
    values = {"number": document.number, "kind": document.kind.value, "location": document.location_id}
    values["source"] = document.source
    found = (await run(session, goods_documents_sql.LOCK, values)).all()
    if len(found) != 1:
        many = "no such document" if not found else "several documents of this number"
        raise DocumentRefused(f"{document.kind.value} {document.number}: {many} at this place")
    document_id = found[0].id
    before = (await run(session, goods_documents_sql.LOCK_OF_KEY, {"key": key})).one_or_none()
    if before is not None and (before.document_id, before.claimant) != (document_id, claimant):
        raise DocumentRefused(f"block {key} belongs to another document")
    if before is not None and before.ended_at is not None:
        raise DocumentRefused(f"block {key} was ended")
    state = await _state(session, document_id)
    if state is not DocumentState.DONE and (before is None or (cancel and not before.cancelled)):
        wanted = {"key": key, "claimant": claimant, "document_id": document_id, "now": now, "cancel": cancel}
        await run(session, goods_documents_sql.PLACE, wanted)
        if cancel:
            await run(session, goods_documents_sql.CANCEL, {"id": document_id})
        await _changed(session, document_id, document.location_id)
        state = await _state(session, document_id)
    return DocumentAnswer(number=document.number, state=state, reference=key)


async def unblock(session: AsyncSession, key: str, now: datetime) -> DocumentAnswer | None:
    """End exactly this block; None when there is none. A document that was cancelled stays so."""
    found = (await run(session, goods_documents_sql.LOCK_OF_KEY, {"key": key})).one_or_none()
    if found is None:
        return None
    if (await run(session, goods_documents_sql.END, {"key": key, "now": now})).rowcount:
        await _changed(session, found.document_id, None)
    row = (await run(session, goods_documents_sql.OF_ID, {"id": found.document_id})).one()
    return DocumentAnswer(number=row.number, state=DocumentState(row.state), reference=key)


async def blocked_by(session: AsyncSession, number: str, source: int) -> str | None:
    """The recall that stops goods from leaving `source` under this document number; None: nobody does."""
    values = {"number": number, "source": source}
    found: str | None = (await run(session, goods_documents_sql.BLOCKED_NUMBER, values)).scalar()
    return found


async def _state(session: AsyncSession, document_id: int) -> DocumentState:
    return DocumentState((await run(session, goods_documents_sql.OF_ID, {"id": document_id})).one().state)


async def _changed(session: AsyncSession, document_id: int, location_id: int | None) -> None:
    lots = (await run(session, goods_documents_sql.LOTS_OF, {"id": document_id})).scalars()
    await ledger_feed.note(session, "document", [(lot, location_id) for lot in lots])


__all__ = ["DocumentRefused", "block", "blocked_by", "document_of", "of_lots", "unblock"]
