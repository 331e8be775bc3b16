"""Closing a consignee without its own answer, and settling a statement that cannot be: accounts signed by a person.

A documented consignee is done until it answers after all (design §7, 21 CFR 7.49); a settled statement counts as the
answer although it was questioned, and names who accepted it and why.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import attempts, audit, cases, evidence, recalls, stages, unsent
from db.repositories.cases import By
from db.rows import uuid_of
from domain.attempts import DocumentedKind, Effort, Needed, missing, strictest
from domain.roles import violates_four_eyes
from models.case import CaseReason, ConsigneeDocumented


class NotDocumentable(Exception):  # noqa: N818 - a term of the API
    """The consignee may not be documented; `missing` lists what has to be done first."""

    def __init__(self, message: str, open_items: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.missing = tuple(open_items)


class QueryNotOpen(LookupError):  # noqa: N818 - a term of the API
    """The consignee has no open query about this reply."""


class OwnEntry(PermissionError):  # noqa: N818 - a term of the API
    """Whoever typed the statement in cannot settle the question about it."""


@dataclass(frozen=True, slots=True)
class Account:
    """Why a consignee counts as done without its own answer."""

    number: str
    consignee_id: int
    kind: DocumentedKind
    account: str
    authority_informed: str | None
    evidence_ids: tuple[UUID, ...]
    form_id: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """Why a statement is accepted as it stands."""

    number: str
    consignee_id: int
    reply_id: int
    reason: str
    evidence_ids: tuple[UUID, ...]
    form_id: str


async def document(session: AsyncSession, account: Account, by: By) -> ConsigneeDocumented:
    """Close a consignee without its own answer, when the rule allows it; its cases and contact tasks end.

    Raises:
        cases.UnknownConsignee: the recall has no such consignee.
        NotDocumentable: it has answered, its statement is questioned, or the rule is not met.
        evidence.EvidenceUnusable: a file cannot be cited.
    """
    consignee = await cases.lock_consignee(session, account.number, account.consignee_id)
    known = await _of_form(session, account.form_id)
    if known is not None:
        return known
    tried = await _check_document(session, account, consignee)
    outcome = f"documented: {account.kind.value.replace('_', ' ')}"
    await cases.end_contact_tasks(session, account.number, account.consignee_id, by, outcome=outcome)
    await cases.close_tasks(session, account.number, account.consignee_id, ["help"], by, outcome=outcome)
    row = ConsigneeDocumented(
        recall_number=account.number,
        consignee_id=account.consignee_id,
        kind=account.kind.value,
        account=account.account,
        attempts=asdict(tried) | {"channels": list(tried.channels)},
        authority_informed=account.authority_informed,
        signed_by=by.actor,
        signed_at=by.at,
        signature_id=uuid_of(by.signature),
        form_id=account.form_id,
    )
    session.add(row)
    await session.flush()
    await _end_chase(session, account.consignee_id, by)
    await evidence.link(
        session, account.number, account.evidence_ids, f"documented:{row.id}", by=by.actor, at=by.at, role=by.role
    )
    await _documented(session, account, tried, row, by, outcome)
    return row


async def needed(session: AsyncSession, number: str) -> Needed:
    """How much has to be tried before silence may be documented: what the strictest policy of the recall asks."""
    return strictest(policy.closing for policy in await recalls.pinned(session, number))


async def _check_document(session: AsyncSession, account: Account, consignee: dict[str, Any]) -> Effort:
    owes_action = consignee["state"] == "answered" and consignee["action_done_at"] is None
    if consignee["state"] not in ("open", "acknowledged") and not owes_action:
        raise NotDocumentable(f"the consignee is {consignee['state']}")
    open_cases = await cases.open_reasons(session, account.number, account.consignee_id)
    questioned = [case["subject"] for case in open_cases if case["reason"] == CaseReason.statement.value]
    if questioned:
        raise NotDocumentable("its statement is questioned", [f"settle the query about {each}" for each in questioned])
    tried = await attempts.made(session, account.consignee_id)
    lacking = missing(account.kind, tried, len(account.evidence_ids), await needed(session, account.number))
    if lacking:
        raise NotDocumentable("the rule for documenting a consignee is not met", lacking)
    return tried


async def _end_chase(session: AsyncSession, consignee_id: int, by: By) -> None:
    """Nothing more is sent there; before anything is audited, as everywhere."""
    await run(
        session,
        "UPDATE consignee SET state = 'documented', next_step_at = NULL WHERE id = :consignee",
        {"consignee": consignee_id},
    )
    await unsent.cancel(session, [consignee_id], by.at)


async def _documented(
    session: AsyncSession, account: Account, tried: Effort, row: ConsigneeDocumented, by: By, outcome: str
) -> None:
    await audit.append(
        session,
        account.number,
        actor=by.actor,
        role=by.role,
        action="consignee.documented",
        at=by.at,
        data={
            "consignee": account.consignee_id,
            "documented": row.id,
            "kind": account.kind.value,
            "attempts": asdict(tried) | {"channels": list(tried.channels)},
            "authority_informed": account.authority_informed,
        },
        signature=by.signature,
    )
    await cases.end_contact(session, account.number, account.consignee_id, by, outcome=outcome)
    await cases.close_cases(session, account.number, account.consignee_id, [CaseReason.help], by, outcome=outcome)


async def _of_form(session: AsyncSession, form_id: str) -> ConsigneeDocumented | None:
    query = select(ConsigneeDocumented).where(col(ConsigneeDocumented.form_id) == form_id)
    return (await session.exec(query)).one_or_none()


async def settle(session: AsyncSession, settlement: Settlement, by: By) -> ConsigneeDocumented:
    """Accept a questioned statement with a signed reason; the consignee has answered then.

    Raises:
        cases.UnknownConsignee: the recall has no such consignee.
        QueryNotOpen: no open query about this reply.
        OwnEntry: the settler typed the statement in.
        evidence.EvidenceUnusable: a file cannot be cited.
    """
    number, consignee = settlement.number, settlement.consignee_id
    await cases.lock_consignee(session, number, consignee)
    known = await _of_form(session, settlement.form_id)
    if known is not None:
        return known
    await _check_settlement(session, settlement, by)
    outcome = f"settled by {by.actor}"
    await cases.close_tasks(session, number, consignee, cases.QUERY_TASKS, by, outcome=outcome)
    row = ConsigneeDocumented(
        recall_number=number,
        consignee_id=consignee,
        kind="settled",
        reply_id=settlement.reply_id,
        account=settlement.reason,
        attempts={},
        signed_by=by.actor,
        signed_at=by.at,
        signature_id=uuid_of(by.signature),
        form_id=settlement.form_id,
    )
    session.add(row)
    await session.flush()
    await run(
        session,
        "UPDATE consignee SET state = 'answered', answered_at = :at, stage_since = :at, action_done_at = NULL,"
        " next_step_at = NULL WHERE id = :consignee",
        {"consignee": consignee, "at": by.at},
    )
    settled = await stages.mark(session, number, by, consignee_id=consignee)
    subject = f"documented:{row.id}"
    await evidence.link(session, number, settlement.evidence_ids, subject, by=by.actor, at=by.at, role=by.role)
    data = {"consignee": consignee, "reply": settlement.reply_id, "documented": row.id}
    await audit.append(
        session,
        number,
        actor=by.actor,
        role=by.role,
        action="query.settled",
        at=by.at,
        data=data,
        signature=by.signature,
    )
    await cases.close_cases(session, number, consignee, [CaseReason.statement], by, outcome=outcome)
    await stages.note(session, number, settled, by)
    return row


async def _check_settlement(session: AsyncSession, settlement: Settlement, by: By) -> None:
    subject = f"reply:{settlement.reply_id}"
    open_cases = await cases.open_reasons(session, settlement.number, settlement.consignee_id)
    if not any(case["reason"] == CaseReason.statement.value and case["subject"] == subject for case in open_cases):
        raise QueryNotOpen(f"no open query about reply {settlement.reply_id}")
    found = await run(session, "SELECT entered_by FROM reply WHERE id = :reply", {"reply": settlement.reply_id})
    entered_by = found.scalar_one()
    if entered_by is not None and violates_four_eyes(entered_by, by.actor):
        raise OwnEntry("another person than the one who typed the statement in must settle it")


__all__ = ["Account", "NotDocumentable", "OwnEntry", "QueryNotOpen", "Settlement", "document", "needed", "settle"]
