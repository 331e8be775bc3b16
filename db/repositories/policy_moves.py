"""Moving a running recall to other versions of its profiles: what would change, and the record of the move.

The preview lists every changed deadline, task limit, gate and signer, and has a hash; the move names it, so that what
was shown is what is signed. Pins are a history: the new ones are added, the first ones stay on record.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import dry_runs, policy_versions, recalls, recalls_read
from db.rows import insert_new
from domain.audit_chain import canonical_json
from domain.dry_run import dry_run
from domain.dry_run_asks import Difference, differences
from domain.pace import real_due
from domain.policy import Policy, policy_hash
from domain.policy_versions import VersionState
from domain.timeline import Calendars, duties
from domain.timeline_facts import Duty
from models.recall import Deadline, PinnedPolicy, Recall

_Key = tuple[str, str]
"""Jurisdiction and name of a deadline."""
_MAY_MOVE_TO: Final = (VersionState.APPROVED, VersionState.IN_FORCE)


class MoveRefused(Exception):  # noqa: N818 - a term of the decision
    """A move that cannot be; `kind` is the type of a refused update."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Move:
    """One profile's way from the pinned version to another."""

    policy_id: str
    before: int
    after: int
    before_sha256: str
    after_sha256: str
    policy: Policy
    """The new version as it counts for this recall."""

    def said(self) -> dict[str, Any]:
        """The move as audit and hash name it."""
        return {
            "policy": self.policy_id,
            "from": self.before,
            "to": self.after,
            "from_sha256": self.before_sha256,
            "to_sha256": self.after_sha256,
        }


