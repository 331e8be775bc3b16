"""Tokens of the embedded stack: one named person per role, kept in a file only its owner can read.

Each can sign: there is a signing password beside the token, and training on every profile that came with the software.
Only `recall up` calls this, for its own embedded database; a server install uses `recall token create`, `recall staff
password` and `recall staff train`. Running it again keeps every token and password that still works.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import make_engine, make_session_factory
from db.password_hash import matches, random_password
from db.repositories import policy_versions, signing_accounts, tokens, training
from db.repositories.policy_versions import Shipped
from db.repositories.signing_accounts import By
from db.repositories.training import NoSuchVersion, Training
from domain.policy import PolicyError, parse_policy
from domain.roles import Role

DEVELOPMENT_PEOPLE: Final[Mapping[Role, str]] = MappingProxyType(
    {
        Role.QA: "Quinn Abara",
        Role.APPROVER: "Ada Moreau",
        Role.MEDICAL: "Mei Lindqvist",
        Role.REGULATORY: "Rafael Okoye",
        Role.WAREHOUSE: "Wanda Silva",
        Role.SUPPLIER_QUALITY: "Sunil Petrov",
        Role.ACCOUNT_MANAGER: "Amara Lindholm",
        Role.AUDITOR: "Audrey Tanaka",
        Role.FINANCE: "Fiona Brandt",
        Role.ADMIN: "Adam Nilsson",
        Role.HEAD_OF_QUALITY: "Hana Novak",
        Role.HEAD_OF_REGULATORY: "Hugo Mensah",
        Role.HEAD_OF_SUPPLY: "Hilde Castro",
    }
)
"""Invented people; the roles are the real ones."""
POLICIES: Final = Path(__file__).parent.parent / "policies"
_ACTOR: Final = "recall up"


def ensure_development_tokens(database_url: str, secrets_path: Path) -> None:
    """Make sure that `secrets_path` holds a working token and password per role; for callers without an event loop.

    Args:
        database_url: `postgresql://` URL of a role that may write `api_token`.
        secrets_path: JSON file `{role: {"principal": ..., "token": ..., "password": ...}}`, mode 0600.

    Raises:
        OSError: the file or its folder cannot be written.
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    asyncio.run(ensure_tokens(database_url, secrets_path))


async def ensure_tokens(database_url: str, secrets_path: Path) -> dict[str, dict[str, str]]:
    """As `ensure_development_tokens`, within an event loop; returns the file's content."""
    known = _read(secrets_path)
    engine = make_engine(database_url, application_name="recall-tokens", pool_size=1)
    try:
        shipped = _shipped()
        async with make_session_factory(engine).begin() as session:
            # As a worker would: nobody is trained on a profile that is not on record.
            await policy_versions.seed(session, shipped, datetime.now(UTC))
            for role, principal in DEVELOPMENT_PEOPLE.items():
                known[role.value] = await _ensure(session, role, principal, known.get(role.value))
                await _train(session, principal, shipped, datetime.now(UTC))
            # Written before the commit: a token in the database whose secret nobody kept could never be used.
            _write(secrets_path, known)
    finally:
        await engine.dispose()
    return known


async def _ensure(session: AsyncSession, role: Role, principal: str, entry: dict[str, str] | None) -> dict[str, str]:
    now = datetime.now(UTC)
    known = entry or {}
    secret = known.get("token", "")
    token = await tokens.find_valid(session, secret, now)
    if token is None or token.roles != [role.value]:
        _, secret = await tokens.create(
            session, principal=principal, name="development", roles=[role], actor=_ACTOR, now=now
        )
    password = await _password(session, principal, known.get("password", ""), By(_ACTOR, "system", now))
    return {"principal": principal, "token": secret, "password": password}


async def _password(session: AsyncSession, principal: str, kept: str, by: By) -> str:
    """The kept password if it still opens the account, else a new one."""
    account = await signing_accounts.find(session, principal)
    if kept and account is not None and account.locked_at is None and await matches(account.password_hash, kept):
        return kept
    password, stored = random_password()
    # Chosen for an invented person who is nobody else's: there is no one to choose another.
    await signing_accounts.unlock(session, principal, by, "development account")
    await signing_accounts.set_password(session, principal, password, by, initial=False, password_hash=stored)
    return password


async def _train(session: AsyncSession, principal: str, shipped: list[Shipped], now: datetime) -> None:
    """Training on the profiles that came with the software; one that is only a draft here is for later."""
    has = (await training.trained(session, [principal])).get(principal, {})
    for policy in (each.policy for each in shipped):
        if has.get(policy.id, 0) < policy.version:
            given = Training(principal, policy.id, policy.version, now.date(), "development account")
            with suppress(NoSuchVersion):
                await training.record(session, given, by=_ACTOR, role="system", at=now)


def _shipped() -> list[Shipped]:
    """The profiles beside the software; one that cannot be read is the worker's to report."""
    found = []
    for file in sorted(POLICIES.glob("*.yaml")):
        with suppress(PolicyError, UnicodeDecodeError):
            text = file.read_text(encoding="utf-8")
            found.append(Shipped(parse_policy(text), text))
    return found


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {role: entry for role, entry in content.items() if isinstance(entry, dict)}


def _write(path: Path, content: dict[str, dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


__all__ = ["DEVELOPMENT_PEOPLE", "ensure_development_tokens", "ensure_tokens"]
