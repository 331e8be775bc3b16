"""Tasks of disposition, read off the record: what somebody has to propose, decide, carry out, allocate, ship.

One function brings them in line after every change, in the change's own transaction, and at every look of the
workflow; what ended by a decision is closed under the name of whoever decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import allocations, approvals, audit, dispositions, recalls, release, tasks
from db.repositories.disposition_positions import positions
from domain.disposition import RULES, Capacity, DispositionKind
from domain.phases import FINAL_PHASES, Phase
from domain.policy_parts import HumanStep
from domain.quantity_text import plain
from domain.roles import Role
from domain.workflow_ids import disposition_id
from models.disposition import AllocationState, Disposition
from models.recall import Recall
from models.task import OPEN_STATES, Task

_PREFIXES: Final = ("disposition:", "disposition_approval:", "execution:", "allocation:", "replacement:")
_MOST: Final = 100_000
_SETTLED: Final = "settled by the record"
_NAMES = """
SELECT c.id, partner.name FROM consignee c JOIN partner ON partner.id = c.partner_id
WHERE c.recall_number = :number AND c.id = ANY(CAST(:ids AS bigint[]))
"""
_SITES = "SELECT s.id, s.consignee_id FROM shortage s WHERE s.recall_number = :number"


_GROUPS = """
SELECT g.request, g.kind, g.first, g.approved, g.first_approved, d.quantity, d.consignee_id
FROM (SELECT request, kind, min(sequence) AS first,
             count(*) FILTER (WHERE state = 'approved') AS approved,
             count(*) FILTER (WHERE state = 'proposed') AS proposed,
             min(sequence) FILTER (WHERE state = 'approved') AS first_approved
      FROM disposition WHERE recall_number = :number GROUP BY request, kind) AS g
LEFT JOIN disposition d ON d.recall_number = :number AND d.sequence = g.first_approved
WHERE g.approved > 0 OR g.proposed > 0 ORDER BY g.first
"""
"""Each request's dispositions of one kind; the number of the first names them for good, whatever becomes of it."""


@dataclass(frozen=True, slots=True)
class Due:
    """A task that should be open now."""

    step: HumanStep
    what: str
    role: Role | None = None
    consignee_id: int | None = None
    evidence: bool = False


async def sync(session: AsyncSession, number: str, now: datetime, *, by: str) -> tuple[str, ...]:
    """Open what is due and close what has ended; returns the keys of tasks that changed."""
    recall = await recalls.get(session, number)
    # Without pinned policies the recall has not begun; there is nobody to offer a task to yet.
    if Phase(recall.phase) in FINAL_PHASES or not await recalls.pinned(session, number):
        return ()
    due = await _due(session, recall)
    changed: list[str] = []
    known = await _open_keys(session, number)
    for key in sorted(known - due.keys()):
        if await tasks.close(session, number, key, outcome=_SETTLED, done_by=by, now=now):
            changed.append(key)
    if changed:
        await _note(session, number, "task.closed", {"keys": list(changed), "outcome": _SETTLED}, now)
    for key, task in due.items():
        if key in known:
            continue
        opened = await tasks.offer(
            session,
            recall,
            key=key,
            step=task.step,
            what=task.what,
            owner=disposition_id(number),
            now=now,
            role=task.role,
            consignee_id=task.consignee_id,
            evidence_required=task.evidence,
        )
        if opened:
            changed.append(key)
    return tuple(changed)


async def cancel(session: AsyncSession, number: str, now: datetime) -> None:
    """The recall has ended: what is left is decided on without tasks."""
    outcome, owner = "the recall has ended", disposition_id(number)
    if await tasks.cancel_of_owner(session, number, owner, outcome=outcome, done_by="system", now=now):
        await _note(session, number, "task.cancelled", {"owner": owner, "outcome": outcome}, now)


async def _note(session: AsyncSession, number: str, action: str, data: dict[str, Any], now: datetime) -> None:
    await audit.append(session, number, actor="system", role="system", action=action, at=now, data=data)


async def _due(session: AsyncSession, recall: Recall) -> dict[str, Due]:
    number = recall.number
    found: dict[str, Due] = {}
    # What goes on as nonconformity is quality's to dispose of or release, before or after the recall's end.
    unplanned = sum(each.available > 0 and not each.nonconforming for each in await positions(session, number))
    if unplanned:
        key = await _numbered(session, number, "disposition:")
        found[key] = Due(HumanStep.DISPOSITION, f"Propose what becomes of the open positions ({unplanned} now)")
    found |= await _of_dispositions(session, number)
    rows = await allocations.listed(session, number, limit=_MOST)
    if any(row.state == AllocationState.proposed.value for row in rows):
        key = await _numbered(session, number, "allocation:")
        found[key] = Due(HumanStep.ALLOCATION, "Decide on the allocations proposed for sites left short")
    return found | await _shipments(session, number)


