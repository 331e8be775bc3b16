"""Clock starts that people record, and their corrections: each a fact with instant, source, author and proof.

A first communication by telephone or in the press starts the 806 clock as an e-mail does; an authority may order
something at any time. A wrong instant is corrected by another row that keeps the old one; what was computed from it
never becomes later by that (design §7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, audit, evidence, recalls
from db.repositories.recalls import CORRECTS
from models.recall import ClockStart

FIRST_COMMUNICATION: Final = "first_communication"
AUTHORITY_ORDER: Final = "authority_order"
_BY_SIGNATURE: Final = ("decision", "new_decision")
"""Clocks that start at the instant of a signature; nobody can have recorded it wrongly."""


class ClockRefused(ValueError):  # noqa: N818 - a term of the API
    """The clock start cannot be recorded so; `field` is what is wrong, or None when the record stands against it."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Stated:
    """What a person states of a clock start, and who it is."""

    number: str
    at: datetime
    reference: str
    evidence_ids: Sequence[UUID]
    by: str
    role: str
    now: datetime
    reason: str | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A clock start and, where it was corrected, by which row."""

    row: ClockStart
    corrected_by: int | None


async def listed(session: AsyncSession, number: str) -> list[Listed]:
    """Every clock start on record in the order of recording, corrections included."""
    rows = await _rows(session, number)
    found = []
    for place, row in enumerate(rows):
        later = [each for each in rows[place + 1 :] if _same(each, row)]
        found.append(Listed(row, later[0].id if later else None))
    return found


async def communicated(session: AsyncSession, stated: Stated, channel: str) -> ClockStart:
    """Record the first communication on any channel; one found to be earlier than the recorded one corrects it.

    Raises:
        ClockRefused: in the future, or a communication before it is on record already.
    """
    _passed(stated)
    await recalls.get(session, stated.number, lock=True)
    known = await _in_force(session, stated.number, FIRST_COMMUNICATION)
    if known is None:
        return await _write(session, stated, FIRST_COMMUNICATION, 1, f"{channel}: {stated.reference}", "clock.started")
    if stated.at >= known.at:
        raise ClockRefused(f"the first communication of {known.at.isoformat()} ({known.source}) was earlier")
    return await _correction(session, stated, known, f"{channel}: {stated.reference}")


async def ordered(session: AsyncSession, stated: Stated, jurisdiction: str) -> ClockStart:
    """Record an authority's order or demand; each starts a clock of its own, under its own law only.

    Raises:
        ClockRefused: in the future, or the recall does not run in that jurisdiction.
    """
    _passed(stated)
    recall = await recalls.get(session, stated.number, lock=True)
    if jurisdiction not in recall.jurisdictions:
        raise ClockRefused(f"expected one of {', '.join(recall.jurisdictions)}", "jurisdiction")
    name = await next_order(session, stated.number, jurisdiction)
    return await _write(session, stated, name, 1, f"order of the authority: {stated.reference}", "clock.started")


async def next_order(session: AsyncSession, number: str, jurisdiction: str) -> str:
    """Name of the clock that the next order of a jurisdiction's authority starts."""
    base = f"{AUTHORITY_ORDER}@{jurisdiction}"
    rows = await _rows(session, number)
    before = [row for row in rows if row.name.partition(":")[0] == base and CORRECTS not in row.name]
    return base if not before else f"{base}:{len(before) + 1}"


async def correct(session: AsyncSession, stated: Stated, clock_id: int) -> ClockStart:
    """Record, signed, that a clock started at another instant; the old row stays.

    Raises:
        LookupError: the recall has no such clock start.
        ClockRefused: in the future, of a signature's instant, not the row in force, or no change.
    """
    _passed(stated)
    await recalls.get(session, stated.number, lock=True)
    rows = {row.id: row for row in await _rows(session, stated.number)}
    row = rows.get(clock_id)
    if row is None:
        raise LookupError(f"the recall has no clock start {clock_id}")
    if row.name.partition(":")[0] in _BY_SIGNATURE:
        raise ClockRefused(f"{row.name} started with a signature, whose instant cannot be wrong")
    newest = [each for each in rows.values() if _same(each, row)][-1]
    if newest.id != clock_id:
        raise ClockRefused(f"it was corrected before; the row in force is {newest.id}")
    if stated.at == row.at:
        raise ClockRefused("expected another instant than the recorded one", "at")
    return await _correction(session, stated, row, f"correction: {stated.reference}")


def _passed(stated: Stated) -> None:
    if stated.at > stated.now:
        raise ClockRefused("expected an instant that has passed", "at")


def _same(one: ClockStart, other: ClockStart) -> bool:
    return (_plain(one), one.scope_version) == (_plain(other), other.scope_version)


def _plain(row: ClockStart) -> str:
    return row.name.partition(CORRECTS)[0]


async def _rows(session: AsyncSession, number: str) -> Sequence[ClockStart]:
    query = select(ClockStart).where(col(ClockStart.recall_number) == number).order_by(col(ClockStart.id))
    return (await session.exec(query)).all()


async def _in_force(session: AsyncSession, number: str, name: str) -> ClockStart | None:
    return next((row for row in reversed(await _rows(session, number)) if _plain(row) == name), None)


async def _correction(session: AsyncSession, stated: Stated, row: ClockStart, source: str) -> ClockStart:
    before = [each for each in await _rows(session, stated.number) if _same(each, row)]
    name = f"{_plain(row)}{CORRECTS}{len(before)}"
    old = {"was": row.at, "was_source": row.source, "was_author": row.author, "corrects": row.id}
    return await _write(session, stated, name, row.scope_version, source, "clock.corrected", old)


async def _write(
    session: AsyncSession,
    stated: Stated,
    name: str,
    version: int,
    source: str,
    action: str,
    old: dict[str, Any] | None = None,
) -> ClockStart:
    row = ClockStart(
        recall_number=stated.number,
        name=name,
        scope_version=version,
        at=stated.at,
        source=source[:200],
        author=stated.by,
        recorded_at=stated.now,
    )
    session.add(row)
    await session.flush()
    await _sign(session, stated, row, "corrected" if old else "recorded")
    await audit.append(
        session,
        stated.number,
        actor=stated.by,
        role=stated.role,
        action=action,
        at=stated.now,
        reason=stated.reason,
        data={"clock": row.id, "name": name, "at": stated.at, "source": row.source} | (old or {}),
        signature=stated.signature,
    )
    return row


async def _sign(session: AsyncSession, stated: Stated, row: ClockStart, outcome: str) -> None:
    subject = f"clock:{row.id}"
    sign_off = assessment.sign_off(
        stated.number,
        subject,
        outcome,
        actor=stated.by,
        role=stated.role,
        meaning="this is when the clock started",
        at=stated.now,
        reason=stated.reason,
        reference=stated.reference,
        body={"name": row.name, "at": stated.at.isoformat()},
        signature=stated.signature,
    )
    await assessment.sign(session, sign_off)
    await evidence.link(
        session, stated.number, stated.evidence_ids, subject, by=stated.by, at=stated.now, role=stated.role
    )


__all__ = ["ClockRefused", "Listed", "Stated", "communicated", "correct", "listed", "next_order", "ordered"]
