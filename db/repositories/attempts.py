"""Attempts of people to reach a consignee, and everything tried so far as the rule of design §7 counts it.

Messages count by their delivery records, attempts by the rows written here; the rule itself is in `domain.attempts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import audit, cases, tasks
from db.repositories.cases import By
from db.repositories.chasing_sql import COPY
from domain.attempts import LIVE_CHANNELS, Effort, Fault, Outcome, Tried, effort, faults_of_attempt
from domain.case_ladder import Stage
from models.case import CaseReason, ContactAttempt
from models.task import OPEN_STATES, Task


class AttemptRefused(ValueError):  # noqa: N818 - a term of the API
    """The entry is no attempt; `faults` names fields and what was expected."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.expected}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """An attempt as a person enters it."""

    number: str
    consignee_id: int
    channel: str
    outcome: Outcome
    at: datetime
    person: str | None
    phone: str | None
    """Number dialled or address visited."""
    note: str | None
    task_id: int | None
    """Task that this attempt completes."""
    form_id: str


async def record(session: AsyncSession, new: NewAttempt, by: By) -> ContactAttempt:
    """Write an attempt and what follows from it: a refusal or a closed firm is a case of its own.

    Raises:
        cases.UnknownConsignee: the recall has no such consignee.
        AttemptRefused: future, before the first notice, live without person or number, or a task that is not its own.
    """
    consignee = await cases.lock_consignee(session, new.number, new.consignee_id)
    known = await _of_form(session, new.form_id)
    if known is not None:
        return known
    await _check(session, new, consignee, by.at)
    attempt = ContactAttempt(
        recall_number=new.number,
        consignee_id=new.consignee_id,
        task_id=new.task_id,
        channel=new.channel,
        live=new.channel in LIVE_CHANNELS,
        person=new.person,
        number=new.phone,
        outcome=new.outcome.value,
        note=new.note,
        at=new.at,
        entered_by=by.actor,
        recorded_at=by.at,
        form_id=new.form_id,
    )
    session.add(attempt)
    await session.flush()
    # A task is locked before the audit chain, as by whoever turns late tasks.
    await _complete_task(session, attempt, by)
    data = {
        "attempt": attempt.id,
        "consignee": new.consignee_id,
        "channel": new.channel,
        "outcome": new.outcome.value,
        "attempted_at": new.at,
        "task_id": new.task_id,
    }
    await audit.append(
        session, new.number, actor=by.actor, role=by.role, action="attempt.recorded", at=by.at, data=data
    )
    if consignee["state"] in ("open", "acknowledged"):
        await _follow(session, new, by)
    return attempt


async def _of_form(session: AsyncSession, form_id: str) -> ContactAttempt | None:
    return (await session.exec(select(ContactAttempt).where(col(ContactAttempt.form_id) == form_id))).one_or_none()


async def _check(session: AsyncSession, new: NewAttempt, consignee: dict[str, Any], now: datetime) -> None:
    faults = list(
        faults_of_attempt(
            channel=new.channel,
            at=new.at,
            person=new.person,
            number=new.phone,
            first_notice_at=await _first_notice(session, new.number, consignee),
            now=now,
        )
    )
    if new.task_id is not None and await _own_task(session, new.number, new.consignee_id, new.task_id) is None:
        faults.append(Fault("task_id", "expected an open call, account manager or visit task about this consignee"))
    same = select(ContactAttempt.id).where(
        col(ContactAttempt.consignee_id) == new.consignee_id,
        col(ContactAttempt.channel) == new.channel,
        col(ContactAttempt.at) == new.at,
    )
    if (await session.exec(same)).first() is not None:
        faults.append(Fault("at", "an attempt on this channel at this instant is on record already"))
    if faults:
        raise AttemptRefused(faults)


async def _first_notice(session: AsyncSession, number: str, consignee: dict[str, Any]) -> datetime | None:
    if consignee["first_notified_at"] is not None:
        return datetime.fromisoformat(consignee["first_notified_at"].isoformat())
    # Nobody without a working address ever gets a notice: the campaign's start stands for it.
    found = await run(session, "SELECT min(started_at) FROM campaign WHERE recall_number = :number", {"number": number})
    started: datetime | None = found.scalar_one()
    return started


async def _own_task(session: AsyncSession, number: str, consignee_id: int, task_id: int) -> Task | None:
    query = select(Task).where(
        col(Task.id) == task_id,
        col(Task.recall_number) == number,
        col(Task.consignee_id) == consignee_id,
        col(Task.state).in_(OPEN_STATES),
    )
    task = (await session.exec(query)).one_or_none()
    return task if task and task.key.partition(":")[0] in (Stage.CALL, Stage.MANAGER, Stage.VISIT) else None


async def _complete_task(session: AsyncSession, attempt: ContactAttempt, by: By) -> None:
    """The step is done whatever came of it; the case's next step follows from the record."""
    if attempt.task_id is None:
        return
    task = await session.get(Task, attempt.task_id)
    if task is not None:
        outcome = f"{attempt.outcome.replace('_', ' ')} (attempt {attempt.id})"
        await tasks.close(session, task.file, task.key, outcome=outcome, done_by=by.actor, now=by.at)


async def _follow(session: AsyncSession, new: NewAttempt, by: By) -> None:
    reason = {Outcome.REFUSED: CaseReason.refusal, Outcome.OUT_OF_BUSINESS: CaseReason.out_of_business}.get(new.outcome)
    if reason is not None:
        await cases.open_case(session, new.number, new.consignee_id, reason, by)


_MESSAGES: Final = f"""
SELECT channel, count(*) AS sent FROM delivery
WHERE consignee_id = :consignee AND state IN ('submitted', 'delivered') AND submitted_at IS NOT NULL
  AND submitted_at > coalesce(CAST(:since AS timestamptz), '-infinity') AND step <> {COPY}
GROUP BY channel
"""  # noqa: S608 - constants
_LAST_ANSWER: Final = "SELECT max(received_at) FROM reply WHERE consignee_id = :consignee AND kind = 'statement'"


async def made(session: AsyncSession, consignee_id: int) -> Effort:
    """Everything tried as counted: messages that did not bounce, and attempts of people, since it last answered.

    What once brought an answer is no attempt to get the one that an amendment or a failed check asks for.
    """
    since = (await run(session, _LAST_ANSWER, {"consignee": consignee_id})).scalar()
    sent = await run(session, _MESSAGES, {"consignee": consignee_id, "since": since})
    tried = [Tried(row["channel"], live=False) for row in sent.mappings() for _ in range(row["sent"])]
    for attempt in await of_consignee(session, consignee_id):
        if since is None or attempt.at > since:
            tried.append(Tried(attempt.channel, live=attempt.live, outcome=Outcome(attempt.outcome)))
    return effort(tried)


async def of_consignee(session: AsyncSession, consignee_id: int) -> Sequence[ContactAttempt]:
    """Attempts of people, in the order in which they were made."""
    query = select(ContactAttempt).where(col(ContactAttempt.consignee_id) == consignee_id)
    return (await session.exec(query.order_by(col(ContactAttempt.at), col(ContactAttempt.id)))).all()


__all__ = ["AttemptRefused", "NewAttempt", "made", "of_consignee", "record"]