async def _of_dispositions(session: AsyncSession, number: str) -> dict[str, Due]:
    """One task per request and kind, however many positions it covers: whoever decides in bulk has one task."""
    # Carried out or withdrawn ones are not read: of a hundred thousand, only what somebody still has to do.
    groups = {(row.request, row.kind): row for row in await run(session, _GROUPS, {"number": number})}
    waiting: dict[tuple[str, str], list[Disposition]] = {}
    for row in await dispositions.waiting(session, number):
        waiting.setdefault((row.request, row.kind), []).append(row)
    signed = await release.capacities(session, number)
    given = await release.functions(session, number)
    beside = await approvals.beside(session, number, [row for rows in waiting.values() for row in rows])
    found: dict[str, Due] = {}
    for name, group in groups.items():
        rows = waiting.get(name, [])
        further = {row.sequence: approvals.missing_roles(beside.of(row), given.get(row.sequence, ())) for row in rows}
        for suffix, role, those in _signatures_open(rows, signed, given, further):
            text = f"Approve or reject: {_words(those)}"
            found[f"disposition_approval:{group.first}{suffix}"] = Due(
                HumanStep.DISPOSITION_APPROVAL, text, role, consignee_id=_only(those)
            )
        if group.approved:
            proof = RULES[DispositionKind(group.kind)].document or "evidence"
            only = group.approved == 1
            words = _words_of(group.kind, group.approved, group.first_approved, group.quantity)
            text = f"Carry out: {words}, with {proof}"
            consignee = group.consignee_id if only else None
            found[f"execution:{group.first}"] = Due(HumanStep.EXECUTION, text, consignee_id=consignee, evidence=True)
    return found


def _signatures_open(
    waiting: Sequence[Disposition],
    signed: Mapping[int, set[str]],
    given: Mapping[int, list[str]],
    further: Mapping[int, list[Role]],
) -> list[tuple[str, Role | None, list[Disposition]]]:
    """(suffix of the key, role, what it is about) of each signature that somebody still has to give."""
    if not waiting:
        return []
    if waiting[0].kind != DispositionKind.release.value:
        fresh = [row for row in waiting if not given.get(row.sequence)]
        begun = [row for row in waiting if given.get(row.sequence)]
        # In order: nobody is asked for a later signature before the one ahead of it is there.
        return ([("", None, fresh)] if fresh else []) + _further(begun, further, first_only=True)
    lacking = {each: [row for row in waiting if each.value not in signed.get(row.sequence, set())] for each in Capacity}
    both = (("", None, Capacity.QUALITY), (":head", Role.HEAD_OF_QUALITY, Capacity.HEAD_OF_QUALITY))
    usual = [(suffix, role, lacking[each]) for suffix, role, each in both if lacking[each]]
    return usual + _further(waiting, further, first_only=False)


def _further(
    rows: Sequence[Disposition], further: Mapping[int, list[Role]], *, first_only: bool
) -> list[tuple[str, Role | None, list[Disposition]]]:
    """One task per function that the policies ask for beside the usual ones."""
    found: dict[Role, list[Disposition]] = {}
    for row in rows:
        for role in dict.fromkeys(further[row.sequence][:1] if first_only else further[row.sequence]):
            found.setdefault(role, []).append(row)
    return [(f":for:{role.value}", role, those) for role, those in found.items()]


def _words(rows: Sequence[Disposition]) -> str:
    return _words_of(rows[0].kind, len(rows), rows[0].sequence, rows[0].quantity)


def _words_of(kind: str, count: int, first: int, quantity: Decimal) -> str:
    shown = kind.replace("_", " ")
    if count == 1:
        return f"{shown} of {plain(quantity)} units (disposition {first})"
    return f"{shown}, {count} dispositions from number {first} on"


def _only(rows: Sequence[Disposition]) -> int | None:
    return rows[0].consignee_id if len(rows) == 1 else None


async def _shipments(session: AsyncSession, number: str) -> dict[str, Due]:
    approved = await allocations.listed(session, number, state=AllocationState.approved.value, limit=_MOST)
    if not approved:
        return {}
    sites = {row.id: row.consignee_id for row in await run(session, _SITES, {"number": number})}
    waiting = sorted({sites[row.shortage_id] for row in approved})
    names = {row.id: row.name for row in await run(session, _NAMES, {"number": number, "ids": waiting})}
    found = {}
    for consignee in waiting:
        key = await _numbered(session, number, f"replacement:{consignee}", first=f"replacement:{consignee}")
        text = f"Ship the approved replacement to {names[consignee][:150]}"
        found[key] = Due(HumanStep.REPLACEMENT, text, consignee_id=consignee)
    return found


async def _numbered(session: AsyncSession, number: str, prefix: str, first: str | None = None) -> str:
    """The key of the open task of this kind, or the next free one: such a task can be needed again."""
    pattern = prefix if first is None else first
    query = select(Task.key, Task.state).where(col(Task.recall_number) == number, col(Task.key).startswith(pattern))
    rows = [
        (key, state)
        for key, state in (await session.exec(query.order_by(col(Task.id)))).all()
        if first is None or key == first or key.startswith(f"{first}:")
    ]
    still_open = [key for key, state in rows if state in OPEN_STATES]
    if still_open:
        return still_open[0]
    if first is None:
        return f"{prefix}{len(rows) + 1}"
    return f"{first}:{len(rows) + 1}" if rows else first


async def _open_keys(session: AsyncSession, number: str) -> set[str]:
    query = select(Task.key).where(
        col(Task.recall_number) == number,
        col(Task.owner) == disposition_id(number),
        col(Task.state).in_(OPEN_STATES),
    )
    return {key for key in (await session.exec(query)).all() if key.startswith(_PREFIXES)}


__all__ = ["cancel", "sync"]
