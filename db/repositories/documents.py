"""What a document is for, found by the deadline's id or by name, and what people stated for it (versioned).

Drafts themselves are not stored: they are made anew from the record. A stated set replaces the one before as a whole,
under the version its author had read, and the earlier sets stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, audit, hold_records, obligations, recalls
from db.repositories.document_record import view
from db.rows import insert_new
from domain.documents.form import Document, Explanation
from domain.documents.kinds import Draft, draft, kind_of
from domain.documents.record import Firm, Owed, RecordView
from domain.limits import Unit
from domain.obligations import base_name, every_obligation, series_of
from domain.policy import Policy
from domain.policy_parts import Gate, Obligation, Trigger
from models.complaint import Complaint
from models.recall import Deadline, Recall
from models.submission import DocumentFields


class FieldsChanged(Exception):  # noqa: N818 - a term of the API
    """Somebody stated something since the version the author had read."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the stated fields are in version {version} by now")
        self.version = version


@dataclass(frozen=True, slots=True)
class Subject:
    """An obligation or gate whose document is asked for."""

    policy: Policy
    kind: type[Document]
    owed: Owed
    deadline: Deadline | None = None
    rule: Obligation | Gate | None = None


@dataclass(frozen=True, slots=True)
class Assembled:
    """A draft with what it was made from."""

    subject: Subject
    record: RecordView
    fields: DocumentFields | None
    draft: Draft


async def find(session: AsyncSession, number: str, wanted: str) -> Subject | None:
    """The subject by the id of its deadline, or by `{jurisdiction}:{name}` of an obligation or gate."""
    policies = {policy.id: policy for policy in await recalls.pinned(session, number)}
    if wanted.isdigit():
        row = await obligations.find(session, number, int(wanted))
        return await _of_deadline(session, policies[row.jurisdiction], row) if row is not None else None
    jurisdiction, _, name = wanted.partition(":")
    policy = policies.get(jurisdiction)
    if policy is None:
        return None
    rows = await obligations.of_recall(session, number)
    same = next((row for row in rows if (row.jurisdiction, row.name) == (jurisdiction, name)), None)
    if same is not None:
        return await _of_deadline(session, policy, same)
    rule = await _rule(session, number, policy, name)
    if rule is None:
        return None
    record = isinstance(rule, Obligation) and rule.due.unit == Unit.NONE
    return Subject(policy, kind_of(policy.id, name, record=record), _owed(policy, rule, name), rule=rule)


async def _rule(session: AsyncSession, number: str, policy: Policy, name: str) -> Obligation | Gate | None:
    """The rule of that id at a level in force, at any level, or the gate."""
    levels = [
        level for jurisdiction, level in await assessment.decided_levels(session, number) if jurisdiction == policy.id
    ]
    decided = [item for level in levels for item in policy.obligations_for(level)]
    every: list[Obligation | Gate] = [*decided, *every_obligation(policy), *policy.gates]
    return next((item for item in every if item.id == name), None)


def _owed(policy: Policy, rule: Obligation | Gate, name: str) -> Owed:
    return Owed(
        subject=f"{policy.id}:{name}",
        name=name,
        obligation=rule.id,
        title=rule.title,
        title_zh=rule.title_zh,
        source=rule.source or "house rule",
        recipient=rule.recipient if isinstance(rule, Obligation) else policy.authority,
    )


async def _of_deadline(session: AsyncSession, policy: Policy, row: Deadline) -> Subject:
    same = [item for item in every_obligation(policy) if item.id == base_name(row.name)]
    rule = next(
        (item for item in same if (item.source, item.title) == (row.source, row.title)), same[0] if same else None
    )
    fact = series_of(row.name)[0].partition(":")[2]
    of_extension = rule is not None and rule.trigger == Trigger.ON_EXTENSION
    complaint = await session.get(Complaint, row.complaint_id) if row.complaint_id else None
    clocks = await recalls.clocks(session, row.recall_number)
    owed = Owed(
        subject=f"{row.jurisdiction}:{row.name}",
        name=row.name,
        obligation=base_name(row.name),
        title=row.title or row.name,
        title_zh=rule.title_zh if rule else row.title or row.name,
        source=row.source,
        recipient=row.recipient,
        deadline_id=row.id,
        due_at=row.due_at,
        clock=row.clock,
        clock_at=clocks.get(row.clock),
        complaint=complaint.sequence if complaint else None,
        scope_version=int(fact) if of_extension and fact.isdigit() else None,
        number=series_of(row.name)[1],
    )
    return Subject(policy, kind_of(policy.id, owed.obligation), owed, deadline=row, rule=rule)


async def newest_fields(session: AsyncSession, number: str, subject: str) -> DocumentFields | None:
    """What is stated for a document now."""
    query = select(DocumentFields).where(
        col(DocumentFields.recall_number) == number, col(DocumentFields.subject) == subject
    )
    return (await session.exec(query.order_by(col(DocumentFields.version).desc()).limit(1))).first()


async def assemble(session: AsyncSession, recall: Recall, subject: Subject, firm: Firm, now: datetime) -> Assembled:
    """The draft as record and people make it at `now`."""
    record = await view(session, recall, subject.policy, subject.owed, firm, now)
    stated = await newest_fields(session, recall.number, subject.owed.subject)
    made = draft(
        subject.kind,
        record,
        stated.supplied if stated else {},
        {name: Explanation.model_validate(each) for name, each in (stated.explanations if stated else {}).items()},
        stated.version if stated else 0,
    )
    return Assembled(subject, record, stated, made)


async def state_fields(
    session: AsyncSession,
    number: str,
    subject: str,
    *,
    based_on: int,
    supplied: Mapping[str, Any],
    explanations: Mapping[str, Explanation],
    request: str,
    by: str,
    role: str,
    now: datetime,
) -> DocumentFields:
    """Store a new version of what people state; the same request again changes nothing.

    The audit names the fields, not their texts: they may speak of people.

    Raises:
        FieldsChanged: the newest version is not the one the author read.
    """
    await hold_records.lock_recalls(session, [number])
    last = await newest_fields(session, number, subject)
    if last is not None and last.request == request:
        return last
    version = last.version if last else 0
    if version != based_on:
        raise FieldsChanged(version)
    row = DocumentFields(
        recall_number=number,
        subject=subject,
        version=version + 1,
        supplied=dict(supplied),
        explanations={name: each.model_dump(mode="json") for name, each in explanations.items()},
        request=request,
        stated_by=by,
        stated_at=now,
    )
    if await insert_new(session, DocumentFields, row.model_dump(exclude={"id"})):
        data = {
            "subject": subject,
            "version": row.version,
            "supplied": sorted(supplied),
            "explained": {
                name: each.expected_on.isoformat() if each.expected_on else "not applicable"
                for name, each in sorted(explanations.items())
            },
        }
        await audit.append(session, number, actor=by, role=role, action="document.fields_stated", at=now, data=data)
    return row


__all__ = ["Assembled", "FieldsChanged", "Subject", "assemble", "find", "newest_fields", "state_fields"]
