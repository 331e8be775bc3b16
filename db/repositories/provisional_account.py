"""The provisional account of a recall: opened with it, locked when it is complete, settled into the final accounts.

Whoever books holds the recall's row and asks `account_open` first; whoever locks takes the same row, so nothing is
booked on a locked account. A reopened recall reopens it, and so does a signed decision by itself.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, recalls_read
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_who import Who
from db.repositories.hold_records import lock_recalls
from domain.disposition import Fault
from domain.journal import money_text
from domain.roles import violates_four_eyes
from models.account import AccountState, ProvisionalAccount

OPEN: Final = AccountState.open.value
_IN_NO_JOURNAL: Final = """
SELECT e.id, e.kind, e.amount, e.currency, count(*) OVER () AS entries FROM cost_entry e
WHERE e.recall_number = :number AND NOT EXISTS (SELECT FROM journal_line line WHERE line.cost_entry_id = e.id)
ORDER BY e.id LIMIT 1000
"""


async def find(session: AsyncSession, number: str) -> ProvisionalAccount | None:
    """The recall's account; None where none was ever needed."""
    return await session.get(ProvisionalAccount, number)


async def account_open(session: AsyncSession, number: str) -> bool:
    """Whether costs may be booked on the recall; ask while holding its row (`hold_records.lock_recalls`).

    A recall without an account has one that nobody has locked.
    """
    account = await session.get(ProvisionalAccount, number, populate_existing=True)
    return account is None or account.state == OPEN


async def must_be_open(session: AsyncSession, number: str) -> None:
    """Refuse a booking on an account that is not open.

    Raises:
        DisposalRefused: `account_locked`.
    """
    if not await account_open(session, number):
        detail = f"The provisional account of {number} is locked; a signed reopening comes before further bookings."
        raise DisposalRefused("account_locked", detail)


def opened_with(number: str, at: datetime, by: str) -> ProvisionalAccount:
    """The account of a recall that begins; the event `recall.opened` speaks of it."""
    return ProvisionalAccount(recall_number=number, state=OPEN, turn=1, opened_at=at, opened_by=by)


async def lock(session: AsyncSession, number: str, who: Who, reason: str) -> ProvisionalAccount:
    """No booking any more; locking a locked account changes nothing.

    Raises:
        DisposalRefused: no such recall, or the account is settled.
    """
    account = await _locked_row(session, number, who)
    if account.state == AccountState.settled:
        raise DisposalRefused("wrong_state", f"The account of {number} is settled.")
    if account.state == OPEN:
        account.state = AccountState.locked.value
        account.locked_at, account.locked_by, account.lock_reason = who.at, who.principal, reason
        await _write(session, account, who, "account.locked", reason, {"turn": account.turn})
    return account


async def reopen(session: AsyncSession, number: str, who: Who, reason: str) -> ProvisionalAccount:
    """Costs may be booked again; reopening an open account changes nothing. An earlier settlement stays in the audit.

    Raises:
        DisposalRefused: no such recall.
    """
    account = await _locked_row(session, number, who)
    if account.state != OPEN:
        before = {"was": account.state, "settlement_no": account.settlement_no}
        account.state, account.turn = OPEN, account.turn + 1
        account.locked_at = account.locked_by = account.lock_reason = None
        account.settled_at = account.settled_by = account.settlement_no = None
        await _write(session, account, who, "account.reopened", reason, {"turn": account.turn} | before)
    return account


async def settle(
    session: AsyncSession, number: str, settlement_no: str, who: Who, reason: str | None
) -> ProvisionalAccount:
    """The balance is transferred by a document of the firm's ledger; never by who locked the account.

    Raises:
        DisposalRefused: no such recall, the account is not locked, is settled, or the locker settles it; or entries
            are in no journal, each named. A drill's costs reach no journal.
    """
    account = await _locked_row(session, number, who)
    if account.state == AccountState.settled:
        if account.settlement_no == settlement_no:
            return account
        raise DisposalRefused("already_decided", f"The account was settled by {account.settlement_no}.")
    if account.state == OPEN:
        raise DisposalRefused("wrong_state", "The account is open; lock it first, so that its balance stands.")
    if violates_four_eyes(account.locked_by or "", who.principal):
        raise DisposalRefused("four_eyes", f"{account.locked_by} locked the account; another person settles it.")
    await _all_in_journals(session, number)
    account.state = AccountState.settled.value
    account.settled_at, account.settled_by, account.settlement_no = who.at, who.principal, settlement_no
    await _write(session, account, who, "account.settled", reason, {"settlement_no": settlement_no})
    return account


async def _all_in_journals(session: AsyncSession, number: str) -> None:
    recall = await recalls_read.find(session, number)
    if recall is not None and recall.drill:
        return
    rows = (await run(session, _IN_NO_JOURNAL, {"number": number})).mappings().all()
    if rows:
        faults = [
            Fault(f"entries/{row['id']}", f"in a journal: {row['kind']}, {money_text(row['amount'])} {row['currency']}")
            for row in rows
        ]
        detail = f"{rows[0]['entries']} cost entries of {number} are in no journal; close one first."
        raise DisposalRefused("wrong_state", detail, faults)


async def _locked_row(session: AsyncSession, number: str, who: Who) -> ProvisionalAccount:
    await lock_recalls(session, [number])
    recall = await recalls_read.find(session, number)
    if recall is None:
        raise DisposalRefused("recall_unknown", f"There is no recall {number}.")
    found = await session.get(ProvisionalAccount, number, populate_existing=True)
    if found is None:
        found = opened_with(number, recall.created_at, recall.started_by)
        session.add(found)
    return found


async def _write(
    session: AsyncSession,
    account: ProvisionalAccount,
    who: Who,
    action: str,
    reason: str | None,
    data: Mapping[str, Any],
) -> None:
    account.signature_id = UUID(who.signature) if who.signature else None
    session.add(account)
    await session.flush()
    await audit.append(
        session,
        account.recall_number,
        actor=who.principal,
        role=who.role,
        action=action,
        at=who.at,
        reason=reason,
        data=dict(data),
        signature=who.signature,
    )


__all__ = ["account_open", "find", "lock", "must_be_open", "opened_with", "reopen", "settle"]
