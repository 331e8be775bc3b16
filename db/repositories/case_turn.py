"""One look of a case workflow: what has ended by itself is closed, the next step of each open case gets its task.

Everything is decided from the record under the consignee's lock, so a look that is repeated, late or unnecessary
changes nothing, and an answer that came first always wins.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import account_managers, cases, recalls, task_turns, tasks
from db.repositories.cases import By
from db.repositories.cases_sql import CONTACT_TASKS
from domain.case_ladder import CONTACT_REASONS, Stage, StageTask, next_stage, task_key
from domain.policy_parts import HumanStep
from domain.roles import Role
from domain.stages import Owed
from models.case import CaseReason
from models.messages import CaseLook, CaseTurn
from models.task import OPEN_STATES

_DONE: Final = ("answered", "documented", "withdrawn")
_STEPS: Final = {
    Stage.CALL: (HumanStep.PHONE_CALL, None),
    Stage.MANAGER: (HumanStep.ACCOUNT_MANAGER, Role.ACCOUNT_MANAGER),
    Stage.VISIT: (HumanStep.VISIT, None),
    Stage.AUTHORITY: (HumanStep.OBLIGATION, Role.REGULATORY),
    Stage.ACCOUNT: (HumanStep.VISIT, Role.QA),
}
_TEXTS: Final = {
    Stage.CALL: "Telephone {name}: {why}",
    Stage.MANAGER: "As its account manager, reach {name} and have it answer: {why}",
    Stage.VISIT: "Visit {name} or have it visited: {why}",
    Stage.AUTHORITY: "Report {name} to the authority: {why}",
    Stage.ACCOUNT: "Document why {name} is closed without an answer: {why}",
}
_WHY: Final = {
    "silence": "no answer to the notices",
    "bounce": "no working address is left for the notice",
    "refusal": "it refuses to take part in the recall",
    "out_of_business": "out of business",
    "effectiveness": "its effectiveness check failed",
}
_OWED: Final = {
    Owed.QUANTITIES.value: "it has acknowledged, but stated no quantities",
    Owed.ACTION.value: "it has stated quantities, but not set all of it aside",
}
"""Why, for a case of silence about a later stage of the answer, by its subject."""


async def look(session: AsyncSession, turn: CaseTurn) -> CaseLook:
    """Bring the consignee's cases up to date at `turn.now`; the caller commits."""
    consignee = await cases.lock_consignee(session, turn.number, turn.consignee_id)
    by = By("system", "case", turn.now)
    await _close_what_ended(session, turn, consignee, by)
    found = await cases.open_reasons(session, turn.number, turn.consignee_id)
    await _ask_quality(session, turn, consignee, found)
    await _climb(session, turn, consignee, found)
    owned = await task_turns.clocks(session, turn.number, cases.owner_of(turn.number, turn.consignee_id))
    dues = [clock.due_at for clock in owned.clocks if clock.due_at is not None]
    return CaseLook(
        open=len(found),
        reasons=tuple(sorted({case["reason"] for case in found})),
        tasks=owned.clocks,
        next_due_at=min(dues, default=None),
        overdue=any(due <= turn.now for due in dues),
    )


async def _close_what_ended(session: AsyncSession, turn: CaseTurn, found: dict[str, Any], by: By) -> None:
    number, consignee, state = turn.number, turn.consignee_id, found["state"]
    if state == "withdrawn":
        outcome = "no lot of the scope is left there"
        await cases.close_tasks(session, number, consignee, cases.ALL_TASKS, by, outcome=outcome, cancelled=True)
        await cases.close_cases(session, number, consignee, [each.value for each in CaseReason], by, outcome=outcome)
    elif state in _DONE and not await _owes_action(session, turn, found):
        await cases.end_contact(session, number, consignee, by, outcome=f"the consignee is {state}")
    for case in await cases.open_reasons(session, number, consignee):
        if case["reason"] == CaseReason.help.value:
            task = await _task(session, number, f"help:{case['subject'].partition(':')[2]}")
            if task is not None and task["state"] not in OPEN_STATES:
                outcome, subject = task["outcome"] or task["state"], case["subject"]
                await cases.close_cases(session, number, consignee, ["help"], by, outcome=outcome, subject=subject)


