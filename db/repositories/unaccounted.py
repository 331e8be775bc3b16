"""The head of quality's signature for units that stay unaccounted for after a documented search (design §7).

A signature covers the figures of its moment, lot by lot: should more go missing later, or more turn up than can be, it
is asked for again (`domain.mass_balance.is_covered`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, audit, evidence, tasks
from domain.mass_balance import LotBalance, SignedShare
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.recall import Recall, SignOff
from models.task import OPEN_STATES, Task

STEP: Final = "unaccounted"
"""Step of the signature, first part of its task's key (`unaccounted:1`), and subject its evidence is linked to."""


async def signed_shares(session: AsyncSession, number: str) -> dict[int, SignedShare]:
    """What the newest signature on each lot covers, by lot id."""
    found: dict[int, SignedShare] = {}
    for row in await _signatures(session, number):
        found |= _shares(row)
    return found


async def signed_by_request(session: AsyncSession, number: str, request: str) -> dict[int, SignedShare] | None:
    """What the signature of this very request covers; None when it was not given yet."""
    for row in await _signatures(session, number):
        if row.body["request"] == request:
            return _shares(row)
    return None


async def sign(
    session: AsyncSession,
    number: str,
    lots: Sequence[LotBalance],
    *,
    actor: str,
    account: str,
    evidence_ids: Sequence[str],
    request: str,
    now: datetime,
    signature: str | None = None,
) -> dict[int, SignedShare]:
    """Record the signature for these lots; the caller holds the recall's row lock and commits.

    Args:
        lots: as balanced in the same transaction.
        account: what was searched, where and by whom.
        request: id of the request; see `signed_by_request`.

    Raises:
        db.repositories.evidence.EvidenceUnusable: a file cannot be cited; nothing was written.
    """
    body: dict[str, Any] = {
        "lots": {str(lot.lot_id): _figures(lot) for lot in lots},
        "evidence_ids": list(evidence_ids),
        "request": request,
    }
    signed = assessment.sign_off(
        number,
        STEP,
        "signed",
        actor=actor,
        role=Role.HEAD_OF_QUALITY,
        meaning="units unaccounted for after a documented search",
        at=now,
        reason=account,
        body=body,
        signature=signature,
    )
    await assessment.sign(session, signed)
    await evidence.link(session, number, evidence_ids, STEP, by=actor, at=now, role=Role.HEAD_OF_QUALITY)
    for key in await _open_tasks(session, number):
        await tasks.close(session, number, key, outcome="signed", done_by=actor, now=now)
    await audit.append(
        session,
        number,
        actor=actor,
        role=Role.HEAD_OF_QUALITY,
        action="unaccounted.signed",
        at=now,
        reason=account,
        data=body,
        signature=signature,
    )
    return _shares(signed)


async def follow(session: AsyncSession, recall: Recall, lots: Sequence[LotBalance], now: datetime) -> None:
    """Ask the head of quality for a signature while `lots` need one, and take the task back when none does any more.

    Each need is a task of its own: a signature that no longer covers what is missing is asked for again.
    """
    waiting = await _open_tasks(session, recall.number)
    if lots and not waiting:
        asked = select(func.count()).where(
            col(Task.recall_number) == recall.number, col(Task.step) == HumanStep.UNACCOUNTED.value
        )
        await tasks.offer(
            session,
            recall,
            key=f"{STEP}:{(await session.exec(asked)).one() + 1}",
            step=HumanStep.UNACCOUNTED,
            what=f"Search for unaccounted units of {len(lots)} lots and sign what is not found",
            owner=recall_id(recall.number),
            now=now,
        )
    for key in waiting if not lots else ():
        await tasks.cancel(session, recall.number, key, outcome="accounted for", done_by="system", now=now)
        data = {"key": key, "outcome": "accounted for"}
        await audit.append(
            session, recall.number, actor="system", role="system", action="task.cancelled", at=now, data=data
        )


async def _open_tasks(session: AsyncSession, number: str) -> Sequence[str]:
    query = select(Task.key).where(
        col(Task.recall_number) == number,
        col(Task.step) == HumanStep.UNACCOUNTED.value,
        col(Task.state).in_(OPEN_STATES),
    )
    return (await session.exec(query)).all()


def _figures(lot: LotBalance) -> dict[str, str | None]:
    residual = lot.terms.residual
    return {"unaccounted": str(lot.terms.unaccounted), "residual": None if residual is None else str(residual)}


async def _signatures(session: AsyncSession, number: str) -> Sequence[SignOff]:
    query = select(SignOff).where(col(SignOff.recall_number) == number, col(SignOff.step) == STEP)
    return (await session.exec(query.order_by(col(SignOff.id)))).all()


def _shares(signature: SignOff) -> dict[int, SignedShare]:
    lots: Mapping[str, Mapping[str, str | None]] = signature.body["lots"]
    return {
        int(lot): SignedShare(
            Decimal(figures["unaccounted"] or 0),
            None if figures["residual"] is None else Decimal(figures["residual"]),
        )
        for lot, figures in lots.items()
    }


__all__ = ["STEP", "follow", "sign", "signed_by_request", "signed_shares"]
