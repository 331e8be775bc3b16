"""Carrying held stock over as nonconformity, so that a recall can be completed before all of it is disposed of (§7).

The units stay locked: only the claim changes its reason. They stay positions to be disposed of, and leave the hold only
through the signed release gate or another disposition, after the recall as before (promise 6).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, hold_records
from db.repositories.nonconformity_holds import open_for_holds
from models.hold import Hold, HoldState


class HoldsNotCarried(ValueError):  # noqa: N818 - what is wrong, hold by hold
    """Holds that cannot be carried over; `faults` maps the place in the request to what was expected."""

    def __init__(self, faults: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(f"{place}: {what}" for place, what in faults))
        self.faults = tuple(faults)


async def carry_over(
    session: AsyncSession,
    number: str,
    hold_ids: Sequence[int],
    *,
    actor: str,
    role: str,
    reason: str,
    now: datetime,
    signature: str | None = None,
) -> list[Hold]:
    """Turn confirmed holds into nonconformity holds; those that are one already stay so. The caller commits.

    The claim is not ended: stock that appears at the place later is added to it, as before.

    Raises:
        HoldsNotCarried: a hold is unknown, not confirmed, or over; nothing was changed.
    """
    await hold_records.lock_recalls(session, [number])
    query = select(Hold).where(col(Hold.recall_number) == number, col(Hold.id).in_(hold_ids))
    rows = (await session.exec(query.with_for_update().execution_options(populate_existing=True))).all()
    found = {row.id: row for row in rows}
    faults = [(place, why) for place, each in enumerate(hold_ids) if (why := _fault(found.get(each)))]
    if faults:
        raise HoldsNotCarried(faults)
    changed = [row for row in found.values() if row.state == HoldState.confirmed.value]
    for row in changed:
        row.state = HoldState.nonconformity.value
        session.add(row)
    await session.flush()
    if changed:
        await open_for_holds(session, number, now, {row.lot_id for row in changed if row.quantity > 0})
        holds = [{"hold": row.id, "lot": row.lot_id, "quantity": row.quantity} for row in changed]
        await audit.append(
            session,
            number,
            actor=actor,
            role=role,
            action="holds.carried_over",
            at=now,
            reason=reason,
            data={"holds": holds},
            signature=signature,
        )
    return [found[each] for each in hold_ids]


def _fault(hold: Hold | None) -> str | None:
    if hold is None:
        return "expected a hold of this recall"
    if hold.state not in (HoldState.confirmed.value, HoldState.nonconformity.value):
        return f"expected a confirmed hold, this one is {hold.state}"
    return None


__all__ = ["HoldsNotCarried", "carry_over"]
