"""The release gate: the only way from a hold to usable stock, lot by lot and place by place (design promise 6).

Two persons sign, neither of them the proposer: one for quality, and the head of quality. What is released leaves this
recall's hold only; another recall's hold, or a nonconformity hold, keeps the units locked, and the answer says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import approvals, assessment, ledger
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


async def functions(session: AsyncSession, number: str) -> dict[int, list[str]]:
    """Number of a disposition -> the functions its signatures count for, where policies ask for several."""
    query = select(SignOff).where(
        col(SignOff.recall_number) == number,
        col(SignOff.step).startswith("disposition:"),
        col(SignOff.outcome).in_(("signed", "approved")),
    )
    found: dict[int, list[str]] = {}
    for row in (await session.exec(query.order_by(col(SignOff.id)))).all():
        if "for" in row.body:
            found.setdefault(int(row.step.partition(":")[2]), []).append(row.body["for"])
    return found


async def sign(
    session: AsyncSession,
    disposition: Disposition,
    who: Who,
    roles: Sequence[str],
    reason: str | None,
) -> bool:
    """Sign a release in the capacity that is still open to the signer; True when all signatures are there.

    Where the policies ask for further functions, their signatures follow in any order, each another person's.

    Raises:
        DisposalRefused: the person has signed already, or no capacity is open to them.
    """
    given = [row for row in await signatures(session, disposition) if row.outcome == "approved"]
    if any(violates_four_eyes(row.actor, who.principal) for row in given):
        raise DisposalRefused(
            "four_eyes", f"{who.principal} has signed already; the second signature is another person's."
        )
    beside = (await approvals.beside(session, disposition.recall_number, [disposition])).of(disposition)
    lacking = approvals.missing_roles(beside, [row.body["for"] for row in given if "for" in row.body])
    signed = frozenset(Capacity(row.body["capacity"]) for row in given if "capacity" in row.body)
    capacity = capacity_of(
        approver=Role.APPROVER.value in roles, head=Role.HEAD_OF_QUALITY.value in roles, signed=signed
    )
    extra = next((role for role in lacking if approvals.covers(roles, role)), None) if capacity is None else None
    if capacity is None and extra is None:
        missing = ", ".join(
            [*(each.value for each in Capacity if each not in signed), *(each.value for each in lacking)]
        )
        raise DisposalRefused("not_permitted", f"The signature still missing is: {missing}.")
    sign_off = assessment.sign_off(
        disposition.recall_number,
        step_of(disposition),
        "approved",
        actor=who.principal,
        role=who.role,
        meaning=MEANINGS[capacity] if capacity else f"I agree to the release, for {extra}",
        at=who.at,
        reason=reason,
        body=body_of(disposition) | _as({"capacity": capacity, "for": extra}) | {"request": who.request},
        signature=who.signature,
    )
    await assessment.sign(session, sign_off)
    return len(given) + 1 >= RULES[DispositionKind.release].approvals + len(beside)


def _as(which: dict[str, Capacity | Role | None]) -> dict[str, str]:
    return {name: each.value for name, each in which.items() if each is not None}


@dataclass(frozen=True, slots=True)
class Left:
    """What a release left at the place."""

    still_held_by: list[str]
    """Recalls that still lock units of the lot there; empty: what was released is usable."""
    usable: Decimal
    """Units of the lot there that nobody holds: free to be used or sold."""


async def left_at(session: AsyncSession, dispositions: Sequence[Disposition]) -> list[Left]:
    """What each of these releases left where it was carried out."""
    if not dispositions:
        return []
    places = [(each.lot_id, each.location_id or 0) for each in dispositions]
    balances = await ledger.balances(session, sorted({lot_id for lot_id, _ in places}))
    held = await ledger.under_hold_at(session, places)
    found = []
    for each, place in zip(dispositions, places, strict=True):
        holds = held.get(place, {})
        on_hand = balances[place].on_hand if place in balances else Decimal(0)
        largest = max((hold.quantity for hold in holds.values()), default=Decimal(0))
        others = [number for number in holds if number != each.recall_number]
        found.append(Left(others, max(on_hand - largest, Decimal(0))))
    return found


__all__ = ["Left", "body_of", "capacities", "functions", "left_at", "sign", "signatures", "step_of"]
