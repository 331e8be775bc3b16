"""The tasks of a CAPA: what its state asks of whom, offered with the record and taken back when it moves on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import capa as capas
from db.repositories import files, tasks
from domain.capa import CapaState
from domain.policy_parts import HumanStep
from domain.workflow_ids import capa_id
from models.capa import Capa, CapaAction
from models.task import OPEN_STATES, Task


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task that should be open; its text names no cause and no plan, because it goes to the Web UI."""

    key: str
    step: HumanStep
    what: str
    due_at: datetime | None = None
    assignee: str | None = None
    evidence: bool = False


def wanted(capa: Capa, actions: Iterable[CapaAction], now: datetime) -> list[Wanted]:
    """What the CAPA waits for now; nothing while the period of its effect runs."""
    if capa.state == CapaState.implementation:
        return [_action(capa, each) for each in actions if each.done_at is None]
    asked = _asked(capa, now)
    if asked is None:
        return []
    step, what = asked
    # Each pass and each plan has a task of its own; a key is opened once for ever.
    number = capa.plan_version if step == HumanStep.PLAN_APPROVAL else capa.reopened + 1
    key = f"capa:{capa.sequence}:{step.value.removeprefix('capa_')}" + (f":{number}" if number > 1 else "")
    return [Wanted(key, step, f"CAPA {capa.sequence}: {what}", evidence=step == HumanStep.VERIFICATION)]


def _asked(capa: Capa, now: datetime) -> tuple[HumanStep, str] | None:
    found: dict[str, tuple[HumanStep, str]] = {
        CapaState.investigation: (HumanStep.CAUSE, "record the cause")
        if capa.investigated_at is not None
        else (HumanStep.INVESTIGATION, "investigate"),
        CapaState.planning: (HumanStep.PLAN_APPROVAL, f"approve plan {capa.plan_version}")
        if capa.plan_by is not None
        else (HumanStep.CAPA_PLAN, "plan the actions"),
        CapaState.effective: (HumanStep.CAPA_SIGN_OFF, "sign off"),
    }
    if capa.verify_due_at is not None and now >= capa.verify_due_at:
        found[CapaState.verification] = (HumanStep.VERIFICATION, "verify the effect")
    return found.get(capa.state)


def _action(capa: Capa, action: CapaAction) -> Wanted:
    return Wanted(
        f"capa:{capa.sequence}:action:{action.sequence}",
        HumanStep.ACTION,
        f"CAPA {capa.sequence}: carry out action {action.sequence} ({action.kind})",
        due_at=action.due_at,
        assignee=action.owner,
        evidence=True,
    )


async def sync(session: AsyncSession, recall: files.File, capa: Capa, now: datetime, *, outcome: str, by: str) -> bool:
    """Open what the CAPA waits for now and end the rest; True when any task changed.

    Tasks that the decision settled are done with `outcome`; those of actions a new plan dropped are cancelled.
    """
    actions = list(await capas.actions(session, capa))
    now_wanted = wanted(capa, actions, now)
    owner, keys = capa_id(recall.number, capa.sequence), {each.key for each in now_wanted}
    query = select(Task.key).where(
        files.of_file(Task, recall.number), col(Task.owner) == owner, col(Task.state).in_(OPEN_STATES)
    )
    changed = False
    done = {f"capa:{capa.sequence}:action:{action.sequence}" for action in actions if action.done_at is not None}
    for key in sorted(set((await session.exec(query)).all()) - keys):
        end = tasks.cancel if ":action:" in key and key not in done else tasks.close
        changed |= await end(session, recall.number, key, outcome=outcome, done_by=by, now=now)
    for each in now_wanted:
        changed |= await _offer(session, recall, each, owner, now)
    return changed


async def _offer(session: AsyncSession, recall: files.File, task: Wanted, owner: str, now: datetime) -> bool:
    return await tasks.offer(
        session,
        recall,
        key=task.key,
        step=task.step,
        what=task.what,
        owner=owner,
        now=now,
        due_at=task.due_at,
        assignee=task.assignee,
        evidence_required=task.evidence,
    )


__all__ = ["Wanted", "sync", "wanted"]
