"""Many rows of one table in one statement with one bind, where a bind for each value would take longer than the work.

Rows travel as JSON, and PostgreSQL reads each value as the column's type. What the session still had to write is
written before, so that the order is that of the calls.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, any_, bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import attributes
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run


def among(column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether the column has one of the values, which are one bind however many they are."""
    found: ColumnElement[bool] = column == any_(bindparam(None, list(values), type_=postgresql.ARRAY(column.type)))
    return found


async def insert_all(
    session: AsyncSession, rows: Sequence[SQLModel], *, key: str | None = None, skip_known: bool = False
) -> None:
    """Insert rows of one table in their order, without handing them to the session.

    Args:
        rows: of one table with an identity column `id`.
        key: a column whose value is another one in each row; by it the rows get their new ids.
        skip_known: leave out what some unique constraint already has.
    """
    if not rows:
        return
    await session.flush()
    table = type(rows[0])
    found = await run(session, _insert(table, key, skip_known), {"rows": _json(table, rows)})
    if key is None:
        return
    ids = dict(found.all())
    for row in rows:
        attributes.set_committed_value(row, "id", ids[getattr(row, key)])


async def update_all(session: AsyncSession, rows: Sequence[SQLModel], names: tuple[str, ...]) -> None:
    """Write these columns of rows that the session has changed; they count as written for it, too."""
    if not rows:
        return
    await run(session, _update(type(rows[0]), names), {"rows": _json(type(rows[0]), rows, ("id", *names))})
    for row in rows:
        for name in names:
            attributes.set_committed_value(row, name, getattr(row, name))


def _json(table: type[SQLModel], rows: Sequence[SQLModel], names: tuple[str, ...] = ()) -> str:
    names = names or tuple(_columns(table))
    return json.dumps([{name: getattr(row, name) for name in names} for row in rows], default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no value of a column")


@cache
def _columns(table: type[SQLModel]) -> dict[str, str]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    columns = table.__table__.columns  # type: ignore[attr-defined]
    return {each.name: each.type.compile(dialect) for each in columns if each.name != "id"}


def _read_as(columns: dict[str, str]) -> str:
    return (
        f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    )


@cache
def _insert(table: type[SQLModel], key: str | None, skip_known: bool) -> str:
    columns = _columns(table)
    names = ", ".join(columns)
    return f"""
        INSERT INTO {table.__tablename__} ({names})
        SELECT {names} FROM ROWS FROM ({_read_as(columns)}) WITH ORDINALITY AS r ({names}, turn) ORDER BY turn
        {"ON CONFLICT DO NOTHING" if skip_known else ""} {f"RETURNING {key}, id" if key else ""}
    """  # noqa: S608 - names of tables and columns


@cache
def _update(table: type[SQLModel], names: tuple[str, ...]) -> str:
    columns = {"id": "bigint"} | {name: _columns(table)[name] for name in names}
    return f"""
        UPDATE {table.__tablename__} t SET {", ".join(f"{name} = r.{name}" for name in names)}
        FROM {_read_as(columns).replace(" AS (", " AS r (")} WHERE t.id = r.id
    """  # noqa: S608 - names of tables and columns


__all__ = ["among", "insert_all", "update_all"]
