"""The release gate: the only way from a hold to usable stock, lot by lot and place by place (design promise 6).

Two persons sign, neither of them the proposer: one for quality, and the head of quality. What is released leaves this
recall's hold only; another recall's hold, or a nonconformity hold, keeps the units locked, and the answer says so.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import ledger
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
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


async def capacities(session: AsyncSession, number: str) -> dict[int, set[str]]:
    """Number of a release -> the capacities that have signed it, of all releases of a recall."""
    query = select(SignOff).where(
        col(SignOff.recall_number) == number,
        col(SignOff.step).startswith("disposition:"),
        col(SignOff.outcome) == "approved",
    )
    found: dict[int, set[str]] = {}
    for row in (await session.exec(query)).all():
        found.setdefault(int(row.step.partition(":")[2]), set()).add(row.body.get("capacity", ""))
    return found


async def sign(
    session: AsyncSession,
    disposition: Disposition,
    who: Who,
    roles: Sequence[str],
    reason: str | None,
) -> bool:
    """Sign a release in the capacity that is still open to the signer; True when both signatures are there.

    Raises:
        DisposalRefused: the person has signed already, or no capacity is open to them.
    """
    given = [row for row in await signatures(session, disposition) if row.outcome == "approved"]
    if any(violates_four_eyes(row.actor, who.principal) for row in given):
        raise DisposalRefused(
            "four_eyes", f"{who.principal} has signed already; the second signature is another person's."
        )
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
            actor=who.principal,
            role=who.role,
            meaning=MEANINGS[capacity],
            reason=reason,
            body=body_of(disposition) | {"capacity": capacity.value, "request": who.request},
            signed_at=who.at,
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


async def usable(session: AsyncSession, disposition: Disposition) -> Decimal:
    """Units of the lot at the place that nobody holds: free to be used or sold."""
    place = (disposition.lot_id, disposition.location_id or 0)
    balance = (await ledger.balances(session, [disposition.lot_id])).get(place)
    held = await ledger.under_hold(session, *place)
    largest = max((each.quantity for each in held.values()), default=Decimal(0))
    return max((balance.on_hand if balance else Decimal(0)) - largest, Decimal(0))


__all__ = ["body_of", "capacities", "sign", "signatures", "step_of", "still_held_by", "usable"]
