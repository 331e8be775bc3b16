"""What happens to an account between the check of its password and what the check was for."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from api.routers import signing
from db.engine import SessionFactory
from db.password_hash import matches
from db.repositories import signing_accounts
from db.repositories.signing_accounts import By
from domain.roles import Role
from tests.api.test_signing import SESSION, WRONG, give
from tests.support.api import Callers
from tests.support.signing import PASSWORD

pytestmark = pytest.mark.workflow


async def locked_out(session: AsyncSession, by: By) -> None:
    """Somebody else guesses at the password until the account locks."""
    for _ in range(5):
        await signing_accounts.check(session, "Ada", WRONG, by)


async def reset(session: AsyncSession, by: By) -> None:
    """An admin sets another password."""
    await signing_accounts.set_password(session, "Ada", "an initial password", by)


@pytest.mark.parametrize(
    ("between", "problem"),
    [(locked_out, "signing-locked"), (reset, "password-wrong")],
    ids=["a lock-out", "a reset"],
)
async def test_a_lock_out_or_reset_right_after_the_check_is_not_overtaken(
    api: Callers,
    db: SessionFactory,
    monkeypatch: pytest.MonkeyPatch,
    between: Callable[[AsyncSession, By], Awaitable[None]],
    problem: str,
) -> None:
    real = signing.check_password

    async def checked_and_then(*given: Any, **more: Any) -> str:
        seen = await real(*given, **more)
        async with db.begin() as session:
            await between(session, By("Adam", "admin", datetime.now(UTC)))
        return seen

    monkeypatch.setattr(signing, "check_password", checked_and_then)
    assert (await api.get(SESSION, Role.APPROVER)).status_code == 200
    opened = await give(api, PASSWORD)
    assert opened.json()["type"] == f"urn:recall:problem:{problem}"
    assert (await api.get(SESSION, Role.APPROVER)).status_code == 404, "no period is open"
    async with db.begin() as session:
        await signing_accounts.set_password(
            session, "Ada", PASSWORD, By("tests", "admin", datetime.now(UTC)), initial=True
        )
    body = {"current": PASSWORD, "new": "another good password"}
    changed = await api.client.put("/v1/me/password", json=body, headers=api.headers(Role.APPROVER))
    assert changed.json()["type"] == f"urn:recall:problem:{problem}"
    monkeypatch.undo()
    assert await opens_with(db, "another good password") is False, "the password did not change"


async def opens_with(db: SessionFactory, password: str) -> bool:
    """Whether it is Ada's password now."""
    async with db() as session:
        account = await signing_accounts.find(session, "Ada")
    return account is not None and await matches(account.password_hash, password)
