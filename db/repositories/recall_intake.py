"""Recording a new recall: number, intake facts and first audit event, in the transaction of its Idempotency-Key."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Sequence as DbSequence
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit, evidence, idempotency, provisional_account
from domain.phases import Phase
from domain.recall_number import build_recall_number
from models.recall import Recall

_NUMBERS = DbSequence("recall_number_seq")


async def open_recall(
    session: AsyncSession,
    facts: dict[str, Any],
    *,
    evidence_ids: Sequence[UUID],
    principal: str,
    role: str,
    key: str,
    now: datetime,
) -> Recall:
    """Reserve a number under the key, insert the recall in phase intake and open its provisional account.

    Args:
        facts: columns of `recall` as given at intake.
        evidence_ids: files to bind to the recall; they were checked before.
        principal: who starts it, and the owner of the Idempotency-Key.
        role: in which capacity.
        key: the Idempotency-Key; a repeat after a crash finds the number there.
        now: the API's instant.

    Raises:
        db.repositories.evidence.EvidenceUnusable: a file was bound to another recall meanwhile.
    """
    sequence = (await session.exec(select(_NUMBERS.next_value()))).one()
    number = build_recall_number(now.year, sequence, drill=bool(facts.get("drill")))
    await idempotency.reserve_recall(session, principal, key, number)
    recall = Recall(
        **facts,
        number=number,
        started_by=principal,
        created_at=now,
        phase=Phase.INTAKE.value,
        phase_since=now,
        scope_version=0,
        version=0,
    )
    session.add(recall)
    await session.flush()
    session.add(provisional_account.opened_with(number, now, principal))
    await session.flush()
    await audit.append(
        session,
        number,
        actor=principal,
        role=role,
        action="recall.opened",
        at=now,
        reason=recall.reason,
        data=_as_given(recall) | {"evidence_ids": list(evidence_ids), "provisional_account": "open"},
    )
    await evidence.link(session, number, evidence_ids, "intake", by=principal, at=now, role=role)
    return recall


def _as_given(recall: Recall) -> dict[str, Any]:
    """The intake facts that the audit keeps beside the reason."""
    return {
        "title": recall.title,
        "hazard": recall.hazard,
        "translations": recall.translations,
        "trigger": {"source": recall.trigger_source, "reference": recall.trigger_reference},
        "awareness_at": recall.awareness_at,
        "jurisdictions": recall.jurisdictions,
        "places": recall.places,
        "suspect": recall.suspect,
        "owner": recall.owner,
        "drill": recall.drill,
        "pace": recall.pace,
    }


async def unstarted(session: AsyncSession, before: datetime) -> Sequence[Recall]:
    """Recalls recorded before `before` whose workflow has not written anything yet: it may never have started."""
    query = (
        select(Recall)
        .where(
            col(Recall.phase) == Phase.INTAKE.value,
            col(Recall.version) == 0,
            col(Recall.created_at) < before,
        )
        .order_by(col(Recall.created_at))
        .limit(100)
    )
    return (await session.exec(query)).all()


__all__ = ["open_recall", "unstarted"]
