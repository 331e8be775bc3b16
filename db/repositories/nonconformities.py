"""Nonconformities as records: investigated, decided lot by lot under signature, closed; each step audited once.

The file's row is locked first, then its lots; its own chain of events is appended to before a recall's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, codes, evidence, files, tasks
from db.repositories.disposition_who import Who
from domain.codes import PROBLEM_ANNEXES
from domain.nonconformity import (
    CONCESSION,
    LotDecision,
    NcDisposition,
    NcRefused,
    NcSeverity,
    NcState,
    check_decider,
    need_state,
    open_points,
)
from domain.policy_tasks import HumanStep
from domain.roles import Role
from domain.workflow_ids import QUALITY_ID
from models.quality import LinkKind, Nonconformity, NonconformityLink, NonconformityLot, QualityFile
from models.recall import Recall
from models.task import OPEN_STATES, Task

_DECISIONS: Final = """
SELECT x.id, l.number, x.disposition, x.decided_by, x.second_by, EXISTS (
    SELECT FROM nonconformity_link k JOIN hold h ON h.recall_number = k.recall_number
    WHERE k.nonconformity_number = x.nonconformity_number AND k.kind = 'hold' AND h.lot_id = x.lot_id
      AND h.state = 'nonconformity' AND h.quantity > 0) AS held
