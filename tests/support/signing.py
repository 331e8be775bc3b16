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


async def can_sign(session: AsyncSession, *tokens: str, opened: bool = True) -> None:
    """The owners of tokens have a password and training; `opened`: and have given the password just now."""
    now = datetime.now(UTC)
    found = (
        await session.exec(select(ApiToken).where(col(ApiToken.token_sha256).in_([digest(token) for token in tokens])))
    ).all()
    assert len(found) == len(tokens)
    accounts = [
        SigningAccount(
            principal=token.principal, password_hash=_HASH, must_change=False, failed=0, set_by="tests", changed_at=now
        ).model_dump()
        for token in found
    ]
    await insert_new(session, SigningAccount, accounts)
    trained = [
        {
            "principal": token.principal,
            "policy_id": policy,
            "version": _LATEST,
            "trained_on": date(2026, 1, 2),
            "evidence": "training of the tests",
            "recorded_by": "tests",
            "recorded_at": now,
        }
        for token in found
        for policy in POLICIES
    ]
    await insert_new(session, TrainingRecord, trained)
    for token in found if opened else ():
        assert token.id is not None
        await signing_periods.open_period(
            session, token_id=token.id, principal=token.principal, at=now, lasts=timedelta(hours=8)
        )


__all__ = ["PASSWORD", "POLICIES", "can_sign"]
