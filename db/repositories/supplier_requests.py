"""Supplier corrective action requests on record: issued, answered stage by stage, accepted or sent back, closed.

Name and address stay in the request's row; tasks, audit and workflows know it by its number. The supplier is written
to in the transaction of what the message speaks of; a drill's messages are written as blocked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import capa as capas
from db.repositories import codes, evidence, files, policy_versions, recalls, staff_messages, tasks
from db.repositories.closing import give_more_time
from db.repositories.disposition_who import Who
from db.repositories.nonconformities import locked as locked_nc
from db.repositories.nonconformities import note
from domain.codes import CAUSE_ANNEXES
from domain.nonconformity import NcRefused, check_decider
from domain.policy_supplier import supplier_limits
from domain.policy_tasks import HumanStep
from domain.quality_numbers import QualityKind
from domain.roles import Role
from domain.supplier_request import (
    Ask,
    Given,
    RequestState,
    Stage,
    Turn,
    after_answer,
    after_review,
    check_extension,
    deadlines,
)
from domain.workflow_ids import QUALITY_ID
from models.master import Partner
from models.quality import QualityFile
from models.staff import MessageKind
from models.supplier_request import SupplierAnswer, SupplierRequest

SUPPLIER: Final = "supplier"
"""Actor and role of an answer in the audit; the name stays in the answer."""


async def issue(session: AsyncSession, given: Ask, who: Who) -> SupplierRequest:
    """Record the request with its deadlines, the first task and the mail with the link.

    Raises:
        NcRefused: supplier, CAPA or nonconformity is not on record, or a deadline does not fit.
    """
    supplier = (await session.exec(select(Partner).where(col(Partner.code) == given.supplier_code))).first()
    if supplier is None or supplier.id is None:
        raise NcRefused("invalid", f"not on record: {given.supplier_code}", "supplier_code")
    origin, capa_id = await _origin(session, given)
    file = await files.open_file(
        session,
        QualityKind.SUPPLIER_REQUEST,
        given.title,
        by=who.principal,
        now=who.at,
        drill=origin.drill,
        pace=origin.pace,
    )
    try:
        due = deadlines(who.at, await _limits(session, origin, who.at), given.days, file.pace)
    except ValueError as error:
        raise NcRefused("invalid", str(error), f"days/{str(error).split(':', 1)[0]}") from error
    row = SupplierRequest(
        number=file.number,
        supplier_id=supplier.id,
        contact_name=given.contact_name,
        contact_email=given.contact_email,
        language=given.language,
        capa_id=capa_id,
        nonconformity_number=given.nonconformity,
        question=given.question,
        stage=Stage.ACKNOWLEDGE.value,
        state=RequestState.ASKED.value,
        issued_by=who.principal,
        issued_at=who.at,
        acknowledge_due_at=due[Stage.ACKNOWLEDGE],
        containment_due_at=due[Stage.CONTAINMENT],
        cause_due_at=due[Stage.CAUSE],
        verification_due_at=due[Stage.VERIFICATION],
    )
    session.add(row)
    await session.flush()
    facts = {"supplier": supplier.id, "due": {stage.value: at for stage, at in due.items()}}
    await note(session, row.number, "scar.issued", who, facts | {"of": origin.number})
    await note(session, origin.number, "scar.issued", who, {"request": row.number, "supplier": supplier.id})
    await _move(session, file, row, Turn(Stage.ACKNOWLEDGE, RequestState.ASKED), who)
    await staff_messages.tell_supplier(session, file, row, MessageKind.supplier_request, who.at)
    return row


async def _limits(session: AsyncSession, origin: files.File, now: datetime) -> Mapping[Stage, timedelta]:
    """What the recall's pinned profiles say; for a file that no recall's rule, those in force today."""
    policies = await recalls.pinned(session, origin.number) or await policy_versions.all_in_force(session, now.date())
    return supplier_limits(policy.supplier_answers for policy in policies)


async def _origin(session: AsyncSession, given: Ask) -> tuple[files.File, int | None]:
    if given.capa is not None:
        number, sequence = given.capa
        found = await capas.find(session, number, sequence)
        if found is None:
            raise NcRefused("invalid", f"there is no CAPA {sequence} of {number}", "capa_file")
        return await files.get(session, number), found.id
    try:
        file, _ = await locked_nc(session, given.nonconformity or "")
    except LookupError as error:
        raise NcRefused("invalid", f"there is no {given.nonconformity}", "nonconformity") from error
    return file, None


async def answer(session: AsyncSession, number: str, read: tuple[Stage, int], given: Given, who: Who) -> SupplierAnswer:
    """Take the supplier's answer; the same one once more is the one on record.

    Args:
        read: stage and round that the page showed.

    Raises:
        NcRefused: it is not the supplier's turn, or another stage or round is asked by now.
        db.repositories.codes.CodesRefused: a code cannot stand here.
    """
    file, row = await locked(session, number)
    stage = read[0]
    if (row.state, row.stage, row.round) != (RequestState.ASKED.value, stage.value, read[1]):
        for each in await answers(session, number):
            if (each.stage, each.round) == (stage.value, read[1]) and _same(each, given):
                return each
        raise NcRefused("wrong_state", f"it is {row.state} at stage {row.stage}, round {row.round}")
    await codes.check(session, given.codes, CAUSE_ANNEXES, who.at)
    subject = f"scar:{stage.value}:{row.round}"
    sent = [await evidence.find(session, each) for each in given.file_ids]
    found = SupplierAnswer(
        request_number=number,
        stage=stage.value,
        round=row.round,
        account=given.account,
        action=given.action,
        action_due_on=given.action_due_on,
        codes=list(given.codes),
        files=[{"id": str(each.id), "name": each.file_name, "sha256": each.sha256} for each in sent if each],
        name=given.name,
        position=given.position,
        late=who.at > row.due_at(stage),
        answered_at=who.at,
    )
    session.add(found)
    await session.flush()
    await evidence.link(session, number, given.file_ids, subject, by=who.principal, at=who.at, role=SUPPLIER)
    facts = {"stage": stage.value, "round": row.round, "late": found.late, "files": len(found.files)}
    await note(session, number, "scar.answered", who, facts | {"codes": list(given.codes)})
    await _move(session, file, row, after_answer(Turn(stage, RequestState.ASKED)), who)
    return found


def _same(found: SupplierAnswer, given: Given) -> bool:
    """Whether an answer on record is the one given: a second tap, or a form sent again after a lost reply."""
    return (
        (found.account, found.name, found.position, found.action, found.action_due_on)
        == (given.account, given.name, given.position, given.action, given.action_due_on)
        and found.codes == list(given.codes)
        and [each["id"] for each in found.files] == [str(each) for each in given.file_ids]
    )


async def review(
    session: AsyncSession, number: str, read: tuple[Stage, int], *, accepted: bool, reason: str | None, who: Who
) -> SupplierRequest:
    """Accept the answer that was read, or send it back with the reason; the supplier is written to either way.

    Args:
        read: stage and round of the answer.

    Raises:
        NcRefused: that answer does not wait to be judged, or nobody says why it is sent back.
    """
    file, row = await locked(session, number)
    if row.state != RequestState.ANSWERED.value:
        raise NcRefused("wrong_state", f"it is {row.state} at stage {row.stage}; there is no answer to judge")
    if (row.stage, row.round) != (read[0].value, read[1]):
        raise NcRefused("wrong_state", f"the answer to judge is of stage {row.stage}, round {row.round}; read it first")
    if not accepted and not reason:
        raise NcRefused("reason_required", "say what is missing", "reason")
    newest = (await answers(session, number))[-1]
    newest.accepted, newest.review_reason = accepted, reason
    newest.reviewed_by, newest.reviewed_at = who.principal, who.at
    turn = after_review(Turn(Stage(row.stage), RequestState.ANSWERED), accepted=accepted)
    row.round += 0 if accepted else 1
    row.accepted_by = who.principal if turn.state is RequestState.ACCEPTED else None
    session.add_all([newest, row])
    await session.flush()
    action = "scar.accepted" if accepted else "scar.sent_back"
    await note(session, number, action, who, {"stage": newest.stage, "round": newest.round}, reason=reason)
    await _move(session, file, row, turn, who)
    if turn.state is RequestState.ASKED:
        kind = MessageKind.supplier_request if accepted else MessageKind.supplier_return
        await staff_messages.tell_supplier(session, file, row, kind, who.at)
    return row


async def close(session: AsyncSession, number: str, outcome: str, who: Who) -> SupplierRequest:
    """Close a request all of whose stages are accepted; never who accepted the last one.

    Raises:
        NcRefused: a stage is open, or the same person.
    """
    file, row = await locked(session, number)
    if row.state != RequestState.ACCEPTED.value:
        raise NcRefused("wrong_state", f"it is {row.state} at stage {row.stage}; all stages are accepted first")
    check_decider(who.principal, row.accepted_by)
    row.closing_signature_id = who.signature
    return await _end(session, file, row, RequestState.CLOSED, outcome, who)


async def withdraw(session: AsyncSession, number: str, reason: str, who: Who) -> SupplierRequest:
    """Take it back; the link is dead from now on.

    Raises:
        NcRefused: it has ended.
    """
    file, row = await locked(session, number)
    if row.state in (RequestState.CLOSED.value, RequestState.WITHDRAWN.value):
        raise NcRefused("wrong_state", f"it is {row.state}")
    return await _end(session, file, row, RequestState.WITHDRAWN, reason, who)


async def extend(
    session: AsyncSession, number: str, due: Mapping[Stage, datetime], reason: str, who: Who
) -> SupplierRequest:
    """Move deadlines of stages that are not over to later ones; the supplier is written to where it is asked.

    Raises:
        NcRefused: it is over, or a deadline does not fit.
    """
    file, row = await locked(session, number)
    if row.state not in (RequestState.ASKED.value, RequestState.ANSWERED.value):
        raise NcRefused("wrong_state", f"it is {row.state}; no stage is open")
    turn, before = Turn(Stage(row.stage), RequestState(row.state)), {stage: row.due_at(stage) for stage in Stage}
    try:
        after = check_extension(turn, before, due, who.at, file.pace)
    except ValueError as error:
        raise NcRefused("invalid", str(error), f"due/{str(error).split(':', 1)[0]}") from error
    for stage, at in after.items():
        setattr(row, f"{stage.value}_due_at", at)
    session.add(row)
    asked = turn.state is RequestState.ASKED
    key = f"scar:{row.stage}:{row.round}"
    task = await tasks.open_task_of(session, number, key) if asked and turn.stage in due else None
    if task is not None:
        give_more_time(file, task, after[turn.stage])
        session.add(task)
    await session.flush()
    moved = {stage.value: {"from": before[stage], "to": at} for stage, at in due.items()}
    await note(session, number, "scar.extended", who, {"due": moved}, reason=reason)
    if asked:
        occasion = f":{after[turn.stage].isoformat()}"
        kind = MessageKind.supplier_request
        await staff_messages.tell_supplier(session, file, row, kind, who.at, occasion=occasion)
    return row


async def _end(
    session: AsyncSession, file: QualityFile, row: SupplierRequest, state: RequestState, outcome: str, who: Who
) -> SupplierRequest:
    row.outcome, row.closed_by, row.closed_at = outcome, who.principal, who.at
    file.closed_at = who.at
    session.add_all([row, file])
    await note(session, row.number, f"scar.{state.value}", who, {"stage": row.stage}, reason=outcome)
    await _move(session, file, row, Turn(Stage(row.stage), state), who)
    return row


async def _move(session: AsyncSession, file: QualityFile, row: SupplierRequest, turn: Turn, who: Who) -> None:
    """Set whose turn it is; the task before is done, the next one offered with the deadline of its stage."""
    row.stage, row.state = turn.stage.value, turn.state.value
    session.add(row)
    await session.flush()
    await tasks.close_all(session, row.number, outcome=row.state, done_by=who.principal, now=who.at)
    asked: dict[RequestState, tuple[str, HumanStep, Role, str]] = {
        RequestState.ASKED: (
            turn.stage.value,
            HumanStep.INVESTIGATION,
            Role.SUPPLIER_QUALITY,
            "get the supplier's answer",
        ),
        RequestState.ANSWERED: (
            f"review:{turn.stage.value}",
            HumanStep.VERIFICATION,
            Role.SUPPLIER_QUALITY,
            "accept the answer or send it back",
        ),
        RequestState.ACCEPTED: ("close", HumanStep.CAPA_SIGN_OFF, Role.APPROVER, "close it"),
    }
    if turn.state not in asked:
        return
    name, step, role, what = asked[turn.state]
    waits = turn.state is RequestState.ASKED
    await tasks.offer(
        session,
        file,
        key=f"scar:{name}:{row.round}",
        step=step,
        what=f"{row.number}: {what} ({turn.stage.value})",
        owner=QUALITY_ID,
        now=who.at,
        role=role,
        due_at=max(row.due_at(turn.stage), who.at) if waits else None,
        assignee=row.issued_by if waits else None,
    )


async def locked(session: AsyncSession, number: str) -> tuple[QualityFile, SupplierRequest]:
    """The file and its request, locked.

    Raises:
        db.repositories.files.UnknownFile: there is none.
    """
    file = await files.get(session, number, lock=True)
    row = await session.get(SupplierRequest, number, populate_existing=True)
    if row is None or not isinstance(file, QualityFile):
        raise files.UnknownFile(f"there is no supplier request {number}")
    return file, row


async def answers(session: AsyncSession, number: str) -> Sequence[SupplierAnswer]:
    """Every answer, oldest first."""
    query = select(SupplierAnswer).where(col(SupplierAnswer.request_number) == number)
    return (await session.exec(query.order_by(col(SupplierAnswer.id)))).all()


async def find(session: AsyncSession, number: str) -> tuple[SupplierRequest, QualityFile, Partner] | None:
    """One request with its file and supplier."""
    query: Any = (
        select(SupplierRequest, QualityFile, Partner)
        .join(QualityFile, col(QualityFile.number) == col(SupplierRequest.number))
        .join(Partner, col(Partner.id) == col(SupplierRequest.supplier_id))
        .where(col(SupplierRequest.number) == number)
    )
    found: tuple[SupplierRequest, QualityFile, Partner] | None = (await session.exec(query)).first()
    return found


async def listed(
    session: AsyncSession, *, state: str | None, supplier_code: str | None, after: str, limit: int
) -> Sequence[tuple[SupplierRequest, QualityFile, Partner]]:
    """Requests by number."""
    query: Any = (
        select(SupplierRequest, QualityFile, Partner)
        .join(QualityFile, col(QualityFile.number) == col(SupplierRequest.number))
        .join(Partner, col(Partner.id) == col(SupplierRequest.supplier_id))
        .where(col(SupplierRequest.number) > after)
    )
    if state:
        query = query.where(col(SupplierRequest.state) == state)
    if supplier_code:
        query = query.where(col(Partner.code) == supplier_code)
    rows: Sequence[tuple[SupplierRequest, QualityFile, Partner]] = (
        await session.exec(query.order_by(col(SupplierRequest.number)).limit(limit))
    ).all()
    return rows


__all__ = [
    "SUPPLIER",
    "answer",
    "answers",
    "close",
    "extend",
    "find",
    "issue",
    "listed",
    "locked",
    "review",
    "withdraw",
]
