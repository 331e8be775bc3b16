"""CAPA records: opening one, reading it, and the statements people write before a decision applies them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, files
from db.rows import insert_new
from domain.recurrence import DEFAULT_DAYS
from models.capa import Capa, CapaAction, CapaEntry, CapaState, EntryKind
from models.messages_capa import CapaActionFigures, CapaFigures


class UnknownCapa(LookupError):  # noqa: N818 - a term of the API
    """The recall has no CAPA with this number."""


class UnknownEntry(LookupError):  # noqa: N818 - a term of the API
    """No statement of this kind has this id in this CAPA."""


async def open_capa(
    session: AsyncSession, recall: files.File, sequence: int, title: str, findings: list[dict[str, Any]], now: datetime
) -> bool:
    """Create the record with what the trace found in common; False when it is there already."""
    row = {
        **files.owner_columns(recall.number),
        "sequence": sequence,
        "title": title[:200],
        "state": CapaState.investigation.value,
        "opened_at": now,
        "trace_findings": findings,
        "five_whys": [],
        "plan_version": 0,
        "reopened": 0,
        "watch_days": DEFAULT_DAYS,
        "recurrence_allowed": 0,
        "recurrences": 0,
    }
    if not await insert_new(session, Capa, row):
        return False
    await audit.append(
        session,
        recall.number,
        actor=audit.SYSTEM,
        role=audit.SYSTEM,
        action="capa.opened",
        at=now,
        data={"capa": sequence, "title": title[:200], "findings": len(findings)},
    )
    return True


async def find(session: AsyncSession, number: str, sequence: int, *, lock: bool = False) -> Capa | None:
    """One CAPA, locked for update if asked."""
    query = select(Capa).where(files.of_file(Capa, number), col(Capa.sequence) == sequence)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.exec(query)).first()


async def get(session: AsyncSession, number: str, sequence: int) -> Capa:
    """One CAPA, locked for update.

    Raises:
        UnknownCapa: the recall has none with this number.
    """
    found = await find(session, number, sequence, lock=True)
    if found is None:
        raise UnknownCapa(f"{number} has no CAPA {sequence}")
    return found


async def of_recall(session: AsyncSession, number: str) -> Sequence[Capa]:
    """The recall's CAPAs in order."""
    query = select(Capa).where(files.of_file(Capa, number)).order_by(col(Capa.sequence))
    return (await session.exec(query)).all()


async def actions(session: AsyncSession, capa: Capa, *, withdrawn: bool = False) -> Sequence[CapaAction]:
    """The actions in force, in order; with those that later plans dropped if asked."""
    query = select(CapaAction).where(col(CapaAction.capa_id) == capa.id).order_by(col(CapaAction.sequence))
    return (await session.exec(query if withdrawn else query.where(col(CapaAction.withdrawn_at).is_(None)))).all()


async def write_entry(session: AsyncSession, entry: CapaEntry) -> bool:
    """Keep what somebody wrote; the same id again is the same statement."""
    return await insert_new(session, CapaEntry, entry.model_dump()) == 1


async def entries(session: AsyncSession, capa: Capa) -> Sequence[CapaEntry]:
    """Every statement that was applied, in order."""
    query = select(CapaEntry).where(col(CapaEntry.capa_id) == capa.id, col(CapaEntry.applied_at).is_not(None))
    return (await session.exec(query.order_by(col(CapaEntry.applied_at), col(CapaEntry.id)))).all()


async def entry(session: AsyncSession, capa: Capa, entry_id: str, kind: EntryKind, author: str) -> CapaEntry:
    """The statement a decision is about, locked; it must be of this CAPA, of this kind and by the decider.

    Raises:
        UnknownEntry: there is none.
    """
    query = (
        select(CapaEntry)
        .where(
            col(CapaEntry.id) == UUID(entry_id),
            col(CapaEntry.capa_id) == capa.id,
            col(CapaEntry.kind) == kind.value,
            col(CapaEntry.author) == author,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = (await session.exec(query)).first()
    if found is None:
        raise UnknownEntry(f"CAPA {capa.sequence} has no {kind.value} {entry_id} by {author}")
    return found


async def figures(session: AsyncSession, capa: Capa) -> CapaFigures:
    """The CAPA as its workflow knows it."""
    in_force = await actions(session, capa)
    dues = [action.due_at for action in in_force if action.done_at is None and capa.plan_approved_at is not None]
    if capa.state == CapaState.verification and capa.verify_due_at is not None:
        dues.append(capa.verify_due_at)
    return CapaFigures(
        state=capa.state,
        investigated=capa.investigated_at is not None,
        cause_recorded=capa.cause_at is not None,
        plan_version=capa.plan_version,
        plan_by=capa.plan_by,
        plan_written=capa.plan_by is not None,
        plan_approved=capa.plan_approved_at is not None,
        actions=tuple(
            CapaActionFigures(sequence=each.sequence, owner=each.owner, done=each.done_at is not None)
            for each in in_force
        ),
        verify_due_at=capa.verify_due_at,
        verified_by=capa.verified_by,
        effective=capa.effective,
        reopened=capa.reopened,
        next_due_at=min(dues, default=None),
    )


__all__ = [
    "UnknownCapa",
    "UnknownEntry",
    "actions",
    "entries",
    "entry",
    "figures",
    "find",
    "get",
    "of_recall",
    "open_capa",
    "write_entry",
]