FROM nonconformity_lot x JOIN lot l ON l.id = x.lot_id
WHERE x.nonconformity_number = :number AND x.taken_back_at IS NULL ORDER BY x.id
"""


class UnknownNonconformity(LookupError):  # noqa: N818 - a term of the API
    """There is none with this number."""


async def investigate(
    session: AsyncSession,
    number: str,
    *,
    account: str,
    severity: NcSeverity | None,
    given_codes: Sequence[str] | None,
    evidence_ids: Sequence[UUID],
    who: Who,
) -> Nonconformity:
    """What was looked into and found; may be corrected until every lot is decided.

    Raises:
        UnknownNonconformity, NcRefused, db.repositories.codes.CodesRefused: it is not in order.
    """
    file, row = await locked(session, number)
    need_state(NcState(row.state), NcState.OPEN, NcState.INVESTIGATED)
    if given_codes is not None:
        list_id = await codes.check(session, given_codes, PROBLEM_ANNEXES, who.at)
        await codes.attach(session, {"nonconformity_number": number}, given_codes, list_id, who.principal, who.at)
    row.investigation, row.investigated_by, row.investigated_at = account, who.principal, who.at
    row.severity = severity.value if severity else row.severity
    row.state = NcState.INVESTIGATED.value
    session.add(row)
    await evidence.link(session, number, evidence_ids, "nc:investigation", by=who.principal, at=who.at)
    facts = {"severity": row.severity, "codes": list(given_codes) if given_codes is not None else None}
    await note(session, number, "nc.investigated", who, facts)
    await next_task(session, file, row, who.at, done_by=who.principal)
    return row


async def decide(
    session: AsyncSession,
    number: str,
    *,
    lot_ids: Sequence[int],
    disposition: NcDisposition,
    justification: str,
    evidence_ids: Sequence[UUID],
    who: Who,
) -> Nonconformity:
    """What becomes of the units of these lots, under signature (21 CFR 820.90(b)(1)); nothing is freed by it.

    A lot decided before is decided anew as long as the nonconformity is not closed; its second signature is void.

    Raises:
        UnknownNonconformity, NcRefused: it is not in order.
    """
    file, row = await locked(session, number)
    need_state(NcState(row.state), NcState.INVESTIGATED, NcState.DECIDED)
    check_decider(who.principal, row.detected_by, row.investigated_by)
    if disposition in CONCESSION and not evidence_ids:
        raise NcRefused("evidence_required", "use as it is rests on at least one file", "evidence_ids")
    rows = {each.lot_id: each for each in await lots_of(session, number) if each.taken_back_at is None}
    for index, lot_id in enumerate(lot_ids):
        lot = rows.get(lot_id)
        if lot is None:
            raise NcRefused("invalid", f"lot {lot_id} is none of {number}", f"lot_ids/{index}")
        lot.disposition, lot.justification = disposition.value, justification
        lot.decided_by, lot.decided_at, lot.decision_signature_id = who.principal, who.at, who.signature
        lot.second_by = lot.second_at = lot.second_signature_id = None
        session.add(lot)
    await session.flush()
    await evidence.link(session, number, evidence_ids, "nc:decision", by=who.principal, at=who.at)
    facts = {"lots": list(lot_ids), "disposition": disposition.value}
    await note(session, number, "nc.decided", who, facts, reason=justification)
    await _settle(session, file, row, who)
    return row


async def concede(session: AsyncSession, number: str, lot_ids: Sequence[int], who: Who) -> Nonconformity:
    """The second signature under the use of lots that do not conform: the head of quality, never who decided it.

    Raises:
        UnknownNonconformity, NcRefused: it is not in order.
    """
    file, row = await locked(session, number)
    need_state(NcState(row.state), NcState.INVESTIGATED, NcState.DECIDED)
    rows = {each.lot_id: each for each in await lots_of(session, number)}
    for index, lot_id in enumerate(lot_ids):
        lot = rows.get(lot_id)
        waits = lot is not None and lot.disposition in CONCESSION and lot.second_by is None
        if lot is None or not waits:
            raise NcRefused("nothing_to_sign", f"lot {lot_id} waits for no second signature", f"lot_ids/{index}")
        check_decider(who.principal, row.detected_by, row.investigated_by, lot.decided_by)
        lot.second_by, lot.second_at, lot.second_signature_id = who.principal, who.at, who.signature
        session.add(lot)
    await session.flush()
    await note(session, number, "nc.use_signed", who, {"lots": list(lot_ids)})
    await _settle(session, file, row, who)
    return row


async def _settle(session: AsyncSession, file: QualityFile, row: Nonconformity, who: Who) -> None:
    settled = all(each.settled for each in await decisions(session, row.number))
    row.state = (NcState.DECIDED if settled else NcState.INVESTIGATED).value
    session.add(row)
    await next_task(session, file, row, who.at, done_by=who.principal)


async def close(session: AsyncSession, number: str, conclusion: str, who: Who) -> Nonconformity:
    """Closed: every lot decided and the decision carried out as far as a recall's holds say.

    Raises:
        UnknownNonconformity, NcRefused: something is open, or it is in another state.
    """
    file, row = await locked(session, number)
    need_state(NcState(row.state), NcState.INVESTIGATED, NcState.DECIDED)
    if points := open_points(await decisions(session, number)):
        raise NcRefused("not_complete", "; ".join(points))
    check_decider(who.principal, row.investigated_by)
    row.state, row.conclusion = NcState.CLOSED.value, conclusion
    row.closed_by, row.closed_at, row.closing_signature_id = who.principal, who.at, who.signature
    file.closed_at = who.at
    session.add_all([row, file])
    await note(session, number, "nc.closed", who, {}, reason=conclusion)
    await next_task(session, file, row, who.at, done_by=who.principal)
    return row


async def reopen(session: AsyncSession, number: str, reason: str, who: Who) -> Nonconformity:
    """Open again, to be investigated anew; what was decided stays on record until it is decided anew.

    Raises:
        UnknownNonconformity, NcRefused: it is not closed.
    """
    file, row = await locked(session, number)
    need_state(NcState(row.state), NcState.CLOSED)
    row.state, row.reopened = NcState.OPEN.value, row.reopened + 1
    row.closed_by = row.closed_at = row.closing_signature_id = None
    file.closed_at = None
    session.add_all([row, file])
    await note(session, number, "nc.reopened", who, {"reopened": row.reopened}, reason=reason)
    await next_task(session, file, row, who.at)
    return row


async def link_recall(
    session: AsyncSession, number: str, recall_number: str, kind: LinkKind, reason: str | None, who: Who
) -> bool:
    """Tie it to a recall, whose file then holds it; False when it was tied before.

    Raises:
        UnknownNonconformity: there is none.
        NcRefused: there is no such recall, or one is a drill and the other is not.
    """
    recall = await session.get(Recall, recall_number)
    if recall is None:
        raise NcRefused("invalid", f"there is no recall {recall_number}", "recall_number")
    file, _ = await locked(session, number)
    if recall.drill != file.drill:
        raise NcRefused("invalid", "a drill and the real thing are kept apart", "recall_number")
    query = select(NonconformityLink).where(
        col(NonconformityLink.nonconformity_number) == number, col(NonconformityLink.recall_number) == recall_number
    )
    if (await session.exec(query)).first() is not None:
        return False
    session.add(
        NonconformityLink(
            nonconformity_number=number,
            recall_number=recall_number,
            kind=kind.value,
            reason=reason,
            linked_by=who.principal,
            linked_at=who.at,
        )
    )
    await session.flush()
    await note(session, number, "nc.linked", who, {"recall": recall_number, "kind": kind.value}, reason=reason)
    await note(session, recall_number, "nc.linked", who, {"nonconformity": number, "kind": kind.value}, reason=reason)
    return True


# ---------------------------------------------------------------------- common


async def locked(session: AsyncSession, number: str) -> tuple[QualityFile, Nonconformity]:
    """The file and its nonconformity, locked.

    Raises:
        UnknownNonconformity: there is none.
    """
    try:
        file = await files.get(session, number, lock=True)
    except (files.UnknownFile, LookupError) as error:
        raise UnknownNonconformity(f"there is no {number}") from error
    row = await session.get(Nonconformity, number, populate_existing=True)
    if row is None or not isinstance(file, QualityFile):
        raise UnknownNonconformity(f"there is no nonconformity {number}")
    return file, row


async def lots_of(session: AsyncSession, number: str) -> Sequence[NonconformityLot]:
    """Its lots in the order they were named."""
    query = select(NonconformityLot).where(col(NonconformityLot.nonconformity_number) == number)
    return (await session.exec(query.order_by(col(NonconformityLot.id)))).all()


async def decisions(session: AsyncSession, number: str) -> list[LotDecision]:
    """What is decided about each lot that is still quality's to decide."""
    return [
        LotDecision(
            row.number,
            NcDisposition(row.disposition) if row.disposition else None,
            row.decided_by,
            row.second_by,
            row.held,
        )
        for row in await run(session, _DECISIONS, {"number": number})
    ]


