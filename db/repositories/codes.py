"""Coding lists on record: loaded as versions, searched, and what a record's codes are checked against.

A term keeps the first and the newest list that has it; one that a newer list leaves out is retired from that list's
first day, and stays for the records that cite it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit
from db.repositories.recalls_read import like_pattern
from domain.codes import ANNEXES, CATEGORY_ANNEXES, CAUSE_ANNEXES, CodeFault, Term, annex_fault, twice
from domain.nonconformity import NcRefused
from models.quality import CodeList, CodeTerm, RecordCode

_WRITE = """
INSERT INTO code_term (code, annex, parent, term, definition, fda_code, first_list_id, last_list_id)
SELECT given.code, left(given.code, 1), given.parent, given.term, given.definition, given.fda_code, :list, :list
FROM unnest(CAST(:codes AS text[]), CAST(:parents AS text[]), CAST(:terms AS text[]), CAST(:definitions AS text[]),
            CAST(:fda AS text[])) AS given(code, parent, term, definition, fda_code)
ON CONFLICT (code) DO UPDATE SET parent = excluded.parent, term = excluded.term, definition = excluded.definition,
    fda_code = excluded.fda_code, last_list_id = excluded.last_list_id, retired_at = NULL
"""
_RETIRE = """
UPDATE code_term SET retired_at = CAST(:valid_from AS timestamptz) WHERE last_list_id <> :list AND retired_at IS NULL
"""


_DROP = """
UPDATE record_code SET removed_at = CAST(:now AS timestamptz)
WHERE {column} = :value AND removed_at IS NULL AND NOT (code = ANY(CAST(:codes AS text[])))
"""


class ListRefused(ValueError):  # noqa: N818 - what cannot be loaded
    """A newer list is on record, or this file is, under another version."""


class CodesRefused(ValueError):  # noqa: N818 - a term of the API
    """Codes a record cannot carry, each by its place in the request."""

    def __init__(self, faults: Sequence[CodeFault]) -> None:
        super().__init__("; ".join(f"{each.index}: {each.detail}" for each in faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a list changed."""

    list_id: int
    terms: int
    retired: int
    new: bool


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list to load."""

    version: str
    valid_from: datetime
    file_name: str
    sha256: str


async def load(session: AsyncSession, terms: Sequence[Term], file: ListFile, *, by: str, now: datetime) -> Loaded:
    """Enter a list; the same file and version again changes nothing.

    Raises:
        ListRefused: the list in force begins on that day or later, or the file is on record under another version.
    """
    await run(session, "SELECT pg_advisory_xact_lock(hashtext('code_list'))")
    newest = await newest_list(session)
    known = (await session.exec(select(CodeList).where(col(CodeList.sha256) == file.sha256))).first()
    if known is not None and known.version == file.version:
        return Loaded(known.id or 0, known.terms, 0, new=False)
    if known is not None:
        raise ListRefused(f"this file is on record as version {known.version}")
    if newest is not None and newest.valid_from >= file.valid_from:
        raise ListRefused(f"version {newest.version} is valid from {newest.valid_from:%Y-%m-%d}; expected a later day")
    row = CodeList(
        version=file.version,
        valid_from=file.valid_from,
        file_name=file.file_name[:200],
        sha256=file.sha256,
        loaded_by=by,
        loaded_at=now,
        terms=len(terms),
    )
    session.add(row)
    await session.flush()
    binds = {
        "list": row.id,
        "codes": [each.code for each in terms],
        "parents": [each.parent for each in terms],
        "terms": [each.term for each in terms],
        "definitions": [each.definition for each in terms],
        "fda": [each.fda_code for each in terms],
    }
    await run(session, _WRITE, binds)
    retired = (await run(session, _RETIRE, {"list": row.id, "valid_from": file.valid_from})).rowcount
    data = {"version": file.version, "sha256": file.sha256, "terms": len(terms), "retired": retired}
    await audit.append(session, audit.SYSTEM, actor=by, role="staff", action="codes.loaded", at=now, data=data)
    return Loaded(row.id or 0, len(terms), retired, new=True)


async def newest_list(session: AsyncSession) -> CodeList | None:
    """The list with the latest first day."""
    return (await session.exec(select(CodeList).order_by(col(CodeList.valid_from).desc()).limit(1))).first()


async def in_force(session: AsyncSession, now: datetime) -> CodeList | None:
    """The list that counts at an instant; None before any."""
    query = select(CodeList).where(col(CodeList.valid_from) <= now).order_by(col(CodeList.valid_from).desc()).limit(1)
    return (await session.exec(query)).first()


async def search(
    session: AsyncSession,
    *,
    part: str | None,
    annex: str | None,
    parent: str | None,
    retired: bool,
    after: str,
    limit: int,
) -> Sequence[CodeTerm]:
    """Terms in order of their codes whose code, term or definition contains `part`; retired ones if asked."""
    query = select(CodeTerm).where(col(CodeTerm.code) > after)
    if part:
        pattern = like_pattern(part)
        query = query.where(
            or_(
                col(CodeTerm.code).startswith(part.upper(), autoescape=True),
                col(CodeTerm.term).ilike(pattern, escape="\\"),
                col(CodeTerm.definition).ilike(pattern, escape="\\"),
            )
        )
    if annex:
        query = query.where(col(CodeTerm.annex) == annex)
    if parent:
        query = query.where(col(CodeTerm.parent) == parent)
    if not retired:
        query = query.where(col(CodeTerm.retired_at).is_(None))
    return (await session.exec(query.order_by(col(CodeTerm.code)).limit(limit))).all()


async def check(session: AsyncSession, given: Sequence[str], annexes: frozenset[str], now: datetime) -> int | None:
    """Id of the list in force, once every code is one of it and of these annexes; None when no code is given.

    Raises:
        CodesRefused: one is unknown, retired, not valid yet, of another annex or named twice, or no list is loaded.
    """
    if not given:
        return None
    current = await in_force(session, now)
    if current is None or current.id is None:
        detail = "no code list is loaded; `recall codes import FILE` loads one"
        raise CodesRefused([CodeFault(index, detail) for index in range(len(given))])
    rows = (await session.exec(select(CodeTerm).where(col(CodeTerm.code).in_(given)))).all()
    terms = {each.code: each for each in rows}
    faults = twice(given)
    for index, code in enumerate(given):
        if fault := annex_fault(code, annexes) or _term_fault(terms.get(code), current, now):
            faults.append(CodeFault(index, fault))
    if faults:
        raise CodesRefused(sorted(faults, key=lambda each: each.index))
    return current.id


async def check_cause(session: AsyncSession, given: Sequence[str], now: datetime) -> None:
    """Codes of a cause, one of which puts it into a category of the list as soon as one is in force.

    Raises:
        CodesRefused: as `check`.
        NcRefused: none is of the findings or the conclusion.
    """
    await check(session, given, CAUSE_ANNEXES, now)
    if not any(code[0] in CATEGORY_ANNEXES for code in given) and await in_force(session, now) is not None:
        named = " or ".join(f"{each} ({ANNEXES[each]})" for each in sorted(CATEGORY_ANNEXES))
        raise NcRefused("invalid", f"expected at least one code of annex {named}: the category of the cause", "codes")


def _term_fault(term: CodeTerm | None, current: CodeList, now: datetime) -> str | None:
    if term is None or (current.id or 0) < term.first_list_id:
        return f"not in the code list {current.version}"
    if term.retired_at is not None and term.retired_at <= now:
        return f"retired on {term.retired_at:%Y-%m-%d}"
    return None


async def attach(
    session: AsyncSession,
    owner: dict[str, str | int],
    given: Sequence[str],
    list_id: int | None,
    by: str,
    now: datetime,
) -> None:
    """Let a record carry these codes and no others; `owner` is the column of its key with the key."""
    ((column, value),) = owner.items()
    await run(session, _DROP.format(column=column), {"value": value, "codes": list(given), "now": now})
    if not given:
        return
    rows = [{**owner, "code": code, "list_id": list_id, "coded_by": by, "coded_at": now} for code in given]
    statement: Any = insert(RecordCode).values(rows)
    again = {"removed_at": None, "list_id": list_id, "coded_by": by, "coded_at": now}
    kept = statement.on_conflict_do_update(
        constraint="uq_record_code", set_=again, where=col(RecordCode.removed_at).is_not(None)
    )
    await session.exec(kept)


def carriers_of(code: str) -> Any:
    """Subquery: numbers of nonconformities that carry a code or one below it."""
    return select(RecordCode.nonconformity_number).where(
        col(RecordCode.nonconformity_number).is_not(None),
        col(RecordCode.removed_at).is_(None),
        col(RecordCode.code).startswith(code, autoescape=True),
    )


async def of(session: AsyncSession, column: str, value: str | int) -> list[CodeTerm]:
    """Terms a record carries, in order."""
    query = (
        select(CodeTerm)
        .join(RecordCode, col(RecordCode.code) == col(CodeTerm.code))
        .where(col(getattr(RecordCode, column)) == value, col(RecordCode.removed_at).is_(None))
        .order_by(col(CodeTerm.code))
    )
    return list((await session.exec(query)).all())


__all__ = [
    "CodesRefused",
    "ListFile",
    "ListRefused",
    "Loaded",
    "attach",
    "carriers_of",
    "check",
    "check_cause",
    "in_force",
    "load",
    "newest_list",
    "of",
    "search",
]
