"""Goods documents under a recall: asked to be stopped, confirmed by their keepers, freed or cancelled by decision.

Whoever changes them holds the recall's row. What a keeper is asked for is written before it is asked, and what it
answered afterwards, so a crash in between repeats the call under the same key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls_read
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls, record
from domain.disposition import Fault
from domain.goods_documents import distinct, document_from, document_keys, lines_of, named_lots, stops
from domain.inventory import Document, DocumentAnswer, DocumentState, UnreadDocument
from domain.phases import FINAL_PHASES
from domain.roles import violates_four_eyes
from models.recall_document import RecallDocument, StopState

OPEN: Final = (StopState.requested.value, StopState.confirmed.value, StopState.failed.value)
"""This recall stops it, or is about to."""
DUE: Final = (
    *(StopState.requested.value, StopState.failed.value),
    *(StopState.releasing.value, StopState.cancelling.value),
)
"""The keeper must still be asked."""
_LOTS: Final = "SELECT lot_id FROM scope_lot WHERE recall_number = :number AND scope_version = :version"
_CONCERNED: Final = """
SELECT DISTINCT s.recall_number FROM scope_lot s JOIN recall r ON r.number = s.recall_number
WHERE r.phase <> ALL(CAST(:ended AS text[])) AND s.scope_version = r.scope_version
  AND (s.lot_id IN (SELECT lot_id FROM goods_document_line WHERE batch_id = :batch
                    UNION SELECT m.lot_id FROM goods_document_before b JOIN goods_document_line m
                        ON m.document_id = b.document_id WHERE b.batch_id = :batch)
       OR EXISTS (SELECT FROM goods_document_line m JOIN lot l ON l.product_id = m.product_id
                  WHERE l.id = s.lot_id AND m.batch_id = :batch AND m.lot_id IS NULL))
ORDER BY s.recall_number
"""
_ENDED: Final = {
    DocumentState.DONE: StopState.done,
    DocumentState.CANCELLED: StopState.cancelled,
}


@dataclass(frozen=True, slots=True)
class Due:
    """A document whose keeper must be asked."""

    id: int
    keeper: str
    keys: list[str]
    """Every key it was ever stopped under, oldest first; the last is today's."""
    state: StopState
    turn: int
    document: Document


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: the keeper's answer, or why there is none."""

    due: Due
    answer: DocumentAnswer | None = None
    error: str | None = None


async def scope_of(session: AsyncSession, number: str, version: int) -> list[int]:
    """Lots of one version of the scope."""
    return list((await run(session, _LOTS, {"number": number, "version": version})).scalars())


async def concerned(session: AsyncSession, batch_id: int) -> list[str]:
    """Running recalls with a lot in their newest scope that documents of this import batch name, or its product."""
    ended = [phase.value for phase in FINAL_PHASES]
    return list((await run(session, _CONCERNED, {"batch": batch_id, "ended": ended})).scalars())


async def take_in(
    session: AsyncSession,
    number: str,
    keeper: str,
    documents: Sequence[Document],
    lots: Sequence[int],
    now: datetime,
    *,
    unread: Sequence[UnreadDocument] = (),
) -> int:
    """Write what a keeper has open of these lots; returns the documents that are to be stopped from now on.

    Repeating it changes nothing. A document under a stop that its keeper does not list any more is asked about again:
    the answer says what became of it. One that its keeper shows as free although it was stopped is stopped anew.
    A drill sees its documents and stops none.
    """
    await lock_recalls(session, [number])
    query = select(RecallDocument).where(col(RecallDocument.recall_number) == number)
    rows = (await session.exec(query.order_by(col(RecallDocument.id)))).all()
    known = {(row.keeper, row.source, row.kind, row.document_no, row.location_id): row for row in rows}
    late = await _looked_before(session, number)
    recall = await recalls_read.find(session, number)
    drill = recall is not None and recall.drill
    asked: list[RecallDocument] = []
    leaked: list[RecallDocument] = []
    seen: set[int] = set()
    hidden = {each.number for each in unread}
    for each in distinct(documents):
        row = known.get((keeper, each.source, each.kind.value, each.number, each.location_id))
        if row is None:
            row = _new(number, keeper, each, named_lots(each, lots), now, late=late, drill=drill)
            asked += [row] if row.state == StopState.requested else []
        else:
            seen.add(row.id or 0)
            if _again(row, each, named_lots(each, lots), now, leaked, drill=drill):
                asked.append(row)
        session.add(row)
    for row in rows:
        if row.keeper != keeper or row.id in seen:
            continue
        if row.state == StopState.confirmed:
            row.state, row.attempts = StopState.requested.value, 0
        elif row.state == StopState.watched and not hidden & {None, row.document_no}:
            row.state, row.ended_at = StopState.done.value, now
        session.add(row)
    await session.flush()
    if asked or leaked or not late:
        data = {"keeper": keeper, "documents": [row.id for row in asked], "freed_by_keeper": [row.id for row in leaked]}
        await record(session, number, "documents.requested", now, data)
    return len(asked)