_ASKED: Final = {
    NcState.OPEN: ("investigate", HumanStep.INVESTIGATION, Role.QA, "investigate"),
    NcState.INVESTIGATED: ("decide", HumanStep.DISPOSITION_APPROVAL, Role.APPROVER, "decide what becomes of each lot"),
    NcState.DECIDED: ("close", HumanStep.CAPA_SIGN_OFF, Role.APPROVER, "carry the decisions out and close it"),
}


async def next_task(
    session: AsyncSession, file: QualityFile, row: Nonconformity, now: datetime, *, done_by: str = audit.SYSTEM
) -> None:
    """End the task that the step settled and open the one it leads to, under a new key each time it is owed."""
    asked = _ASKED.get(NcState(row.state))
    query = select(Task.key, Task.state).where(col(Task.file_number) == row.number, col(Task.key).startswith("nc:"))
    known = (await session.exec(query.order_by(col(Task.id)))).all()
    waiting = [key for key, state in known if state in OPEN_STATES]
    kept = [key for key in waiting if asked is not None and key.split(":")[1] == asked[0]]
    for key in waiting:
        if key not in kept:
            await tasks.close(session, row.number, key, outcome=row.state, done_by=done_by, now=now)
    if asked is None or kept:
        return
    name, step, role, what = asked
    before = sum(1 for key, _ in known if key.split(":")[1] == name)
    await tasks.offer(
        session,
        file,
        key=f"nc:{name}" + (f":{before + 1}" if before else ""),
        step=step,
        what=f"{row.number}: {what}",
        owner=QUALITY_ID,
        now=now,
        role=role,
        barred=[each for each in (row.detected_by, row.investigated_by) if each] if role is Role.APPROVER else (),
    )


async def note(
    session: AsyncSession, stream: str, action: str, who: Who, data: dict[str, Any], *, reason: str | None = None
) -> None:
    """An audit event of a file."""
    await audit.append(
        session,
        stream,
        actor=who.principal,
        role=who.role,
        action=action,
        at=who.at,
        reason=reason,
        data=data,
        signature=who.signature,
    )


__all__ = [
    "UnknownNonconformity",
    "close",
    "concede",
    "decide",
    "decisions",
    "investigate",
    "link_recall",
    "locked",
    "lots_of",
    "next_task",
    "note",
    "reopen",
]
