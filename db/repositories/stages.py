"""Moving consignees along the stages of their answer: what the record shows to be done ends the chase for it.

`settle` is called wherever goods leave a consignee or it says that it has acted, and by every look of a campaign, so
that what no caller told is found at the next look.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, cases, unsent
from db.repositories.cases import By
from db.repositories.stages_sql import SETTLE
from domain.stages import Owed
from models.case import ActionHow, ConsigneeAction

_OPEN_CASES: Final = """
SELECT DISTINCT k.consignee_id FROM consignee_case k
WHERE k.consignee_id = ANY (CAST(:consignees AS bigint[])) AND k.state = 'open' AND k.reason = 'silence'
  AND k.subject = :owed
ORDER BY 1
"""

_DONE: Final = "the action was done"


class ActionNotOwed(ValueError):  # noqa: N818 - a term of the API
    """The consignee has not stated its quantities, or nothing is left to do; the text says which."""


@dataclass(frozen=True, slots=True)
class NewAction:
    """A consignee's word that it has done what the notice asks for."""

    number: str
    consignee_id: int
    how: ActionHow
    channel: str
    at: datetime
    stated_by: str | None
    note: str | None
    form_id: str


async def confirm(session: AsyncSession, new: NewAction, by: By) -> ConsigneeAction:
    """Record that a consignee says it has acted; its chase ends. A repeat of the form changes nothing.

    Raises:
        cases.UnknownConsignee: the recall has no such consignee.
        ActionNotOwed: it owes another stage, or none.
    """
    consignee = await cases.lock_consignee(session, new.number, new.consignee_id)
    query = select(ConsigneeAction).where(col(ConsigneeAction.form_id) == new.form_id)
    known = (await session.exec(query)).one_or_none()
    if known is not None:
        return known
    if consignee["state"] != "answered":
        raise ActionNotOwed(f"the consignee is {consignee['state']}; its quantities come first")
    if consignee["action_done_at"] is not None:
        raise ActionNotOwed("nothing is left to do there: the record shows it as done")
    row = ConsigneeAction(
        recall_number=new.number,
        consignee_id=new.consignee_id,
        how=new.how.value,
        channel=new.channel,
        stated_by=new.stated_by,
        note=new.note,
        at=new.at,
        entered_by=by.actor,
        recorded_at=by.at,
        form_id=new.form_id,
    )
    session.add(row)
    await session.flush()
    await end_tasks(session, new.number, new.consignee_id, by)
    settled = await mark(session, new.number, by, consignee_id=new.consignee_id)
    data = {"action": row.id, "consignee": new.consignee_id, "how": row.how, "channel": row.channel}
    await audit.append(
        session, new.number, actor=by.actor, role=by.role, action="action.confirmed", at=by.at, data=data
    )
    await note(session, new.number, settled, by)
    return row


async def end_tasks(session: AsyncSession, number: str, consignee_id: int, by: By) -> None:
    """End the calls that ask whether the action was done; before anything is audited, as everywhere."""
    found = await run(session, _OPEN_CASES, {"consignees": [consignee_id], "owed": Owed.ACTION.value})
    if found.first() is not None:
        await cases.end_contact_tasks(session, number, consignee_id, by, outcome=_DONE)


@dataclass(frozen=True, slots=True)
class Settled:
    """Whose action is done now, and who of them was called about it."""

    done: tuple[int, ...] = ()
    called: tuple[int, ...] = ()


async def settle(session: AsyncSession, number: str, by: By, *, consignee_id: int | None = None) -> None:
    """Note for one consignee, or for all, that nothing is left to do there.

    What was still to be sent to them is cancelled and their calls about it end, in the same transaction.
    """
    await note(session, number, await mark(session, number, by, consignee_id=consignee_id), by)


async def mark(session: AsyncSession, number: str, by: By, *, consignee_id: int | None = None) -> Settled:
    """The part of `settle` that locks consignees and tasks, for transactions that lock more of them; then `note`.

    Everybody locks consignees, then tasks, then the audit chain: whoever audited first would wait for them for ever.
    """
    values: dict[str, Any] = {"number": number, "consignee": consignee_id, "lot": None, "now": by.at}
    done = sorted((await run(session, SETTLE, values)).scalars())
    if not done:
        return Settled()
    await unsent.cancel(session, done, by.at, beside=False)
    open_cases = await run(session, _OPEN_CASES, {"consignees": done, "owed": Owed.ACTION.value})
    called = tuple(open_cases.scalars())
    for each in called:
        await cases.end_contact_tasks(session, number, each, by, outcome=_DONE)
    return Settled(tuple(done), called)


async def note(session: AsyncSession, number: str, settled: Settled, by: By) -> None:
    """The audit of `mark`, and the end of the cases."""
    if not settled.done:
        return
    data = {"consignees": len(settled.done), "first": settled.done[:100]}
    await audit.append(
        session, number, actor=by.actor, role=by.role, action="consignee.action_done", at=by.at, data=data
    )
    for each in settled.called:
        await cases.close_cases(session, number, each, ["silence"], by, outcome=_DONE, subject=Owed.ACTION.value)


__all__ = ["ActionNotOwed", "NewAction", "Settled", "confirm", "end_tasks", "mark", "note", "settle"]