def _new(
    number: str, keeper: str, each: Document, lots: list[int], now: datetime, *, late: bool, drill: bool
) -> RecallDocument:
    state = StopState.requested if stops(each.kind, lots) and not drill else StopState.watched
    return RecallDocument(
        recall_number=number,
        keeper=keeper,
        source=each.source,
        kind=each.kind.value,
        document_no=each.number,
        location_id=each.location_id,
        other_location_id=each.other_location_id,
        lines=lines_of(each),
        lot_ids=lots,
        state=state.value,
        keeper_state=each.state.value,
        late=late,
        requested_at=now,
    )


def _again(
    row: RecallDocument, each: Document, lots: list[int], now: datetime, leaked: list[RecallDocument], *, drill: bool
) -> bool:
    """Bring a known row in line with what the keeper shows; True when it is to be stopped (again)."""
    decided = row.state in (StopState.released, StopState.releasing, StopState.cancelling)
    more = not set(lots) <= set(row.lot_ids)
    row.lines, row.keeper_state = lines_of(each), each.state.value
    stop = False
    if drill or not stops(each.kind, lots) or row.state in (StopState.requested, StopState.failed):
        pass
    elif row.state == StopState.watched:
        stop = True
    elif row.state == StopState.confirmed and each.state is DocumentState.OPEN:
        leaked.append(row)
        stop = True
    elif row.state == StopState.released:
        # A person's word stands for the lots it was given for.
        stop = more or row.decided_by == "system"
    else:
        stop = row.state in (StopState.done, StopState.cancelled)
    row.lot_ids = lots if stop or not decided else row.lot_ids
    if stop:
        row.turn += 0 if row.state == StopState.watched else 1
        row.state, row.attempts, row.requested_at = StopState.requested.value, 0, now
        row.confirmed_at = row.ended_at = row.decided_at = row.last_error = None
        row.decided_by = row.reason = row.signature_id = None
    return stop


async def due(session: AsyncSession, number: str, keeper: str, limit: int) -> list[Due]:
    """Documents about which this keeper must be asked: what was tried least, then in the order they were seen."""
    return await _due(session, number, (col(RecallDocument.keeper) == keeper,), limit)


async def due_elsewhere(session: AsyncSession, number: str, keepers: Sequence[str]) -> list[Due]:
    """The same of keepers that are none of these."""
    return await _due(session, number, (col(RecallDocument.keeper).not_in(keepers),), None)


async def _due(session: AsyncSession, number: str, which: Sequence[Any], limit: int | None) -> list[Due]:
    query = (
        select(RecallDocument)
        .where(
            col(RecallDocument.recall_number) == number,
            col(RecallDocument.state).in_(DUE),
            *which,
        )
        .order_by(col(RecallDocument.attempts), col(RecallDocument.id))
        .limit(limit)
    )
    return [
        Due(
            id=row.id or 0,
            keeper=row.keeper,
            keys=document_keys(number, row.id or 0, row.turn),
            state=StopState(row.state),
            turn=row.turn,
            document=document_from(
                row.document_no, row.kind, row.location_id, row.other_location_id, row.lines, row.source
            ),
        )
        for row in (await session.exec(query)).all()
    ]


async def answered(session: AsyncSession, number: str, asked: Sequence[Asked], now: datetime) -> None:
    """Record what keepers answered; a document on which somebody decided meanwhile stays due."""
    if not asked:
        return
    await lock_recalls(session, [number])
    ids = [each.due.id for each in asked]
    query = select(RecallDocument).where(col(RecallDocument.id).in_(ids)).order_by(col(RecallDocument.id))
    rows = {row.id: row for row in (await session.exec(query.execution_options(populate_existing=True))).all()}
    outcome: dict[str, list[int]] = {}
    for each in asked:
        row = rows[each.due.id]
        if (row.state, row.turn) != (each.due.state.value, each.due.turn):
            continue
        before = (row.state, row.last_error)
        _note(row, each, now)
        session.add(row)
        if (row.state, row.last_error) != before:
            outcome.setdefault(row.state, []).append(row.id or 0)
    await session.flush()
    if outcome:
        await record(session, number, "documents.answered", now, dict(sorted(outcome.items())))


def _note(row: RecallDocument, each: Asked, now: datetime) -> None:
    row.attempts += 1
    if each.error is not None:
        row.last_error = each.error[:500]
        if row.state == StopState.requested:
            row.state = StopState.failed.value
        return
    row.last_error = None
    answer = each.answer
    row.keeper_state = answer.state.value if answer else None
    row.reference = (answer.reference if answer else None) or row.reference
    if each.due.state is StopState.releasing:
        row.state, row.ended_at = StopState.released.value, now
    elif answer is not None and answer.state in _ENDED:
        row.state, row.ended_at = _ENDED[answer.state].value, now
    elif each.due.state is StopState.cancelling:
        row.last_error = f"the keeper says {answer.state.value if answer else 'nothing'}, not cancelled"
    else:
        row.state, row.confirmed_at = StopState.confirmed.value, row.confirmed_at or now


