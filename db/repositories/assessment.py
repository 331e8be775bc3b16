"""Hazard evaluations, class decisions and sign-offs: facts that are added and never changed."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db import bulk
from db.repositories import audit
from db.rows import insert_new, uuid_of
from domain.audit_chain import canonical_json
from models.master import Partner
from models.recall import ClassDecision, Consignee, HazardEvaluationRecord, SignOff

SIGNED: Final = "sign_off.recorded"
"""The audit event that binds a sign-off to its signature."""


async def add_evaluation(session: AsyncSession, evaluation: HazardEvaluationRecord) -> bool:
    """Add an evaluation; False when a retried activity brings the same one again."""
    row = evaluation.model_dump(exclude={"id"})
    return await insert_new(session, HazardEvaluationRecord, row) == 1


async def latest_evaluations(session: AsyncSession, number: str) -> list[HazardEvaluationRecord]:
    """The newest evaluation of each product line."""
    query = (
        select(HazardEvaluationRecord)
        .where(col(HazardEvaluationRecord.recall_number) == number)
        .ext(distinct_on(col(HazardEvaluationRecord.product_line)))
        .order_by(col(HazardEvaluationRecord.product_line), col(HazardEvaluationRecord.id).desc())
    )
    return list((await session.exec(query)).all())


async def evaluation_of_proposal(
    session: AsyncSession, number: str, line: str, proposal_id: int
) -> HazardEvaluationRecord | None:
    """The evaluation of a product line that a proposal rests on: the newest that was there when it was made."""
    query = (
        select(HazardEvaluationRecord)
        .where(
            col(HazardEvaluationRecord.recall_number) == number,
            col(HazardEvaluationRecord.product_line) == line,
            col(HazardEvaluationRecord.id) <= proposal_id,
        )
        .order_by(col(HazardEvaluationRecord.id).desc())
        .limit(1)
    )
    return (await session.exec(query)).one_or_none()


async def add_class_decisions(session: AsyncSession, rows: list[ClassDecision]) -> int:
    """Add decisions; those that exist for the same proposal stay as they are. Returns how many are new."""
    values = [row.model_dump(exclude={"id"}) for row in rows]
    return await insert_new(session, ClassDecision, values)


async def class_decisions(
    session: AsyncSession, number: str, proposal_id: int, kinds: tuple[str, ...]
) -> list[ClassDecision]:
    """Decisions of the given kinds on one proposal, in a stable order."""
    query = (
        select(ClassDecision)
        .where(
            col(ClassDecision.recall_number) == number,
            col(ClassDecision.proposal_id) == proposal_id,
            col(ClassDecision.kind).in_(kinds),
        )
        .order_by(col(ClassDecision.product_line), col(ClassDecision.jurisdiction))
    )
    return list((await session.exec(query)).all())


async def latest_proposal(session: AsyncSession, number: str) -> int:
    """Id of the newest proposal; 0 when nothing was proposed."""
    query = select(func.max(col(ClassDecision.proposal_id))).where(
        col(ClassDecision.recall_number) == number, col(ClassDecision.kind) == "proposed"
    )
    return (await session.exec(query)).one() or 0


async def sign(session: AsyncSession, sign_off: SignOff) -> bool:
    """Record a sign-off; False when a retried activity brings the same one again.

    An audit event binds the row, as it is, to the signature under it: a byte that changes in either is found.
    """
    row = sign_off.model_dump(exclude={"id"})
    if await insert_new(session, SignOff, row) != 1:
        return False
    await audit.append(
        session,
        sign_off.recall_number,
        actor=sign_off.actor,
        role=sign_off.role,
        action=SIGNED,
        at=sign_off.signed_at,
        data={"step": sign_off.step, "outcome": sign_off.outcome, "sha256": row_sha256(row)},
        signature=sign_off.signature_id,
    )
    return True


async def sign_all(session: AsyncSession, number: str, sign_offs: Sequence[SignOff]) -> None:
    """Record sign-offs of one recall that one signature stands for, each bound to it as by `sign`."""
    rows = [each.model_dump(exclude={"id"}) for each in sign_offs]
    await bulk.insert_all(session, sign_offs, skip_known=True)
    entries = [
        audit.Entry(
            each.actor,
            each.role,
            SIGNED,
            each.signed_at,
            data={"step": each.step, "outcome": each.outcome, "sha256": row_sha256(row)}
            | ({"signature": each.signature_id} if each.signature_id else {}),
        )
        for each, row in zip(sign_offs, rows, strict=True)
    ]
    await audit.append_all(session, number, entries)


def row_sha256(row: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the canonical JSON of a sign-off without its id, the same before and after it is stored."""
    plain = {name: value for name, value in row.items() if name != "id"}
    return hashlib.sha256(canonical_json(plain).encode()).hexdigest()


async def consignee_places(session: AsyncSession, number: str) -> list[tuple[str | None, str | None]]:
    """(country, region) of every consignee of the recall, without repeats."""
    query = (
        select(Partner.country, Partner.region)
        .join(Consignee, col(Consignee.partner_id) == col(Partner.id))
        .where(col(Consignee.recall_number) == number)
        .distinct()
        .order_by(col(Partner.country), col(Partner.region))
    )
    return [(country, region) for country, region in (await session.exec(query)).all()]


def sign_off(
    number: str,
    step: str,
    outcome: str,
    *,
    actor: str,
    role: str,
    meaning: str,
    at: datetime,
    reason: str | None = None,
    reference: str | None = None,
    body: Mapping[str, Any] | None = None,
    signature: str | None = None,
) -> SignOff:
    """A sign-off with the fields every step shares; `signature` is the id of the electronic signature under it."""
    return SignOff(
        recall_number=number,
        step=step,
        outcome=outcome,
        actor=actor,
        role=role,
        meaning=meaning,
        signed_at=at,
        reason=reason,
        reference=reference,
        body=dict(body or {}),
        signature_id=uuid_of(signature),
    )


async def classes_in_force(session: AsyncSession, number: str) -> list[ClassDecision]:
    """The last decision on each product line and jurisdiction, ours or the authority's own, in a stable order."""
    line = (col(ClassDecision.product_line), col(ClassDecision.jurisdiction))
    query = (
        select(ClassDecision)
        .where(
            col(ClassDecision.recall_number) == number,
            col(ClassDecision.kind).in_(("approved", "overridden", "authority")),
        )
        .ext(distinct_on(*line))
        .order_by(*line, col(ClassDecision.decided_at).desc(), col(ClassDecision.id).desc())
    )
    return list((await session.exec(query)).all())


async def decided_levels(session: AsyncSession, number: str) -> list[tuple[str, str]]:
    """(jurisdiction, level) pairs of the classes in force, without repeats."""
    return sorted({(row.jurisdiction, row.level) for row in await classes_in_force(session, number)})


async def authority_decisions(session: AsyncSession, number: str) -> int:
    """How many classes authorities gave so far."""
    query = select(func.count(col(ClassDecision.id))).where(
        col(ClassDecision.recall_number) == number, col(ClassDecision.kind) == "authority"
    )
    return (await session.exec(query)).one()
