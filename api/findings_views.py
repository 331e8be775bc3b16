"""What was measured along the trace, over HTTP: a page of findings of a CAPA or a nonconformity, and their summary."""

from typing import Annotated, Final

from fastapi import Depends, Query
from pydantic import TypeAdapter
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import StateDep
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem
from api.state import ApiState
from db.repositories import capa as capas
from db.repositories import findings
from db.repositories.findings import Finding, Subject
from models.quality import Nonconformity
from models.schemas_common import Page
from models.schemas_findings import FindingKind, FindingOut, FindingsSummaryOut

FindingsPage = Page[FindingOut]


class FindingsQuery:
    """One page that is asked for: kind, limit and cursor."""

    def __init__(
        self,
        state: StateDep,
        kind: Annotated[FindingKind | None, Query(description="Only of this kind.")] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> None:
        self._state = state
        self._kind = kind
        self._limit = limit
        self._cursor = cursor

    async def of_capa(self, number: str, sequence: int) -> FindingsPage:
        """Findings of a CAPA.

        Raises:
            Problem: 404 without such a CAPA, 400 on a cursor of another list.
        """
        async with self._state.sessions() as session:
            return await self._page(session, f"{number}/{sequence}", await _of_capa(session, number, sequence))

    async def of_nonconformity(self, number: str) -> FindingsPage:
        """Findings of a nonconformity.

        Raises:
            Problem: 404 without such a nonconformity, 400 on a cursor of another list.
        """
        async with self._state.sessions() as session:
            return await self._page(session, number, await _of_nonconformity(session, number))

    async def _page(self, session: AsyncSession, file: str, subject: Subject) -> FindingsPage:
        name = listing_name("findings", file=file, kind=self._kind)
        after = self._state.cursors.read(name, self._cursor)
        rows = await findings.page(
            session, subject, kind=self._kind, after=after or findings.FIRST, limit=self._limit + 1
        )
        return page_of(rows, self._limit, _item, lambda row: self._state.cursors.write(name, row.key))


FindingsQueryDep = Annotated[FindingsQuery, Depends()]


_ITEM: Final[TypeAdapter[FindingOut]] = TypeAdapter(FindingOut)


def _item(row: Finding) -> FindingOut:
    return _ITEM.validate_python(row.detail)


async def _of_capa(session: AsyncSession, number: str, sequence: int) -> Subject:
    capa = await capas.find(session, number, sequence)
    if capa is None:
        raise Problem("capa_unknown", f"{number} has no CAPA {sequence}.")
    return await findings.of_capa(session, capa)


async def _of_nonconformity(session: AsyncSession, number: str) -> Subject:
    if await session.get(Nonconformity, number) is None:
        raise Problem("not_found", f"There is no nonconformity {number}.")
    return Subject(nonconformities=[number])


async def summary_of_capa(state: ApiState, number: str, sequence: int) -> FindingsSummaryOut:
    """Counts, traces and data age of a CAPA's findings.

    Raises:
        Problem: 404 without such a CAPA.
    """
    async with state.sessions() as session:
        return await _summary(session, await _of_capa(session, number, sequence))


async def summary_of_nonconformity(state: ApiState, number: str) -> FindingsSummaryOut:
    """Counts and data age of a nonconformity's findings.

    Raises:
        Problem: 404 without such a nonconformity.
    """
    async with state.sessions() as session:
        return await _summary(session, await _of_nonconformity(session, number))


async def _summary(session: AsyncSession, subject: Subject) -> FindingsSummaryOut:
    found = await findings.summary(session, subject)
    body = {name: getattr(found, name) for name in ("lots", "findings", "runs", "sources")}
    return FindingsSummaryOut.model_validate(
        body | {"recalls": subject.recalls, "nonconformities": subject.nonconformities}
    )


__all__ = ["FindingsPage", "FindingsQuery", "FindingsQueryDep", "summary_of_capa", "summary_of_nonconformity"]
