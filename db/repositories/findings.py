"""Findings of an investigation: what was measured of the lots of a CAPA or a nonconformity, linked by the trace.

Recalled lots are those of each recall's newest frozen trace. Nothing is stored: the records are, and the runs are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import capa as capas
from db.repositories import findings_sql as sql
from models.capa import Capa, CapaNonconformity
from models.quality import Nonconformity

KINDS: Final = tuple(sql.PARTS)
FIRST: Final = (-1, 0, 0, 0)
"""The key before the first finding."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose lots are looked at."""

    recalls: Sequence[str] = ()
    nonconformities: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding and its key in the list."""

    key: tuple[int, int, int, int]
    detail: Mapping[str, Any]
    """With `kind` and `relation`; quantities as text, instants in ISO 8601."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How much there is, over which traces and how old data."""

    lots: Mapping[str, int]
    findings: Mapping[str, int]
    runs: Sequence[Mapping[str, Any]]
    sources: Sequence[Mapping[str, Any]]


async def of_capa(session: AsyncSession, capa: Capa) -> Subject:
    """Recalls and nonconformities that a CAPA answers for, with those of the CAPAs merged into it."""
    merged = (await session.exec(select(Capa).where(col(Capa.merged_into_id) == capa.id))).all()
    every = [capa, *merged]
    answered = select(CapaNonconformity.nonconformity_number).where(
        col(CapaNonconformity.capa_id).in_([each.id for each in every])
    )
    return Subject(
        sorted({each.recall_number for each in every if each.recall_number}),
        sorted(set((await session.exec(answered)).all())),
    )


async def named(session: AsyncSession, name: str) -> Subject:
    """What a file is about, by its name: `RC-2026-000001/capas/1`, `CA-...` or `NC-...`.

    Raises:
        LookupError: there is no such file.
    """
    if name.startswith("NC-"):
        if await session.get(Nonconformity, name) is not None:
            return Subject(nonconformities=[name])
        raise LookupError(f"there is no nonconformity {name}")
    number, _, sequence = name.partition("/capas/")
    capa = await capas.find(session, number, int(sequence or 1)) if sequence.isdecimal() or not sequence else None
    if capa is None:
        raise LookupError(f"there is no CAPA {name}; expected RC-2026-000001/capas/1, CA-2026-000012 or NC-2026-000012")
    return await of_capa(session, capa)


async def page(
    session: AsyncSession, subject: Subject, *, kind: str | None, after: Sequence[int], limit: int
) -> list[Finding]:
    """Findings after a key, of one kind or of all: by kind, then those of affected lots first."""
    await run(session, sql.TUNE)
    place = dict(zip(("kind_no", "rank", "a", "b"), after, strict=True))
    kinds = [kind] if kind else list(KINDS)
    rows = await run(session, sql.page(kinds), _binds(subject) | place | {"limit": limit})
    return [
        Finding(
            (row.kind_no, row.rank, row.a, row.b),
            {"kind": KINDS[row.kind_no], "relation": sql.RELATIONS[row.rank]} | dict(row.detail),
        )
        for row in rows
    ]


async def summary(session: AsyncSession, subject: Subject) -> Summary:
    """Counts of lots and findings, the traces they rest on, and how old the data of each source is."""
    await run(session, sql.TUNE)
    counted: dict[str, dict[str, int]] = {
        "lots": dict.fromkeys(sql.RELATIONS[:4], 0),
        "findings": dict.fromkeys(KINDS, 0),
    }
    for row in await run(session, sql.counts(), _binds(subject) | {"kinds": list(KINDS)}):
        counted[row.what][row.name] = row.number
    runs = [dict(each) for each in (await run(session, sql.RUNS, {"recalls": list(subject.recalls)})).mappings()]
    sources = [dict(each) for each in (await run(session, sql.SOURCES)).mappings()]
    return Summary(counted["lots"], counted["findings"], runs, sources)


def _binds(subject: Subject) -> dict[str, Any]:
    return {
        "recalls": list(subject.recalls),
        "nonconformities": list(subject.nonconformities),
        "relations": list(sql.RELATIONS),
    }


__all__ = ["FIRST", "KINDS", "Finding", "Subject", "Summary", "named", "of_capa", "page", "summary"]