async def _owes_action(session: AsyncSession, turn: CaseTurn, found: dict[str, Any]) -> bool:
    """Whether it has stated its quantities and is called about what became of them."""
    if found["state"] != "answered" or found["action_done_at"] is not None:
        return False
    subjects = {case["subject"] for case in await cases.open_reasons(session, turn.number, turn.consignee_id)}
    return Owed.ACTION.value in subjects


async def _ask_quality(
    session: AsyncSession, turn: CaseTurn, consignee: dict[str, Any], found: Sequence[dict[str, Any]]
) -> None:
    """A question the consignee does not answer in time is for quality to settle, with a signed reason."""
    for case in found:
        if case["reason"] != CaseReason.statement.value:
            continue
        reply = case["subject"].partition(":")[2]
        asked = await _task(session, turn.number, f"query:{reply}")
        waiting = asked is not None and asked["state"] in OPEN_STATES
        if asked is None or (waiting and (asked["due_at"] is None or asked["due_at"] > turn.now)):
            continue
        what = f"Settle the statement of {consignee['name'][:150]} (reply {reply}): it has not been put right"
        await _offer(session, turn, f"settle_query:{reply}", HumanStep.SETTLE_QUERY, what)


async def _climb(
    session: AsyncSession, turn: CaseTurn, consignee: dict[str, Any], found: Sequence[dict[str, Any]]
) -> None:
    contact = [case for case in found if case["reason"] in CONTACT_REASONS]
    if not contact:
        return
    reasons = {case["reason"] for case in contact}
    since = min(case["opened_at"] for case in contact)
    manager = await account_managers.of_consignee(session, turn.number, turn.consignee_id, turn.now)
    while True:
        tasks_of_episode = await _episode(session, turn, since)
        stage = next_stage(reasons, tasks_of_episode, turn.now, has_manager=manager is not None).stage
        if stage is None:
            return
        of_reason = next(text for reason, text in reversed(_WHY.items()) if reason in reasons)
        why = _OWED.get(contact[0]["subject"], of_reason) if reasons == {"silence"} else of_reason
        what = _TEXTS[stage].format(name=consignee["name"][:150], why=why)
        step, role = _STEPS[stage]
        key = task_key(stage, turn.consignee_id, await _used(session, turn, stage) + 1)
        # Reporting to an authority, and that a firm is gone, is proven by a file.
        proof = stage is Stage.AUTHORITY or "out_of_business" in reasons
        mine = manager if stage is Stage.MANAGER else None
        await _offer(session, turn, key, step, what, role=role, assignee=mine, evidence_required=proof)


async def _episode(session: AsyncSession, turn: CaseTurn, since: datetime) -> list[StageTask]:
    found = await run(
        session,
        "SELECT split_part(key, ':', 1) AS stage, due_at, state FROM task"
        " WHERE recall_number = :number AND consignee_id = :consignee AND opened_at >= :since"
        " AND split_part(key, ':', 1) = ANY (CAST(:prefixes AS text[])) ORDER BY id",
        {"number": turn.number, "consignee": turn.consignee_id, "since": since, "prefixes": CONTACT_TASKS},
    )
    return [StageTask(Stage(row["stage"]), row["due_at"], row["state"] in OPEN_STATES) for row in found.mappings()]


async def _used(session: AsyncSession, turn: CaseTurn, stage: Stage) -> int:
    found = await run(
        session,
        "SELECT count(*) FROM task WHERE recall_number = :number AND consignee_id = :consignee"
        " AND split_part(key, ':', 1) = :stage",
        {"number": turn.number, "consignee": turn.consignee_id, "stage": stage.value},
    )
    return int(found.scalar_one())


async def _task(session: AsyncSession, number: str, key: str) -> dict[str, Any] | None:
    found = await run(
        session,
        "SELECT state, due_at, outcome FROM task WHERE recall_number = :number AND key = :key",
        {"number": number, "key": key},
    )
    row = found.mappings().one_or_none()
    return dict(row) if row is not None else None


async def _offer(
    session: AsyncSession,
    turn: CaseTurn,
    key: str,
    step: HumanStep,
    what: str,
    *,
    role: Role | None = None,
    assignee: str | None = None,
    evidence_required: bool = False,
) -> None:
    await tasks.offer(
        session,
        await recalls.get(session, turn.number),
        key=key,
        step=step,
        what=what[:300],
        owner=cases.owner_of(turn.number, turn.consignee_id),
        now=turn.now,
        role=role,
        assignee=assignee,
        consignee_id=turn.consignee_id,
        evidence_required=evidence_required,
    )


__all__ = ["look"]
