"""Reading a recall's whole file from one snapshot of the database, row by row, with everything the rows refer to."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, False_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory
from db.plain_sql import run
from db.repositories.dossier_plan import TablePlan, plan

Row = Mapping[str, Any]
_PAGE: Final = 1000
_UPLOADS: Final = """
    SELECT stream, seq, at, actor, role, action, reason, data, prev_hash, hash FROM audit_event
    WHERE stream = 'system' AND action = 'evidence.uploaded' AND data->>'evidence_id' = ANY(CAST(:ids AS text[]))
    ORDER BY seq
"""
_SCOPE_DATES: Final = """
    SELECT (SELECT max(occurred_at) FROM movement
            WHERE kind = 'shipment' AND lot_id IN (SELECT lot_id FROM scope_lot WHERE recall_number = :number)
           )::date AS last_shipped_on,
           max(expires_on) AS last_expiry_on,
           max(expected_life_years) AS longest_life_years,
           coalesce(bool_or(implantable), false) AS implantable
    FROM lot JOIN product ON product.id = lot.product_id
    WHERE lot.id IN (SELECT lot_id FROM scope_lot WHERE recall_number = :number)
"""


@asynccontextmanager
async def snapshot(sessions: SessionFactory) -> AsyncIterator[AsyncSession]:
    """A session that sees the database as it is now, whatever is committed meanwhile."""
    async with sessions() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
        yield session


@dataclass
class Snapshot:
    """Reads tables in the order of `plan()`; remembers what the rows read so far refer to."""

    connection: AsyncConnection
    number: str
    _wanted: dict[str, set[Any]] = field(default_factory=lambda: defaultdict(set))
    """`table.column` -> values that rows read so far refer to."""

    async def tables(self) -> AsyncIterator[tuple[TablePlan, AsyncIterator[Row]]]:
        """Every table of the file with its rows; the rows must be read before the next table is asked for."""
        for each in plan():
            yield each, self._rows(each)

    async def _rows(self, each: TablePlan) -> AsyncIterator[Row]:
        key = self._key_of(each)
        seen: set[Any] = set()
        if not isinstance(each.shown, False_):
            async for row in self._select(each, each.shown):
                seen.add(row[key] if key else None)
                yield row
        if key is None:
            return
        # A table may refer to itself (partner, consignee), so what its rows ask for is asked again.
        while missing := sorted(self._wanted[f"{each.table.name}.{key}"] - seen):
            seen.update(missing)
            for start in range(0, len(missing), _PAGE):
                async for row in self._select(each, each.table.columns[key].in_(missing[start : start + _PAGE])):
                    yield row

    @staticmethod
    def _key_of(each: TablePlan) -> str | None:
        keys = [column.name for column in each.table.primary_key]
        return keys[0] if len(keys) == 1 else None

    async def _select(self, each: TablePlan, condition: ColumnElement[bool]) -> AsyncIterator[Row]:
        columns = [each.table.columns[name] for name in each.columns]
        query = select(*columns).where(condition).order_by(*each.table.primary_key)
        result = await self.connection.stream(query, {"number": self.number}, execution_options={"yield_per": _PAGE})
        references = each.references
        async for row in result.mappings():
            for column, target in references.items():
                if row[column] is not None:
                    self._wanted[target].add(row[column])
            yield dict(row)


async def uploads(session: AsyncSession, evidence_ids: Sequence[UUID | str]) -> Sequence[Row]:
    """The system stream's events that tell of the upload of these files, in order."""
    ids = [str(each) for each in evidence_ids]
    return [dict(row) for row in (await run(session, _UPLOADS, {"ids": ids})).mappings()]


@dataclass(frozen=True, slots=True)
class ScopeDates:
    """What the retention date is counted from; None where the record does not say."""

    last_shipped_on: date | None
    last_expiry_on: date | None
    longest_life_years: int | None
    implantable: bool


async def scope_dates(session: AsyncSession, number: str) -> ScopeDates:
    """Last shipment, latest expiry, longest expected life of what is or was in scope."""
    return ScopeDates(**(await run(session, _SCOPE_DATES, {"number": number})).mappings().one())


__all__ = ["Row", "ScopeDates", "Snapshot", "scope_dates", "snapshot", "uploads"]
