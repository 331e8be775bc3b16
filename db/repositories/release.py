"""The release gate: the only way from a hold to usable stock, lot by lot and place by place (design promise 6).

Two persons sign, neither of them the proposer: one for quality, and the head of quality. What is released leaves this
recall's hold only; another recall's hold, or a nonconformity hold, keeps the units locked, and the answer says so.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import ledger
from db.repositories.disposal_refusals import DisposalRefused
from domain.disposition import MEANINGS, RULES, Capacity, DispositionKind, capacity_of
from domain.roles import Role, violates_four_eyes
from models.disposition import Disposition
from models.recall import SignOff


def step_of(disposition: Disposition) -> str:
    """Step under which the signatures of a disposition are kept."""
    return f"disposition:{disposition.sequence}"


def body_of(disposition: Disposition) -> dict[str, Any]:
    """What is signed: the signature stands for exactly these units."""
    return {
        "kind": disposition.kind,
        "lot_id": disposition.lot_id,
        "location_id": disposition.location_id,
        "consignee_id": disposition.consignee_id,
        "quantity": str(disposition.quantity),
    }


async def signatures(session: AsyncSession, disposition: Disposition) -> Sequence[SignOff]:
    """Signatures under a disposition, oldest first."""
    query = select(SignOff).where(
        col(SignOff.recall_number) == disposition.recall_number, col(SignOff.step) == step_of(disposition)
    )
    return (await session.exec(query.order_by(col(SignOff.id)))).all()


async def sign(
    session: AsyncSession,
    disposition: Disposition,
    principal: str,
    role: str,
    roles: Sequence[str],
    at: datetime,
    reason: str | None,
) -> bool:
    """Sign a release in the capacity that is still open to the signer; True when both signatures are there.

    Raises:
        DisposalRefused: the person has signed already, or no capacity is open to them.
    """
    given = [row for row in await signatures(session, disposition) if row.outcome == "approved"]
    if any(violates_four_eyes(row.actor, principal) for row in given):
        raise DisposalRefused("four_eyes", f"{principal} has signed already; the second signature is another person's.")
    signed = frozenset(Capacity(row.body["capacity"]) for row in given)
    capacity = capacity_of(
        approver=Role.APPROVER.value in roles, head=Role.HEAD_OF_QUALITY.value in roles, signed=signed
    )
    if capacity is None:
        missing = ", ".join(each.value for each in Capacity if each not in signed)
        raise DisposalRefused("not_permitted", f"The signature still missing is: {missing}.")
    session.add(
        SignOff(
            recall_number=disposition.recall_number,
            step=step_of(disposition),
            outcome="approved",
            actor=principal,
            role=role,
            meaning=MEANINGS[capacity],
            reason=reason,
            body=body_of(disposition) | {"capacity": capacity.value},
            signed_at=at,
        )
    )
    await session.flush()
    return len(signed) + 1 >= RULES[DispositionKind.release].approvals


async def still_held_by(session: AsyncSession, disposition: Disposition) -> list[str]:
    """Recalls that still lock units of this lot at this place after a release; empty: what was released is usable."""
    if disposition.location_id is None:
        return []
    found = await ledger.under_hold(session, disposition.lot_id, disposition.location_id)
    return [number for number in found if number != disposition.recall_number]


__all__ = ["body_of", "sign", "signatures", "step_of", "still_held_by"]
