"""Bearer tokens: stored as SHA-256 only, found by that hash, revoked but never deleted."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from domain.roles import Role
from models.access import ApiToken

PREFIX = "rcl_"


def new_secret() -> str:
    """A fresh token: `rcl_` and 256 random bits; the only moment at which it exists in the clear."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a token. Plain SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Issued:
    """A token to be made, with its secret in the clear."""

    principal: str
    name: str
    roles: tuple[Role, ...]
    secret: str = field(default_factory=new_secret, repr=False)
    expires_at: datetime | None = None


async def find_valid(session: AsyncSession, secret: str, now: datetime) -> ApiToken | None:
    """The token with this secret, unless it is revoked or has expired."""
    token = (await session.exec(select(ApiToken).where(col(ApiToken.token_sha256) == digest(secret)))).first()
    if token is None or token.revoked_at is not None:
        return None
    return None if token.expires_at is not None and token.expires_at <= now else token


async def create(
    session: AsyncSession,
    *,
    principal: str,
    name: str,
    roles: Iterable[Role],
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
    secret: str | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its secret; the creation is audited in the stream `system`."""
    clear = secret or new_secret()
    issued = Issued(principal, name, tuple(roles), clear, expires_at)
    (token,) = await create_all(session, [issued], actor=actor, now=now)
    return token, clear


async def create_all(session: AsyncSession, issued: Sequence[Issued], *, actor: str, now: datetime) -> list[ApiToken]:
    """New tokens of these people in their order, audited as `create` does."""
    made = [
        ApiToken(
            principal=one.principal,
            name=one.name,
            token_sha256=digest(one.secret),
            roles=[role.value for role in one.roles],
            created_at=now,
            expires_at=one.expires_at,
        )
        for one in issued
    ]
    session.add_all(made)
    await session.flush()
    entries = [
        audit.Entry(
            actor=actor,
            role=Role.ADMIN.value,
            action="token.created",
            at=now,
            data={"token_id": token.id, "principal": token.principal, "roles": token.roles},
        )
        for token in made
    ]
    await audit.append_all(session, audit.SYSTEM, entries)
    return made


async def list_all(session: AsyncSession) -> Sequence[ApiToken]:
    """Every token ever made, oldest first."""
    return (await session.exec(select(ApiToken).order_by(col(ApiToken.id)))).all()


async def revoke(session: AsyncSession, token_id: int, *, actor: str, now: datetime) -> bool:
    """Revoke a token; False when there is none with this id or it was revoked before."""
    statement = (
        update(ApiToken)
        .where(col(ApiToken.id) == token_id, col(ApiToken.revoked_at).is_(None))
        .values(revoked_at=now)
        .returning(col(ApiToken.principal))
    )
    principal = (await session.exec(statement)).scalar_one_or_none()
    if principal is None:
        return False
    await audit.append(
        session,
        audit.SYSTEM,
        actor=actor,
        role=Role.ADMIN.value,
        action="token.revoked",
        at=now,
        data={"token_id": token_id, "principal": principal},
    )
    return True


__all__ = ["PREFIX", "Issued", "create", "create_all", "digest", "find_valid", "list_all", "new_secret", "revoke"]
