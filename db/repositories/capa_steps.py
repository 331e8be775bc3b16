"""The steps of a CAPA as changes of its record; each is applied once, whoever calls it again changes nothing.

What an earlier pass found is taken off the row when a CAPA goes back to investigation, so that nothing of it counts
any more; the statements themselves stay in `capa_entry`.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import capa as capas
from db.repositories import files
from db.repositories.files import File
from db.rows import uuid_of
from domain.capa import ActionKind, CapaState, Comparison, Criterion, action_due, verification_due
from domain.quality_numbers import is_quality_number
from domain.recurrence import DEFAULT_DAYS
from models.capa import Capa, CapaAction, CapaEntry
from models.message_base import Actor


def _apply(session: AsyncSession, capa: Capa, entry: CapaEntry, now: datetime) -> None:
    entry.applied_at = now
    session.add(entry)
    session.add(capa)


def record_investigation(session: AsyncSession, capa: Capa, entry: CapaEntry, now: datetime) -> None:
    """What was looked into and found."""
    capa.investigation = entry.body["account"]
    capa.investigated_by, capa.investigated_at = entry.author, now
    _apply(session, capa, entry, now)


def record_cause(session: AsyncSession, capa: Capa, entry: CapaEntry, now: datetime) -> None:
    """The cause; the plan comes next."""
    capa.five_whys, capa.cause = list(entry.body["five_whys"]), entry.body["cause"]
    capa.cause_category = entry.body["category"]
    capa.cause_by, capa.cause_at = entry.author, now
    capa.state = CapaState.planning.value
    _apply(session, capa, entry, now)


async def write_plan(session: AsyncSession, recall: File, capa: Capa, entry: CapaEntry, now: datetime) -> None:
    """A plan, or a new version of it: actions done stay, the others are replaced; it waits for an approval again."""
    before = await capas.actions(session, capa, withdrawn=True)
    for action in before:
        if action.done_at is None and action.withdrawn_at is None:
            action.withdrawn_at = now
            session.add(action)
    capa.plan_version += 1
    capa.plan_by, capa.plan_approved_by, capa.plan_approved_at = entry.author, None, None
    capa.state = CapaState.planning.value
    criterion = entry.body["criterion"]
    capa.criterion, capa.criterion_unit = criterion["what"], criterion["unit"]
    capa.criterion_comparison = Comparison(criterion["comparison"]).value
    capa.criterion_target = Decimal(criterion["target"])
    capa.verify_after_days = int(entry.body["verify_after_days"])
    capa.verify_due_at = None
    capa.watch_days = int(entry.body.get("watch_days", DEFAULT_DAYS))
    capa.recurrence_allowed = int(entry.body.get("recurrence_allowed", 0))
    first = max((action.sequence for action in before), default=0) + 1
    for sequence, given in enumerate(entry.body["actions"], first):
        session.add(_action(recall, capa, sequence, given))
    _apply(session, capa, entry, now)
    await session.flush()


def _action(recall: File, capa: Capa, sequence: int, given: dict[str, Any]) -> CapaAction:
    due_on = date.fromisoformat(given["due_on"])
    return CapaAction(
        capa_id=capa.id or 0,
        sequence=sequence,
        kind=ActionKind(given["kind"]).value,
        what=given["what"],
        plan_version=capa.plan_version,
        owner=given["owner"],
        due_on=due_on,
        due_at=action_due(due_on, recall.created_at, recall.pace),
    )


async def approve_plan(session: AsyncSession, recall: File, capa: Capa, by: Actor, now: datetime) -> None:
    """The plan is in force; where all its actions are done already (a plan of corrections made) the period begins."""
    capa.plan_approved_by, capa.plan_approved_at = by.principal, now
    capa.plan_signature_id = uuid_of(by.signature)
    capa.state = CapaState.implementation.value
    session.add(capa)
    await _end_implementation(session, recall, capa)


async def complete_action(
    session: AsyncSession, recall: File, capa: Capa, sequence: int, entry: CapaEntry, now: datetime
) -> CapaAction:
    """An action is done; with the last one the period begins in which the effect must show.

    Raises:
        LookupError: the plan in force has no such action.
    """
    found = next((each for each in await capas.actions(session, capa) if each.sequence == sequence), None)
    if found is None:
        raise LookupError(f"the plan of CAPA {capa.sequence} has no action {sequence}")
    found.done_at, found.done_by, found.result = now, entry.author, entry.body["result"]
    session.add(found)
    _apply(session, capa, entry, now)
    await session.flush()
    await _end_implementation(session, recall, capa)
    return found


async def _end_implementation(session: AsyncSession, recall: File, capa: Capa) -> None:
    done = [action.done_at for action in await capas.actions(session, capa)]
    finished = [at for at in done if at is not None]
    if len(finished) == len(done) and capa.plan_approved_at is not None:
        capa.state = CapaState.verification.value
        last = max([*finished, capa.plan_approved_at])
        capa.verify_due_at = verification_due(last, capa.verify_after_days or 0, recall.pace)
        session.add(capa)


async def verify(session: AsyncSession, capa: Capa, entry: CapaEntry, now: datetime) -> bool:
    """Judge what was measured by the approved criterion; a failure leads back to investigation.

    Raises:
        ValueError: the CAPA has no criterion, or the measurement is no number.
    """
    if capa.criterion_comparison is None or capa.criterion_target is None:
        raise ValueError(f"CAPA {capa.sequence} has no criterion to judge by")
    measured = Decimal(entry.body["measured"])
    met = Criterion(Comparison(capa.criterion_comparison), capa.criterion_target).met_by(measured)
    if met:
        capa.state = CapaState.effective.value
    else:
        await back_to_investigation(session, capa, now)
    capa.measured, capa.verification, capa.effective = measured, entry.body["account"], met
    capa.verified_by, capa.verified_at = entry.author, now
    _apply(session, capa, entry, now)
    return met


async def lock_files(session: AsyncSession, number: str, into_id: int) -> None:
    """Lock the file of a CAPA and that of the one it is merged into, in the order of `files` whichever comes first."""
    into = (await session.exec(select(Capa.recall_number, Capa.file_number).where(col(Capa.id) == into_id))).first()
    numbers = {number, *(each for each in into or () if each)}
    for each in sorted(numbers, key=lambda found: (is_quality_number(found), found)):
        await files.get(session, each, lock=True)


async def merge(session: AsyncSession, capa: Capa, into_id: int, reason: str, by: Actor, now: datetime) -> Capa:
    """Another CAPA answers for this one from here on; returns that one.

    The caller holds the files of both (`lock_files`).

    Raises:
        ValueError: there is none such, it is merged itself, closed or this one, or others are merged into this one.
    """
    into = await session.get(Capa, into_id, populate_existing=True, with_for_update=True)
    if into is None or into.id == capa.id:
        raise ValueError("into: expected another CAPA on record")
    if into.state == CapaState.merged.value:
        raise ValueError(f"into: CAPA {into.sequence} of {into.file} is merged into another one itself")
    if into.state == CapaState.closed.value:
        # Its cause and plan were judged without this one, and nobody would sign that they fit.
        raise ValueError(f"into: CAPA {into.sequence} of {into.file} is closed")
    others = (await session.exec(select(Capa.id).where(col(Capa.merged_into_id) == capa.id).limit(1))).first()
    if others is not None:
        raise ValueError("another CAPA is merged into this one; merge that one first")
    for action in await capas.actions(session, capa):
        if action.done_at is None:
            action.withdrawn_at = now
            session.add(action)
    capa.state, capa.merged_into_id = CapaState.merged.value, into_id
    capa.merged_by, capa.merged_at, capa.merge_reason = by.principal, now, reason
    session.add(capa)
    await session.flush()
    return into


def sign_off(session: AsyncSession, capa: Capa, by: Actor, now: datetime) -> None:
    """Closed."""
    capa.state = CapaState.closed.value
    capa.closed_by, capa.closed_at = by.principal, now
    capa.closing_signature_id = uuid_of(by.signature)
    session.add(capa)


async def back_to_investigation(session: AsyncSession, capa: Capa, now: datetime) -> None:
    """A new pass: nothing of the last one counts any more, except on its own rows."""
    for action in await capas.actions(session, capa):
        action.withdrawn_at = now
        session.add(action)
    capa.reopened += 1
    capa.recurrences = 0
    capa.state = CapaState.investigation.value
    capa.five_whys = []
    for field in _OF_A_PASS:
        setattr(capa, field, None)
    session.add(capa)


_OF_A_PASS = (
    "investigation",
    "investigated_by",
    "investigated_at",
    "cause",
    "cause_category",
    "cause_by",
    "cause_at",
    "plan_by",
    "plan_approved_by",
    "plan_approved_at",
    "plan_signature_id",
    "criterion",
    "criterion_comparison",
    "criterion_target",
    "criterion_unit",
    "verify_after_days",
    "verify_due_at",
    "measured",
    "verification",
    "verified_by",
    "verified_at",
    "effective",
    "merged_into_id",
    "merged_by",
    "merged_at",
    "merge_reason",
    "closed_by",
    "closed_at",
    "closing_signature_id",
)

__all__ = [
    "approve_plan",
    "back_to_investigation",
    "complete_action",
    "lock_files",
    "merge",
    "record_cause",
    "record_investigation",
    "sign_off",
    "verify",
    "write_plan",
]
