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

from db import bulk
from db.plain_sql import run
from db.repositories import approvals, assessment, ledger
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from domain.disposition import MEANINGS, RULES, Capacity, DispositionKind, capacity_of
from domain.roles import Role, violates_four_eyes
from models.disposition import Disposition
from models.recall import SignOff

_UNDER_WAITING = """
SELECT d.sequence, s.outcome, s.body FROM disposition d
JOIN sign_off s ON s.recall_number = d.recall_number AND s.step = 'disposition:' || d.sequence
WHERE d.recall_number = :number AND d.state = 'proposed' ORDER BY s.id
"""


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


async def signatures_of(session: AsyncSession, number: str, sequences: Sequence[int]) -> dict[int, list[SignOff]]:
    """Number of a disposition -> signatures under it, oldest first; those without any are left out."""
    steps = [f"disposition:{sequence}" for sequence in sequences]
    query = select(SignOff).where(col(SignOff.recall_number) == number, bulk.among(col(SignOff.step), steps))
    found: dict[int, list[SignOff]] = {}
    for row in (await session.exec(query.order_by(col(SignOff.id)))).all():
        found.setdefault(int(row.step.partition(":")[2]), []).append(row)
    return found


async def capacities(session: AsyncSession, number: str) -> dict[int, set[str]]:
    """Number of a release -> the capacities that have signed it, of the releases that wait for signatures."""
    found: dict[int, set[str]] = {}
    for sequence, outcome, body in await _under_waiting(session, number):
        if outcome == "approved":
            found.setdefault(sequence, set()).add(body.get("capacity", ""))
    return found


async def functions(session: AsyncSession, number: str) -> dict[int, list[str]]:
    """Number of a waiting disposition -> the functions its signatures count for, where policies ask for several."""
    found: dict[int, list[str]] = {}
    for sequence, outcome, body in await _under_waiting(session, number):
        if outcome in ("signed", "approved") and "for" in body:
            found.setdefault(sequence, []).append(body["for"])
    return found


async def _under_waiting(session: AsyncSession, number: str) -> list[tuple[int, str, dict[str, Any]]]:
    rows = await run(session, _UNDER_WAITING, {"number": number})
    return [(row.sequence, row.outcome, row.body) for row in rows]


def signature_for(
    disposition: Disposition,
    given: Sequence[SignOff],
    beside: Sequence[Role],
    who: Who,
    roles: Sequence[str],
    reason: str | None,
) -> tuple[SignOff, bool]:
    """The signer's sign-off in the capacity that is still open to them, and whether with it all are there.

    Where the policies ask for further functions (`beside`), their signatures follow in any order, each another
    person's.

    Args:
        given: sign-offs under the disposition so far.

    Raises:
        DisposalRefused: the person has signed already, or no capacity is open to them.
    """
    given = [row for row in given if row.outcome == "approved"]
    if any(violates_four_eyes(row.actor, who.principal) for row in given):
        raise DisposalRefused(
            "four_eyes", f"{who.principal} has signed already; the second signature is another person's."
        )
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
    return sign_off, len(given) + 1 >= RULES[DispositionKind.release].approvals + len(beside)


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


__all__ = [
    "Left",
    "body_of",
    "capacities",
    "functions",
    "left_at",
    "signature_for",
    "signatures",
    "signatures_of",
    "step_of",
]