@dataclass(frozen=True, slots=True)
class DeadlineChange:
    """One deadline under the new versions; an open one never becomes later."""

    jurisdiction: str
    name: str
    title: str
    outcome: str
    """new; earlier; stays (it would be later); stays_owed (the new version does not ask for it)."""
    was: datetime | None
    becomes: datetime | None
    would_be: datetime | None = None

    def said(self) -> dict[str, Any]:
        """The change as audit and hash name it."""
        return {
            "jurisdiction": self.jurisdiction,
            "name": self.name,
            "outcome": self.outcome,
            "was": self.was,
            "becomes": self.becomes,
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything a move would change, and the hash over it."""

    moves: tuple[Move, ...]
    deadlines: tuple[DeadlineChange, ...]
    asked: tuple[Difference, ...]
    sha256: str


async def preview(
    session: AsyncSession, recall: Recall, targets: Mapping[str, int], calendars: Calendars, now: datetime
) -> Preview:
    """What moving the recall to the versions in `targets` (profile -> version) would change, by its record.

    Raises:
        MoveRefused: `InvalidInput` for a profile the recall is not held to, a version that does not exist, is the
            pinned one or does not know a decided level; `WrongState` for one that is neither approved nor in force.
    """
    moves = await _moves(session, recall, targets)
    before = {policy.id: policy for policy in await recalls.pinned_as_written(session, recall.number)}
    after = before | {move.policy_id: move.policy for move in moves}
    try:
        old = await dry_runs.scene_of(session, recall, before, calendars, now)
        new = await dry_runs.scene_of(session, recall, after, calendars, now)
    except LookupError as error:
        raise MoveRefused("InvalidInput", str(error)) from error
    rows = {(row.jurisdiction, row.name): row for row in await recalls_read.deadlines(session, recall.number)}
    now_owed = {(duty.jurisdiction, duty.name): duty.due_at for duty in duties(old.timeline, calendars)}
    deadlines = tuple(_changes(recall, rows, now_owed, duties(new.timeline, calendars)))
    asked = differences(dry_run(old, before), dry_run(new, after))
    content = {
        "recall": recall.number,
        "moves": [move.said() for move in moves],
        "deadlines": [change.said() for change in deadlines],
        "asked": [each.model_dump(mode="json") for each in asked],
    }
    return Preview(moves, deadlines, asked, hashlib.sha256(canonical_json(content).encode()).hexdigest())


async def _moves(session: AsyncSession, recall: Recall, targets: Mapping[str, int]) -> tuple[Move, ...]:
    pins = {pin.policy_id: pin for pin in await recalls.pins(session, recall.number)}
    found = []
    for name, version in sorted(targets.items()):
        pin = pins.get(name)
        if pin is None:
            held = ", ".join(pins) or "none yet"
            raise MoveRefused("InvalidInput", f"{name} is no profile of this recall; it is held to {held}")
        if int(pin.version) == version:
            raise MoveRefused("InvalidInput", f"the recall is held to {name} version {version} already")
        row = await policy_versions.find(session, name, version)
        if row is None:
            raise MoveRefused("InvalidInput", f"there is no version {version} of {name}")
        if row.state not in _MAY_MOVE_TO:
            state = row.state.replace("_", " ")
            raise MoveRefused("WrongState", f"{name} version {version} is {state}, neither approved nor in force")
        policy = dry_runs.placed_for(recall, Policy.from_pinned(row.body))
        found.append(Move(name, int(pin.version), version, pin.sha256, policy_hash(policy), policy))
    if not found:
        raise MoveRefused("InvalidInput", "expected at least one profile and version to move to")
    return tuple(found)


def _changes(
    recall: Recall, rows: Mapping[_Key, Deadline], now_owed: Mapping[_Key, datetime | None], owed: list[Duty]
) -> list[DeadlineChange]:
    found = []
    for duty in owed:
        key = (duty.jurisdiction, duty.name)
        if duty.due_at is not None and now_owed.get(key) != duty.due_at:
            change = _change(recall, rows.get(key), duty, duty.due_at)
            found += [change] if change else []
    then_owed = {(duty.jurisdiction, duty.name) for duty in owed}
    for key in sorted(set(now_owed) - then_owed):
        row = rows.get(key)
        if row is not None and _is_open(row):
            found.append(DeadlineChange(*key, row.title or row.name, "stays_owed", row.due_at, row.due_at))
    return found


def _change(recall: Recall, row: Deadline | None, duty: Duty, policy_due: datetime) -> DeadlineChange | None:
    origin = recall.created_at
    due = policy_due if policy_due <= origin else real_due(origin, origin, policy_due, recall.pace)
    title = duty.obligation.title if duty.obligation else "first notice to every consignee"
    if row is None:
        return DeadlineChange(duty.jurisdiction, duty.name, title, "new", None, due)
    if not _is_open(row) or due == row.due_at:
        return None
    if due < row.due_at:
        return DeadlineChange(duty.jurisdiction, duty.name, title, "earlier", row.due_at, due)
    return DeadlineChange(duty.jurisdiction, duty.name, title, "stays", row.due_at, row.due_at, due)


def _is_open(row: Deadline) -> bool:
    return row.met_at is None and row.stopped_at is None


async def repin(session: AsyncSession, recall: Recall, moves: tuple[Move, ...], by: str, now: datetime) -> None:
    """Add the new pins beside those on record."""
    last = {pin.policy_id: pin.move for pin in await recalls.pins(session, recall.number)}
    for move in moves:
        row = {
            "recall_number": recall.number,
            "policy_id": move.policy_id,
            "version": str(move.after),
            "sha256": move.after_sha256,
            "body": move.policy.pinned(),
            "pinned_at": now,
            "pinned_by": by,
            "move": last[move.policy_id] + 1,
        }
        await insert_new(session, PinnedPolicy, row)


async def history(session: AsyncSession, number: str) -> Sequence[PinnedPolicy]:
    """Every pin of a recall, by profile and in order of time."""
    query = (
        select(PinnedPolicy)
        .where(col(PinnedPolicy.recall_number) == number)
        .order_by(col(PinnedPolicy.policy_id), col(PinnedPolicy.move))
    )
    return (await session.exec(query)).all()


async def was_moved(session: AsyncSession, number: str, targets: Mapping[str, int], at: datetime) -> bool:
    """Whether exactly this move, decided at `at`, is on record already."""
    pins = {pin.policy_id: pin for pin in await recalls.pins(session, number)}
    return all(
        name in pins and (pins[name].version, pins[name].pinned_at) == (str(version), at)
        for name, version in targets.items()
    )


__all__ = ["DeadlineChange", "Move", "MoveRefused", "Preview", "history", "preview", "repin", "was_moved"]