async def decide(
    session: AsyncSession, number: str, ids: Sequence[int], wanted: StopState, who: Who, reason: str
) -> list[RecallDocument]:
    """Somebody decides what becomes of stopped documents: `releasing` or `cancelling`; all of them or none.

    The same request again changes nothing, whatever became of them since.

    Raises:
        DisposalRefused: an unknown document, one that is not stopped, or the caller started the recall.
    """
    await lock_recalls(session, [number])
    recall = await recalls_read.find(session, number)
    if recall is None:
        raise DisposalRefused("recall_unknown", f"There is no recall {number}.")
    if recall.drill:
        raise DisposalRefused("wrong_state", f"{number} is a drill; it stops no documents, and decides about none.")
    if violates_four_eyes(recall.started_by, who.principal):
        raise DisposalRefused("four_eyes", f"{recall.started_by} started the recall; another person decides.")
    query = select(RecallDocument).where(
        col(RecallDocument.recall_number) == number, col(RecallDocument.id).in_(set(ids))
    )
    found = {row.id: row for row in (await session.exec(query.execution_options(populate_existing=True))).all()}
    if who.request and len(found) == len(set(ids)) and all(row.request == who.request for row in found.values()):
        return [found[each] for each in dict.fromkeys(ids)]
    faults = [Fault(f"ids/{at}", why) for at, each in enumerate(ids) if (why := _fault(found.get(each), wanted))]
    if faults and len(ids) == 1:
        missing = found.get(ids[0]) is None
        raise DisposalRefused("not_found" if missing else "wrong_state", f"Expected {faults[0].expected}.")
    if faults:
        raise invalid(*faults)
    rows = [found[each] for each in dict.fromkeys(ids)]
    for row in rows:
        row.state, row.attempts, row.last_error = wanted.value, 0, None
        row.decided_by, row.decided_at, row.reason = who.principal, who.at, reason
        row.signature_id = UUID(who.signature) if who.signature else None
        row.request = who.request or None
        session.add(row)
    await session.flush()
    await audit.append(
        session,
        number,
        actor=who.principal,
        role=who.role,
        action="documents.released" if wanted is StopState.releasing else "documents.cancelled",
        at=who.at,
        reason=reason,
        data={"documents": [row.id for row in rows]},
        signature=who.signature,
    )
    return rows


def _fault(row: RecallDocument | None, wanted: StopState) -> str | None:
    if row is None:
        return "a document of this recall"
    if row.state == wanted:
        return None
    allowed = OPEN if wanted is StopState.releasing else (*OPEN, StopState.watched.value)
    return None if row.state in allowed else f"a document that the recall stops, this one is {row.state}"


async def decided_by(session: AsyncSession, number: str, request: str) -> bool:
    """Whether this request has decided about documents already."""
    query = select(RecallDocument.id).where(
        col(RecallDocument.recall_number) == number, col(RecallDocument.request) == request
    )
    return (await session.exec(query.limit(1))).first() is not None


async def listed(
    session: AsyncSession, number: str, *, state: str | None, after: int, limit: int
) -> Sequence[RecallDocument]:
    """Documents of the recall in the order they were seen."""
    query = select(RecallDocument).where(col(RecallDocument.recall_number) == number, col(RecallDocument.id) > after)
    if state is not None:
        query = query.where(col(RecallDocument.state) == state)
    return (await session.exec(query.order_by(col(RecallDocument.id)).limit(limit))).all()


async def find(session: AsyncSession, number: str, document_id: int) -> RecallDocument | None:
    """One document of the recall."""
    row = await session.get(RecallDocument, document_id)
    return row if row is not None and row.recall_number == number else None


async def pending(session: AsyncSession, number: str) -> tuple[int, int]:
    """(to be asked, refused or unreachable): documents that nobody has stopped, freed or cancelled yet."""
    query = select(RecallDocument.state, RecallDocument.last_error).where(
        col(RecallDocument.recall_number) == number, col(RecallDocument.state).in_(DUE)
    )
    rows: Sequence[Any] = (await session.exec(query)).all()
    failed = sum(1 for _, error in rows if error is not None)
    return len(rows) - failed, failed


async def _looked_before(session: AsyncSession, number: str) -> bool:
    query = "SELECT EXISTS (SELECT FROM audit_event WHERE stream = :number AND action = 'documents.requested')"
    return bool((await run(session, query, {"number": number})).scalar_one())


__all__ = [
    "Asked",
    "Due",
    "answered",
    "concerned",
    "decide",
    "decided_by",
    "due",
    "due_elsewhere",
    "find",
    "listed",
    "pending",
    "scope_of",
    "take_in",
]
