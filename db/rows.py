"""Inserting what is not there yet, and knowing how much was new.

An insert through the ORM answers `rowcount` with -1 (psycopg 3, SQLAlchemy 2.1), so "was it new?" is asked of
RETURNING instead.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import literal_column
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


def uuid_of(text: str | None) -> UUID | None:
    """The UUID of its text, where there is one."""
    return UUID(text) if text else None


async def insert_new(
    session: AsyncSession, table: type[SQLModel], rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> int:
    """Insert rows, skipping each that some unique constraint already has; returns how many are new."""
    values = [dict(rows)] if isinstance(rows, Mapping) else [dict(row) for row in rows]
    if not values:
        return 0
    statement: Any = insert(table).values(values).on_conflict_do_nothing().returning(literal_column("1"))
    return len((await session.exec(statement)).all())
