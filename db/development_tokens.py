"""Tokens of the embedded stack: one named person per role, kept in a file only its owner can read.

Only `recall up` calls this, for its own embedded database; a server install creates tokens by
`recall token create`. Running it again keeps every token that still works.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import make_engine, make_session_factory
from db.repositories import tokens
from domain.roles import Role

DEVELOPMENT_PEOPLE: Final[Mapping[Role, str]] = MappingProxyType(
    {
        Role.QA: "Quinn Abara",
        Role.APPROVER: "Ada Moreau",
        Role.MEDICAL: "Mei Lindqvist",
        Role.REGULATORY: "Rafael Okoye",
        Role.WAREHOUSE: "Wanda Silva",
        Role.SUPPLIER_QUALITY: "Sunil Petrov",
        Role.AUDITOR: "Audrey Tanaka",
        Role.ADMIN: "Adam Nilsson",
        Role.HEAD_OF_QUALITY: "Hana Novak",
        Role.HEAD_OF_REGULATORY: "Hugo Mensah",
        Role.HEAD_OF_SUPPLY: "Hilde Castro",
    }
)
"""Invented people; the roles are the real ones."""


def ensure_development_tokens(database_url: str, secrets_path: Path) -> None:
    """Make sure that `secrets_path` holds one working token per role; for callers without an event loop.

    Args:
        database_url: `postgresql://` URL of a role that may write `api_token`.
        secrets_path: JSON file `{role: {"principal": ..., "token": ...}}`, mode 0600.

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
        async with make_session_factory(engine).begin() as session:
            for role, principal in DEVELOPMENT_PEOPLE.items():
                known[role.value] = await _ensure(session, role, principal, known.get(role.value))
            # Written before the commit: a token in the database whose secret nobody kept could never be used.
            _write(secrets_path, known)
    finally:
        await engine.dispose()
    return known


async def _ensure(session: AsyncSession, role: Role, principal: str, entry: dict[str, str] | None) -> dict[str, str]:
    now = datetime.now(UTC)
    if entry is not None:
        token = await tokens.find_valid(session, entry.get("token", ""), now)
        if token is not None and token.roles == [role.value]:
            return entry
    _, secret = await tokens.create(
        session, principal=principal, name="development", roles=[role], actor="recall up", now=now
    )
    return {"principal": principal, "token": secret}


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
