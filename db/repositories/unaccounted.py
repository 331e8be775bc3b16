"""The head of quality's signature for units that stay unaccounted for after a documented search (design §7).

A signature covers the figures of its moment, lot by lot: should more go missing later, or more turn up than can be, it
is asked for again (`domain.mass_balance.is_covered`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, audit, evidence, tasks
from domain.mass_balance import LotBalance, SignedShare
from domain.roles import Role
from models.recall import SignOff

STEP: Final = "unaccounted"
"""Step of the signature, key of its task, and subject its evidence is linked to."""


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
    signature = assessment.sign_off(
        number,
        STEP,
        "signed",
        actor=actor,
        role=Role.HEAD_OF_QUALITY,
        meaning="units unaccounted for after a documented search",
        at=now,
        reason=account,
        body=body,
    )
    await assessment.sign(session, signature)
    await evidence.link(session, number, evidence_ids, STEP, by=actor, at=now, role=Role.HEAD_OF_QUALITY)
    await tasks.close(session, number, STEP, outcome="signed", done_by=actor, now=now)
    await audit.append(
        session,
        number,
        actor=actor,
        role=Role.HEAD_OF_QUALITY,
        action="unaccounted.signed",
        at=now,
        reason=account,
        data=body,
    )
    return _shares(signature)


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


__all__ = ["STEP", "sign", "signed_by_request", "signed_shares"]
