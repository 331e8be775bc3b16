"""People who may sign: a password, training on every profile, and an open signing period for their token."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.password_hash import random_password
from db.repositories import signing_periods
from db.repositories.tokens import digest
from db.rows import insert_new
from models.access import ApiToken
from models.signing import SigningAccount, TrainingRecord

PASSWORD, _HASH = random_password()
"""Everybody's in the tests."""
POLICIES: Final = ("us-fda", "eu-mdr", "cn-nmpa", "ca-hc", "au-tga", "gb-mhra")
_LATEST: Final = 1000
"""A version later than any a test makes: whoever is trained on it is trained on all before."""


async def can_sign(session: AsyncSession, token: str, *, opened: bool = True) -> None:
    """The owner of a token has a password and training; `opened`: and has given the password just now."""
    now = datetime.now(UTC)
    found = (await session.exec(select(ApiToken).where(col(ApiToken.token_sha256) == digest(token)))).one()
    account = SigningAccount(
        principal=found.principal, password_hash=_HASH, must_change=False, failed=0, set_by="tests", changed_at=now
    )
    await insert_new(session, SigningAccount, account.model_dump())
    trained = [
        {
            "principal": found.principal,
            "policy_id": policy,
            "version": _LATEST,
            "trained_on": date(2026, 1, 2),
            "evidence": "training of the tests",
            "recorded_by": "tests",
            "recorded_at": now,
        }
        for policy in POLICIES
    ]
    await insert_new(session, TrainingRecord, trained)
    if opened:
        assert found.id is not None
        await signing_periods.open_period(
            session, token_id=found.id, principal=found.principal, at=now, lasts=timedelta(hours=8)
        )


__all__ = ["PASSWORD", "POLICIES", "can_sign"]
