"""Signing passwords: set as initial, changed by the person, wrong ones counted until the account locks.

Every wrong password, lock-out, change and unlock is an event of the stream `system`; none of them says anything about
the password itself. The account's row is locked while a password is checked, so guesses in parallel count one by one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.password_hash import hashed, matches
from db.repositories import audit, signing_periods
from domain.passwords import MAX_FAILED
from models.signing import SigningAccount


class Checked(StrEnum):
    """What came of a password."""

    right = "right"
    wrong = "wrong"
    """Or there is none: the two are not told apart."""
    locked = "locked"
    change_needed = "change_needed"
    """Right, but initial or too old."""


@dataclass(frozen=True, slots=True)
class By:
    """Who acts on an account, when."""

    principal: str
    role: str
    at: datetime


async def find(session: AsyncSession, principal: str, *, lock: bool = False) -> SigningAccount | None:
    """The account of one person."""
    query = select(SigningAccount).where(col(SigningAccount.principal) == principal)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.exec(query)).one_or_none()


async def check(
    session: AsyncSession, principal: str, password: str, by: By, *, max_age: timedelta | None = None
) -> Checked:
    """Check a password and count it. The caller commits whatever the answer is: a wrong one must stay counted.

    While the account is locked nothing is compared, so that a lock-out also ends guessing.
    """
    account = await find(session, principal, lock=True)
    if account is not None and account.locked_at is not None:
        await _note(session, "signing.tried_while_locked", by, {"principal": principal})
        return Checked.locked
    right = await matches(account.password_hash if account else None, password)
    if account is None:
        await _note(session, "signing.wrong_password", by, {"principal": principal, "account": False})
        return Checked.wrong
    if not right:
        return await _wrong(session, account, by)
    account.failed = 0
    session.add(account)
    old = max_age is not None and account.changed_at + max_age <= by.at
    return Checked.change_needed if account.must_change or old else Checked.right


async def recheck(session: AsyncSession, principal: str, password_hash: str) -> Checked:
    """Whether a password that was right a moment ago still is, now that the account's row is locked by this session.

    A check is committed on its own, so that a wrong password stays counted; a lock-out or a reset may come after it.

    Args:
        password_hash: the account's when it was checked; each setting of a password makes another.
    """
    account = await find(session, principal, lock=True)
    if account is None or account.password_hash != password_hash:
        return Checked.wrong
    if account.locked_at is not None:
        return Checked.locked
    return Checked.change_needed if account.must_change else Checked.right


async def _wrong(session: AsyncSession, account: SigningAccount, by: By) -> Checked:
    account.failed += 1
    locked = account.failed >= MAX_FAILED
    if locked:
        account.locked_at = by.at
        await signing_periods.close_all(session, account.principal, by.at)
    session.add(account)
    data = {"principal": account.principal, "failed": account.failed}
    await _note(session, "signing.locked_out" if locked else "signing.wrong_password", by, data)
    return Checked.locked if locked else Checked.wrong


async def set_password(
    session: AsyncSession, principal: str, password: str, by: By, *, initial: bool = True, password_hash: str = ""
) -> None:
    """Give a person a password; open signing periods end. An initial one must be changed before it signs anything.

    Args:
        initial: somebody else chose it (21 CFR 11.300: known to one person only).
        password_hash: the hash, where the caller has computed it already.
    """
    stored = password_hash or await hashed(password)
    account = await find(session, principal, lock=True)
    if account is None:
        account = SigningAccount(
            principal=principal, password_hash="", must_change=True, set_by=by.principal, changed_at=by.at
        )
    account.password_hash, account.must_change = stored, initial
    account.set_by, account.changed_at = by.principal, by.at
    if initial:
        account.failed, account.locked_at = 0, None
    session.add(account)
    await session.flush()
    await signing_periods.close_all(session, principal, by.at)
    await _note(session, "signing.password_set", by, {"principal": principal, "initial": initial})


async def unlock(session: AsyncSession, principal: str, by: By, reason: str) -> bool:
    """Let a locked person try again; False when the account is not locked."""
    account = await find(session, principal, lock=True)
    if account is None or account.locked_at is None:
        return False
    account.failed, account.locked_at = 0, None
    session.add(account)
    await _note(session, "signing.unlocked", by, {"principal": principal}, reason)
    return True


async def _note(session: AsyncSession, action: str, by: By, data: dict[str, object], reason: str | None = None) -> None:
    await audit.append(
        session, audit.SYSTEM, actor=by.principal, role=by.role, action=action, at=by.at, reason=reason, data=data
    )


__all__ = ["By", "Checked", "check", "find", "recheck", "set_password", "unlock"]
